//! A cluster that a test owns: started by `cluster up`, hurt by its other commands, gone with the
//! test.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// For what must happen, on a machine that others use too.
pub const PATIENCE: Duration = Duration::from_mins(2);
const TAG: &str = "test";
/// Clusters of this process keep out of each other's ports: one that a dead store has left must not
/// be another's when it comes back.
static PORT_OFFSET: AtomicU16 = AtomicU16::new(1_000);
const PORT_OFFSET_STEP: u16 = 500;

pub struct Cluster {
    supervisor: Child,
    /// Held, so that whatever else it prints has somewhere to go.
    stdout: BufReader<ChildStdout>,
    /// PD's address.
    pub pd: String,
    runs: PathBuf,
    stores: u32,
    port_offset: u16,
    /// Removed with the cluster.
    own_folder: Option<TempDir>,
}

impl Cluster {
    /// A cluster of three stores.
    pub fn start() -> Self {
        Self::of_stores(3)
    }

    /// A cluster of so many stores.
    pub fn of_stores(stores: u32) -> Self {
        let runs = tempfile::tempdir().expect("a folder");
        let mut cluster = Self::begin(runs.path(), stores);
        cluster.own_folder = Some(runs);
        cluster
    }

    /// A cluster of three stores, with its data in that folder.
    pub fn start_in(runs: &Path) -> Self {
        Self::begin(runs, 3)
    }

    fn begin(runs: &Path, stores: u32) -> Self {
        let port_offset = PORT_OFFSET.fetch_add(PORT_OFFSET_STEP, Ordering::Relaxed);
        let (supervisor, stdout, pd) = up(runs, stores, port_offset);
        let runs = runs.to_owned();
        Self { supervisor, stdout, pd, runs, stores, port_offset, own_folder: None }
    }

    /// What a process has logged so far, all its lives together.
    pub fn log_of(&self, name: &str) -> String {
        let log = self.runs.join("clusters").join(TAG).join("logs").join(format!("{name}.log"));
        std::fs::read_to_string(log).unwrap_or_default()
    }

    /// `cluster kill`, `start`, `pause` or `resume`.
    pub fn act(&self, verb: &str, whom: &[&str]) {
        let done = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
            .args(["cluster", verb, "--tag", TAG, "--runs-dir"])
            .arg(&self.runs)
            .args(whom)
            .output()
            .expect("the binary starts");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "cluster {verb} {whom:?}: {said}");
    }

    /// SIGKILL for the supervisor, and with it for every process, as the kernel has it.
    pub fn kill_everything(&mut self) {
        self.supervisor.kill().expect("it runs");
        self.supervisor.wait().expect("it is ours");
    }

    /// The same cluster again, on its data.
    pub fn start_again(&mut self) {
        (self.supervisor, self.stdout, self.pd) = up(&self.runs, self.stores, self.port_offset);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Asked kindly, it ends its stores itself.
        let _ = Command::new("kill").arg(self.supervisor.id().to_string()).status();
        let _ = self.supervisor.wait();
    }
}

fn up(runs: &Path, stores: u32, port_offset: u16) -> (Child, BufReader<ChildStdout>, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"))
        .args(["cluster", "up", "--without-monitor", "--enable-ttl", "--kv", &stores.to_string()])
        .args(["--port-offset", &port_offset.to_string(), "--tag", TAG, "--runs-dir"])
        .arg(runs)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
    let pd = stdout
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            let endpoints = line.strip_prefix("PD client endpoints: [")?;
            Some(endpoints.trim_end_matches(']').to_owned())
        })
        .expect("the cluster becomes whole and says where PD is");
    (process, stdout, pd)
}

/// Looks until it is so.
pub fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        sleep(Duration::from_millis(50));
    }
}
