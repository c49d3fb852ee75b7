//! Clients from the registries, unmodified, against the cluster: every operation, and a load while
//! its leader is stopped.
//!
//! The programs are in `tests/stock_clients/`. Python's libraries are installed into a venv below
//! `target/tmp`, which is used again; Go's program is built there. Where Python, Go or their
//! registries are absent, a line says so.

use super::cluster::{Cluster, PATIENCE, until};
use client::PdHttp;
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::runtime::Runtime;

const PYTHON_LIBRARIES: [&str; 2] = ["tikv-client==0.0.4", "tikv-python==0.1.1"];
/// Acknowledged puts that show that a client goes on.
const PROGRESS: usize = 20;

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock_clients")
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stock-clients").join(name);
    std::fs::create_dir_all(&folder).expect("the build's own folder");
    folder
}

/// Runs a program; why not, if it cannot be run or fails.
fn succeed(command: &mut Command) -> Result<Output, String> {
    let done = command.stdin(Stdio::null()).output();
    let done = done.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if done.status.success() {
        return Ok(done);
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let last = said.lines().last().unwrap_or("it says nothing");
    Err(format!("{} {}: {last}", command.get_program().display(), done.status))
}

/// A Python with both libraries, or why there is none.
fn python() -> Result<PathBuf, String> {
    let venv = folder("venv");
    let python = venv.join("bin/python");
    let has_both =
        |python: &Path| succeed(Command::new(python).args(["-c", "import tikv, tikv_client"]));
    if has_both(&python).is_err() {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let pip = ["-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "15"];
        succeed(Command::new(&python).args(pip).args(PYTHON_LIBRARIES))?;
        has_both(&python)?;
    }
    Ok(python)
}

/// The Go program, or why there is none. That it does not compile is no reason but a failure.
fn go() -> Result<PathBuf, String> {
    let program = folder("go").join("stock-client");
    let go = |arguments: &[&str]| {
        let mut go = Command::new("go");
        // Neither another toolchain nor a changed go.mod.
        go.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=readonly");
        go.current_dir(programs().join("go")).args(arguments);
        succeed(&mut go)
    };
    go(&["mod", "download"])?;
    let built = go(&["build", "-o", &program.display().to_string(), "."]);
    built.expect("the Go program compiles");
    Ok(program)
}

/// A client that writes until it is told to stop.
struct Load {
    name: &'static str,
    process: Child,
    acknowledged: Arc<AtomicUsize>,
    last_line: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Load {
    fn start(name: &'static str, command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was found before");
        let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let last_line = Arc::new(Mutex::new(String::new()));
        let (counter, line_kept) = (Arc::clone(&acknowledged), Arc::clone(&last_line));
        let reader = thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                match line.strip_prefix("acknowledged ").map(str::parse) {
                    Some(Ok(number)) => counter.store(number, Ordering::Relaxed),
                    _ if line.contains(" lost") => *line_kept.lock().expect("unpoisoned") = line,
                    _ => {}
                }
            }
        });
        Self { name, process, acknowledged, last_line, reader }
    }

    fn count(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    fn progress(&self, when: &str) {
        let from = self.count();
        until(&format!("{} goes on {when}", self.name), || {
            (self.count() >= from + PROGRESS).then_some(())
        });
    }

    /// Ends it, and says what it found.
    fn end(mut self) -> String {
        drop(self.process.stdin.take());
        let name = self.name;
        let mut process = self.process;
        let status = until_exit(&mut process, name);
        self.reader.join().expect("it only reads");
        let said = self.last_line.lock().expect("unpoisoned").clone();
        assert!(status.success(), "{name}: {status}: {said}");
        said
    }
}

fn until_exit(process: &mut Child, name: &str) -> std::process::ExitStatus {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(status) = process.try_wait().expect("it is ours") {
            return status;
        }
        if std::time::Instant::now() >= deadline {
            let _ = process.kill();
            let _ = process.wait();
            panic!("{name} does not end");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn stock_clients_do_everything_and_lose_nothing_while_a_leader_is_stopped() {
    let (python, go) = (python(), go());
    for (what, program) in [("PyPI's clients", &python), ("client-go", &go)] {
        if let Err(reason) = program {
            eprintln!("skipped: {what}: {reason}");
        }
    }
    if python.is_err() && go.is_err() {
        return;
    }
    let cluster = Cluster::start();
    let mut loads = Vec::new();
    let of_python = |script: &str| {
        let mut command = Command::new(python.as_ref().expect("asked only if it is there"));
        command.arg(programs().join(script));
        command
    };
    if python.is_ok() {
        let smoke = succeed(of_python("python_smoke.py").arg(&cluster.pd));
        smoke.expect("every answer as expected");
        for library in ["tikv-client", "tikv-python"] {
            let mut command = of_python("python_load.py");
            loads.push(Load::start(library, command.arg(library).arg(&cluster.pd)));
        }
    }
    if let Ok(go) = &go {
        let smoke = succeed(Command::new(go).args(["smoke", &cluster.pd]));
        smoke.expect("every answer as expected");
        loads.push(Load::start("client-go", Command::new(go).args(["load", &cluster.pd])));
    }
    for load in &loads {
        load.progress("before the fault");
    }

    let runtime = Runtime::new().expect("a runtime");
    let pd = PdHttp::new(&cluster.pd, PATIENCE).expect("a client");
    let leader = || runtime.block_on(pd.region_of_key(b"stock:")).ok()??.leader_store();
    let stopped = until("a leader", leader);
    cluster.act("pause", &[&stopped.to_string()]);
    until("another leader", || leader().filter(|store| *store != stopped));
    for load in &loads {
        load.progress("while the old leader is stopped");
    }
    cluster.act("resume", &[&stopped.to_string()]);
    for load in &loads {
        load.progress("after it was resumed");
    }
    for load in loads {
        println!("{}", load.end());
    }
}
