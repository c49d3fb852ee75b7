//! Healing what a killed tester left behind: stopped processes run again, left-over embedded processes end.
//!
//! In: the runs directory; in each run the nemesis's journal and `cluster.json`. Out: what was done, in sentences.
//! Processes are told from others that were given the same PID since by their start times, and nothing is done to
//! those of a tester that still lives. It is done at every start, and by `jepsen-tikv heal`.

use crate::{
    exit::{Exit, Failure},
    run_directory::RunDirectory,
    targets::embedded::{ClusterFile, ProcessEntry},
    targets::undo::Undo,
};
use nemesis::{ProcessIdentity, ProcessState};
use nix::sys::signal::Signal;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a killed process may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healed {
    /// What was done.
    pub done: Vec<String>,
    /// What could not be done.
    pub failed: Vec<String>,
    /// What was left alone on purpose.
    pub left_alone: Vec<String>,
}

/// `jepsen-tikv heal`.
pub fn command(runs_dir: &Path) -> Result<Exit, Failure> {
    let healed = heal(runs_dir);
    for sentence in healed.done.iter().chain(&healed.left_alone) {
        crate::terminal::result(format_args!("{sentence}"));
    }
    if let Some(first) = healed.failed.first() {
        healed.failed[1..]
            .iter()
            .for_each(|sentence| crate::terminal::note(format_args!("jepsen-tikv: {sentence}")));
        return Err(Failure::target_or_disk(first));
    }
    if healed.done.is_empty() {
        crate::terminal::result(format_args!("nothing to heal in {}", runs_dir.display()));
    }
    Ok(Exit::Valid)
}

/// Heals before a run; says so only if there was something to heal.
pub fn before_a_run(runs_dir: &Path) {
    let healed = heal(runs_dir);
    for sentence in healed.done.iter().chain(&healed.failed) {
        crate::terminal::note(format_args!("{sentence}"));
    }
}

/// Heals every run below `runs_dir` whose tester is gone.
pub fn heal(runs_dir: &Path) -> Healed {
    let mut healed = Healed::default();
    for run in runs(runs_dir) {
        let run = RunDirectory::at(run);
        healed.resume(&run.journal());
        healed.end_left_over(&run.cluster());
        healed.put_back(&run.path().join("attached.json"));
    }
    healed
}

/// Heals what one run or cluster left whose tester is gone.
pub fn heal_run(run: &RunDirectory) -> Healed {
    let mut healed = Healed::default();
    healed.resume(&run.journal());
    healed.end_left_over(&run.cluster());
    healed
}

/// The run directories: two levels down, links not followed.
fn runs(runs_dir: &Path) -> Vec<PathBuf> {
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut folders: Vec<_> = folders.map(|entry| entry.path()).collect();
        folders.sort();
        folders
    };
    folders(runs_dir).iter().flat_map(|test| folders(test)).collect()
}

impl Healed {
    fn resume(&mut self, journal: &Path) {
        if !journal.is_file() {
            return;
        }
        match nemesis::heal(journal) {
            Ok(report) => {
                let place = journal.display();
                let done = report.resumed.iter();
                self.done.extend(
                    done.map(|it| format!("resumed {it}, left stopped by the run of {place}")),
                );
                let failed = report.failed.iter();
                self.failed.extend(failed.map(|(it, why)| format!("could not resume {it}: {why}")));
                if let Some(tester) = report.tester_lives {
                    self.left_alone
                        .push(format!("left {place} alone: its tester, {tester}, is running"));
                }
            }
            Err(error) => self.failed.push(error.to_string()),
        }
    }

    /// What a killed tester changed on a cluster that somebody else started.
    fn put_back(&mut self, attached: &Path) {
        let Some(undo) = Undo::left_over(attached) else { return };
        let carried_out = tokio::runtime::Runtime::new()
            .map_err(Failure::software)
            .and_then(|runtime| runtime.block_on(undo.carry_out(attached)));
        match carried_out {
            Ok(done) => self.done.extend(
                done.into_iter()
                    .map(|it| format!("{it}, left by the run of {}", attached.display())),
            ),
            Err(failure) => self.failed.push(failure.to_string()),
        }
    }

    fn end_left_over(&mut self, cluster: &Path) {
        let Ok(text) = fs::read(cluster) else { return };
        let Ok(file) = serde_json::from_slice::<ClusterFile>(&text) else {
            // Another target's, or another version's: nothing that we could know how to end.
            return;
        };
        if file.tester.state() != ProcessState::Gone {
            return;
        }
        for entry in file.processes() {
            let Some(process) = left_over(entry, file.target == "embedded") else { continue };
            let sent = process.signal(Signal::SIGKILL);
            let state = process.await_state(|state| state == ProcessState::Gone, GONE_WITHIN);
            let place = cluster.display();
            if state == ProcessState::Gone {
                self.done.push(format!(
                    "ended {} ({process}), left running by the run of {place}",
                    entry.name
                ));
            } else {
                self.failed.push(format!("could not end {} ({process}): {sent:?}", entry.name));
            }
        }
    }
}

/// The process of an entry, if it still runs; of an embedded cluster it must also look like one.
fn left_over(entry: &ProcessEntry, is_embedded: bool) -> Option<ProcessIdentity> {
    let noted = entry.process.as_ref()?;
    let now = ProcessIdentity::of(noted.pid)?;
    let ours =
        now.start_ticks == noted.start_ticks && (!is_embedded || now.command.contains("internal-"));
    (ours && now.state() != ProcessState::Gone).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::process::CommandExt,
        process::{Child, Command, Stdio},
    };

    struct Sleeper(Child);

    impl Sleeper {
        /// A process whose command line begins with `name`.
        fn called(name: &str) -> Self {
            let mut command = Command::new("sleep");
            command.arg0(name).arg("600").stdin(Stdio::null());
            let sleeper = Self(command.spawn().expect("sleep starts"));
            // `spawn` returns a moment before exec has set the command line.
            while !sleeper.identity().command.starts_with(name) {
                std::thread::yield_now();
            }
            sleeper
        }

        fn identity(&self) -> ProcessIdentity {
            ProcessIdentity::of(self.0.id()).expect("it runs")
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn run_with(tester: ProcessIdentity, store: &Sleeper) -> (tempfile::TempDir, RunDirectory) {
        let runs = tempfile::tempdir().expect("a directory");
        let run = RunDirectory::create(runs.path(), "a").expect("made");
        let entry = |process| ProcessEntry {
            name: "store-1".into(),
            store_id: Some(1),
            process,
            ended: None,
            addr: "127.0.0.1:1".parse().expect("an address"),
            status_addr: None,
            data_dir: "data".into(),
            log: "log".into(),
        };
        let stores = vec![entry(Some(store.identity()))];
        let file = ClusterFile::embedded(tester, entry(None), stores);
        let text = serde_json::to_vec(&file).expect("JSON");
        fs::write(run.cluster(), text).expect("written");
        (runs, run)
    }

    fn gone() -> ProcessIdentity {
        let own = ProcessIdentity::own().expect("we are");
        ProcessIdentity { start_ticks: 1, ..own }
    }

    #[test]
    fn what_a_killed_tester_left_running_is_ended_once() {
        let store = Sleeper::called("internal-store");
        let (runs, _) = run_with(gone(), &store);
        let healed = heal(runs.path());
        assert_eq!((healed.done.len(), healed.failed.len()), (1, 0), "{healed:?}");
        assert_eq!(store.identity().state(), ProcessState::Gone);
        assert_eq!(heal(runs.path()), Healed::default());
    }

    #[test]
    fn a_living_tester_and_foreign_processes_are_left_alone() {
        let own = ProcessIdentity::own().expect("we are");
        for (tester, name) in [(own, "internal-store"), (gone(), "editor")] {
            let process = Sleeper::called(name);
            let (runs, _) = run_with(tester, &process);
            assert!(heal(runs.path()).done.is_empty());
            assert_eq!(process.identity().state(), ProcessState::Running);
        }
    }

    #[test]
    fn what_a_killed_tester_left_stopped_is_resumed() {
        let store = Sleeper::called("foreign-store");
        let (runs, run) = run_with(gone(), &store);
        let paused = nemesis::PausedProcesses::create(&run.journal()).expect("a journal");
        paused.pause(&[store.identity()]).expect("stopped");
        std::mem::forget(paused);
        let own = ProcessIdentity::own().expect("we are");
        let text = fs::read_to_string(run.journal()).expect("read");
        let own = serde_json::to_string(&own).expect("JSON");
        let other = serde_json::to_string(&gone()).expect("JSON");
        fs::write(run.journal(), text.replace(&own, &other)).expect("written");

        let healed = heal(runs.path());
        assert_eq!(healed.done.len(), 1, "{healed:?}");
        assert!(healed.done[0].contains("resumed process"), "{healed:?}");
        assert_eq!(store.identity().state(), ProcessState::Running);
    }

    #[test]
    fn no_runs_are_nothing_to_heal() {
        assert_eq!(heal(Path::new("/nowhere/at/all")), Healed::default());
    }
}
