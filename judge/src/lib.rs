//! Judges a history: the checker's verdict, and the check that the run tested something.
//!
//! In: a history file, nothing else, so that `check` comes to the same verdict as the run that
//! wrote it. Out: a [`Judgement`], which is `verdict.json`. A malformed history is a failure, not a
//! judgement.
//!
//! `verdict.json` has the fields of [`Judgement`]. `checked.keys` lists the keys that are not valid
//! or needed a search; all others are only counted, in `keys-judged` ([`KeysListed`], `test
//! --per-key`). The head that `test --json` prints is the same without `checked.keys`. New fields
//! may be added; existing ones keep their name and meaning.

pub mod anomalies;
pub mod counterexamples;
pub mod ended_early;
pub mod ended_processes;
pub mod experiment;
pub mod faults_seen;
pub mod key_count;
pub mod leaders_under_faults;
pub mod parts;
pub mod recovery;
pub mod traffic;

use crate::{
    ended_early::{EarlyFinder, EndedEarly},
    ended_processes::{EndedByItself, EndedFinder},
    experiment::{ExperimentFinder, Finding, Weight},
    faults_seen::{FaultFinder, FaultSeen},
    key_count::{CountFinder, KeyCounts},
    leaders_under_faults::LeadersUnderFaults,
    parts::PartsJudged,
    recovery::{Recovery, RecoveryFinder},
    traffic::{Counts, Served, Traffic},
};
use checker::{
    Collector, DecidedBy, Engine, KeyVerdict, Model, Options, ReadAgain, Validity, Verdict,
};
use failure::{Exit, Failure};
use histories::{
    Header, MalformedReason, ReadError, ReadOptions, Source, Value, WhatRef,
    import::Place,
    jsonl::{Position, Text},
};
use plan::key_range::CountedRange;
use run_directory::write_whole;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// A run with fewer successes per client than this tested nothing.
const OK_PER_CLIENT_MIN: u64 = 10;

/// Places of events in an imported history's file, by their index.
pub type Places = BTreeMap<u64, Place>;

/// The judgement of a history.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judgement {
    /// The overall verdict: the checker's, but unknown instead of valid for a run that tested
    /// nothing.
    pub validity: Validity,
    /// One sentence for each reason why the verdict is worse than valid.
    pub reasons: Vec<String>,
    /// True if the run tested too little for a verdict.
    pub vacuous: bool,
    /// The target that was tested.
    pub target: String,
    /// Operations by kind and outcome.
    pub operations: BTreeMap<String, Counts>,
    /// The number of parts judged, if the run had parts, whose verdicts are merged here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parts: Option<PartsJudged>,
    /// Planned faults by kind, if the history names them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub planned: BTreeMap<String, u64>,
    /// The faults, in the plan's order.
    pub faults: Vec<FaultJudged>,
    /// The stores that led under these faults, and those that never did.
    #[serde(skip_serializing_if = "LeadersUnderFaults::is_empty", default)]
    pub leaders: LeadersUnderFaults,
    /// The first keys of the regions into which the workload's keys were split before the faults
    /// began.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub split_at: Vec<Text>,
    /// The findings of an experiment of the walk-through.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub experiment: Vec<Finding>,
    /// The recovery of the cluster, if it was observed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery: Option<Recovery>,
    /// The processes of the cluster that ended though no fault killed them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ended_by_themselves: Vec<EndedByItself>,
    /// The early end of the run, if it ended early.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_early: Option<EndedEarly>,
    /// The part of the time in which clients were served.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub served: Option<Served>,
    /// The number of keys at the end.
    pub key_counts: KeyCounts,
    /// The time of the last event, in nanoseconds since the run's start; none if the history has no
    /// events.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_ns: Option<u64>,
    /// Keys by verdict. Absent in verdicts of earlier versions, which list every key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys_judged: Option<KeysJudged>,
    /// The places of counterexamples' operations in the file, if it was imported.
    #[serde(skip_serializing_if = "Places::is_empty", default)]
    pub places: Places,
    /// The checker's verdict on the operations.
    pub checked: Verdict,
}

/// Keys, counted by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeysJudged {
    /// All keys.
    pub total: u64,
    /// Keys that are not linearizable.
    pub invalid: u64,
    /// Keys that could not be decided.
    pub unknown: u64,
    /// Keys that needed a search.
    pub searched: u64,
}

impl KeysJudged {
    /// Counts the checker's verdicts on keys.
    pub fn of(checked: &Verdict) -> Self {
        let count = |is: fn(&KeyVerdict) -> bool| checked.keys.iter().filter(|it| is(it)).count();
        Self {
            total: checked.keys.len() as u64,
            invalid: count(|key| key.validity == Validity::Invalid) as u64,
            unknown: count(|key| key.validity == Validity::Unknown) as u64,
            searched: count(|key| key.searched.is_some()) as u64,
        }
    }
}

/// The selection of keys that verdict.json lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeysListed {
    /// Keys that are not valid, and keys that needed a search.
    #[default]
    Remarkable,
    /// Every key.
    All,
    /// No key: only the head of the verdict.
    None,
}

impl KeysListed {
    fn lists(self, key: &KeyVerdict) -> bool {
        let plain = key.validity == Validity::Valid
            && key.searched.is_none()
            && key.decided_by == DecidedBy::NearLinear;
        match self {
            Self::Remarkable => !plain,
            Self::All => true,
            Self::None => false,
        }
    }
}

/// A fault, and its effect on the clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultJudged {
    /// The fault.
    #[serde(flatten)]
    pub seen: FaultSeen,
    /// Operations that succeeded while the fault was in force, at least partly.
    pub ok_during: u64,
    /// The longest time without a success that touches the fault, in nanoseconds.
    pub longest_gap_ns: u64,
    /// Nanoseconds from the fault's begin to the end of the first successful operation invoked
    /// after it.
    pub first_success_after_ns: Option<u64>,
}

impl FaultJudged {
    /// Returns true if nothing succeeded for most of the time in which the fault was in force.
    pub fn unavailable(&self) -> bool {
        let length_ns = self.seen.end_ns.saturating_sub(self.seen.begin_ns);
        self.longest_gap_ns.saturating_mul(2) > length_ns
    }
}

impl Judgement {
    /// Returns true if no answer is wrong, but the cluster no longer serves.
    pub fn is_only_stuck(&self) -> bool {
        let broken = |finding: &Finding| finding.weight == Weight::Invalid;
        self.validity == Validity::Invalid
            && self.checked.validity != Validity::Invalid
            && !self.experiment.iter().any(broken)
    }

    /// The judgement of something that was not judged.
    pub fn of_nothing(why: &str) -> Self {
        Self {
            validity: Validity::Unknown,
            reasons: vec![why.to_owned()],
            vacuous: false,
            target: String::new(),
            operations: BTreeMap::new(),
            parts: None,
            planned: BTreeMap::new(),
            faults: Vec::new(),
            leaders: LeadersUnderFaults::default(),
            split_at: Vec::new(),
            experiment: Vec::new(),
            recovery: None,
            ended_by_themselves: Vec::new(),
            ended_early: None,
            served: None,
            key_counts: KeyCounts::default(),
            ended_ns: None,
            keys_judged: None,
            places: Places::new(),
            checked: Verdict::default(),
        }
    }

    /// Writes the judgement as a verdict.json.
    pub fn write(&mut self, path: &Path, listed: KeysListed) -> Result<(), Failure> {
        write_whole(path, self.json(listed)?.as_bytes())
    }

    /// The text of verdict.json, or of its head. The judgement is unchanged afterwards.
    pub fn json(&mut self, listed: KeysListed) -> Result<String, Failure> {
        if listed == KeysListed::All {
            return serde_json::to_string_pretty(self).map_err(Failure::software);
        }
        let few = self.checked.keys.iter().filter(|key| listed.lists(key)).cloned().collect();
        let all = std::mem::replace(&mut self.checked.keys, few);
        let value = serde_json::to_value(&*self);
        self.checked.keys = all;
        let mut value = value.map_err(Failure::software)?;
        if listed == KeysListed::None
            && let Some(checked) = value["checked"].as_object_mut()
        {
            checked.shift_remove("keys");
        }
        serde_json::to_string_pretty(&value).map_err(Failure::software)
    }

    /// Keys by verdict, also in verdicts of earlier versions.
    pub fn keys_judged(&self) -> KeysJudged {
        self.keys_judged.unwrap_or_else(|| KeysJudged::of(&self.checked))
    }

    /// The exit code for this judgement.
    pub fn exit(&self) -> Exit {
        match self.validity {
            Validity::Valid => Exit::Valid,
            Validity::Invalid if self.is_only_stuck() => Exit::Stuck,
            Validity::Invalid => Exit::Invalid,
            Validity::Unknown => Exit::Unknown,
        }
    }
}

/// Settings for reading and judging a history.
#[derive(Debug, Clone, Default)]
pub struct Judging {
    /// The engine that decides, and its budget.
    pub options: Options,
    /// The model that the history must satisfy.
    pub model: Model,
    /// The user's options for reading the file; without them the file itself decides.
    pub reading: ReadOptions,
    /// The initial value of every key; absent otherwise.
    pub initial: Option<Value>,
    /// True if the user named the file itself, which may then be a pipe or a link; false if it was
    /// found in a run directory.
    pub named: bool,
}

/// The reason why a history is not judged.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}")]
    Event(MalformedReason),
    #[error("event {event}: the model has no {operation}")]
    Model { event: u64, operation: &'static str },
}

/// Judges the history in a file. It is read once, on rayon's current pool.
pub fn judge(path: &Path, judging: &Judging) -> Result<Judgement, Failure> {
    judge_watched(path, judging, &OnceLock::new())
}

/// Judges the history in a file, and puts the reading position into `watch`.
pub fn judge_watched(
    path: &Path,
    judging: &Judging,
    watch: &OnceLock<Position>,
) -> Result<Judgement, Failure> {
    let mut source = opened(path, judging)?;
    watch.get_or_init(|| source.position.clone());
    let mut header = source.header.clone();
    if !header.fields.get("target").is_some_and(serde_json::Value::is_string) {
        header.fields.insert("target".into(), file_name(path).into());
    }
    if let Some(left_out) = header.fields.get("left-out").and_then(|it| it.as_str()) {
        let target = format!("{}, imported without {left_out}", file_name(path));
        header.fields.insert("target".into(), target.into());
    }
    let all_places = std::mem::take(&mut source.places);
    let mut collector = collector(path, judging);
    let mut faults = FaultFinder::default();
    let mut leaders = LeadersUnderFaults::default();
    let mut recovery = RecoveryFinder::default();
    let (mut ended, mut early) = (EndedFinder::default(), EarlyFinder::default());
    let mut ended_ns = None;
    let mut experiment = ExperimentFinder::of(&header);
    // A scenario is short, and asks for times that are no marks.
    let mut traffic = if experiment.is_some() { Traffic::default() } else { Traffic::summed_up() };
    let range = header.fields.get("key-count").cloned();
    let mut counts = range
        .and_then(|range| serde_json::from_value::<CountedRange>(range).ok())
        .map(CountFinder::new);
    let heard = source.visit(|event| {
        if let WhatRef::Invoke(operation) = event.what
            && !judging.model.admits(operation)
        {
            return Err(Refusal::Model { event: event.index, operation: operation.name() });
        }
        ended_ns = ended_ns.max(Some(event.time_ns));
        traffic.observe(event);
        faults.observe(event);
        leaders.observe(event);
        recovery.observe(event);
        ended.observe(event);
        early.observe(event);
        if let Some(experiment) = &mut experiment {
            experiment.observe(event);
        }
        if let Some(counts) = &mut counts {
            counts.observe(event);
        }
        collector.observe(event).map_err(Refusal::Event)
    });
    heard.map_err(|refusal| refused(path, &refusal))?;
    let traffic = traffic.finish();
    let checked = checked(path, judging, collector)?;
    let faults = faults.finish().into_iter().map(|seen| judged(seen, &traffic)).collect();
    let counts = counts.map(|counts| counts.counts());
    let experiment = experiment.map_or_else(Vec::new, |experiment| experiment.finish(&traffic));
    let (recovery, ended, early) = (recovery.finish(), ended.finish(), early.finish());
    let found = Found { faults, leaders, experiment, recovery, ended, early, counts, ended_ns };
    let mut judgement = conclude(&header, &traffic, found, checked);
    judgement.places = places_of(&judgement.checked, &all_places);
    Ok(judgement)
}

/// The name of the target if the history itself does not name one.
fn file_name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    // The path "." has no file name.
    let named = path.file_name().map(PathBuf::from).or_else(|| path.canonicalize().ok());
    named.as_deref().unwrap_or(path).display().to_string()
}

/// The places of the counterexamples' operations.
fn places_of(checked: &Verdict, all: &[Place]) -> Places {
    let found = checked.keys.iter().filter_map(|key| key.counterexample.as_ref());
    let operations = found.flat_map(|found| &found.operations);
    let place = |event: &u64| Some((*event, all.get(usize::try_from(*event).ok()?)?.clone()));
    operations.filter_map(place).collect()
}

fn refused(path: &Path, refusal: &Refusal) -> Failure {
    let exit = match refusal {
        Refusal::Read(ReadError::Io(_)) => Exit::NoInput,
        _ => Exit::Malformed,
    };
    Failure::new(exit, format!("{}: {refusal}", path.display()))
}

fn opened(path: &Path, judging: &Judging) -> Result<Source, Failure> {
    let open = if judging.named { histories::source::open } else { histories::source::open_found };
    let source = open(path, judging.reading);
    source.map_err(|error| refused(path, &Refusal::Read(error)))
}

/// The collector of the calls. It forgets judged calls on the way if the history can be read again
/// when more of it is needed, and if the engine allows it.
fn collector(path: &Path, judging: &Judging) -> Collector {
    match &judging.initial {
        Some(value) => Collector::with_initial(value.clone()),
        // A pipe can be read only once.
        None if !(path.is_file() || path.is_dir()) || judging.options.engine != Engine::Auto => {
            Collector::new()
        }
        None => Collector::settling(Collector::HELD_CALLS),
    }
}

/// The checker's verdict. If it needs forgotten calls, the history is read a second time.
fn checked(path: &Path, judging: &Judging, collector: Collector) -> Result<Verdict, Failure> {
    let history = collector.finish();
    let verdict = checker::check(&history, &judging.options);
    let again = history.read_again(&verdict, &judging.options);
    drop(history);
    let collect = |mut collector: Collector| {
        let heard = opened(path, judging)?
            .visit(|event| collector.observe(event).map_err(Refusal::Event))
            .map_err(|refusal| refused(path, &refusal));
        heard.map(|()| checker::check(&collector.finish(), &judging.options))
    };
    match again {
        None => Ok(verdict),
        Some(ReadAgain::Keys(keys)) => {
            let again = collect(Collector::of_keys(keys))?;
            Ok(verdict.with_keys_of(again, &judging.options))
        }
        Some(ReadAgain::Everything) => collect(Collector::new()),
    }
}

fn judged(seen: FaultSeen, traffic: &Traffic) -> FaultJudged {
    let window = seen.window();
    FaultJudged {
        ok_during: traffic.ok_during(window),
        longest_gap_ns: traffic.longest_gap_ns(window),
        first_success_after_ns: traffic
            .first_success_invoked_after(seen.begin_ns)
            .map(|at_ns| at_ns - seen.begin_ns),
        seen,
    }
}

/// The findings of a history beside its operations.
struct Found {
    faults: Vec<FaultJudged>,
    leaders: LeadersUnderFaults,
    experiment: Vec<Finding>,
    recovery: Option<Recovery>,
    ended: Vec<EndedByItself>,
    early: Option<EndedEarly>,
    counts: Option<KeyCounts>,
    ended_ns: Option<u64>,
}

fn conclude(header: &Header, traffic: &Traffic, found: Found, checked: Verdict) -> Judgement {
    let Found { faults, leaders, experiment, recovery, ended, early, counts, ended_ns } = found;
    let mut reasons = checked.reasons.clone();
    let vacuous = vacuous(header, traffic, &faults, counts);
    let mut validity = checked.validity;
    for Finding { weight, said } in &experiment {
        let worse = match weight {
            Weight::Good | Weight::Note => continue,
            Weight::Unknown => Validity::Unknown,
            Weight::Invalid => Validity::Invalid,
        };
        validity = validity.merge(worse);
        reasons.push(said.clone());
    }
    let stuck = recovery.as_ref().map_or_else(Vec::new, Recovery::reasons);
    if !stuck.is_empty() {
        validity = validity.merge(Validity::Invalid);
    }
    reasons.extend(stuck);
    if !ended.is_empty() {
        validity = validity.merge(Validity::Unknown);
    }
    reasons.extend(ended.iter().map(EndedByItself::reason));
    if !vacuous.is_empty() {
        validity = validity.merge(Validity::Unknown);
    }
    let is_vacuous = !vacuous.is_empty();
    reasons.extend(vacuous);
    let text = |name: &str| header.fields.get(name).and_then(|it| it.as_str()).map(str::to_owned);
    Judgement {
        validity,
        reasons,
        vacuous: is_vacuous,
        target: text("target").unwrap_or_default(),
        operations: traffic.by_kind().into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect(),
        parts: None,
        planned: header.fields.get("planned").map(planned).unwrap_or_default(),
        faults,
        leaders,
        split_at: header.fields.get("split-at").map(split_at).unwrap_or_default(),
        experiment,
        recovery,
        ended_by_themselves: ended,
        ended_early: early,
        // The waiting times of other programs' histories are unknown.
        served: header.fields.contains_key("concurrency").then(|| traffic.served()).flatten(),
        key_counts: counts.unwrap_or_default(),
        ended_ns,
        keys_judged: Some(KeysJudged::of(&checked)),
        places: Places::new(),
        checked,
    }
}

/// The numbers of a header's field; other values are left out.
fn planned(kinds: &serde_json::Value) -> BTreeMap<String, u64> {
    let kinds = kinds.as_object().into_iter().flatten();
    kinds.filter_map(|(kind, times)| Some((kind.clone(), times.as_u64()?))).collect()
}

/// The keys of a header's field; other values are left out.
fn split_at(keys: &serde_json::Value) -> Vec<Text> {
    let keys = keys.as_array().into_iter().flatten();
    keys.filter_map(|key| serde_json::from_value(key.clone()).ok()).collect()
}

/// The reasons why a run tested nothing, in sentences. Checks only for the things that the header
/// announces.
fn vacuous(
    header: &Header,
    traffic: &Traffic,
    faults: &[FaultJudged],
    counts: Option<KeyCounts>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(clients) = header.fields.get("concurrency").and_then(serde_json::Value::as_u64) {
        let (ok, least) = (traffic.total().ok, clients * OK_PER_CLIENT_MIN);
        if ok < least {
            reasons.push(format!("vacuous: only {ok} operations succeeded, fewer than {least}"));
        }
        if traffic.ok_of(&["get", "scan", "batch-get"]) == 0 {
            reasons.push("vacuous: nothing was read".into());
        }
        if traffic.ok_of(&["put", "cas", "batch-put"]) == 0 {
            reasons.push("vacuous: nothing was written".into());
        }
    } else if traffic.total() == Counts::default() {
        reasons.push("vacuous: the history has no operation".into());
    } else if traffic.total().ok == 0 {
        reasons.push("vacuous: no operation succeeded".into());
    }
    let planned = header.fields.get("nemesis").and_then(|names| names.as_array());
    if planned.is_some_and(|names| !names.is_empty()) {
        if !faults.iter().any(|fault| fault.seen.confirmed) {
            reasons.push("vacuous: no fault was seen in force".into());
        } else if !faults.iter().any(|fault| fault.seen.confirmed && fault.ok_during > 0) {
            reasons.push("vacuous: no operation succeeded during a fault, not even in part".into());
        }
    }
    if let Some(counts) = counts
        && (counts.before.is_none() || counts.after.is_none())
    {
        reasons.push("the keys were not counted to the end, so some may be lost unseen".into());
    }
    reasons
}

/// Judges the history of a run. A run whose directory somebody removed is a failure that says so.
pub fn of_run(run: &run_directory::RunDirectory, judging: &Judging) -> Result<Judgement, Failure> {
    if !run.history().exists() {
        return Err(lost(run));
    }
    judge(&run.history(), judging)
}

/// The verdict of the run, if it can be read.
pub fn read_verdict(run: &run_directory::RunDirectory) -> Option<Judgement> {
    run_directory::plain_file::json(&run.verdict(), run_directory::plain_file::VERDICT_BYTES_MAX)
        .ok()
}

/// The failure of a run whose history has disappeared.
pub fn lost(run: &run_directory::RunDirectory) -> Failure {
    Failure::target_or_disk(format!(
        "the history is lost: {} is not there any more, somebody removed it while the run went; nothing can be judged",
        run.history().display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges a history of these lines behind a header with these fields.
    fn judge_lines(fields: &str, lines: &[&str]) -> Judgement {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let header = format!(r#"{{"format":"jepsen-tikv history","version":1{fields}}}"#);
        let text = [&[header.as_str()], lines].concat().join("\n") + "\n";
        std::fs::write(file.path(), text).expect("written");
        judge(file.path(), &Judging::default()).expect("well formed")
    }

    const PUT: [&str; 2] = [
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"put","key":"a","value":"1"}"#,
        r#"{"index":1,"time":2,"process":0,"type":"ok","f":"put","key":"a","value":"1"}"#,
    ];

    #[test]
    fn a_short_history_of_no_run_is_just_judged() {
        let judgement = judge_lines("", &PUT);
        assert_eq!(judgement.exit(), Exit::Valid);
    }

    #[test]
    fn a_run_that_did_next_to_nothing_is_vacuous_not_valid() {
        let judgement = judge_lines(r#","concurrency":16,"nemesis":["pause-one"]"#, &PUT);
        assert_eq!(judgement.exit(), Exit::Unknown);
        assert!(judgement.vacuous);
        let said = judgement.reasons.join("\n");
        assert!(said.contains("only 1 operations"), "{said}");
        assert!(said.contains("nothing was read"), "{said}");
        assert!(said.contains("no fault"), "{said}");
    }

    #[test]
    fn a_cluster_that_does_not_recover_is_stuck_which_is_not_a_wrong_answer() {
        let recovery = |stuck: &str| {
            let value = format!(
                r#"{{"serves_after_ms":120000,"whole_after_ms":120000,"stuck":[{stuck}],"missing":null}}"#
            );
            format!(
                r#"{{"index":2,"time":3,"process":"nemesis","type":"info","f":"recovery","value":{value}}}"#
            )
        };
        let recovered = recovery("");
        let judgement = judge_lines("", &[PUT[0], PUT[1], &recovered]);
        assert_eq!(judgement.exit(), Exit::Valid, "{:?}", judgement.reasons);
        let stuck = recovery(r#""region 7, without a leader as far as PD knows""#);
        let judgement = judge_lines("", &[PUT[0], PUT[1], &stuck]);
        assert_eq!(judgement.exit(), Exit::Stuck);
        let said = judgement.reasons.join("\n");
        assert!(said.contains("liveness: 120 s") && said.contains("region 7"), "{said}");
    }

    #[test]
    fn an_invalid_run_stays_invalid_even_if_it_is_vacuous() {
        let stale = [
            PUT[0],
            PUT[1],
            r#"{"index":2,"time":3,"process":0,"type":"invoke","f":"get","key":"a","value":null}"#,
            r#"{"index":3,"time":4,"process":0,"type":"ok","f":"get","key":"a","value":null}"#,
        ];
        let judgement = judge_lines(r#","concurrency":16"#, &stale);
        assert_eq!(judgement.exit(), Exit::Invalid);
    }
}
