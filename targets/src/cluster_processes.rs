//! The processes of a cluster, as [`super::under_test`] needs them from every kind of target.
//!
//! In: stores by id. Out: the address and the process of each; processes killed, started again, and
//! terminated. Calls block, and are made off the runtime. It knows nothing of PD's view, of
//! workloads, or of the order of faults.

use failure::Failure;
use nemesis::{ProcessIdentity, StoreId};
use std::{
    collections::BTreeMap,
    fmt,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// The address and the process of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePlace {
    /// The address for clients, `host:port`.
    pub address: String,
    /// The store's process, if one is known and was not killed.
    pub process: Option<ProcessIdentity>,
}

/// The processes of a cluster.
pub trait ClusterProcesses: Send + std::fmt::Debug {
    /// The addresses of PD's members, `host:port`.
    fn pd_endpoints(&self) -> Vec<String>;

    /// The stores by id.
    fn stores(&self) -> BTreeMap<StoreId, StorePlace>;

    /// Kills stores in the same instant (SIGKILL); they are gone when this returns.
    fn kill_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure>;

    /// Starts killed stores again: same address, same data. Stores that run are left as they are.
    fn start_killed_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure>;

    /// The processes that ended though nobody here killed them; each is returned once.
    fn ended_by_themselves(&mut self) -> Vec<EndedProcess>;

    /// Terminates the processes started here, and leaves others alone.
    fn stop(&mut self);
}

/// A process that ended though nobody here killed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedProcess {
    /// The process's name: `store-2`, `pd1`.
    pub name: String,
    /// The id that PD gave the store, if the process is a store.
    pub store: Option<StoreId>,
    /// The exit status.
    pub status: String,
    /// The path of the process's log, if known.
    pub log: Option<PathBuf>,
}

impl fmt::Display for EndedProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended by itself ({})", self.name, self.status)?;
        self.log.iter().try_for_each(|log| write!(f, "; see {}", log.display()))
    }
}

impl EndedProcess {
    /// The process's end as a history describes it.
    pub fn to_json(&self) -> serde_json::Value {
        // A history is read elsewhere, where the parent folders differ.
        let short = |log: &PathBuf| {
            let name = log.file_name().unwrap_or_default();
            Path::new("logs").join(name).display().to_string()
        };
        serde_json::json!({
            "process": self.name,
            "store": self.store,
            "status": self.status,
            "log": self.log.as_ref().map(short),
            "last_words": self.log.as_deref().map(last_words),
        })
    }
}

/// The end of a log. Output printed beside the log, such as a panic, comes last.
fn last_words(log: &Path) -> String {
    let printed = log.with_extension("output.log");
    [log, &printed].map(|file| end_of(file).unwrap_or_default()).concat()
}

/// The last few lines of a file.
fn end_of(file: &Path) -> std::io::Result<String> {
    const BYTES: u64 = 4096;
    const LINES: usize = 5;
    let mut file = run_directory::plain_file::open(file)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut end = Vec::new();
    file.take(BYTES).read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end);
    let lines: Vec<&str> = end.lines().filter(|line| !line.trim().is_empty()).collect();
    let lines = lines[lines.len().saturating_sub(LINES)..].iter();
    Ok(lines.map(|line| [line, "\n"].concat()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_its_log_and_of_what_it_printed_goes_with_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("store-2.log");
        let lines: Vec<String> = (0..2_000).map(|line| format!("line {line}\n\n")).collect();
        std::fs::write(&log, lines.concat()).expect("written");
        std::fs::write(dir.path().join("store-2.output.log"), "panicked: no leader\n")
            .expect("written");
        let ended = EndedProcess {
            name: "store-2".into(),
            store: Some(4),
            status: "signal: 6 (SIGABRT)".into(),
            log: Some(log),
        };
        let said = ended.to_json();
        assert_eq!(said["log"], "logs/store-2.log");
        let words = said["last_words"].as_str().expect("words");
        assert!(words.starts_with("line 1995\n"), "{words}");
        assert!(words.ends_with("line 1999\npanicked: no leader\n"), "{words}");
    }
}
