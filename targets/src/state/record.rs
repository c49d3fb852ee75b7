//! `record.json`: the processes and changes of one tester. Version 1, a [`Record`] as JSON.
//!
//! It is written atomically whenever something was started, ended or changed. It is trusted only
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

/// The processes and changes of one tester.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    format: String,
    version: u32,
    /// The user that the tester ran as.
    pub uid: u32,
    /// The machine that the tester ran on.
    pub machine: Machine,
    /// The tester, or a cluster's supervisor.
    pub tester: ProcessIdentity,
    /// The directory of the run or the cluster.
    pub directory: PathBuf,
    /// True if the record stays as long as the directory, also without processes.
    pub keeps: bool,
    /// The tester's started processes that have not ended as far as it knows.
    pub started: Vec<Started>,
    /// The changes to undo on a cluster that somebody else started.
    pub attached: Option<Undo>,
}

/// A process that a tester started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Started {
    /// The process's name: `pd1`, `store-1`.
    pub name: String,
    /// The process's identity.
    pub process: ProcessIdentity,
    /// True if the process's children are in its process group and do not end with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leads_group: bool,
}

impl Started {
    /// A process that starts no others.
    pub fn new(name: String, process: ProcessIdentity) -> Self {
        Self { name, process, leads_group: false }
    }
}

/// A record in the state directory, of a living or a dead tester.
#[derive(Debug)]
pub struct LeftRecord {
    /// The folder of the record.
    pub folder: PathBuf,
    /// The record's content.
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

    /// Returns true if the record is about this directory.
    pub fn is_of(&self, directory: &Path) -> bool {
        self.directory == directory
            || fs::canonicalize(directory).is_ok_and(|whole| self.directory == whole)
    }

    /// Returns true if nothing is left to end or to undo.
    pub fn is_settled(&self) -> bool {
        self.started.is_empty() && self.attached.is_none()
    }

    /// Writes the record into its folder atomically.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(Failure::software)?;
        let write = || {
            // Temporary files are readable by their owner alone.
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
    /// Reads the record in a folder; `None` if it holds no record of this version.
    pub(super) fn read(folder: PathBuf) -> Option<Self> {
        let text = plain_file::read(&folder.join(FILE), CLUSTER_BYTES_MAX).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        (record.format == FORMAT && record.version == VERSION).then_some(Self { folder, record })
    }

    /// The path of the journal of paused processes.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("nemesis.journal")
    }

    /// Returns true if the record's tester lives.
    pub fn lives(&self) -> bool {
        match self.record.machine.whereabouts() {
            Whereabouts::Here => self.record.tester.state() != ProcessState::Gone,
            Whereabouts::EarlierBoot => false,
            Whereabouts::OtherContainer | Whereabouts::Elsewhere => {
                !matches!(self.take(), Ok(Some(_)))
            }
        }
    }

    /// Reads the record again; `None` if it was removed. Reliable only while its lock is held.
    pub fn again(&self) -> Option<Self> {
        Self::read(self.folder.clone())
    }

    /// Takes the record's lock; `None` if its tester lives, or somebody else heals or removed it.
    pub fn take(&self) -> Result<Option<File>, Failure> {
        let cannot = |error: io::Error| {
            Failure::target_or_disk(format!("cannot lock {}: {error}", self.folder.display()))
        };
        let path = self.folder.join(LOCK);
        let opened = plain_file::open_with(&path, OpenOptions::new().append(true));
        let lock = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // The record was removed, or only its lock was, which a dead tester does not need.
                let is_left = self.record.machine.whereabouts() == Whereabouts::Here
                    && self.record.tester.state() == ProcessState::Gone
                    && self.folder.join(FILE).exists();
                if !is_left {
                    return Ok(None);
                }
                let mut create = OpenOptions::new();
                plain_file::open_with(&path, create.append(true).create(true)).map_err(cannot)?
            }
            opened => opened.map_err(cannot)?,
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// Removes the record.
    pub fn remove(&self, _held: &File) -> Result<(), Failure> {
        remove(&self.folder)
    }
}

/// Removes a record's folder after renaming it, so that half a record is not taken for one.
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
    /// The folders that do not hold a record of this version.
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
