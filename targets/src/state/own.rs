//! This tester's own record: begun before anything is started, updated at every change, and removed
//! once nothing is left.
//!
//! In: the processes that the tester starts and ends, and its changes. Out: `record.json` on disk
//! before the next step. If entries are left when this is dropped, the file stays for `heal`.

use super::{
    directory::StateDirectory,
    record::{LOCK, Record, Started, remove},
};
use crate::undo::Undo;
use failure::Failure;
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The number of names tried for a record.
const NAME_TRIES_MAX: u32 = 1_000;

/// The record of this tester.
#[derive(Debug)]
pub struct OwnRecord {
    folder: PathBuf,
    record: Mutex<Record>,
    /// The lock, held as long as this lives.
    _lock: File,
}

impl OwnRecord {
    /// Begins the record of a run in this directory.
    pub fn of_run(directory: &Path) -> Result<Arc<Self>, Failure> {
        Self::begin(&StateDirectory::make()?, Record::begin(directory, false)?)
    }

    /// Begins the record of a cluster in this directory, which stays as long as the directory does.
    pub fn of_cluster(directory: &Path) -> Result<Arc<Self>, Failure> {
        super::forget(directory);
        Self::begin(&StateDirectory::make()?, Record::begin(directory, true)?)
    }

    pub(super) fn begin(state: &StateDirectory, record: Record) -> Result<Arc<Self>, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::target_or_disk(format!(
                "cannot note in {} what must be undone: {error}; make room, or set XDG_STATE_HOME to another directory",
                state.path().display()
            ))
        };
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        let mut name = format!("{stamp}-{}", std::process::id());
        let mut tries = 0;
        let hidden = loop {
            let hidden = state.path().join(format!(".{name}"));
            match DirBuilder::new().mode(0o700).create(&hidden) {
                Ok(()) if !state.path().join(&name).exists() => break hidden,
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(cannot(error));
                }
                _ if tries >= NAME_TRIES_MAX => {
                    return Err(cannot(ErrorKind::AlreadyExists.into()));
                }
                Ok(()) => std::fs::remove_dir(&hidden).map_err(cannot)?,
                Err(_) => {}
            }
            tries += 1;
            name = format!("{stamp}-{}-{tries}", std::process::id());
        };
        let mut options = OpenOptions::new();
        let lock = options.append(true).create_new(true).mode(0o600).open(hidden.join(LOCK));
        let lock = lock.map_err(cannot)?;
        lock.try_lock().map_err(|error| cannot(error.into()))?;
        record.write(&hidden)?;
        // The record gets its final name once it is whole and locked.
        let folder = state.path().join(name);
        std::fs::rename(&hidden, &folder).map_err(cannot)?;
        File::open(state.path()).and_then(|it| it.sync_all()).map_err(cannot)?;
        Ok(Arc::new(Self { folder, record: Mutex::new(record), _lock: lock }))
    }

    /// The record's name, by which run directories refer to it.
    pub fn id(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The path of the journal of paused processes.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("nemesis.journal")
    }

    /// Notes our running processes.
    pub fn note_started(&self, started: Vec<Started>) -> Result<(), Failure> {
        self.change(|record| record.started = started)
    }

    /// Notes the changes to undo; `None` = they are undone.
    pub fn note_undo(&self, undo: Option<Undo>) -> Result<(), Failure> {
        self.change(|record| record.attached = undo)
    }

    fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), Failure> {
        let mut record = self.record();
        let mut changed = record.clone();
        change(&mut changed);
        if changed == *record {
            return Ok(());
        }
        changed.write(&self.folder)?;
        *record = changed;
        Ok(())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // Every change leaves the record whole.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OwnRecord {
    fn drop(&mut self) {
        let record = self.record().clone();
        let paused = nemesis::left_paused(&self.journal()).unwrap_or_default();
        if record.keeps && record.directory.exists() || !record.is_settled() || !paused.is_empty() {
            return;
        }
        if let Err(failure) = remove(&self.folder) {
            tracing::warn!(%failure, "a record of nothing stays");
        }
    }
}
