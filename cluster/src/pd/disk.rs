//! PD's files: each replaced as a whole, by a rename of a synced copy, so that a crash leaves the
//! old or the new one.
//!
//! In: documents of the core. Out: the same documents, after a restart. A full disk leaves the old
//! file and causes an error.

use super::core::saved::{FORMAT, Saved, SavedRegions};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// PD's data directory.
#[derive(Debug, Clone)]
pub struct Disk {
    dir: PathBuf,
}

impl Disk {
    /// Opens the directory, and makes it if there is none.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let said = |error: io::Error| {
            io::Error::new(error.kind(), format!("data directory {}: {error}", dir.display()))
        };
        fs::create_dir_all(dir).map_err(said)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Loads the saved state, if this directory was used before.
    pub fn load(&self) -> io::Result<Option<Saved>> {
        let saved: Option<Saved> = self.read("state.json")?;
        match &saved {
            Some(saved) if saved.format != FORMAT => Err(io::Error::other(format!(
                "{} has format {}, this program reads format {FORMAT}",
                self.dir.join("state.json").display(),
                saved.format
            ))),
            _ => Ok(saved),
        }
    }

    /// Loads the region cache. It is only a cache: an unreadable one is left out.
    pub fn load_regions(&self) -> Option<SavedRegions> {
        match self.read::<SavedRegions>("regions.json") {
            Ok(regions) => regions.filter(|regions| regions.format == FORMAT),
            Err(error) => {
                tracing::warn!(%error, "the region cache is left out");
                None
            }
        }
    }

    /// Saves the state; it is on disk once this returns.
    pub fn save(&self, saved: &Saved) -> io::Result<()> {
        self.replace("state.json", saved)
    }

    /// Saves the region cache; it is on disk once this returns.
    pub fn save_regions(&self, regions: &SavedRegions) -> io::Result<()> {
        self.replace("regions.json", regions)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let path = self.dir.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
            }
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| io::Error::other(format!("{} is corrupt: {error}", path.display())))
    }

    fn replace(&self, name: &str, document: &impl Serialize) -> io::Result<()> {
        let path = self.dir.join(name);
        let copy = self.dir.join(format!("{name}.new"));
        let write = || {
            let mut file = File::create(&copy)?;
            file.write_all(&serde_json::to_vec_pretty(document)?)?;
            file.sync_all()?;
            fs::rename(&copy, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrupt_state_is_an_error_and_a_corrupt_cache_is_left_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Disk::open(dir.path()).expect("opens");
        assert_eq!(disk.load().expect("nothing there"), None);
        fs::write(dir.path().join("state.json"), "{").expect("writes");
        fs::write(dir.path().join("regions.json"), "{").expect("writes");
        let error = disk.load().expect_err("corrupt").to_string();
        assert!(error.contains("state.json is corrupt"), "{error}");
        assert_eq!(disk.load_regions(), None);
    }
}
