//! axe-core, which judges pages for people who cannot see or point: taken from npm's registry by
//! npm itself, once a machine, since it is no part of this repository. Skips, with the reason
//! printed, where it cannot be had.

use super::browser::Browser;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const VERSION: &str = "4.14.1";
/// npm may take so long; a test does not wait for a network for ever.
const PATIENCE: Duration = Duration::from_secs(45);

/// Asserts that axe finds nothing wrong with the page that is open.
pub fn assert_accessible(browser: &mut Browser, name: &str) {
    let Some(script) = script() else { return };
    browser.evaluate(&format!("{script}\n;void 0"));
    let found = browser.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.map(it => \
         it.id + ' (' + it.impact + '): ' + it.nodes.slice(0, 4).map(node => node.target.join(' ') + ': ' + node.failureSummary).join('; ')))",
    );
    let found: Vec<&str> =
        found.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(found.is_empty(), "{name}:\n{}", found.join("\n"));
}

/// The script, if this machine has it or npm can get it.
fn script() -> Option<String> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("axe-core-{VERSION}.js"));
    if let Ok(script) = std::fs::read_to_string(&kept) {
        return Some(script);
    }
    match fetched() {
        Ok(script) => {
            // Whole or not at all: tests run side by side.
            let fresh = kept.with_extension(format!("{}.part", std::process::id()));
            let written =
                std::fs::write(&fresh, &script).and_then(|()| std::fs::rename(&fresh, &kept));
            written.expect("the target folder can be written");
            Some(script)
        }
        Err(why) => {
            println!(
                "accessibility was not checked: axe-core {VERSION} cannot be had from npm: {why}"
            );
            None
        }
    }
}

fn fetched() -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let package = format!("axe-core@{VERSION}");
    run(
        folder.path(),
        "npm",
        &["pack", &package, "--silent", "--fetch-retries=1", "--fetch-timeout=20000"],
    )?;
    let packed: PathBuf = folder.path().join(format!("axe-core-{VERSION}.tgz"));
    run(folder.path(), "tar", &["-xzf", &packed.display().to_string(), "package/axe.min.js"])?;
    std::fs::read_to_string(folder.path().join("package/axe.min.js"))
        .map_err(|error| error.to_string())
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{program} ended with {status}")),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{program} did not end within {} s", PATIENCE.as_secs()));
            }
        }
    }
}
