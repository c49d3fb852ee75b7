//! Lines for a person: results on stdout, everything else on stderr.
//!
//! A reader that went away (a closed pipe) is no reason to stop a run, or to panic: such lines are lost, the files of
//! the run directory are not.

use std::{
    fmt::Display,
    io::Write,
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether nobody wants to know how it goes (`-q`).
static NOTES_ARE_SILENCED: AtomicBool = AtomicBool::new(false);

/// Leaves notes out from now on, or not.
pub fn silence_notes(silenced: bool) {
    NOTES_ARE_SILENCED.store(silenced, Ordering::Relaxed);
}

/// A line of the result.
pub fn result(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line about how it goes.
pub fn note(line: impl Display) {
    if !NOTES_ARE_SILENCED.load(Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// The line that says why it does not go on, said always.
pub fn failure(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
