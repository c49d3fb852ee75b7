//! The folder in which documented commands are run, with everything that they name.
//!
//! In: a shell's command line. Out: its exit code, and what it said. A cluster of three stores runs
//! in it; it ends with this.

use std::{
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_jepsen-tikv");
/// What goes on until somebody ends it goes on for so long.
const GOES_ON: Duration = Duration::from_secs(4);
/// Longer than anything takes on any machine; whatever hangs is told of, not waited for.
const HANGS: Duration = Duration::from_mins(5);

/// A profile for `fuzz` with small plans.
const PROFILE: &str = "stores = [1, 3]\nkeys = [1, 5]\nclients = [2, 4]\ntime-ms = [1000, 2000]\n";
/// A history of a register, as Jepsen writes it.
const EDN: &str = "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n\
                   {:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value 1}\n";

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, if no signal ended it.
    pub code: Option<i32>,
    /// Both its outputs.
    pub said: String,
}

/// The folder.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    /// The run that `runs/latest` is, for every command anew.
    run: String,
    /// PD's address.
    pub pd: String,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for folder in ["bin", "home/.local/share/bash-completion/completions", "home/.zfunc"] {
            fs::create_dir_all(at(folder)).expect("made");
        }
        for name in ["bin/jepsen-tikv", "tikv-server", "pd-server"] {
            symlink(BINARY, at(name)).expect("a link");
        }
        let tiup = include_str!("../stand_ins/tiup");
        for (name, text) in [("tiup", tiup), ("xdg-open", "#!/bin/sh\n")] {
            let program = at("bin").join(name);
            fs::write(&program, text).expect("written");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        for (name, text) in [
            ("small.toml", PROFILE),
            ("nightly.toml", "workloads = [\"register\"]\n"),
            ("jepsen-tikv.toml", "[test]\nkeys = 50\n"),
            ("history.edn", EDN),
        ] {
            fs::write(at(name), text).expect("written");
        }
        let mut place = Self { folder, run: String::new(), pd: String::new() };
        let failing = "jepsen-tikv simulate --workload register --defect failed-cas-writes --seed 1 --keys 2 --time 3 \
                       --stores 3 --nemesis none";
        let ended = place.run(failing);
        assert_eq!(ended.code, Some(1), "{}", ended.said);
        let latest = fs::canonicalize(place.path().join("runs/latest")).expect("it was made");
        let runs = fs::canonicalize(place.path().join("runs")).expect("a folder");
        place.run = latest.strip_prefix(runs).expect("inside").display().to_string();
        // The folder that docs/nightly.md unpacks, and plan.json, which others write.
        let unpacked =
            format!("cp -r runs/{} register.pause-leader.embedded.fast.direct", place.run);
        assert_eq!(place.run(&unpacked).code, Some(0));
        assert_eq!(place.run("cp runs/latest/plan.json plan.json").code, Some(0));
        place.up();
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes everything as a command expects it.
    pub fn before(&mut self, command: &str) {
        if !self.run.is_empty() {
            let latest = self.path().join("runs/latest");
            let _ = fs::remove_file(&latest);
            symlink(&self.run, latest).expect("a link");
        }
        // Nothing is overwritten, so it must not be there.
        let _ = fs::remove_file(self.path().join("minimal.jsonl"));
        if command.starts_with("jepsen-tikv cluster start") {
            self.run("jepsen-tikv cluster kill store-2");
        } else if command.starts_with("jepsen-tikv cluster up") {
            self.run("jepsen-tikv cluster down");
        }
    }

    /// The cluster is there again, whatever became of it.
    pub fn after(&mut self, command: &str) {
        if command.starts_with("jepsen-tikv cluster") {
            self.run("jepsen-tikv cluster down");
            self.up();
        }
    }

    fn up(&mut self) {
        let up = self.run("jepsen-tikv cluster up --kv 3 --detach");
        let line = up.said.lines().find(|line| line.starts_with("PD client endpoints:"));
        let pd = line.and_then(|line| line.split(['[', ']']).nth(1));
        pd.unwrap_or_else(|| panic!("{}", up.said)).clone_into(&mut self.pd);
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &str) -> Ended {
        self.execute(command, None)
    }

    /// Runs a command, and ends it by Ctrl-C after a while.
    pub fn interrupt(&self, command: &str) -> Ended {
        self.execute(command, Some(GOES_ON))
    }

    fn execute(&self, command: &str, ctrl_c_after: Option<Duration>) -> Ended {
        let inherited = std::env::var("PATH").unwrap_or_default();
        // The outputs go to a file: a pipe might be held open by a cluster that stays.
        let output = self.path().join("output");
        let file = fs::File::create(&output).expect("a file");
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .current_dir(self.path())
            .env("PATH", format!("{}:{inherited}", self.path().join("bin").display()))
            .env("HOME", self.path().join("home"))
            .env("XDG_STATE_HOME", self.path().join("home/state"))
            .env("BIN", self.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("a shell");
        let began = Instant::now();
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        let mut asked = false;
        let code = loop {
            if let Some(status) = child.try_wait().expect("a child of ours") {
                break status.code();
            }
            if !asked && ctrl_c_after.is_some_and(|after| began.elapsed() >= after) {
                asked = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).is_ok();
            }
            if began.elapsed() > HANGS {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut said = Vec::new();
        let file = fs::File::open(output).and_then(|mut file| file.read_to_end(&mut said));
        file.expect("readable");
        Ended { code, said: String::from_utf8_lossy(&said).into_owned() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.run("jepsen-tikv cluster down --all");
    }
}
