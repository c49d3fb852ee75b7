//! A run directory, a history, a plan or a setting that somebody made to do harm: whoever opens it
//! loses no file, waits for nothing, and sees on the terminal what is there.

mod connections;
mod files;
mod large;
mod numbers;
mod printed;
mod state;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_jepsen-tikv");
/// Whoever takes so long waits for what never comes: an unoptimized build on a busy machine needs a
/// minute at most.
const HANGING: Duration = Duration::from_mins(10);
/// Address space of the child, KiB: a file that is read without a bound takes more. Threads' stacks
/// are in it.
const MEMORY_KIB: u64 = 4 << 20;

/// The invalid history: a write that was acknowledged is never read.
pub const LOST_WRITE: &str = r#"{"format":"jepsen-tikv history","version":1}
{"index":0,"time":0,"process":0,"type":"invoke","f":"put","key":"KEY","value":"1"}
{"index":1,"time":1000000,"process":0,"type":"ok","f":"put","key":"KEY","value":"1"}
{"index":2,"time":2000000,"process":1,"type":"invoke","f":"get","key":"KEY","value":null}
{"index":3,"time":3000000,"process":1,"type":"ok","f":"get","key":"KEY","value":null}
"#;

/// A directory for one test, with a file of the user's that no command may change.
struct Place {
    dir: tempfile::TempDir,
    precious: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let precious = dir.path().join("precious");
        std::fs::write(&precious, "mine").expect("written");
        Self { dir, precious }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Runs the program with bounded memory, and ends it if it hangs.
pub fn run(dir: &Path, arguments: &[&str]) -> Output {
    let output = |name: &str| std::fs::File::create(dir.join(name)).expect("a file");
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\""), PROGRAM])
        .args(arguments)
        .current_dir(dir)
        .env("MALLOC_ARENA_MAX", "2")
        .env("XDG_STATE_HOME", dir.join("state"))
        .stdin(Stdio::null())
        .stdout(output("stdout.txt"))
        .stderr(output("stderr.txt"))
        .spawn()
        .expect("it starts");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if begun.elapsed() > HANGING {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = |name: &str| std::fs::read(dir.join(name)).expect("there");
    Output { status, stdout: said("stdout.txt"), stderr: said("stderr.txt") }
}

/// Asserts that it ended by itself, in one of the ways that are documented.
pub fn assert_ended_well(output: &Output, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(matches!(code, Some(0..=3 | 64..=66 | 74)), "{what}: {code:?}: {said}");
    assert!(!said.contains("panicked") && !said.contains("memory allocation"), "{what}: {said}");
}
