//! Puts the charting library where the pages can include it.
//!
//! In: the sources of the build-dependency `charming`, which carries Apache `ECharts` as one
//! minified file. Out: `echarts.min.js` in `OUT_DIR`. So the script is a dependency with a version
//! and a checksum in Cargo.lock, and `cargo build` needs neither Node nor a second registry.
//! Nothing is downloaded here that Cargo did not download.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The crate that carries the script.
const CARRIER: &str = "charming";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../Cargo.lock");
    let version = locked_version();
    let mut places = unpacked_by_cargo(&version).into_iter().chain(named_by_cargo());

    let script = places.find_map(|place| script_in(&place)).unwrap_or_else(|| {
        panic!(
            "{CARRIER} {version} is locked, but its sources with ECharts inside are not to be found"
        )
    });
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    fs::copy(script, out_dir.join("echarts.min.js")).expect("OUT_DIR can be written");
}

/// The carrier's version in Cargo.lock.
fn locked_version() -> String {
    let lock = fs::read_to_string("../Cargo.lock").expect("Cargo.lock is part of the repository");
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{CARRIER}\""));
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \""));
    version.and_then(|line| line.strip_suffix('"')).expect("the carrier is locked").to_owned()
}

/// Where Cargo unpacks what it takes from a registry.
fn unpacked_by_cargo(version: &str) -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        #[allow(deprecated, reason = "Cargo itself asks for the home directory in this way")]
        env::home_dir().map(|home| home.join(".cargo"))
    });
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let registries = registries.into_iter().flatten().flatten();
    registries.map(|registry| registry.path().join(format!("{CARRIER}-{version}"))).collect()
}

/// Where Cargo itself says that the carrier is; it also knows of vendored and replaced sources.
fn named_by_cargo() -> Option<PathBuf> {
    let cargo = env::var_os("CARGO")?;
    let target = env::var("TARGET").ok()?;
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", &target];
    let output = Command::new(cargo).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // One field of one package is wanted: not worth a JSON reader in the build script.
    let from = text.find(&format!("\"name\":\"{CARRIER}\",\"version\""))?;
    let manifest = text[from..].split("\"manifest_path\":\"").nth(1)?.split('"').next()?;
    Path::new(manifest).parent().map(Path::to_owned)
}

/// The minified script in the carrier's sources, whatever version its name says.
fn script_in(carrier: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(carrier.join("src/asset")).ok()?.flatten();
    files.map(|file| file.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("echarts") && name.ends_with(".min.js")
    })
}
