//! The report of a run on the terminal: an ending that fits a screen, and on demand everything.
//!
//! In: a [`Judgement`], and where its run's files are. Out: lines for stdout, and the page
//! ([`html`]). Decides nothing.

mod cause;
mod details;
mod drawing;
mod ending;
mod faults;
mod figures;
mod frame;
#[cfg(test)]
mod goldens;
pub mod html;

pub use ending::{RunContext, ending};
pub use frame::Form;

use checker::Validity;
use failure::{Exit, Failure};
use judge::{
    Judgement, KeysListed, counterexamples,
    experiment::{Finding, Weight},
};
use run_directory::{RunDirectory, shown, shown_path, write_whole};
use std::io::IsTerminal;
use terminal::complain;

/// So many reasons are listed; the rest is in verdict.json.
const LISTED_MAX: usize = 10;

/// The parts of a judgement that are printed, and kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Output {
    /// Everything, before the ending.
    pub details: bool,
    /// The head of verdict.json, in place of the ending.
    pub json: bool,
    /// verdict.json lists every key.
    pub per_key: bool,
}

/// Prints the ending to stdout, after everything else if that is wanted.
pub fn print(judgement: &Judgement, around: &RunContext, told: Output) {
    if told.details {
        details::lines(judgement).into_iter().for_each(terminal::result);
    }
    // A terminal has lines on how it went above it.
    if std::io::stdout().is_terminal() {
        terminal::result("");
    }
    for line in ending(judgement, around, Form::of_stdout()) {
        terminal::prepared(&line);
    }
}

/// The remarks on a run that belong beside its verdict.
pub fn notes(judgement: &Judgement) -> Vec<String> {
    let early = judgement.ended_early.map(|early| early.to_string());
    early.into_iter().chain(little(judgement)).collect()
}

/// A note if clients were served for little of the time.
fn little(judgement: &Judgement) -> Option<String> {
    judgement.served.filter(|served| served.is_little()).map(|served| {
        format!(
            "little was served: for {} % of the time in which clients waited for an answer, less than a third; longer \
             --nemesis-interval or shorter faults let the cluster recover in between",
            served.percent()
        )
    })
}

/// A finding of an experiment, as one line.
pub fn experiment(finding: &Finding) -> String {
    let mark = match finding.weight {
        Weight::Good => "seen",
        Weight::Note => "note",
        Weight::Unknown => "not seen",
        Weight::Invalid => "broken",
    };
    format!("{mark}: {}", finding.said)
}

/// The number of parts of a long run, in words.
fn counted_parts(judgement: &Judgement) -> String {
    let total = judgement.parts.unwrap_or_default().total();
    format!("{total} part{}", if total == 1 { "" } else { "s" })
}

/// The verdict in words, and its reasons.
pub fn verdict(judgement: &Judgement) -> Vec<String> {
    let operations = judgement.checked.operations;
    let total = operations.ok + operations.fail + operations.info;
    let about = &judgement.target;
    let mut lines = match judgement.validity {
        Validity::Valid if judgement.parts.is_some() => vec![format!(
            "VALID: {}, each judged by itself, {total} operations. Target: {about}.",
            counted_parts(judgement)
        )],
        Validity::Unknown if judgement.parts.is_some() => vec![format!(
            "UNKNOWN: of {} some could not be decided. Target: {about}.",
            counted_parts(judgement)
        )],
        Validity::Invalid if judgement.parts.is_some() => vec![format!(
            "INVALID: in the last of {} a promise was broken. Target: {about}.",
            counted_parts(judgement)
        )],
        Validity::Valid => {
            let counts = judgement.key_counts;
            let are_counted = counts.before.is_some() && counts.after.is_some();
            let counted = if are_counted { ", and every key is accounted for" } else { "" };
            vec![format!(
                "VALID: {total} operations on {} keys are linearizable{counted}. Target: {about}.",
                judgement.keys_judged().total
            )]
        }
        Validity::Unknown if judgement.vacuous => {
            vec![format!("UNKNOWN: the run tested too little to say. Target: {about}.")]
        }
        Validity::Unknown => vec![format!("UNKNOWN: it could not be decided. Target: {about}.")],
        Validity::Invalid if judgement.is_only_stuck() => vec![format!(
            "INVALID: the cluster did not recover. No answer was wrong, but after the last healing it does not serve \
             again. Target: {about}."
        )],
        Validity::Invalid => vec![format!("INVALID: a promise was broken. Target: {about}.")],
    };
    let more_keys = judgement.checked.more_invalid_keys();
    let mut reasons = judgement.reasons.iter().filter(|reason| Some(*reason) != more_keys.as_ref());
    lines.extend(reasons.by_ref().take(LISTED_MAX).map(|reason| format!("  - {reason}")));
    match reasons.count() {
        0 => {}
        more => lines.push(format!("  - and {more} more, in verdict.json")),
    }
    lines.extend(more_keys.map(|more| format!("  - {more}")));
    lines
}

/// Tells what a run was judged to be, and returns how the program ends. `troubles` are the target's
/// own, `repeat` is the command that repeats the run. The verdict is printed before any file is
/// written, and decides how the program ends even if a file beside it cannot be written.
pub fn conclude(
    run: &RunDirectory,
    judged: Result<Judgement, Failure>,
    troubles: &[String],
    repeat: &str,
    told: Output,
) -> Result<Exit, Failure> {
    let mut judgement = match judged {
        Ok(judgement) => judgement,
        Err(failure) => {
            // A page beside a history that is gone would only hide that.
            if run.history().exists() {
                let refusal = serde_json::json!({ "reason": failure.sentence }).to_string();
                complain(write_whole(&run.refusal(), refusal.as_bytes()));
                complain(html::write(run, Err(&failure)));
            }
            return Err(failure);
        }
    };
    if told.json {
        terminal::data(judgement.json(KeysListed::None)?);
    } else {
        let around = RunContext {
            run: Some(shown(run)),
            report: Some(shown_path(&run.html())),
            repeat: Some(repeat.to_owned()),
            troubles: troubles.to_vec(),
            ..RunContext::default()
        };
        print(&judgement, &around, told);
    }
    // An earlier judge may have refused the history.
    let _ = std::fs::remove_file(run.refusal());
    let listed = if told.per_key { KeysListed::All } else { KeysListed::Remarkable };
    complain(judgement.write(&run.verdict(), listed));
    complain(counterexamples::write(&judgement, run.path()));
    complain(html::write(run, Ok(&judgement)));
    match (judgement.exit(), troubles.first()) {
        // A target that was in trouble of its own did not just keep its promises.
        (Exit::Valid, Some(trouble)) => Err(Failure::target_or_disk(trouble)),
        (exit, _) => Ok(exit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use judge::Judging;

    #[test]
    fn files_that_cannot_be_written_hide_no_verdict() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunDirectory::at(folder.path().to_owned());
        let history = [
            r#"{"format":"jepsen-tikv history","version":1}"#,
            r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"put","key":"a","value":"1"}"#,
            r#"{"index":1,"time":2,"process":0,"type":"ok","f":"put","key":"a","value":"1"}"#,
            r#"{"index":2,"time":3,"process":0,"type":"invoke","f":"get","key":"a","value":null}"#,
            r#"{"index":3,"time":4,"process":0,"type":"ok","f":"get","key":"a","value":null}"#,
        ];
        std::fs::write(run.history(), history.join("\n") + "\n").expect("written");
        let judging = Judging::default();
        // Where the files would be there are folders, which root cannot overwrite either.
        let counterexample = run.path().join("counterexample-a.jsonl");
        for taken in [run.verdict(), run.html(), counterexample] {
            std::fs::create_dir_all(taken.join("in-the-way")).expect("made");
        }
        let exit = conclude(
            &run,
            judge::of_run(&run, &judging),
            &["a trouble".into()],
            "",
            Output::default(),
        );
        assert_eq!(exit.expect("a verdict"), Exit::Invalid);
        std::fs::remove_dir_all(run.verdict()).expect("removed");
        conclude(&run, judge::of_run(&run, &judging), &[], "", Output::default())
            .expect("a verdict");
        assert!(judge::read_verdict(&run).is_some());
    }

    #[test]
    fn a_refusal_is_a_file_until_the_history_is_judged() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = RunDirectory::at(folder.path().to_owned());
        let header = "{\"format\":\"jepsen-tikv history\",\"version\":1}\n";
        let concluded = |history: String| {
            std::fs::write(run.history(), history).expect("written");
            let judged = judge::of_run(&run, &Judging::default());
            conclude(&run, judged, &[], "", Output::default())
        };
        let refused = concluded(format!("{header}{{\"index\":7}}\n")).expect_err("refused");
        assert_eq!(refused.exit, Exit::Malformed);
        let text = std::fs::read_to_string(run.refusal()).expect("the reason");
        assert!(text.contains("reason") && !run.verdict().exists(), "{text}");
        concluded(header.to_owned()).expect("judged");
        assert!(!run.refusal().exists() && run.verdict().exists());
    }
}
