//! Checks that processes can be paused and resumed here, and that their state is visible: every
//! fault of the nemesis needs it.
//!
//! In: an idle process of our own (`cat`, waiting for input). Out: findings. The process ends with
//! the examination.

use super::Finding;
use nemesis::{ProcessIdentity, ProcessState};
use nix::sys::signal::Signal;
use std::{
    os::unix::fs::MetadataExt as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The time until a signal's effect must be visible.
const PATIENCE: Duration = Duration::from_secs(10);

/// Examines pausing and resuming.
pub fn look() -> Vec<Finding> {
    const WHAT: &str = "signals";
    let finding = match Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn() {
        Ok(child) => {
            let mut child = Ends(child);
            match stop_and_resume(&child.0) {
                Ok(()) => Finding::good(
                    WHAT,
                    "a process of ours was stopped and resumed, and /proc showed it",
                ),
                Err(reason) => {
                    let _ = child.0.kill();
                    Finding::bad(WHAT, reason)
                }
            }
        }
        Err(error) => Finding::limits(WHAT, format!("not tried: cat cannot be started: {error}")),
    };
    vec![finding, others()]
}

fn stop_and_resume(child: &Child) -> Result<(), String> {
    let process = ProcessIdentity::of(child.id())
        .ok_or("/proc does not show our own processes: is it mounted?")?;
    for (signal, state) in
        [(Signal::SIGSTOP, ProcessState::Stopped), (Signal::SIGCONT, ProcessState::Running)]
    {
        let sent =
            process.signal(signal).map_err(|error| format!("{signal} is refused: {error}"))?;
        let seen = process.await_state(|it| it == state, PATIENCE);
        if !sent || seen != state {
            return Err(format!(
                "after {signal} the process is {}, not {}",
                seen.name(),
                state.name()
            ));
        }
    }
    Ok(())
}

/// Examines processes of other users, which matter only for clusters that already run.
fn others() -> Finding {
    const WHAT: &str = "others' processes";
    if is_root() {
        Finding::good(WHAT, "root: --target attach can stop stores of any user on this machine")
    } else {
        Finding::limits(
            WHAT,
            "not root: --target attach can stop only stores that run as this user, or behind --ssh as theirs",
        )
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A process that ends when this value is dropped, paused or not.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // Without input `cat` ends by itself; the kill also ends a paused one.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
