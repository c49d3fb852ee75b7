//! The files of a run for a browser or an archive: all plain files but the stores' data.
//!
//! In: a run's directory. Out: names and sizes. Links and hidden files are left out, since a run
//! may be somebody else's.

use serde::Serialize;
use std::{fs, path::Path};

/// The folder of the stores' data: large, and of no use without the program.
const LEFT_OUT: &str = "data";
/// The greatest depth of nested folders, and the greatest number of files.
const DEPTH_MAX: usize = 4;
const FILES_MAX: usize = 2_000;

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFile {
    /// The file's path below the run's directory.
    pub name: String,
    /// The file's length.
    pub bytes: u64,
}

/// All files of a run, ordered by name.
pub fn of(run: &Path) -> Vec<RunFile> {
    let mut kept = Vec::new();
    collect(run, "", 0, &mut kept);
    kept.sort_by(|a, b| (a.name.contains('/'), &a.name).cmp(&(b.name.contains('/'), &b.name)));
    kept
}

fn collect(folder: &Path, prefix: &str, depth: usize, kept: &mut Vec<RunFile>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        // Taken from the entry itself, not from a link's destination.
        let (Ok(kind), Ok(metadata)) = (entry.file_type(), entry.metadata()) else { continue };
        let path = format!("{prefix}{name}");
        if !is_plain(&name) || path == LEFT_OUT || kept.len() >= FILES_MAX {
            continue;
        }
        if kind.is_file() {
            kept.push(RunFile { name: path, bytes: metadata.len() });
        } else if kind.is_dir() && depth < DEPTH_MAX {
            collect(&entry.path(), &format!("{path}/"), depth + 1, kept);
        }
    }
}

/// Returns true for a plain file name, without any special meaning in a path.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_links_and_hidden_files_are_left_out() {
        let run = tempfile::tempdir().expect("a directory");
        for name in ["logs", "data/store-1"] {
            fs::create_dir_all(run.path().join(name)).expect("made");
        }
        for name in ["plan.json", "logs/pd1.log", "data/store-1/1.sst", ".hidden"] {
            fs::write(run.path().join(name), "12").expect("written");
        }
        std::os::unix::fs::symlink("/etc/passwd", run.path().join("link")).expect("made");
        let names: Vec<String> = of(run.path()).into_iter().map(|kept| kept.name).collect();
        assert_eq!(names, ["plan.json", "logs/pd1.log"]);
    }
}
