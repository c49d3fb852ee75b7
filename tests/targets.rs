//! Every kind of target, on the built binary: embedded, stand-ins for real binaries and for tiup,
//! and a cluster that somebody else started, here and behind ssh.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_jepsen-tikv");

fn run(runs: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--runs-dir").arg(runs).stdin(Stdio::null());
    command.output().expect("the binary starts")
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

/// An embedded cluster that somebody else started.
struct Cluster {
    runs: TempDir,
    pd: String,
}

impl Cluster {
    fn up() -> Self {
        let runs = tempfile::tempdir().expect("a directory");
        let up = ["cluster", "up", "--kv", "3", "--detach", "--tag", "foreign"];
        let output = run(runs.path(), &up);
        assert_eq!(code(&output), 0, "{}", said(&output));
        let text = said(&output);
        let line = text.lines().find(|line| line.starts_with("PD client endpoints:"));
        let pd = line.and_then(|line| line.split(['[', ']']).nth(1)).expect("an address");
        Self { pd: pd.to_owned(), runs }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        run(self.runs.path(), &["cluster", "down", "--tag", "foreign"]);
    }
}

/// This binary under the names of the real ones.
fn stand_ins() -> TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    for name in ["tikv-server", "pd-server"] {
        symlink(BINARY, folder.path().join(name)).expect("a link");
    }
    folder
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

#[test]
fn everything_that_the_embedded_cluster_offers_works() {
    let runs = tempfile::tempdir().expect("a directory");
    let output = run(runs.path(), &["target-check", "--enable-ttl"]);
    let text = said(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert!(text.lines().count() > 35 && !text.contains("not offered"), "{text}");
}

#[test]
fn stand_ins_that_take_the_real_flags_and_files_are_a_target() {
    let (runs, programs) = (tempfile::tempdir().expect("a directory"), stand_ins());
    let (tikv, pd) = (path(&programs, "tikv-server"), path(&programs, "pd-server"));
    let target = ["--target", "binaries", "--tikv-server", &tikv, "--pd-server", &pd];
    let check = [&["target-check", "--region-split-size", "1MB"], &target[..]].concat();
    let output = run(runs.path(), &check);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let defect = [&["test", "--defect", "stale-read"], &target[..]].concat();
    let refused = run(runs.path(), &defect);
    assert_eq!(code(&refused), 64);
    assert!(
        said(&refused).contains("--target binaries cannot be made wrong"),
        "{}",
        said(&refused)
    );
}

#[test]
fn a_foreign_cluster_is_hurt_only_with_leave_and_left_as_it_was() {
    let cluster = Cluster::up();
    let runs = tempfile::tempdir().expect("a directory");
    let test = |more: &[&str]| {
        let attach = ["test", "--target", "attach", "--pd", &cluster.pd, "--keys", "50"];
        run(runs.path(), &[&attach, more].concat())
    };
    let refused = test(&["--nemesis", "pause-one"]);
    assert_eq!(code(&refused), 64, "{}", said(&refused));
    assert!(said(&refused).contains("--allow-faults"), "{}", said(&refused));
    let refused = test(&["--nemesis", "kill-one", "--allow-faults"]);
    assert_eq!(code(&refused), 64, "{}", said(&refused));
    assert!(said(&refused).contains("cannot kill stores"), "{}", said(&refused));

    let kept = test(&["--nemesis", "none", "--time", "2", "--keep-keys"]);
    assert!(said(&kept).contains("will write only keys that begin with \"jepsen-tikv/\""));
    assert!(matches!(code(&kept), 0 | 2), "{}", said(&kept));
    let taken = test(&["--nemesis", "none"]);
    assert_eq!(code(&taken), 64, "{}", said(&taken));
    assert!(said(&taken).contains("choose another --prefix"), "{}", said(&taken));

    let other = ["--prefix", "other/", "--allow-faults", "--nemesis", "pause-one", "--time", "8"];
    let hurt = test(&other);
    assert!(matches!(code(&hurt), 0 | 2), "{}", said(&hurt));
    assert!(said(&hurt).contains("deleted the keys under \"other/\""), "{}", said(&hurt));
    // It was started by somebody else, and is stopped by nobody here.
    for (phase, is_said) in [
        ("attaching to the cluster", true),
        ("detaching from the cluster", true),
        ("starting the cluster", false),
        ("stopping the cluster", false),
    ] {
        assert_eq!(said(&hurt).contains(phase), is_said, "{phase}: {}", said(&hurt));
    }
    // Its own pace decides how far apart faults are, as far as the user did not.
    assert!(said(&hurt).contains("to move a leader: about "), "{}", said(&hurt));
    // The keys are gone: the same prefix is free again.
    let again = test(&["--prefix", "other/", "--nemesis", "none", "--time", "1"]);
    assert!(matches!(code(&again), 0 | 2), "{}", said(&again));
}

#[test]
fn a_playground_without_tiup_is_refused_with_the_way_to_install_it() {
    let runs = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(BINARY);
    command.args(["test", "--target", "playground", "--runs-dir"]).arg(runs.path());
    let output = command.env("PATH", "").stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(code(&output), 64);
    assert!(said(&output).contains("install"), "{}", said(&output));
}

/// A `tiup` that starts a PD and stores as the real one's playground does, and ends them at Ctrl-C.
const TIUP: &str = include_str!("stand_ins/tiup");

#[test]
fn what_tiup_starts_is_a_target_too() {
    let (runs, programs) = (tempfile::tempdir().expect("a directory"), stand_ins());
    let tiup = programs.path().join("tiup");
    fs::write(&tiup, TIUP).expect("written");
    fs::set_permissions(&tiup, fs::Permissions::from_mode(0o755)).expect("executable");
    let inherited = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(BINARY);
    command.args(["target-check", "--target", "playground", "--version", "v8.5.4"]);
    command.args(["--stores", "3", "--runs-dir"]).arg(runs.path()).stdin(Stdio::null());
    command.env("PATH", format!("{}:{inherited}", programs.path().display()));
    let output = command.env("BIN", programs.path()).output().expect("it starts");
    let text = said(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert!(text.contains("kill and start a store") && text.contains("not offered"), "{text}");
}

/// An sshd of our own on a free port, with keys of its own.
struct Sshd {
    folder: TempDir,
    child: Child,
}

impl Sshd {
    /// `None` where there is no sshd.
    fn start() -> Option<(Self, u16)> {
        let sshd = PathBuf::from("/usr/sbin/sshd");
        if !sshd.is_file() {
            eprintln!("skipped: there is no /usr/sbin/sshd");
            return None;
        }
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        for name in ["host", "user"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(name));
            assert!(keygen.status().expect("ssh-keygen starts").success());
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        fs::copy(at("user.pub"), at("authorized")).expect("copied");
        let show = |name: &str| at(name).display().to_string();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             AuthorizedKeysFile {}\nPermitRootLogin prohibit-password\n",
            show("host"),
            show("authorized")
        );
        fs::write(at("sshd_config"), config).expect("written");
        let client = format!(
            "Host *\n  Port {port}\n  IdentityFile {}\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  \
             UserKnownHostsFile /dev/null\n  LogLevel ERROR\n",
            show("user")
        );
        fs::write(at("ssh_config"), client).expect("written");
        // Where it separates privileges it wants this directory; one that cannot be made is there
        // already.
        let _ = fs::create_dir_all("/run/sshd");
        let mut command = Command::new(&sshd);
        command.args(["-D", "-e", "-f"]).arg(at("sshd_config"));
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let sshd = Self { folder, child };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !sshd.ssh(&["true"]) {
            if Instant::now() >= deadline {
                eprintln!("skipped: this sshd lets nobody in");
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some((sshd, port))
    }

    fn command(&self) -> String {
        format!("ssh -F {}", self.folder.path().join("ssh_config").display())
    }

    fn ssh(&self, arguments: &[&str]) -> bool {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.folder.path().join("ssh_config"));
        ssh.args(["-o", "BatchMode=yes", "127.0.0.1"]).args(arguments);
        ssh.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|it| it.success())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn stores_behind_ssh_are_stopped_and_resumed_there() {
    let Some((sshd, _)) = Sshd::start() else { return };
    let cluster = Cluster::up();
    let runs = tempfile::tempdir().expect("a directory");
    let ssh = sshd.command();
    let attach = ["--target", "attach", "--pd", &cluster.pd, "--ssh", "127.0.0.1"];
    let check = [&["target-check", "--allow-faults", "--ssh-command", &ssh], &attach[..]].concat();
    let output = run(runs.path(), &check);
    let text = said(&output);
    assert_eq!(code(&output), 0, "{text}");
    assert!(text.contains("seen stopped, then running"), "{text}");
    let nowhere =
        [&["target-check", "--allow-faults", "--ssh-command", "false"], &attach[..]].concat();
    assert_eq!(code(&run(runs.path(), &nowhere)), 74);
}
