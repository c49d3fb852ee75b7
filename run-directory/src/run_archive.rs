//! A run as one .zip: everything that is needed to study it on another machine, and nothing else.
//!
//! In: a run directory, and the command that repeats the run, for a file in it. Out: an archive
//! with one folder, a run directory again: history, plan, verdict, report, samples,
//! counterexamples, configuration and logs, and `versions.json`. `check`, `report` and `replay`
//! take that folder. The stores' data is left out: it is large, and no stage reads it. The archive
//! is not kept in memory. A file that grows meanwhile has the length that it had when its turn
//! came.

use crate::{
    RunDirectory,
    plain_file::{self, Fresh},
    run_files::{self, RunFile},
    write_whole,
};
use failure::Failure;
use serde::Serialize;
use std::{
    io::{self, Read, Write},
    path::Path,
    time::SystemTime,
};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// Files of use only on the machine of the run's processes and its cluster.
const LEFT_OUT: [&str; 3] = ["attached.json", "cluster.json", "nemesis.journal"];
/// The largest file of an archive: no run has a larger one, but a sparse file has any length.
const FILE_BYTES_MAX: u64 = 64 << 30;
/// Files from this size on need the larger fields of the format.
const LARGE_FROM: u64 = 2 << 30;

/// The versions of everything in the run. Version 1 of `versions.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Versions<'a> {
    format: &'static str,
    version: u32,
    tool_version: &'static str,
    /// The tested target, as the history names it.
    target: Option<String>,
    system: String,
    architecture: &'static str,
    /// The command that repeats the run.
    command: &'a str,
}

/// Writes the archive atomically. Its folder has the archive's name.
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
    let pack = || -> io::Result<()> {
        let files = run_files::of(run.path());
        stream(run.path(), &folder, &files, Fresh::beside(archive)?)?.keep(archive)
    };
    pack().map_err(cannot)
}

/// Writes the archive to a stream while reading the files. Its entries lie in `folder`.
pub fn stream<W: Write>(run: &Path, folder: &str, files: &[RunFile], to: W) -> io::Result<W> {
    let mut archive = ZipWriter::new_stream(to);
    for file in files.iter().filter(|file| !LEFT_OUT.contains(&file.name.as_str())) {
        // The file may be gone by now.
        let Ok(source) = plain_file::open(&run.join(&file.name)) else { continue };
        let metadata = source.metadata()?;
        let length = metadata.len();
        if length > FILE_BYTES_MAX {
            continue;
        }
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(metadata.modified().ok().and_then(date).unwrap_or_default())
            .large_file(length >= LARGE_FROM);
        archive.start_file(format!("{folder}/{}", file.name), options)?;
        io::copy(&mut source.take(length), &mut archive)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// A time in the format's form: UTC, to two seconds.
fn date(at: SystemTime) -> Option<DateTime> {
    let at = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::try_from(at).ok()?);
    let part = |part: i8| u8::try_from(part).ok();
    DateTime::from_date_and_time(
        u16::try_from(at.year()).ok()?,
        part(at.month())?,
        part(at.day())?,
        part(at.hour())?,
        part(at.minute())?,
        part(at.second())?,
    )
    .ok()
}

/// The tested target, as the history names it.
fn target(run: &RunDirectory) -> Option<String> {
    let options = histories::ReadOptions::default();
    let source = histories::source::open_found(&run.history(), options).ok()?;
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
    use std::fs::File;

    #[test]
    fn an_archive_is_a_run_directory_again_without_the_data() {
        let directory = tempfile::tempdir().expect("a directory");
        let run = RunDirectory::create(directory.path(), "a").expect("made");
        let header = "{\"format\":\"jepsen-tikv history\",\"version\":1,\"target\":\"embedded\"}\n";
        std::fs::write(run.history(), header).expect("written");
        std::fs::write(run.plan(), "{}").expect("written");
        std::fs::write(run.path().join("logs/pd1.log"), "a log").expect("written");
        for left_out in LEFT_OUT {
            std::fs::write(run.path().join(left_out), "{}").expect("written");
        }
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
        assert!(LEFT_OUT.iter().all(|name| !again.path().join(name).exists()));
        let versions = std::fs::read_to_string(again.path().join("versions.json")).expect("there");
        assert!(versions.contains("\"target\": \"embedded\"") && versions.contains("--seed 1"));
    }

    #[test]
    fn what_is_in_it_is_what_was_on_disk() {
        let run = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(run.path().join("logs")).expect("made");
        let history = "{\"format\":1}\n".repeat(10_000);
        std::fs::write(run.path().join("history.jsonl"), &history).expect("written");
        std::fs::write(run.path().join("logs/pd1.log"), "log").expect("written");
        let mut bytes = Vec::new();
        stream(run.path(), "20260101T000000.000Z", &run_files::of(run.path()), &mut bytes)
            .expect("written");
        assert!(bytes.len() < history.len() / 10, "it is compressed");
        let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).expect("an archive");
        let names: Vec<String> =
            archive.file_names().map(|name| name.expect("text").into_owned()).collect();
        assert_eq!(
            names,
            ["20260101T000000.000Z/history.jsonl", "20260101T000000.000Z/logs/pd1.log"]
        );
        let mut read = String::new();
        archive.by_index(0).expect("there").read_to_string(&mut read).expect("read");
        assert_eq!(read, history);
    }
}
