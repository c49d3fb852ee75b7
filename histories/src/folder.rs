//! Folders of other projects that hold a history.
//!
//! In: a folder. Out: the files in it that are the history. For a test of Jepsen: `history.edn`,
//! else `history.txt`, else `jepsen.log`. For a report of etcd's robustness tests:
//! `client-*/operations.json`, which are one history together.

use std::io;
use std::path::{Path, PathBuf};

const JEPSEN: [&str; 3] = ["history.edn", "history.txt", "jepsen.log"];
const OPERATIONS: &str = "operations.json";
const CLIENT: &str = "client-";

/// The content of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A history in one file.
    One(PathBuf),
    /// Operations of etcd's clients, which are one history.
    Clients(Vec<PathBuf>),
    /// No history.
    Nothing,
}

/// Finds the history in a folder.
pub(crate) fn history_in(folder: &Path) -> io::Result<Holds> {
    if let Some(file) = JEPSEN.iter().map(|name| folder.join(name)).find(|path| path.is_file()) {
        return Ok(Holds::One(file));
    }
    let clients = clients_in(folder)?;
    if !clients.is_empty() {
        return Ok(Holds::Clients(clients));
    }
    let operations = folder.join(OPERATIONS);
    Ok(if operations.is_file() { Holds::One(operations) } else { Holds::Nothing })
}

/// The folder of the report around a client's file, if the report has files of several clients.
pub(crate) fn report_around(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let client = path.parent().filter(|_| path.ends_with(OPERATIONS))?;
    let is_client = client.file_name()?.to_string_lossy().starts_with(CLIENT);
    let report = client.parent().filter(|_| is_client)?;
    (clients_in(report).ok()?.len() > 1).then(|| report.to_owned())
}

/// The files of etcd's clients, in the order of their numbers.
fn clients_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut clients = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(number) = name.strip_prefix(CLIENT) else { continue };
        let operations = entry.path().join(OPERATIONS);
        if operations.is_file() {
            clients.push((number.len(), name, operations));
        }
    }
    clients.sort();
    Ok(clients.into_iter().map(|(_, _, operations)| operations).collect())
}
