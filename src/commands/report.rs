//! `report RUN`: writes report.html, prints its path, and opens it if asked to.

use crate::cli::ReportArgs;
use failure::{Exit, Failure};
use report::{
    Output, RunContext,
    html::{judged, write},
};
use run_directory::RunDirectory;
use std::path::Path;
use terminal::complain;

/// `report RUN`: writes the page, prints its path, and opens it if asked to.
pub fn command(args: &ReportArgs) -> Result<Exit, Failure> {
    let run = RunDirectory::open(&args.run)
        .or_else(|| judge::parts::kept::open(&args.run))
        .ok_or_else(|| {
            Failure::new(
                Exit::NoInput,
                format!(
                    "{} is no run directory: there is no history.jsonl in it",
                    args.run.display()
                ),
            )
        })?;
    let judged = judged(&run);
    let path = match (write(&run, judged.as_ref()), &judged) {
        (Ok(path), _) => path,
        (Err(failure), Ok(judgement)) => {
            // Without the page there is still the verdict to print.
            let around =
                RunContext { run: Some(run_directory::shown(&run)), ..RunContext::default() };
            report::print(judgement, &around, Output::default());
            return Err(failure);
        }
        (written, Err(_)) => {
            complain(written);
            return judged.map(|_| Exit::Valid);
        }
    };
    terminal::result(path.display());
    if args.open
        && let Err(sentence) = open(&path)
    {
        // The page is written: a machine without a browser is no failure of the report.
        terminal::note(sentence);
    }
    judged.map(|_| Exit::Valid)
}

/// Asks the desktop to show a file. The error is a sentence that tells what to open.
fn open(path: &Path) -> Result<(), String> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let cannot = |why: String| format!("{why}; open {} in a browser yourself", path.display());
    let status = std::process::Command::new(opener).arg(path).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(cannot(format!("{opener} ended with {status}"))),
        Err(error) => Err(cannot(format!("{opener} cannot be run: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_browser_the_path_is_in_the_sentence() {
        // No desktop opens a file that is not there, and none may be installed.
        let path = Path::new("no-such-folder/report.html");
        let sentence = open(path).expect_err("it cannot be opened");
        assert!(sentence.contains("open no-such-folder/report.html in a browser"), "{sentence}");
    }
}
