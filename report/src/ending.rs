//! The ending of a run: at one glance what is wrong or right, about which target, what was tried,
//! and what to do next.
//!
//! In: a judgement, and where the run's files are. Out: rows that fit a screen. A pure function:
//! the same judgement gives the same rows. Decides nothing.

use super::{
    cause,
    faults::{summary, table},
    figures::{about, count, counted, listed},
    frame::{Form, JOINT, Row, Tone, cut, lines},
    little,
};
use checker::Validity;
use judge::{Judgement, ended_early::Why, ended_processes::EndedByItself, experiment::Weight};

/// So many reasons are shown.
const REASONS_MAX: usize = 3;
/// So many characters of the end of a log are shown.
const LAST_WORDS_MAX: usize = 120;
/// So many characters of a reason are shown.
const REASON_MAX: usize = 260;

/// Where the files of a run are, as a person would type it, and what else is to be said of it.
#[derive(Debug, Clone, Default)]
pub struct RunContext {
    /// The run directory.
    pub run: Option<String>,
    /// The history file, if it is in no run directory.
    pub history: Option<String>,
    /// The report.
    pub report: Option<String>,
    /// The command that repeats the run.
    pub repeat: Option<String>,
    /// The target's own troubles, in sentences.
    pub troubles: Vec<String>,
}

/// The ending in lines.
pub fn ending(judgement: &Judgement, around: &RunContext, form: Form) -> Vec<String> {
    lines(&rows(judgement, around, form.room()), form)
}

fn rows(judgement: &Judgement, around: &RunContext, room: usize) -> Vec<Row> {
    let mut rows = vec![verdict(judgement)];
    rows.push(Row::words("target", target(judgement)));
    match judgement.validity {
        Validity::Invalid => {
            rows.extend(cause::rows(judgement, room));
            rows.extend(reasons(judgement, if rows.len() > 2 { "also" } else { "what" }));
        }
        Validity::Unknown => {
            rows.extend(reasons(judgement, "why?"));
            rows.extend(remedy(judgement, around).map(|text| Row::words("do", text)));
        }
        Validity::Valid => {}
    }
    rows.extend(labelled("seen", experiment(judgement)));
    let faults = match judgement.validity {
        Validity::Valid => table(judgement, room),
        _ => summary(judgement),
    };
    rows.extend(labelled("faults", faults));
    rows.push(Row::words("clients", clients(judgement)));
    if let (Some(before), Some(after)) = (judgement.key_counts.before, judgement.key_counts.after) {
        let text = format!("{}, after one more put {}", count(before), count(after));
        rows.push(Row::words("keys", text));
    }
    rows.extend(labelled("note", little(judgement).into_iter().collect()));
    rows.extend(labelled("trouble", around.troubles.clone()));
    match (&around.report, &around.run) {
        (Some(report), _) => rows.push(Row::words("report", report)),
        (None, Some(run)) => rows.push(Row::words("run", run)),
        (None, None) => {}
    }
    rows.extend(around.history.as_ref().map(|history| Row::words("history", history)));
    rows.extend(around.repeat.as_ref().map(|repeat| Row::command("repeat", repeat)));
    rows
}

/// Several lines under one label.
fn labelled(label: &'static str, lines: Vec<String>) -> impl Iterator<Item = Row> {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels.zip(lines).map(|(label, line)| Row::words(label, line))
}

fn verdict(judgement: &Judgement) -> Row {
    match judgement.validity {
        Validity::Valid => Row::verdict("VALID", Tone::Good, valid(judgement)),
        Validity::Unknown => Row::verdict("UNKNOWN", Tone::Unsure, unknown(judgement)),
        Validity::Invalid => Row::verdict("INVALID", Tone::Bad, cause::headline(judgement)),
    }
}

fn valid(judgement: &Judgement) -> String {
    let operations = judgement.checked.operations;
    let number = operations.ok + operations.fail + operations.info;
    let (total, are) = (counted(number, "operation"), if number == 1 { "is" } else { "are" });
    if let Some(parts) = judgement.parts {
        return format!("{}, each judged by itself; {total}", counted(parts.total(), "part"));
    }
    let counts = judgement.key_counts;
    let are_counted = counts.before.is_some() && counts.after.is_some();
    let counted_too = if are_counted { ", and every key is accounted for" } else { "" };
    let keys = counted(judgement.keys_judged().total, "key");
    format!("{total} on {keys} {are} linearizable{counted_too}")
}

/// Why it could not be decided, in a few words.
fn unknown(judgement: &Judgement) -> String {
    let keys = judgement.keys_judged();
    if let Some(parts) = judgement.parts {
        let unknown = parts.unknown;
        return format!("{unknown} of {} could not be decided", counted(parts.total(), "part"));
    }
    if keys.unknown > 0 {
        let total = counted(keys.total, "key");
        return format!(
            "{} of {total} could not be decided within the budget",
            count(keys.unknown)
        );
    }
    match judgement.ended_by_themselves.len() {
        0 => {}
        1 => return "a process of the cluster ended though no fault killed it".to_owned(),
        number => {
            return format!("{number} processes of the cluster ended though no fault killed them");
        }
    }
    if judgement.vacuous {
        return "the run tested too little to say".to_owned();
    }
    "it could not be decided".to_owned()
}

/// The next step for a person with an unknown verdict.
fn remedy(judgement: &Judgement, around: &RunContext) -> Option<String> {
    let run = around.run.as_deref();
    let logs = run.map_or_else(|| "the logs".to_owned(), |run| format!("{run}/logs"));
    if judgement.keys_judged().unknown > 0 {
        let run = run.or(around.history.as_deref()).unwrap_or("RUN");
        let budget = checker::Budget::default().configurations * 10;
        return Some(format!("jepsen-tikv check {run} --budget {budget}"));
    }
    if judgement.parts.is_some() {
        return Some("jepsen-tikv check on the parts that were kept".to_owned());
    }
    if !judgement.ended_by_themselves.is_empty() {
        let mut names: Vec<String> =
            judgement.ended_by_themselves.iter().map(|it| it.process.clone()).collect();
        names.sort();
        names.dedup();
        return Some(format!("look at the log of {} in {logs}", listed(&names)));
    }
    let unseen = |weight| judgement.experiment.iter().any(|finding| finding.weight == weight);
    if unseen(Weight::Unknown) {
        return Some(
            "play it again with more --patience, on a machine that is less busy".to_owned(),
        );
    }
    if !judgement.vacuous {
        return None;
    }
    let confirmed = || judgement.faults.iter().filter(|fault| fault.seen.confirmed);
    let ok: u64 = judgement.operations.values().map(|counts| counts.ok).sum();
    let uncounted = judgement.key_counts.before.is_none() || judgement.key_counts.after.is_none();
    Some(if ok == 0 || uncounted && judgement.ended_early.is_none() {
        format!("see in {logs} why the cluster did not serve")
    } else if !judgement.planned.is_empty() && confirmed().next().is_none() {
        "run it longer (--time): no fault was seen in force".to_owned()
    } else if confirmed().next().is_some() && confirmed().all(|fault| fault.ok_during == 0) {
        "leave a majority during faults: --replicas 5, or --nemesis replicas,pause-two".to_owned()
    } else {
        "run it longer (--time), or with more operations (--rate)".to_owned()
    })
}

/// The target, and how long it ran.
fn target(judgement: &Judgement) -> String {
    let target = &judgement.target;
    if let Some(early) = judgement.ended_early {
        let after = format!("{:.0}", early.after_ms as f64 / 1e3);
        let of = early.of_ms.map_or_else(String::new, |of| format!(" of {:.0}", of as f64 / 1e3));
        let why = match early.why {
            Why::Interrupted => "interrupted",
            Why::BrokenPromise => "ended at a broken promise",
        };
        return format!("{target} · ran {after}{of}{JOINT}s, {why}");
    }
    // Other programs' histories may have no clock.
    match judgement.ended_ns.filter(|ns| *ns >= 1_000_000_000) {
        Some(ended_ns) => format!("{target} · ran {:.0}{JOINT}s", ended_ns as f64 / 1e9),
        None => target.clone(),
    }
}

/// Reasons that are not the checker's: those are told as causes.
fn reasons(judgement: &Judgement, label: &'static str) -> Vec<Row> {
    let told = judgement.validity == Validity::Invalid;
    let of_experiment =
        |reason: &String| judgement.experiment.iter().any(|finding| finding.said == *reason);
    let ended: Vec<String> =
        judgement.ended_by_themselves.iter().map(EndedByItself::reason).collect();
    let mut lines = ended_by_themselves(judgement);
    let reasons: Vec<&String> = judgement
        .reasons
        .iter()
        .filter(|reason| !ended.contains(reason))
        .filter(|reason| !(told && judgement.checked.reasons.contains(reason)))
        .filter(|reason| !of_experiment(reason))
        .collect();
    lines.extend(reasons.iter().take(REASONS_MAX).map(|reason| cut(reason, REASON_MAX)));
    if reasons.len() > REASONS_MAX {
        lines.push(format!("and {} more, with --details", reasons.len() - REASONS_MAX));
    }
    labelled(label, lines).collect()
}

/// The processes that ended by themselves; of a single one the end of its log, too.
fn ended_by_themselves(judgement: &Judgement) -> Vec<String> {
    let said = |it: &EndedByItself| {
        let EndedByItself { process, status, .. } = it;
        format!("{process} ended by itself ({status}) after {}", about(it.at_ns))
    };
    let all = &judgement.ended_by_themselves;
    let mut lines: Vec<String> = all.iter().take(REASONS_MAX).map(said).collect();
    if let ([only], [line]) = (all.as_slice(), lines.as_mut_slice())
        && let Some(log) = only.log.as_ref().filter(|_| !only.last_words.is_empty())
    {
        let skipped = only.last_words.chars().count().saturating_sub(LAST_WORDS_MAX);
        let more = if skipped > 0 { "…" } else { "" };
        let words: String = only.last_words.chars().skip(skipped).collect();
        *line = format!("{line}; {log} ends with: {more}{words}");
    }
    if all.len() > REASONS_MAX {
        lines.push(format!("and {} more", all.len() - REASONS_MAX));
    }
    lines
}

/// Findings of an experiment, the worst first.
fn experiment(judgement: &Judgement) -> Vec<String> {
    let mut findings: Vec<_> = judgement.experiment.iter().collect();
    findings.sort_by_key(|finding| match finding.weight {
        Weight::Invalid => 0,
        Weight::Unknown => 1,
        Weight::Note | Weight::Good => 2,
    });
    let said = |finding: &&judge::experiment::Finding| {
        let word = match finding.weight {
            Weight::Good => "",
            Weight::Note => "(note) ",
            Weight::Unknown => "(not seen) ",
            Weight::Invalid => "(broken) ",
        };
        format!("{word}{}", finding.said)
    };
    findings.iter().map(said).collect()
}

/// Operations by kind; what never failed is not said to.
fn clients(judgement: &Judgement) -> String {
    let kinds = judgement.operations.iter().map(|(kind, counts)| {
        let others = [(counts.fail, "failed"), (counts.info, "unknown")];
        let others = others.into_iter().filter(|(number, _)| *number > 0);
        let others = others.map(|(number, word)| format!(", {}{JOINT}{word}", count(number)));
        format!("{kind}{JOINT}{}{JOINT}ok{}", count(counts.ok), others.collect::<String>())
    });
    let kinds: Vec<String> = kinds.collect();
    if kinds.is_empty() { "no operation".to_owned() } else { kinds.join(" · ") }
}
