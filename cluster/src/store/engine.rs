//! The disk: batches in, everything back at start. The one file that knows fjall.
//!
//! fjall was chosen by measurement (`benches/engine.rs`): its commits with fsync cost what a bare append and
//! fdatasync cost, as raft-engine's do, and it keeps keys as well as logs. Its journal is checksummed: a torn tail is
//! dropped when it is opened, and since a batch is one journal entry, half of a batch is never seen. What this
//! deliberately does not know: what keys and values mean, but for the store's identity.

use super::{StoreError, node::disk::Batch};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

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
        // fjall gives all changes of a batch one sequence number, so of several to one key only the last may be in it.
        let mut last = HashMap::new();
        for (key, value) in batches.iter().flat_map(|batch| &batch.writes) {
            last.insert(key.as_slice(), value.as_deref());
        }
        for (key, value) in last {
            match value {
                Some(value) => together.insert(&self.keyspace, key, value),
                None => together.remove(&self.keyspace, key),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_changes_to_a_key_the_last_one_holds_even_in_one_commit() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let change = |key: &str, value: Option<&str>| {
            (key.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()))
        };
        let batch = |writes| Batch { writes, must_sync: true };
        let engine = Engine::open(dir.path()).expect("it opens");
        let first = batch(vec![change("a", Some("1")), change("b", Some("1")), change("b", None)]);
        let second = batch(vec![change("a", Some("2")), change("c", None), change("c", Some("2"))]);
        engine.write(&[first, second]).expect("it writes");
        let want = vec![(b"a".to_vec(), b"2".to_vec()), (b"c".to_vec(), b"2".to_vec())];
        assert_eq!(engine.pairs().expect("it reads"), want);
        drop(engine);
        let again = Engine::open(dir.path()).expect("it opens again");
        assert_eq!(again.pairs().expect("it reads"), want);
    }

    #[test]
    fn a_directory_in_use_is_refused() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let _held = Engine::open(dir.path()).expect("it opens");
        let refused = Engine::open(dir.path()).map(drop).expect_err("it is in use");
        assert!(refused.to_string().contains("another process has it open"), "{refused}");
    }
}
