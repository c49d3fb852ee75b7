//! One local process, named so that it cannot be confused with a later one of the same PID.
//!
//! In: a PID. Out: who it is ([`ProcessIdentity`]) and what it does ([`ProcessState`]), read from `/proc`; signals,
//! sent only to the process meant. Knows nothing of stores.

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs,
    time::{Duration, Instant},
};

/// Between two looks at a process that is to change its state.
const POLL: Duration = Duration::from_millis(1);

/// A process, for all time: PIDs are given again, the pair of PID and start time within one boot is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its PID.
    pub pid: u32,
    /// When it started, clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// What it is called, for people.
    pub command: String,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// It runs, or at least one of its threads does.
    Running,
    /// All of its threads are stopped (`T`).
    Stopped,
    /// It is gone, or dead and not yet reaped.
    Gone,
}

/// The fields of a `/proc/…/stat` that matter here.
struct Stat {
    state: char,
    start_ticks: u64,
}

impl Stat {
    fn read(path: &str) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        // The second field is the command in parentheses, and may itself hold spaces and parentheses.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let start_ticks = fields.nth(18)?.parse().ok()?;
        Some(Self { state, start_ticks })
    }
}

impl ProcessIdentity {
    /// The process that has this PID now; `None` if there is none.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = Stat::read(&format!("/proc/{pid}/stat"))?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = command.split(|&byte| byte == 0).filter(|word| !word.is_empty());
        let command = words.map(String::from_utf8_lossy).take(4).collect::<Vec<_>>().join(" ");
        Some(Self { pid, start_ticks: stat.start_ticks, command })
    }

    /// This process.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// What it does.
    pub fn state(&self) -> ProcessState {
        match Stat::read(&format!("/proc/{}/stat", self.pid)) {
            Some(stat) if stat.start_ticks == self.start_ticks && !dead(stat.state) => {}
            _ => return ProcessState::Gone,
        }
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.pid)) else {
            return ProcessState::Gone;
        };
        let stopped = threads.flatten().all(|thread| {
            let path = thread.path().join("stat");
            // A thread that is gone by now does not run.
            Stat::read(&path.to_string_lossy())
                .is_none_or(|stat| stat.state == 'T' || stat.state == 't' || dead(stat.state))
        });
        if stopped { ProcessState::Stopped } else { ProcessState::Running }
    }

    /// Sends it a signal, if it is still the process meant. Whether it was.
    pub fn signal(&self, signal: Signal) -> Result<bool, Errno> {
        if self.state() == ProcessState::Gone {
            return Ok(false);
        }
        match kill(Pid::from_raw(self.pid.cast_signed()), signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until it does what `wanted` accepts, at most so long. What it does at the end.
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
            std::thread::sleep(POLL);
        }
    }
}

fn dead(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

impl ProcessState {
    /// Its word in a history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }
}

/// Which boot of the machine this is: start times count from it. Empty where the system does not say.
pub(crate) fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
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
}
