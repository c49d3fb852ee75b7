//! `minimize`: writes the smallest part of a history that is still not linearizable, as a history
//! file.
//!
//! In: a history. Out: a file that `check` judges invalid and that a person can read, its drawing,
//! and the reason. Removing any operation from the file makes it linearizable. Of several invalid
//! keys (the first hundred) the one with the fewest operations is taken.

use crate::{cli::MinimizeArgs, commands::check};
use checker::KeyVerdict;
use failure::{Exit, Failure};
use judge::{Judging, counterexamples};
use terminal::complain;

/// At most this many invalid keys are minimized.
const KEYS_MAX: u32 = 100;

/// Minimizes a history. Ends like `check`: with the code for invalid if a counterexample was found.
pub fn command(args: &MinimizeArgs) -> Result<Exit, Failure> {
    if args.output.exists() {
        return Err(Failure::usage(format!(
            "{} exists already: name another file with --output",
            args.output.display()
        )));
    }
    let mut judging = Judging {
        reading: args.reading.options(),
        named: !args.history.is_dir(),
        ..Judging::default()
    };
    judging.options.counterexamples_max = KEYS_MAX;
    let judgement = judge::judge(&check::history(&args.history)?, &judging)?;
    let size =
        |key: &&KeyVerdict| key.counterexample.as_ref().map_or(usize::MAX, |it| it.events.len());
    let invalid = judgement.checked.keys.iter().filter(|key| key.counterexample.is_some());
    let Some(key) = invalid.min_by_key(size) else {
        terminal::result(format_args!(
            "{}: no key is invalid, there is nothing to minimize (verdict: {})",
            args.history.display(),
            judgement.validity
        ));
        return Ok(judgement.exit());
    };
    let Some(found) = &key.counterexample else { return Ok(judgement.exit()) };
    terminal::result(format_args!("key {}: {}", key.key, found.sentence));
    for line in &found.drawing {
        terminal::result(format_args!("  {line}"));
    }
    if let Some(places) = counterexamples::places(found, &judgement.places) {
        terminal::result(places);
    }
    let written =
        counterexamples::write_one(key, &judgement.places, &args.output).map_err(|error| {
            Failure::target_or_disk(format!("cannot write {}: {error}", args.output.display()))
        });
    if complain(written).is_some() {
        let count = found.operations.len();
        terminal::result(format_args!(
            "{count} operation{} instead of {}: {}",
            if count == 1 { "" } else { "s" },
            key.calls,
            args.output.display()
        ));
    }
    Ok(Exit::Invalid)
}
