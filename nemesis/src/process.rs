//! One process, named so that it cannot be confused with a later one of the same PID.
//!
//! In: a PID. Out: the process's identity ([`ProcessIdentity`]) and state ([`ProcessState`]), read
//! from `/proc`; signals, sent only to the intended process. A process on another host is reached
//! by `remote`. Knows nothing of stores.

use crate::remote::RemoteHost;

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt, fs,
    time::{Duration, Instant},
};
use thiserror::Error;

/// The interval between two looks at a process that is to change its state.
const POLL: Duration = Duration::from_millis(1);
/// The interval between two looks at a process of another host, each of which costs a connection.
const REMOTE_POLL: Duration = Duration::from_millis(50);

/// The unique identity of a process: PIDs are reused, the pair of PID and start time within one
/// boot is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The PID.
    pub pid: u32,
    /// The start time, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// The name of the command, for people.
    pub command: String,
    /// The program that it runs; `None` = it may not be read, or the process is on another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
    /// The host of the process; `None` = this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Box<RemoteHost>>,
}

/// The reason that a signal was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SignalError(pub String);

/// The state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// At least one of its threads runs.
    Running,
    /// All of its threads are stopped (`T`).
    Stopped,
    /// The process is gone, or dead and not yet reaped.
    Gone,
}

impl From<ProcessState> for histories::cluster_sample::ProcessWord {
    fn from(state: ProcessState) -> Self {
        match state {
            ProcessState::Running => Self::Running,
            ProcessState::Stopped => Self::Stopped,
            ProcessState::Gone => Self::Gone,
        }
    }
}

/// The fields of a `/proc/…/stat` that matter here.
pub(crate) struct Stat {
    state: char,
    pub(crate) start_ticks: u64,
}

impl Stat {
    fn read(path: &str) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The second field is the command in parentheses, and may itself hold spaces and
        // parentheses.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let start_ticks = fields.nth(18)?.parse().ok()?;
        Some(Self { state, start_ticks })
    }
}

impl ProcessIdentity {
    /// Identifies the process that has this PID now; `None` if there is none.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = Stat::read(&format!("/proc/{pid}/stat"))?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = command.split(|&byte| byte == 0).filter(|word| !word.is_empty());
        let command = words.map(String::from_utf8_lossy).take(4).collect::<Vec<_>>().join(" ");
        let executable = executable(pid);
        Some(Self { pid, start_ticks: stat.start_ticks, command, executable, host: None })
    }

    /// Identifies this process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Reads the state of the process. A host that does not answer counts as one whose processes
    /// run, since nothing is known.
    pub fn state(&self) -> ProcessState {
        if let Some(host) = &self.host {
            let states = host.states(&[self]);
            return states.map_or(ProcessState::Running, |states| states[0]);
        }
        let Some(own) = Stat::read(&format!("/proc/{}/stat", self.pid)) else {
            return ProcessState::Gone;
        };
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            return ProcessState::Gone;
        };
        let threads = threads.flatten().map(|thread| thread.path().join("stat"));
        let threads = threads.map(|path| Stat::read(&path.to_string_lossy()));
        state_of(&own, self.start_ticks, threads)
    }

    /// The reason to believe that another process may have this PID and start time; `None` = there
    /// is none.
    pub fn doubt(&self) -> Option<String> {
        let meant = self.executable.as_ref().filter(|_| self.host.is_none())?;
        match executable(self.pid) {
            Some(now) if now == *meant => None,
            Some(now) => Some(format!("it runs {now} and not {meant}")),
            None => Some(format!("it is not to be seen that it runs {meant}")),
        }
    }

    /// The processes of the group that this process leads or led: as long as one is left, no other
    /// group has its number. Empty if the PID was reused, or the process is on another host.
    pub fn group(&self) -> Vec<Self> {
        let leader = Self::of(self.pid);
        if self.host.is_some() || leader.is_some_and(|it| it.start_ticks != self.start_ticks) {
            return Vec::new();
        }
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_in_group = |pid: &u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // After the command come state, parent and group.
            let group =
                text.rsplit_once(')').and_then(|(_, it)| it.split_ascii_whitespace().nth(2));
            group.is_some_and(|group| group == self.pid.to_string())
        };
        pids.filter(is_in_group).filter_map(Self::of).collect()
    }

    /// The user id of the process's owner; `None` = the process is gone, or on another host.
    pub fn owner(&self) -> Option<u32> {
        if self.host.is_some() {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        line.split_ascii_whitespace().nth(1)?.parse().ok()
    }

    /// Sends a signal if the PID still belongs to this process. Returns true if it did.
    pub fn signal(&self, signal: Signal) -> Result<bool, SignalError> {
        if let Some(host) = &self.host {
            return host.signal(signal.as_str(), &[self]).map(|sent| sent[0]).map_err(SignalError);
        }
        if self.state() == ProcessState::Gone {
            return Ok(false);
        }
        match kill(Pid::from_raw(self.pid.cast_signed()), signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(SignalError(error.to_string())),
        }
    }

    /// Waits until `wanted` accepts the process's state, at most for `patience`. Returns the state
    /// at the end.
    pub fn await_state(
        &self,
        wanted: impl Fn(ProcessState) -> bool,
        patience: Duration,
    ) -> ProcessState {
        let deadline = Instant::now() + patience;
        loop {
            let state = self.state();
            if wanted(state) || Instant::now() >= deadline {
                return state;
            }
            std::thread::sleep(if self.host.is_some() { REMOTE_POLL } else { POLL });
        }
    }
}

/// Sends a signal to processes in the same instant: to local ones without a delay between, to each
/// other host in one call.
pub(crate) fn signal_all(
    processes: &[ProcessIdentity],
    signal: Signal,
) -> Vec<Result<bool, SignalError>> {
    if processes.iter().all(|process| process.host.is_none()) {
        return processes.iter().map(|process| process.signal(signal)).collect();
    }
    let mut of_host: BTreeMap<Option<&RemoteHost>, Vec<usize>> = BTreeMap::new();
    for (index, process) in processes.iter().enumerate() {
        of_host.entry(process.host.as_deref()).or_default().push(index);
    }
    let send = |host: Option<&RemoteHost>, indices: &[usize]| -> Vec<Result<bool, SignalError>> {
        let chosen: Vec<&ProcessIdentity> =
            indices.iter().map(|index| &processes[*index]).collect();
        match host.map(|host| host.signal(signal.as_str(), &chosen)) {
            None => chosen.iter().map(|process| process.signal(signal)).collect(),
            Some(Ok(sent)) => sent.into_iter().map(Ok).collect(),
            Some(Err(reason)) => vec![Err(SignalError(reason)); chosen.len()],
        }
    };
    let mut results = vec![Ok(false); processes.len()];
    std::thread::scope(|scope| {
        let sends: Vec<_> = of_host
            .into_iter()
            .map(|(host, indices)| scope.spawn(move || (send(host, &indices), indices)))
            .collect();
        for (sent, indices) in sends.into_iter().filter_map(|send| send.join().ok()) {
            for (index, sent) in indices.into_iter().zip(sent) {
                results[index] = sent;
            }
        }
    });
    results
}

/// The state of a process by its own stat and those of its threads, if its start time is the
/// expected one.
pub(crate) fn state_of(
    own: &Stat,
    start_ticks: u64,
    mut threads: impl Iterator<Item = Option<Stat>>,
) -> ProcessState {
    if own.start_ticks != start_ticks || dead(own.state) {
        return ProcessState::Gone;
    }
    // A thread that is gone by now does not run.
    let stopped = threads.all(|thread| {
        thread.is_none_or(|stat| stat.state == 'T' || stat.state == 't' || dead(stat.state))
    });
    if stopped { ProcessState::Stopped } else { ProcessState::Running }
}

fn dead(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)?;
        self.host.as_ref().map_or(Ok(()), |host| write!(f, " on {host}"))
    }
}

impl ProcessState {
    /// The state's name in a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }
}

/// The program that a process runs, even if its file was replaced since.
fn executable(pid: u32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?.to_string_lossy().into_owned();
    Some(path.strip_suffix(" (deleted)").map_or(path.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_is_itself() {
        let own = ProcessIdentity::own().expect("we are");
        assert_eq!(own.state(), ProcessState::Running);
        assert_eq!(ProcessIdentity::of(own.pid).as_ref(), Some(&own));
    }

    #[test]
    fn a_process_of_another_start_time_is_not_signalled() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a child");
        let real = ProcessIdentity::of(child.id()).expect("it runs");
        let other = ProcessIdentity { start_ticks: real.start_ticks + 1, ..real.clone() };
        assert_eq!(other.state(), ProcessState::Gone);
        assert_eq!(other.signal(Signal::SIGKILL), Ok(false));
        assert_eq!(real.state(), ProcessState::Running);
        child.kill().expect("killed");
        let dead = real.await_state(|state| state == ProcessState::Gone, Duration::from_secs(10));
        assert_eq!(dead, ProcessState::Gone, "dead, though not reaped");
        child.wait().expect("reaped");
    }

    #[test]
    fn a_group_is_found_after_its_leader_has_ended() {
        use std::os::unix::process::CommandExt as _;
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "sleep 60 & kill -9 $$"]).process_group(0);
        let mut shell = shell.spawn().expect("a shell");
        let leader = ProcessIdentity::of(shell.id()).expect("it is not reaped");
        shell.wait().expect("it ended");
        let group = leader.group();
        assert_eq!(group.len(), 1, "{group:?}");
        let other = ProcessIdentity { pid: group[0].pid, ..leader.clone() };
        assert_eq!(other.group(), [], "the PID is another's");
        assert_eq!(group[0].signal(Signal::SIGKILL), Ok(true));
    }

    #[test]
    fn a_process_of_another_program_is_doubted() {
        let own = ProcessIdentity::own().expect("we are");
        assert_eq!(own.doubt(), None);
        assert_eq!(own.owner(), Some(nix::unistd::geteuid().as_raw()));
        let other = ProcessIdentity { executable: Some("/bin/other".into()), ..own };
        assert!(other.doubt().expect("doubted").contains("not /bin/other"));
    }
}
