//! Writes files atomically, and bounds the size of files read whole from a run directory.
//!
//! In: a path, and the file's contents. Out: the file. A run directory may be somebody else's and
//! hold links under our files' names. So the contents go into a new file beside it, under a free
//! name, which takes the final name once it is whole. Nothing is ever written through a link. The
//! reading side is [`histories::plain_file`].

pub use histories::plain_file::{
    open, open_with, read, read_named, read_named_to_string, read_to_string,
};

use failure::Failure;
use serde::de::DeserializeOwned;
use std::{
    fs::{File, Permissions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tempfile::NamedTempFile;

/// The largest plan: it has at most `nemesis::FAULTS_MAX` faults, a few hundred bytes each.
pub const PLAN_BYTES_MAX: u64 = 128 << 20;
/// The largest verdict: it has a few hundred bytes for each key, and there may be millions.
pub const VERDICT_BYTES_MAX: u64 = 2 << 30;
/// The largest `cluster.json` and the like: a few hundred bytes for each process.
pub const CLUSTER_BYTES_MAX: u64 = 4 << 20;
/// The largest journal: two lines for each fault, of a few hundred bytes for each process.
pub const JOURNAL_BYTES_MAX: u64 = 256 << 20;
/// The longest line: an operation on a few hundred keys, or a sample of a few thousand regions.
const LINE_BYTES_MAX: u64 = 16 << 20;
/// The largest file that a person writes, and the largest list that grows by a few runs a day.
pub const SMALL_BYTES_MAX: u64 = 16 << 20;

/// A file that takes its name only when it is whole; without [`Fresh::keep`] it is removed.
#[derive(Debug)]
pub struct Fresh(NamedTempFile);

impl Fresh {
    /// An empty file beside the one that it will become.
    pub fn beside(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        tempfile::Builder::new()
            .prefix(".")
            .suffix(".part")
            // The mode of any new file; the umask restricts it as the user wishes.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map(Self)
    }

    /// Gives the file its name, and replaces any other file of that name.
    pub fn keep(self, path: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        self.0.persist(path).map(|_| ()).map_err(|error| error.error)
    }
}

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes a file atomically.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut fresh = Fresh::beside(path)?;
    fresh.write_all(contents)?;
    fresh.keep(path)
}

/// Writes a file of a run directory atomically.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    write(path, contents).map_err(|error| {
        Failure::target_or_disk(format!(
            "cannot write {}: {error}; make room or choose another --runs-dir",
            path.display()
        ))
    })
}

/// Reads JSON that is too large to be held as text; `bytes_max` bounds it all the same.
pub fn json<T: DeserializeOwned>(path: &Path, bytes_max: u64) -> io::Result<T> {
    let file: File = open(path)?;
    Ok(serde_json::from_reader(BufReader::with_capacity(1 << 16, file.take(bytes_max)))?)
}

/// Passes on one line after the other, without its end, up to the first that exceeds our longest.
pub fn each_line(mut source: impl BufRead, mut hear: impl FnMut(&[u8])) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match source.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(1..) if line.ends_with(b"\n") => hear(&line[..line.len() - 1]),
            // A torn last line and a line that is too long look alike: neither is whole.
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_is_written_through_a_link() {
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("precious"), "mine").expect("written");
        for name in ["report.html", "report.part", ".part"] {
            symlink(at("precious"), at(name)).expect("made");
        }
        write_whole(&at("report.html"), b"new").expect("written");
        assert_eq!(std::fs::read_to_string(at("precious")).expect("there"), "mine");
        assert_eq!(read(&at("report.html"), 9).expect("a plain file"), b"new");
        let left = std::fs::read_dir(folder.path()).expect("there").count();
        assert_eq!(left, 4, "no temporary file is left");
    }

    #[test]
    fn what_is_not_kept_is_gone() {
        let folder = tempfile::tempdir().expect("a directory");
        let mut fresh = Fresh::beside(&folder.path().join("a.zip")).expect("made");
        fresh.write_all(b"half").expect("written");
        drop(fresh);
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 0);
    }
}
