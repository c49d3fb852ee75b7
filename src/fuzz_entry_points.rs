//! Ways into the program's readers for fuzz targets and their corpora; nobody else may use them.
//!
//! In: any text. Out: nothing; whatever is read or refused, it ends without a panic, and what is read can be written and
//! read again.

use crate::cli::defaults;
use campaigns::{fuzz, nightly};
use plan::Plan;

/// A plan.json.
pub fn plan(text: &[u8]) {
    let Ok(plan) = Plan::parse(text) else { return };
    let again = plan.to_json().expect("a plan can be written");
    assert_eq!(Plan::parse(&again), Ok(plan), "it is the same when it is read again");
}

/// A nightly.toml.
pub fn nightly(text: &str) {
    if let Ok(settings) = nightly::Settings::parse(text) {
        let _ = settings.check();
    }
}

/// A profile of `fuzz`.
pub fn profile(text: &str) {
    let _ = fuzz::Profile::parse(text);
}

/// A jepsen-tikv.toml.
pub fn defaults(text: &str) {
    if let Ok(command) = defaults::with_text(defaults::command(), text) {
        let _ = command.try_get_matches_from(["jepsen-tikv", "test"]);
    }
}
