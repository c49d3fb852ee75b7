//! A run as one .zip: everything that is needed to look into it on another machine, and nothing else.
//!
//! In: a run directory and the command that repeats it. Out: an archive with one folder, a run directory again: history,
//! plan, verdict, report, samples, counterexamples, configuration and logs, and `versions.json`. `check`, `report` and
//! `replay` take that folder. The stores' data stays behind: it is large, and no stage reads it.

use crate::{
    exit::Failure,
    run_directory::{RunDirectory, write_whole},
};
use serde::Serialize;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Folders and files of a run directory that are of no use elsewhere.
const LEFT_OUT: [&str; 2] = ["data", "nemesis.journal"];
/// A file from this size on needs the larger fields of the format.
const LARGE_FROM: u64 = 2 << 30;

/// What ran where, for whoever gets the archive. Version 1 of `versions.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Versions<'a> {
    format: &'static str,
    version: u32,
    tool_version: &'static str,
    /// What was tested, as the history says.
    target: Option<String>,
    system: String,
    architecture: &'static str,
    /// What repeats the run.
    command: &'a str,
}

/// Writes the archive, whole or not at all. Its folder has the archive's name.
pub fn write(run: &RunDirectory, command: &str, archive: &Path) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        Failure::target_or_disk(format!("cannot write {}: {error}", archive.display()))
    };
    let versions = Versions {
        format: "jepsen-tikv versions",
        version: 1,
        tool_version: env!("CARGO_PKG_VERSION"),
        target: target(run),
        system: system(),
        architecture: std::env::consts::ARCH,
        command,
    };
    let text = serde_json::to_vec_pretty(&versions).map_err(Failure::software)?;
    write_whole(&run.path().join("versions.json"), &text)?;
    let folder = archive.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let fresh = archive.with_extension("zip.part");
    let pack = || -> io::Result<()> {
        let mut zip = ZipWriter::new(File::create(&fresh)?);
        for file in files(run.path())? {
            let below = file.strip_prefix(run.path()).unwrap_or(&file);
            let mut contents = File::open(&file)?;
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .large_file(contents.metadata()?.len() >= LARGE_FROM);
            zip.start_file_from_path(Path::new(&folder).join(below), options)?;
            io::copy(&mut contents, &mut zip)?;
        }
        zip.finish()?.sync_all()?;
        std::fs::rename(&fresh, archive)
    };
    pack().map_err(cannot)
}

/// Every file below a run directory but those left out, in order.
fn files(run: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![run.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let is_left_out = LEFT_OUT.iter().any(|name| entry.path() == run.join(name));
            let kind = entry.file_type()?;
            if kind.is_dir() && !is_left_out {
                folders.push(entry.path());
            } else if kind.is_file() && !is_left_out {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// What the history says was tested.
fn target(run: &RunDirectory) -> Option<String> {
    let source = histories::source::open(&run.history(), None).ok()?;
    source.header.fields.get("target")?.as_str().map(str::to_owned)
}

/// The operating system and its kernel.
fn system() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_a_run_directory_again_without_the_data() {
        let directory = tempfile::tempdir().expect("a directory");
        let run = RunDirectory::create(directory.path(), "a").expect("made");
        let header = "{\"format\":\"jepsen-tikv history\",\"version\":1,\"target\":\"embedded\"}\n";
        std::fs::write(run.history(), header).expect("written");
        std::fs::write(run.plan(), "{}").expect("written");
        std::fs::write(run.path().join("logs/pd1.log"), "a log").expect("written");
        std::fs::create_dir_all(run.path().join("data/store-1")).expect("made");
        std::fs::write(run.path().join("data/store-1/keys"), "large").expect("written");
        let archive = directory.path().join("bad.zip");
        write(&run, "jepsen-tikv test --seed 1", &archive).expect("packed");

        let elsewhere = tempfile::tempdir().expect("a directory");
        let mut zip = zip::ZipArchive::new(File::open(&archive).expect("there")).expect("a zip");
        zip.extract(elsewhere.path()).expect("unpacked");
        let again = RunDirectory::open(&elsewhere.path().join("bad")).expect("a run");
        assert_eq!(std::fs::read_to_string(again.history()).expect("there"), header);
        assert!(again.path().join("logs/pd1.log").is_file() && again.plan().is_file());
        assert!(!again.path().join("data").exists());
        let versions = std::fs::read_to_string(again.path().join("versions.json")).expect("there");
        assert!(versions.contains("\"target\": \"embedded\"") && versions.contains("--seed 1"));
    }
}
