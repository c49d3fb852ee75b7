//! The disk: batches in, all data back at start. The one file that knows fjall.
//!
//! fjall was chosen by measurement (`benches/engine.rs`). Its commits with fsync cost as much as a
//! bare append and fdatasync, as raft-engine's do, and it keeps keys as well as logs. Its journal
//! is checksummed: a torn tail is dropped when it is opened. Since a batch is one journal entry,
//! half of a batch is never seen.
//!
//! But fjall cannot tell a torn tail from a broken middle: it drops everything from the broken
//! bytes on. So each commit carries a number, and once it is synced the number also goes into the
//! file `synced-commits`. An opened directory must have at least that number, or data that others
//! rely on were lost. It deliberately does not know the meaning of keys and values, except for the
//! store's identity.

use super::{StoreError, node::disk::Batch};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

// Both sort before all keys of the node's layout.
const COMMITS_KEY: &[u8] = &[0];
const IDENTITY_KEY: &[u8] = &[1];
const JOURNAL_BYTES_MAX: u64 = 256 << 20;
const MEMTABLE_BYTES_MAX: u64 = 16 << 20;
const CACHE_BYTES: u64 = 4 << 20;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The cluster and store that a directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's id at PD.
    pub cluster_id: u64,
    /// The store's id at PD.
    pub store_id: u64,
}

/// An open data directory.
#[derive(Clone)]
pub struct Engine {
    database: Database,
    keyspace: Keyspace,
    path: PathBuf,
    /// The last commit's number. One thread at a time writes.
    commits: Arc<AtomicU64>,
    synced_commits: Arc<File>,
}

impl Engine {
    /// Opens a directory, or creates it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let at = |reason: String| StoreError::DataDir { path: path.to_owned(), reason };
        std::fs::create_dir_all(path).map_err(|error| at(error.to_string()))?;
        let synced_commits = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("synced-commits"))
            .map_err(|error| at(error.to_string()))?;
        let open = || {
            let database = Database::builder(path.join("fjall"))
                .worker_threads(1)
                .manual_journal_persist(true)
                .max_journaling_size(JOURNAL_BYTES_MAX)
                .cache_size(CACHE_BYTES)
                .open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX);
            Ok((database.keyspace("store", options)?, database))
        };
        // Some broken bytes make fjall panic; nothing that it was building is used afterwards.
        let opened = std::panic::catch_unwind(open).map_err(|_| {
            StoreError::Corrupt(format!("{}: the journal is unreadable", path.display()))
        })?;
        let (keyspace, database) = opened.map_err(|error| match error {
            fjall::Error::Locked => at("another process has it open".into()),
            fjall::Error::Io(error) => at(error.to_string()),
            error => StoreError::Corrupt(format!("{}: {error}", path.display())),
        })?;
        let engine = Self {
            database,
            keyspace,
            path: path.to_owned(),
            commits: Arc::default(),
            synced_commits: Arc::new(synced_commits),
        };
        engine.count_commits()?;
        Ok(engine)
    }

    /// Counts the commits, and checks that none is missing.
    fn count_commits(&self) -> Result<(), StoreError> {
        let found = self.keyspace.get(COMMITS_KEY).map_err(|error| self.broken(&error))?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).unwrap_or_default();
        let found = found.map_or(0, |bytes| number(&bytes));
        let mut synced = [0; 8];
        // A new store has an empty file.
        let synced =
            self.synced_commits.read_exact_at(&mut synced, 0).map_or(0, |()| number(&synced));
        if found < synced {
            return Err(StoreError::Corrupt(format!(
                "{}: the journal ends at commit {found}, but commit {synced} was on the disk",
                self.path.display()
            )));
        }
        self.commits.store(found, Ordering::Relaxed);
        Ok(())
    }

    /// The directory's owner; `None` before the first start is complete.
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

    /// Notes the directory's owner.
    pub fn set_identity(&self, identity: Identity) -> Result<(), StoreError> {
        let mut value = identity.cluster_id.to_be_bytes().to_vec();
        value.extend_from_slice(&identity.store_id.to_be_bytes());
        let batch = Batch { writes: vec![(IDENTITY_KEY.to_vec(), Some(value))], must_sync: true };
        self.write(&[batch])
    }

    /// Every key and value of the node.
    pub fn pairs(&self) -> Result<Vec<Pair>, StoreError> {
        let mut pairs = Vec::new();
        for guard in self.keyspace.iter() {
            let (key, value) = guard.into_inner().map_err(|error| self.broken(&error))?;
            if *key != *IDENTITY_KEY && *key != *COMMITS_KEY {
                pairs.push((key.to_vec(), value.to_vec()));
            }
        }
        Ok(pairs)
    }

    /// The space on the disk that the data take, journals included.
    pub fn disk_bytes(&self) -> u64 {
        self.database.disk_space().unwrap_or_default()
    }

    /// Writes batches as one, in order; syncs if one of them asks for it.
    pub fn write(&self, batches: &[Batch]) -> Result<(), StoreError> {
        let must_sync = batches.iter().any(|batch| batch.must_sync);
        let durability = must_sync.then_some(PersistMode::SyncData);
        let mut together = self.database.batch().durability(durability);
        // fjall gives all changes of a batch one sequence number, so only the last of several
        // changes to one key may be in it.
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
        let commit = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        together.insert(&self.keyspace, COMMITS_KEY, commit.to_be_bytes());
        let failed = |reason: String| StoreError::Disk { path: self.path.clone(), reason };
        together.commit().map_err(|error| failed(error.to_string()))?;
        if must_sync {
            // Not synced itself: a number that lags behind only demands less than it could.
            self.synced_commits
                .write_all_at(&commit.to_be_bytes(), 0)
                .map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
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

    /// Creates a directory with twenty synced commits, the last of which was not yet reported, and
    /// returns the bytes of its journal too.
    fn twenty_commits() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let dir = tempfile::TempDir::new().expect("a directory");
        let engine = Engine::open(dir.path()).expect("it opens");
        let synced = dir.path().join("synced-commits");
        let mut before = Vec::new();
        for number in 0..20_u8 {
            before = std::fs::read(&synced).expect("it exists");
            let writes = vec![(vec![9, number], Some(vec![number; 50]))];
            engine.write(&[Batch { writes, must_sync: true }]).expect("it writes");
        }
        drop(engine);
        std::fs::write(&synced, before).expect("it is ours");
        let files = std::fs::read_dir(dir.path().join("fjall")).expect("it exists");
        let journal = files
            .filter_map(Result::ok)
            .map(|file| file.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "jnl"))
            .expect("fjall keeps its journal there");
        let mut bytes = std::fs::read(&journal).expect("it exists");
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("it is not empty") + 1;
        bytes.truncate(end);
        (dir, journal, bytes)
    }

    #[test]
    fn a_torn_tail_is_dropped() {
        let (dir, journal, bytes) = twenty_commits();
        std::fs::write(&journal, &bytes[..bytes.len() - 30]).expect("it is ours");
        let engine = Engine::open(dir.path()).expect("nobody relies on the last commit");
        assert_eq!(engine.pairs().expect("it reads").len(), 19);
    }

    #[test]
    fn a_broken_byte_anywhere_loses_nothing_silently() {
        let (dir, journal, bytes) = twenty_commits();
        let mut refused = 0;
        for position in (0..bytes.len()).step_by(41) {
            let mut broken = bytes.clone();
            broken[position] ^= 0x40;
            std::fs::write(&journal, broken).expect("it is ours");
            match Engine::open(dir.path()).and_then(|engine| engine.pairs()) {
                Err(StoreError::Corrupt(_)) => refused += 1,
                Err(error) => panic!("byte {position}: {error} does not speak of corruption"),
                Ok(pairs) => assert!(pairs.len() >= 19, "byte {position}: {} left", pairs.len()),
            }
        }
        assert!(refused > bytes.len() / 82, "only {refused} were noticed");
    }

    #[test]
    fn a_directory_in_use_is_refused() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let _held = Engine::open(dir.path()).expect("it opens");
        let refused = Engine::open(dir.path()).map(drop).expect_err("it is in use");
        assert!(refused.to_string().contains("another process has it open"), "{refused}");
    }
}
