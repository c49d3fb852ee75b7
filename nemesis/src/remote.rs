//! Processes on other hosts, reached by the user's own `ssh`: their states, signals to them, and
//! the listeners of a port.
//!
//! In: a host and processes there. Out: the facts that `process` reads from the local `/proc`. Each
//! request is one `ssh` with a script for any POSIX shell on its standard input, so that the far
//! side needs nothing but `/proc`, `sh` and `kill`. No password is ever asked for (`BatchMode`),
//! and every call is bounded in time. Knows nothing of stores.

use crate::process::{ProcessIdentity, ProcessState, Stat, state_of};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    io::{Read, Write},
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// The longest time that one `ssh` may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest time to connect, in seconds.
const CONNECT_SECONDS: u32 = 5;
const POLL: Duration = Duration::from_millis(2);

/// A host that is reached by ssh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RemoteHost {
    /// The ssh program and its options.
    pub ssh: Vec<String>,
    /// The destination as ssh takes it: `user@host`, `ssh://user@host:port`, or an alias.
    pub destination: String,
    /// The boot of that host to which its processes belong; empty = not read yet.
    pub boot_id: String,
}

impl RemoteHost {
    /// Connects to a host and reads its boot, which also proves that it can be reached.
    pub fn reach(ssh: &[String], destination: &str) -> Result<Self, String> {
        let mut host =
            Self { ssh: ssh.to_vec(), destination: destination.to_owned(), boot_id: String::new() };
        let boot_id = host.run("cat /proc/sys/kernel/random/boot_id", &[])?;
        boot_id.trim().clone_into(&mut host.boot_id);
        Ok(host)
    }

    /// The name or address that ssh connects to for this destination, after its configuration
    /// files.
    pub fn hostname(ssh: &[String], destination: &str) -> Option<String> {
        let (program, options) = ssh.split_first()?;
        let output =
            Command::new(program).args(options).arg("-G").arg(destination).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix("hostname ")).map(str::to_owned)
    }

    /// The processes that listen on a TCP port of the host, as far as this user may see them.
    pub fn listeners(&self, port: u16) -> Result<Vec<ProcessIdentity>, String> {
        let text = self.run(LISTENERS, &[port.to_string()])?;
        Ok(text.lines().filter_map(|line| self.identity(line)).collect())
    }

    /// Parses `PID STAT-LINE \t COMMAND` as the script prints it.
    fn identity(&self, line: &str) -> Option<ProcessIdentity> {
        let (pid, rest) = line.split_once(' ')?;
        let (stat, command) = rest.split_once('\t')?;
        Some(ProcessIdentity {
            pid: pid.parse().ok()?,
            start_ticks: Stat::parse(stat)?.start_ticks,
            command: command.split_whitespace().take(4).collect::<Vec<_>>().join(" "),
            executable: None,
            host: Some(Box::new(self.clone())),
        })
    }

    /// Reads the states of processes of this host. If the host was booted since, all of them are
    /// gone.
    pub(crate) fn states(
        &self,
        processes: &[&ProcessIdentity],
    ) -> Result<Vec<ProcessState>, String> {
        let pids: Vec<String> = processes.iter().map(|process| process.pid.to_string()).collect();
        let text = self.run(STATES, &pids)?;
        let mut lines = text.lines();
        if lines.next().map(str::trim) != Some(self.boot_id.as_str()) {
            return Ok(vec![ProcessState::Gone; processes.len()]);
        }
        let lines: Vec<&str> = lines.collect();
        let state = |process: &&ProcessIdentity| {
            let mut blocks = lines.split(|line| line.starts_with("pid "));
            let at = lines
                .iter()
                .filter(|line| line.starts_with("pid "))
                .position(|line| line.trim_start_matches("pid ") == process.pid.to_string());
            let block = at.and_then(|at| blocks.nth(at + 1)).unwrap_or_default();
            let mut stats = block.iter().map(|line| Stat::parse(line));
            match stats.next().flatten() {
                Some(own) => state_of(&own, process.start_ticks, stats),
                None => ProcessState::Gone,
            }
        };
        Ok(processes.iter().map(state).collect())
    }

    /// Sends a signal to processes of this host in one instant. Returns for each whether it was
    /// still there.
    pub(crate) fn signal(
        &self,
        signal: &str,
        processes: &[&ProcessIdentity],
    ) -> Result<Vec<bool>, String> {
        let mut arguments = vec![signal.trim_start_matches("SIG").to_owned(), self.boot_id.clone()];
        arguments.extend(processes.iter().map(|it| format!("{}:{}", it.pid, it.start_ticks)));
        let text = self.run(SIGNAL, &arguments)?;
        if let Some(refused) = text.lines().find_map(|line| line.strip_prefix("refused ")) {
            return Err(format!("kill on {self}: {refused}"));
        }
        let sent = |process: &&ProcessIdentity| {
            text.lines().any(|line| line == format!("sent {}", process.pid))
        };
        Ok(processes.iter().map(sent).collect())
    }

    /// Runs a script on the host with these arguments and returns its output.
    fn run(&self, script: &str, arguments: &[String]) -> Result<String, String> {
        let failed = |reason: String| format!("ssh {self}: {reason}");
        let (program, options) =
            self.ssh.split_first().ok_or_else(|| failed("no program".into()))?;
        let mut child = Command::new(program)
            .args(options)
            .args(["-o", "BatchMode=yes", "-o", &format!("ConnectTimeout={CONNECT_SECONDS}")])
            .args(["--", &self.destination, "sh", "-s", "--"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("cannot start {program}: {error}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A process that has ended already says why on its standard error.
            let _ = stdin.write_all(script.as_bytes());
        }
        // The output is read while the script runs: more than a pipe holds would block it for good.
        let (said, complaint) = (Heard::of(child.stdout.take()), Heard::of(child.stderr.take()));
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
                Ok(None) | Err(_) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(failed(format!("no answer within {} s", PATIENCE.as_secs())));
                }
            }
        };
        if status.success() {
            return said.within(PATIENCE).ok_or_else(|| failed("its answer does not end".into()));
        }
        let complaint = complaint.within(POLL * 10).unwrap_or_default();
        let last = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed");
        Err(failed(last.trim().to_owned()))
    }
}

/// The output of a process, read by a thread of its own until the process ends.
struct Heard(mpsc::Receiver<String>);

impl Heard {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let (tell, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // Output that cannot be read counts as empty.
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut text));
            let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
        });
        Self(heard)
    }

    /// Returns the whole output if it ends in time: a connection that ssh shares may keep the pipe
    /// open.
    fn within(self, patience: Duration) -> Option<String> {
        self.0.recv_timeout(patience).ok()
    }
}

impl fmt::Display for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.destination)
    }
}

/// Prints the boot, then for each PID a line `pid N`, its own stat and that of each thread.
const STATES: &str = r#"
cat /proc/sys/kernel/random/boot_id
for pid in "$@"; do
  echo "pid $pid"
  cat "/proc/$pid/stat" 2>/dev/null && cat /proc/"$pid"/task/*/stat 2>/dev/null
done
exit 0
"#;

/// Signals those of `PID:START` that are still the intended processes, with one `kill` for all.
const SIGNAL: &str = r#"
signal=$1; boot=$2; shift 2
[ "$(cat /proc/sys/kernel/random/boot_id)" = "$boot" ] || exit 0
pids=
for it in "$@"; do
  pid=${it%%:*}; start=${it#*:}
  line=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
  set -- ${line##*)}
  case $1 in Z|X|x) continue;; esac
  [ "${20}" = "$start" ] && pids="$pids $pid"
done
[ -n "$pids" ] || exit 0
if reason=$(kill -s "$signal" $pids 2>&1); then
  for pid in $pids; do echo "sent $pid"; done
else
  echo "refused $reason"
fi
"#;

/// Prints the listeners of a port: from ss, else from lsof, else from /proc itself.
const LISTENERS: &str = r#"
port=$1
pids=$(ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
[ -n "$pids" ] || pids=$(lsof -nP -t -iTCP:"$port" -sTCP:LISTEN 2>/dev/null)
if [ -z "$pids" ]; then
  hex=$(printf '%04X' "$port")
  for inode in $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ local _ state _ _ _ _ _ inode _; do
      case "$local $state" in *:"$hex 0A") echo "$inode";; esac
    done); do
    # One program for all of them: one for each descriptor takes longer than anybody waits.
    pids="$pids $(ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r line; do
      case "$line" in
        /proc/*/fd:) pid=${line#/proc/}; pid=${pid%%/*};;
        *"socket:[$inode]") echo "$pid";;
      esac
    done)"
  done
fi
for pid in $(printf '%s\n' $pids | sort -un); do
  stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
  printf '%s %s\t%s\n' "$pid" "$stat" "$(tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null)"
done
exit 0
"#;

#[cfg(test)]
mod tests {
    use super::*;

    /// A host whose ssh is this script.
    fn host(script: &str) -> RemoteHost {
        let ssh = ["sh", "-c", script].map(str::to_owned).to_vec();
        RemoteHost { ssh, destination: "there".into(), boot_id: String::new() }
    }

    #[test]
    fn answer_longer_than_a_pipe_holds_is_heard_to_its_end() {
        // Six stores of a hundred threads each produce this much output.
        let long = host("cat > /dev/null; head -c 300000 /dev/zero | tr '\\0' x; echo over >&2");
        assert_eq!(long.run("true", &[]).expect("an answer").len(), 300_000);
    }

    #[test]
    fn last_complaint_says_why_it_failed() {
        let failing = host("cat > /dev/null; echo first >&2; echo refused >&2; exit 255");
        assert_eq!(failing.run("true", &[]).expect_err("no answer"), "ssh there: refused");
    }
}
