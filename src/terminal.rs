//! Lines for a person: results on stdout, everything else on stderr.
//!
//! A reader that went away (a closed pipe) is no reason to stop a run, or to panic: such lines are lost, the files of
//! the run directory are not.

use std::{fmt::Display, io::Write};

/// A line of the result.
pub fn result(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line about how it goes, or why it does not.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
