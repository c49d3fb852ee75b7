//! Stopping and resuming real processes, on every way out, and healing what a killed tester left
//! stopped.

use nemesis::{
    Machine, PauseError, PausedProcesses, ProcessIdentity, ProcessState, Signalled, heal,
};
use nix::sys::signal::Signal;
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A child that ends with the test, however that ends.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("sleep starts"))
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

fn journal() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nemesis.journal");
    (folder, path)
}

/// The tester named in the header is gone: its start time is another's.
fn as_if_the_tester_were_killed(path: &PathBuf) {
    let text = fs::read_to_string(path).expect("a journal");
    let own = ProcessIdentity::own().expect("we are");
    let ours = format!("\"start_ticks\":{}", own.start_ticks);
    let (header, rest) = text.split_once('\n').expect("a header");
    fs::write(path, format!("{}\n{rest}", header.replace(&ours, "\"start_ticks\":1")))
        .expect("written");
}

fn states(signalled: Result<Vec<Signalled>, PauseError>) -> Vec<ProcessState> {
    signalled.expect("signalled").into_iter().map(|it| it.state).collect()
}

#[test]
fn two_are_stopped_and_resumed() {
    let (_folder, path) = journal();
    let sleepers = [Sleeper::start(), Sleeper::start()];
    let both: Vec<_> = sleepers.iter().map(Sleeper::identity).collect();
    let paused = PausedProcesses::create(&path).expect("a journal");
    assert_eq!(states(paused.pause(&both)), [ProcessState::Stopped; 2]);
    assert!(both.iter().all(|it| it.state() == ProcessState::Stopped));
    let said = fs::read_to_string(&path).expect("a journal");
    assert_eq!(said.matches("stopping").count(), 2, "{said}");
    let (before, resumed) = (Instant::now(), paused.resume(&both).expect("resumed"));
    // Both were sent the signal at once, before either was seen to run.
    assert!(resumed.iter().all(|it| it.at == resumed[0].at && it.at >= before));
    assert!(resumed.iter().all(|it| it.state == ProcessState::Running));
    assert!(paused.paused().is_empty());
    assert_eq!(fs::read_to_string(&path).expect("a journal").matches("resumed").count(), 2);
}

#[test]
fn all_threads_of_a_process_are_seen_stopped() {
    let (_folder, path) = journal();
    let script = "import threading,time\n\
                  for _ in range(8): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n\
                  time.sleep(600)";
    let Ok(child) = Command::new("python3").args(["-c", script]).spawn() else {
        eprintln!("skipped: no python3 to make a process of several threads");
        return;
    };
    let many = Sleeper(child);
    let tasks = format!("/proc/{}/task", many.0.id());
    while fs::read_dir(&tasks).expect("it runs").count() < 9 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let paused = PausedProcesses::create(&path).expect("a journal");
    let identity = many.identity();
    let seen = paused.pause(std::slice::from_ref(&identity));
    assert_eq!(states(seen), [ProcessState::Stopped]);
    for task in fs::read_dir(&tasks).expect("it is").flatten() {
        let stat = fs::read_to_string(task.path().join("stat")).expect("a thread");
        assert!(stat.contains(") T "), "{stat}");
    }
}

#[test]
fn a_panic_resumes() {
    let (_folder, path) = journal();
    let sleeper = Sleeper::start();
    let identity = sleeper.identity();
    let ended = std::thread::spawn({
        let identity = identity.clone();
        move || {
            let paused = PausedProcesses::create(&path).expect("a journal");
            paused.pause(std::slice::from_ref(&identity)).expect("stopped");
            assert_eq!(identity.state(), ProcessState::Running, "a panic on purpose");
        }
    })
    .join();
    assert!(ended.is_err(), "it panicked");
    assert_eq!(identity.state(), ProcessState::Running);
}

#[test]
fn a_dead_process_is_said_to_be_gone() {
    let (_folder, path) = journal();
    let mut sleeper = Sleeper::start();
    let identity = sleeper.identity();
    sleeper.0.kill().expect("killed");
    sleeper.0.wait().expect("reaped");
    let paused = PausedProcesses::create(&path).expect("a journal");
    let one = std::slice::from_ref(&identity);
    assert_eq!(states(paused.pause(one)), [ProcessState::Gone]);
    assert_eq!(states(paused.resume(one)), [ProcessState::Gone]);
}

#[test]
fn what_a_killed_tester_left_stopped_is_healed() {
    let (_folder, path) = journal();
    let sleepers = [Sleeper::start(), Sleeper::start()];
    let both: Vec<_> = sleepers.iter().map(Sleeper::identity).collect();
    let paused = PausedProcesses::create(&path).expect("a journal");
    paused.pause(&both).expect("stopped");
    // A killed tester runs no destructor.
    std::mem::forget(paused);
    as_if_the_tester_were_killed(&path);
    let torn = [fs::read(&path).expect("a journal"), b"{\"stopping\":{\"pid\":1,\"st".to_vec()];
    fs::write(&path, torn.concat()).expect("written");

    let report = heal(&path, None).expect("healed");
    let mut expected = both.clone();
    expected.sort();
    assert_eq!(report.resumed, expected);
    assert!(report.torn_tail && report.failed.is_empty() && report.tester_lives.is_none());
    assert!(both.iter().all(|it| it.state() == ProcessState::Running));

    let again = heal(&path, None).expect("healed before");
    assert!(again.resumed.is_empty() && !again.torn_tail, "{again:?}");
}

#[test]
fn healing_touches_nobody_who_only_has_the_same_pid() {
    let (_folder, path) = journal();
    let sleeper = Sleeper::start();
    let real = sleeper.identity();
    let paused = PausedProcesses::create(&path).expect("a journal");
    paused.pause(std::slice::from_ref(&real)).expect("stopped");
    std::mem::forget(paused);
    as_if_the_tester_were_killed(&path);
    let ours = format!("\"start_ticks\":{}", real.start_ticks);
    let text = fs::read_to_string(&path).expect("a journal");
    fs::write(&path, text.replace(&ours, "\"start_ticks\":2")).expect("written");

    assert!(heal(&path, None).expect("read").resumed.is_empty());
    assert_eq!(real.state(), ProcessState::Stopped, "it was somebody else's to resume");
    real.signal(Signal::SIGCONT).expect("resumed");
}

#[test]
fn the_journal_of_a_living_tester_is_left_alone() {
    let (_folder, path) = journal();
    let (tester, sleeper) = (Sleeper::start(), Sleeper::start());
    let paused = PausedProcesses::create(&path).expect("a journal");
    paused.pause(&[sleeper.identity()]).expect("stopped");
    let own = ProcessIdentity::own().expect("we are");
    let json = |it: &ProcessIdentity| serde_json::to_string(it).expect("JSON");
    let text = fs::read_to_string(&path).expect("a journal");
    fs::write(&path, text.replace(&json(&own), &json(&tester.identity()))).expect("written");

    let report = heal(&path, None).expect("read");
    assert_eq!(report.tester_lives, Some(tester.identity()));
    assert_eq!(sleeper.identity().state(), ProcessState::Stopped);
}

#[test]
fn a_foreign_file_is_told_of_and_nothing_is_done() {
    let (_folder, path) = journal();
    fs::write(&path, "{\"format\":\"shopping list\"}\n").expect("written");
    let report = heal(&path, None).expect("read");
    assert!(report.malformed[0].contains("line 1"), "{report:?}");
    let taken = PausedProcesses::create(&path).expect_err("it exists");
    assert!(PauseError::from(taken).to_string().contains("nemesis.journal"));
}

#[test]
fn a_bad_line_anywhere_keeps_no_good_one_from_being_acted_on() {
    for bad_line in 0..3 {
        let (_folder, path) = journal();
        let sleeper = Sleeper::start();
        let paused = PausedProcesses::create(&path).expect("a journal");
        paused.pause(&[sleeper.identity()]).expect("stopped");
        std::mem::forget(paused);
        as_if_the_tester_were_killed(&path);
        let text = fs::read_to_string(&path).expect("a journal");
        let mut lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
        let noise: &[u8] = b"{\"stopping\":{\"pid\":1,\"st\xff";
        if bad_line == 0 {
            lines[0] = noise;
        } else {
            lines.insert(bad_line, noise);
        }
        fs::write(&path, [lines.join(&b'\n'), b"\n".to_vec()].concat()).expect("written");

        let report = heal(&path, Some(&Machine::this())).expect("read");
        assert_eq!(report.resumed, [sleeper.identity()], "line {bad_line}");
        assert_eq!(report.malformed.len(), 1, "{report:?}");
        assert_eq!(sleeper.identity().state(), ProcessState::Running);
    }
}

#[test]
fn a_process_that_runs_another_program_is_left_alone_and_told_of() {
    let (_folder, path) = journal();
    let sleeper = Sleeper::start();
    let paused = PausedProcesses::create(&path).expect("a journal");
    paused.pause(&[sleeper.identity()]).expect("stopped");
    std::mem::forget(paused);
    as_if_the_tester_were_killed(&path);
    let program = sleeper.identity().executable.expect("it may be seen");
    let text = fs::read_to_string(&path).expect("a journal");
    fs::write(&path, text.replace(&format!("{program:?}"), "\"/bin/other\"")).expect("written");

    let report = heal(&path, None).expect("read");
    assert!(report.resumed.is_empty() && report.doubtful.len() == 1, "{report:?}");
    assert_eq!(sleeper.identity().state(), ProcessState::Stopped);
    sleeper.identity().signal(Signal::SIGCONT).expect("resumed");
}
