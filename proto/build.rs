//! Compiles `proto/*.proto` with `protox`, a compiler in Rust: the user's machine needs no
//! `protoc`.
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = Path::new("proto");
    let mut files: Vec<_> =
        std::fs::read_dir(dir)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(&files, [dir])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
