//! Resolves a path below a folder and refuses one that leads out of it.
//!
//! In: a folder and a relative path as a browser sent it, decoded. Out: the path, if each part of
//! it is a plain name and no link. `..`, an absolute path, a hidden name or a symbolic link counts
//! as missing. The check precedes every access; someone who can change the folder meanwhile can
//! read the files anyway.

use run_directory::run_files::is_plain;
use std::{
    fs::FileType,
    path::{Path, PathBuf},
};

/// The thing that a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    /// A folder.
    Folder(PathBuf),
    /// A plain file.
    File(PathBuf),
}

/// Resolves a relative path; `None` if it does not stay inside.
pub fn inside(folder: &Path, relative: &str) -> Option<Inside> {
    let mut path = folder.to_owned();
    let mut kind: Option<FileType> = None;
    for name in relative.split('/') {
        if !is_plain(name) || kind.is_some_and(|kind| !kind.is_dir()) {
            return None;
        }
        path.push(name);
        kind = Some(path.symlink_metadata().ok()?.file_type());
    }
    let kind = kind?;
    if kind.is_dir() {
        Some(Inside::Folder(path))
    } else {
        kind.is_file().then_some(Inside::File(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_out() {
        let place = tempfile::tempdir().expect("a directory");
        let runs = place.path().join("runs");
        std::fs::create_dir_all(runs.join("a/b")).expect("made");
        std::fs::write(runs.join("a/b/file"), "x").expect("written");
        std::fs::write(place.path().join("secret"), "x").expect("written");
        symlink(place.path().join("secret"), runs.join("a/link")).expect("made");
        symlink(place.path(), runs.join("out")).expect("made");
        assert_eq!(inside(&runs, "a/b/file"), Some(Inside::File(runs.join("a/b/file"))));
        assert_eq!(inside(&runs, "a/b"), Some(Inside::Folder(runs.join("a/b"))));
        let secret = place.path().join("secret").display().to_string();
        for path in [
            "..",
            "../secret",
            "a/../../secret",
            "a/./b",
            "a//b",
            "/",
            "",
            &secret,
            "a/link",
            "out",
            "out/secret",
            "a/b/file/x",
            "a/b/file/..",
            "a\\..\\..\\secret",
            "a/b/\0",
            ".hidden",
        ] {
            assert_eq!(inside(&runs, path), None, "{path:?}");
        }
    }
}
