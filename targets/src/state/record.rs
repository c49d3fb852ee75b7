//! `record.json`: what one tester started and changed. Version 1, a [`Record`] as JSON.
//!
//! It is written whole, under another name first, whenever something was started, ended or changed. It is believed only
//! because it lies in the state directory.

use super::directory::StateDirectory;
use crate::undo::Undo;
use failure::Failure;
use nemesis::{Machine, ProcessIdentity, ProcessState, Whereabouts};
use run_directory::plain_file::{self, CLUSTER_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

const FORMAT: &str = "jepsen-tikv record";
const VERSION: u32 = 1;
const FILE: &str = "record.json";
pub(super) const LOCK: &str = "lock";

/// What one tester started and changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    format: String,
    version: u32,
    /// The user that the tester ran as.
    pub uid: u32,
    /// Where the tester ran.
    pub machine: Machine,
    /// The tester, or a cluster's supervisor.
    pub tester: ProcessIdentity,
    /// The directory of the run or the cluster.
    pub directory: PathBuf,
    /// The directory outlives the processes, and is known by this record as long as it is there.
    pub keeps: bool,
    /// The processes that it started and that have not ended as far as it knows.
    pub started: Vec<Started>,
    /// What must be put back on a cluster that somebody else started.
    pub attached: Option<Undo>,
}

/// A process that a tester started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Started {
    /// Its name: `pd1`, `store-1`.
    pub name: String,
    /// Itself.
    pub process: ProcessIdentity,
    /// Those that it started are in its process group, and do not end with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leads_group: bool,
}

impl Started {
    /// One that starts no others.
    pub fn new(name: String, process: ProcessIdentity) -> Self {
        Self { name, process, leads_group: false }
    }
}

/// A record in the state directory, whoever wrote it lives or not.
#[derive(Debug)]
pub struct LeftRecord {
    /// The folder of the record.
    pub folder: PathBuf,
    /// What it says.
    pub record: Record,
}

impl Record {
    pub(super) fn begin(directory: &Path, keeps: bool) -> Result<Self, Failure> {
        let no_proc = || Failure::software("/proc says nothing about this process");
        Ok(Self {
            format: FORMAT.into(),
            version: VERSION,
            uid: nix::unistd::geteuid().as_raw(),
            machine: Machine::this(),
            tester: ProcessIdentity::own().ok_or_else(no_proc)?,
            directory: fs::canonicalize(directory).map_err(Failure::target_or_disk)?,
            keeps,
            started: Vec::new(),
            attached: None,
        })
    }

    /// It is about this directory.
    pub fn is_of(&self, directory: &Path) -> bool {
        self.directory == directory
            || fs::canonicalize(directory).is_ok_and(|whole| self.directory == whole)
    }

    /// Nothing is left to be ended or put back.
    pub fn is_settled(&self) -> bool {
        self.started.is_empty() && self.attached.is_none()
    }

    /// Writes it into its folder, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(Failure::software)?;
        let write = || {
            // Temporary files are for their owner alone.
            let mut file = NamedTempFile::with_prefix_in(".", folder)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(folder.join(FILE)).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|error: io::Error| {
            Failure::target_or_disk(format!(
                "cannot note in {} what must be undone: {error}; make room, or set XDG_STATE_HOME to another directory",
                folder.display()
            ))
        })
    }
}

impl LeftRecord {
    /// What lies in a folder; `None` if it is no record of this version.
    pub(super) fn read(folder: PathBuf) -> Option<Self> {
        let text = plain_file::read(&folder.join(FILE), CLUSTER_BYTES_MAX).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        (record.format == FORMAT && record.version == VERSION).then_some(Self { folder, record })
    }

    /// The journal of what is paused.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("nemesis.journal")
    }

    /// Its tester lives.
    pub fn lives(&self) -> bool {
        match self.record.machine.whereabouts() {
            Whereabouts::Here => self.record.tester.state() != ProcessState::Gone,
            Whereabouts::EarlierBoot => false,
            Whereabouts::OtherContainer | Whereabouts::Elsewhere => {
                !matches!(self.take(), Ok(Some(_)))
            }
        }
    }

    /// What it says by now; `None` if it was removed. Only whoever holds its lock may rely on it.
    pub fn again(&self) -> Option<Self> {
        Self::read(self.folder.clone())
    }

    /// Takes its lock; `None` if its tester lives, or somebody else heals it or has removed it.
    pub fn take(&self) -> Result<Option<File>, Failure> {
        let cannot = |error: io::Error| {
            Failure::target_or_disk(format!("cannot lock {}: {error}", self.folder.display()))
        };
        let opened =
            plain_file::open_with(&self.folder.join(LOCK), OpenOptions::new().append(true));
        let lock = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(cannot)?,
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// Removes it.
    pub fn remove(&self, _held: &File) -> Result<(), Failure> {
        remove(&self.folder)
    }
}

/// Removes a record's folder, its name first: half a record must not be taken for one.
pub(super) fn remove(folder: &Path) -> Result<(), Failure> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let hidden = folder.with_file_name(format!(".{name}.gone"));
    let remove = || {
        fs::rename(folder, &hidden)?;
        fs::remove_dir_all(&hidden)
    };
    remove().map_err(|error: io::Error| {
        Failure::target_or_disk(format!("cannot remove {}: {error}", folder.display()))
    })
}

impl StateDirectory {
    /// The folders that hold something else than a record of this version.
    pub fn unreadable(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path()).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let folders = folders.map(|entry| entry.path()).filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with('.') && LeftRecord::read(path.clone()).is_none() && path.exists()
        });
        folders.collect()
    }
}
