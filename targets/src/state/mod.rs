//! The user's own records of started, paused and changed things, on which `heal`, `cluster down`
//! and `cluster clean` act.
//!
//! In: a tester's actions. Out: a record for each tester in a [`StateDirectory`] that only this
//! user can write. Run directories describe the same for people. They may come from somebody else,
//! and are never acted on. The folder of a record, `STATE/ID/`, holds `record.json` (`record`
//! describes it), `nemesis.journal` (the paused processes), and `lock`. The tester holds the lock
//! as long as it lives: the kernel releases it however the tester ends.

mod directory;
mod own;
mod record;

pub use directory::StateDirectory;
pub use own::OwnRecord;
pub use record::{LeftRecord, Record, Started};

use std::path::Path;

/// The record of this directory, the newest if there are several; `None` = there is none.
pub fn of_directory(directory: &Path) -> Option<LeftRecord> {
    let state = StateDirectory::find().ok()??;
    state.records().ok()?.into_iter().rfind(|it| it.record.is_of(directory))
}

/// Removes the settled record of a removed directory. If that fails, `heal` does it later.
pub fn forget(directory: &Path) {
    let Ok(Some(state)) = StateDirectory::find() else { return };
    for record in state.records().unwrap_or_default() {
        if record.record.is_of(directory)
            && record.record.is_settled()
            && let Ok(Some(lock)) = record.take()
        {
            let _ = record.remove(&lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heal::{Healed, heal};
    use nemesis::{PausedProcesses, ProcessIdentity, ProcessState};
    use std::{
        process::{Child, Command, Stdio},
        sync::Arc,
    };

    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Self {
            let sleep = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn();
            Self(sleep.expect("sleep starts"))
        }

        fn identity(&self) -> ProcessIdentity {
            ProcessIdentity::of(self.0.id()).expect("it runs")
        }

        fn started(&self) -> Started {
            Started::new("store-1".into(), self.identity())
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    struct Place {
        folder: tempfile::TempDir,
        state: StateDirectory,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a directory");
            let state = StateDirectory::make_at(folder.path().join("state")).expect("made");
            Self { folder, state }
        }

        /// A tester's record, changed before it is written.
        fn record(&self, change: impl FnOnce(&mut Record)) -> Arc<OwnRecord> {
            let mut record = Record::begin(self.folder.path(), false).expect("begun");
            change(&mut record);
            OwnRecord::begin(&self.state, record).expect("written")
        }

        fn healed(&self) -> Healed {
            heal(&self.state, None).expect("read")
        }

        /// Heals once nobody holds a lock: a process that another test forks holds all of them
        /// until it becomes another program.
        fn healed_when_free(&self, below: Option<&Path>) -> Healed {
            for _ in 0..500 {
                let healed = heal(&self.state, below).expect("read");
                if healed.in_use.is_empty() {
                    return healed;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            panic!("a lock is held for ten seconds");
        }

        fn records(&self) -> usize {
            self.state.records().expect("read").len()
        }
    }

    #[test]
    fn what_a_tester_left_is_ended_and_resumed_once_it_is_gone_and_then_forgotten() {
        let (place, started, paused) = (Place::new(), Sleeper::start(), Sleeper::start());
        let record = place.record(|_| {});
        record.note_started(vec![started.started()]).expect("noted");
        let nemesis = PausedProcesses::create(&record.journal()).expect("a journal");
        nemesis.pause(&[paused.identity()]).expect("paused");
        std::mem::forget(nemesis);
        let healed = place.healed();
        assert_eq!((healed.in_use.len(), healed.done.len()), (1, 0), "{healed:?}");
        assert_eq!(paused.identity().state(), ProcessState::Stopped);

        drop(record);
        let healed = place.healed_when_free(None);
        assert_eq!((healed.done.len(), healed.troubles().count()), (2, 0), "{healed:?}");
        assert_eq!(started.identity().state(), ProcessState::Gone);
        assert_eq!(paused.identity().state(), ProcessState::Running);
        assert_eq!((place.records(), place.healed()), (0, Healed::default()));
    }

    #[test]
    fn a_dead_testers_record_is_healed_without_its_lock_file_and_a_living_ones_is_not() {
        let (place, process, dead) = (Place::new(), Sleeper::start(), Sleeper::start());
        let gone = dead.identity();
        drop(dead);
        for (tester, healed) in [(ProcessIdentity::own().expect("it runs"), 0), (gone, 1)] {
            drop(place.record(|record| {
                record.started = vec![process.started()];
                record.tester = tester;
            }));
            let left = place.state.records().expect("read").pop().expect("one");
            std::fs::remove_file(left.folder.join(record::LOCK)).expect("removed");
            let of_dead = (healed > 0).then(|| place.healed_when_free(None));
            assert_eq!(of_dead.unwrap_or_else(|| place.healed()).done.len(), healed);
            let _ = std::fs::remove_dir_all(&left.folder);
        }
        assert_eq!(process.identity().state(), ProcessState::Gone);
    }

    #[test]
    fn a_settled_record_goes_with_its_tester() {
        let (place, process) = (Place::new(), Sleeper::start());
        let record = place.record(|_| {});
        record.note_started(vec![process.started()]).expect("noted");
        record.note_started(Vec::new()).expect("noted");
        assert_eq!(place.records(), 1);
        drop(record);
        assert_eq!(place.records(), 0);
    }

    #[test]
    fn what_may_be_another_process_is_left_alone_and_told_of() {
        type Change = fn(&mut Record);
        let changes: [(&str, Change); 4] = [
            ("not /bin/other", |it| {
                it.started[0].process.executable = Some("/bin/other".into());
            }),
            ("another machine", |it| it.machine.machine_id = "other".into()),
            ("another container", |it| it.machine.pid_namespace = "other".into()),
            ("another user", |it| it.uid += 1),
        ];
        for (named, change) in changes {
            let (place, process) = (Place::new(), Sleeper::start());
            drop(place.record(|record| {
                record.started = vec![process.started()];
                change(record);
            }));
            let healed = place.healed_when_free(None);
            assert!(healed.done.is_empty() && healed.doubtful.len() == 1, "{named}: {healed:?}");
            assert!(healed.doubtful[0].contains(named), "{named}: {healed:?}");
            assert_eq!(process.identity().state(), ProcessState::Running);
            assert_eq!(place.records(), 1, "{named}");
        }
        // A process with the same PID but another start time is certainly another.
        let (place, process) = (Place::new(), Sleeper::start());
        let mut other = process.started();
        other.process.start_ticks -= 1;
        drop(place.record(|record| record.started = vec![other]));
        assert_eq!((place.healed_when_free(None), place.records()), (Healed::default(), 0));
        assert_eq!(process.identity().state(), ProcessState::Running);
    }

    #[test]
    fn only_what_lies_below_a_directory_is_healed_if_one_is_named() {
        let (place, process) = (Place::new(), Sleeper::start());
        drop(place.record(|record| record.started = vec![process.started()]));
        let elsewhere = tempfile::tempdir().expect("a directory");
        assert_eq!(heal(&place.state, Some(elsewhere.path())).expect("read"), Healed::default());
        assert_eq!(process.identity().state(), ProcessState::Running);
        let parent = place.folder.path().join("state/..");
        assert_eq!(place.healed_when_free(Some(&parent)).done.len(), 1);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_told_of() {
        let place = Place::new();
        std::fs::create_dir(place.state.path().join("x")).expect("made");
        let healed = place.healed();
        assert!(healed.failed[0].contains("no record of this version"), "{healed:?}");
    }
}
