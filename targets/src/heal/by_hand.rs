//! Files of earlier versions, and of others, that describe something to heal: reported, never acted
//! on.
//!
//! In: a directory of runs. Out: a sentence for each process that such a file calls paused and that
//! is paused, and for each cluster that was not put back. A file can come from anybody, so no
//! process is started or signalled because of it, and only plain files of a bounded size are read.

use nemesis::{ProcessIdentity, ProcessState};
use run_directory::plain_file::{self, JOURNAL_BYTES_MAX};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The greatest depth of nested folders: nights/NIGHT/runs/CELL/TEST/RUN.
const DEPTH_MAX: usize = 7;
/// The greatest number of files and folders to visit.
const ENTRIES_MAX: usize = 200_000;

/// Reports below a directory that must be healed by hand.
pub fn left_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut entries_left = ENTRIES_MAX;
    collect(directory, 0, &mut entries_left, &mut found);
    found.sort();
    found.iter().flat_map(|path| told(path)).collect()
}

fn collect(folder: &Path, depth: usize, entries_left: &mut usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        *entries_left = entries_left.saturating_sub(1);
        if *entries_left == 0 {
            return;
        }
        let (path, name) = (entry.path(), entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEPTH_MAX && name != "data" && name != "logs" => {
                collect(&path, depth + 1, entries_left, found);
            }
            Ok(kind)
                if kind.is_file() && (name == "nemesis.journal" || name == "attached.json") =>
            {
                found.push(path);
            }
            _ => {}
        }
    }
}

fn told(path: &Path) -> Vec<String> {
    let Ok(text) = plain_file::read(path, JOURNAL_BYTES_MAX) else { return Vec::new() };
    if path.ends_with("attached.json") {
        told_of_cluster(path, &text)
    } else {
        told_of_processes(path, &text)
    }
}

/// Reports clusters from files of version 1; later versions use the state directory instead.
fn told_of_cluster(path: &Path, text: &[u8]) -> Vec<String> {
    let said: Value = serde_json::from_slice(text).unwrap_or_default();
    if said["version"] != 1 || said["done"] != false {
        return Vec::new();
    }
    vec![format!(
        "nothing was done because of {}, which an earlier version or somebody else wrote: it says that of the cluster at \
         {} max-replicas was {} and keys under {} are a test's; if a test of yours left that, put it back with pd-ctl",
        path.display(),
        said["pd-endpoints"],
        said["max-replicas"],
        said["prefix"]
    )]
}

fn told_of_processes(path: &Path, text: &[u8]) -> Vec<String> {
    let mut paused = BTreeSet::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let process = |word: &str| {
            let said = &line[word];
            let pid = u32::try_from(said["pid"].as_u64()?).ok()?;
            said["host"].is_null().then_some((pid, said["start_ticks"].as_u64()?))
        };
        if let Some(process) = process("stopping") {
            paused.insert(process);
        } else if let Some(process) = process("resumed") {
            paused.remove(&process);
        }
    }
    let is_paused = |(pid, start_ticks): (u32, u64)| {
        let process = ProcessIdentity::of(pid)?;
        (process.start_ticks == start_ticks && process.state() == ProcessState::Stopped)
            .then_some(process)
    };
    let tell = |process: ProcessIdentity| {
        let pid = process.pid;
        format!(
            "nothing was done because of {}, which an earlier version or somebody else wrote: it says that {process} was \
             paused, and it is; if a test of yours did that: kill -CONT {pid}",
            path.display()
        )
    };
    paused.into_iter().filter_map(is_paused).map(tell).collect()
}
