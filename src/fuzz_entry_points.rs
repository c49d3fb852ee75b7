//! Entry points of the program's parsers, only for fuzz targets and their corpora.
//!
//! In: any text. Out: nothing. No text makes a parser panic, and an accepted value can be written
//! and read again.

use crate::cli::defaults;
use campaigns::{fuzz, nightly};
use plan::Plan;

/// Parses a plan.json.
pub fn plan(text: &[u8]) {
    let Ok(plan) = Plan::parse(text) else { return };
    let again = plan.to_json().expect("a plan can be written");
    assert_eq!(Plan::parse(&again), Ok(plan), "it is the same when it is read again");
}

/// Parses a nightly.toml.
pub fn nightly(text: &str) {
    if let Ok(settings) = nightly::Settings::parse(text) {
        let _ = settings.check();
    }
}

/// Parses a profile of `fuzz`.
pub fn profile(text: &str) {
    let _ = fuzz::Profile::parse(text);
}

/// Parses a jepsen-tikv.toml.
pub fn defaults(text: &str) {
    if let Ok(command) = defaults::with_text(defaults::command(), text) {
        let _ = command.try_get_matches_from(["jepsen-tikv", "test"]);
    }
}
