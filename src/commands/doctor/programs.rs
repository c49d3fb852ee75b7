//! Foreign programs that some targets need: TiKV, PD, tiup, ssh.
//!
//! In: `PATH`. Out: findings. Each program found is asked for its version, with a deadline of a few
//! seconds.

use super::Finding;
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The time that a program may take to print its version.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A program, the flag that prints its version, and the features that need it.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("tikv-server", "--version", "--target binaries needs --tikv-server PATH"),
    ("pd-server", "--version", "--target binaries needs --pd-server PATH"),
    ("tiup", "--version", "no --target playground"),
    ("ssh", "-V", "--target attach cannot reach stores on other hosts"),
];

/// Looks for the programs.
pub fn look() -> Vec<Finding> {
    let look_for = |(name, flag, without): (&'static str, &str, &str)| match on_path(name) {
        None => Finding::limits(name, format!("not on PATH: {without}")),
        Some(path) => match version(&path, flag) {
            Some(version) => Finding::good(name, format!("{}: {version}", path.display())),
            None => Finding::limits(
                name,
                format!("{} does not say its version: it may not run here", path.display()),
            ),
        },
    };
    PROGRAMS.map(look_for).into()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Returns the first line with a version; many programs begin with "Release Version: …".
fn version(program: &std::path::Path, flag: &str) -> Option<String> {
    let mut child = Command::new(program)
        .arg(flag)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    if !ends(&mut child) {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    let output = child.wait_with_output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let named = lines().find(|line| line.starts_with("Release Version"));
    named.or_else(|| lines().next()).map(str::to_owned)
}

fn ends(child: &mut Child) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) => std::thread::sleep(POLL),
            Err(_) => return false,
        }
    }
    false
}
