//! The disk: batches in, everything back at start. The one file that knows fjall.
//!
//! fjall was chosen by measurement (`benches/engine.rs`): its commits with fsync cost what a bare append and
//! fdatasync cost, as raft-engine's do, and it keeps keys as well as logs. Its journal is checksummed: a torn tail is
//! dropped when it is opened, and since a batch is one journal entry, half of a batch is never seen. What this
//! deliberately does not know: what keys and values mean, but for the store's identity.

use super::{StoreError, node::disk::Batch};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::{Path, PathBuf};

/// Sorts before all keys of the node's layout.
const IDENTITY_KEY: &[u8] = &[1];
const JOURNAL_BYTES_MAX: u64 = 256 << 20;
const MEMTABLE_BYTES_MAX: u64 = 16 << 20;
const CACHE_BYTES: u64 = 4 << 20;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Which store of which cluster a directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The cluster, as PD calls it.
    pub cluster_id: u64,
    /// The store, as PD calls it.
    pub store_id: u64,
}

/// An open data directory.
#[derive(Clone)]
pub struct Engine {
    database: Database,
    keyspace: Keyspace,
    path: PathBuf,
}

impl Engine {
    /// Opens a directory, or makes it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let at = |reason: String| StoreError::DataDir { path: path.to_owned(), reason };
        std::fs::create_dir_all(path).map_err(|error| at(error.to_string()))?;
        let opened = Database::builder(path)
            .worker_threads(1)
            .manual_journal_persist(true)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .cache_size(CACHE_BYTES)
            .open()
            .and_then(|database| {
                let options =
                    || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX);
                Ok((database.keyspace("store", options)?, database))
            });
        match opened {
            Ok((keyspace, database)) => Ok(Self { database, keyspace, path: path.to_owned() }),
            Err(fjall::Error::Locked) => Err(at("another process has it open".into())),
            Err(fjall::Error::Io(error)) => Err(at(error.to_string())),
            Err(error) => Err(StoreError::Corrupt(format!("{}: {error}", path.display()))),
        }
    }

    /// Whose directory this is; none before the first start is through.
    pub fn identity(&self) -> Result<Option<Identity>, StoreError> {
        let Some(bytes) = self.keyspace.get(IDENTITY_KEY).map_err(|error| self.broken(&error))?
        else {
            return Ok(None);
        };
        let number = |range: std::ops::Range<usize>| {
            bytes.get(range).and_then(|part| part.try_into().ok()).map(u64::from_be_bytes)
        };
        match (number(0..8), number(8..16)) {
            (Some(cluster_id), Some(store_id)) => Ok(Some(Identity { cluster_id, store_id })),
            _ => Err(StoreError::Corrupt("the store's identity is unreadable".into())),
        }
    }

    /// Notes whose directory this is.
    pub fn set_identity(&self, identity: Identity) -> Result<(), StoreError> {
        let mut value = identity.cluster_id.to_be_bytes().to_vec();
        value.extend_from_slice(&identity.store_id.to_be_bytes());
        let batch = Batch { writes: vec![(IDENTITY_KEY.to_vec(), Some(value))], must_sync: true };
        self.write(&[batch])
    }

    /// Every key and value but the identity.
    pub fn pairs(&self) -> Result<Vec<Pair>, StoreError> {
        let mut pairs = Vec::new();
        for guard in self.keyspace.iter() {
            let (key, value) = guard.into_inner().map_err(|error| self.broken(&error))?;
            if *key != *IDENTITY_KEY {
                pairs.push((key.to_vec(), value.to_vec()));
            }
        }
        Ok(pairs)
    }

    /// Writes batches as one, in order; syncs if one of them asks for it.
    pub fn write(&self, batches: &[Batch]) -> Result<(), StoreError> {
        let must_sync = batches.iter().any(|batch| batch.must_sync);
        let durability = must_sync.then_some(PersistMode::SyncData);
        let mut together = self.database.batch().durability(durability);
        for (key, value) in batches.iter().flat_map(|batch| &batch.writes) {
            match value {
                Some(value) => together.insert(&self.keyspace, key.as_slice(), value.as_slice()),
                None => together.remove(&self.keyspace, key.as_slice()),
            }
        }
        together.commit().map_err(|error| StoreError::Disk {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn broken(&self, error: &fjall::Error) -> StoreError {
        StoreError::Corrupt(format!("{}: {error}", self.path.display()))
    }
}
