//! The tester as a process: started in a directory of its own, watched, and asked afterwards what
//! it left.
//!
//! In: arguments. Out: exit code, words, and the processes of its cluster. Every wait is bounded.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_jepsen-tikv");
/// How long anything here may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_mins(5);

/// A run under way.
pub struct Tester<'a> {
    dir: &'a Path,
    child: Child,
}

/// How it ended.
pub struct Ended {
    pub code: Option<i32>,
    /// stdout and stderr, in turn.
    pub said: String,
}

impl<'a> Tester<'a> {
    /// Starts a command, which becomes the tester or waits for it.
    pub fn start(dir: &'a Path, command: &mut Command) -> Self {
        let said = File::create(dir.join("said.txt")).expect("a file");
        let child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("a second handle"))
            .stderr(said)
            .spawn()
            .expect("it starts");
        Self { dir, child }
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.dir.join("said.txt")).unwrap_or_default()
    }

    /// Waits until it said this.
    pub fn await_words(&mut self, words: &str) {
        self.wait(|tester| tester.said().contains(words), words);
    }

    /// Kills those of its cluster's processes whose command line has this word, and says how many
    /// they were.
    pub fn kill_processes(&self, word: &str) -> usize {
        self.signal_processes(word, Signal::SIGKILL)
    }

    /// The same with another signal.
    pub fn signal_processes(&self, word: &str, signal: Signal) -> usize {
        let processes = processes(self.dir);
        let found = processes.iter().filter(|(_, command)| command.contains(word));
        found.map(|(pid, _)| kill(Pid::from_raw(*pid), signal).expect("it runs")).count()
    }

    /// Asks it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGINT).expect("it runs");
    }

    /// Waits until it ended, and asserts what holds of every end.
    pub fn end(mut self) -> Ended {
        let mut code = None;
        self.wait(
            |tester| {
                code = tester.child.try_wait().expect("it can be waited for");
                code.is_some()
            },
            "its end",
        );
        let said = self.said();
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(processes(self.dir), [], "left running: {said}");
        Ended { code: code.and_then(|status| status.code()), said }
    }

    fn wait(&mut self, mut holds: impl FnMut(&mut Self) -> bool, what: &str) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() >= until {
                // Its processes end with it.
                self.child.kill().expect("it can be killed");
                panic!("it hangs before {what}: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The processes of clusters that work below this directory: PID and command line.
pub fn processes(dir: &Path) -> Vec<(i32, String)> {
    let needle = dir.to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    all.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let is_of_a_cluster = command.contains("internal-") || command.contains("-server --");
        (is_of_a_cluster && command.contains(&needle)).then_some((pid, command))
    })
    .collect()
}

/// Runs the tester to its end.
pub fn jepsen_tikv(dir: &Path, arguments: &[&str]) -> Ended {
    Tester::start(dir, Command::new(PROGRAM).args(arguments)).end()
}

/// Judges the history in a run directory anew: it is accepted, with this exit code.
pub fn judged(run: &Path, code: i32) -> String {
    let Output { status, stdout, stderr } =
        Command::new(PROGRAM).arg("check").arg(run).output().expect("it runs");
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert_eq!(status.code(), Some(code), "check says {said}");
    said
}

/// A command line in words.
pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
