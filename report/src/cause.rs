//! Causes of an invalid verdict: failures in groups, one example in full, the others counted.
//!
//! In: an invalid judgement. Out: the reason in a few words, and rows that say what, where, when
//! and why, with a drawing of the example. Everything about the example is about one and the same
//! finding. It says what preceded, and accuses no store: what a store did is told as what happened
//! before.

use super::{
    drawing,
    figures::{
        about, count, counted, fine_moment, length, lengths, listed, moment, moments, ranges, value,
    },
    frame::{JOINT, Row, cut},
};
use checker::{CallKind, Content, Finding, FindingKind, KeyVerdict, Participant, Role, Validity};
use histories::jsonl::Text;
use judge::{
    Judgement,
    experiment::Weight,
    faults_seen::{FaultSeen, Step},
};
use std::collections::{BTreeMap, BTreeSet};

/// A step of a fault is told of if it was so long before an answer.
const BEFORE_NS: u64 = 5_000_000_000;
/// A history in which a line takes no longer has no clock, but numbers of lines.
const LINE_NS_MAX: u64 = 2;
/// So many ranges of clients are named.
const RANGES_MAX: usize = 6;
/// So many keys are named of those that a scan lacks.
const KEYS_MAX: usize = 3;
/// So many characters of a sentence of the checker are shown.
const SENTENCE_MAX: usize = 300;

/// Moments of a history, as far as it has a clock: in others' histories time may be only the order
/// of the lines.
#[derive(Debug, Clone, Copy)]
struct Clock {
    tells: bool,
    /// All of it is over within a second.
    is_fine: bool,
}

impl Clock {
    fn of(judgement: &Judgement) -> Self {
        let operations = judgement.checked.operations;
        let lines = 2 * (operations.ok + operations.fail + operations.info + 1);
        Self {
            tells: judgement.ended_ns.is_none_or(|ns| ns > lines * LINE_NS_MAX),
            is_fine: judgement.ended_ns.is_some_and(|ns| ns < 1_000_000_000),
        }
    }

    /// "at" a moment; nothing without a clock.
    fn at(self, ns: u64) -> String {
        match (self.tells, self.is_fine) {
            (false, _) => String::new(),
            (true, false) => format!(" at {}", moment(ns)),
            (true, true) => format!(" at {}", fine_moment(ns)),
        }
    }
}

/// Keys that show the same kind of anomaly.
struct Group<'a> {
    kind: FindingKind,
    /// The first finding of that kind of each key.
    findings: Vec<&'a Finding>,
}

/// The groups, the largest first. A key counts where its gravest anomaly does; a read against the
/// order that its own client saw stands beside others.
fn groups(judgement: &Judgement) -> Vec<Group<'_>> {
    let mut keys: BTreeMap<&Text, &Finding> = BTreeMap::new();
    for finding in &judgement.checked.findings {
        keys.entry(&finding.key)
            .and_modify(|first| {
                if first.kind == FindingKind::NonMonotonicRead && finding.kind != first.kind {
                    *first = finding;
                }
            })
            .or_insert(finding);
    }
    let mut groups: BTreeMap<FindingKind, Vec<&Finding>> = BTreeMap::new();
    for finding in keys.into_values() {
        groups.entry(finding.kind).or_default().push(finding);
    }
    let mut groups: Vec<Group<'_>> =
        groups.into_iter().map(|(kind, findings)| Group { kind, findings }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.findings.len()));
    groups
}

/// An anomaly's name for so many keys.
fn plural(kind: FindingKind, number: usize) -> String {
    let one = kind.to_string();
    match one.split_once(" (") {
        _ if number == 1 => one,
        Some((name, more)) => format!("{name}s ({more}"),
        None => format!("{one}s"),
    }
}

/// The reason of an invalid verdict, in a few words.
pub fn headline(judgement: &Judgement) -> String {
    let mut parts = Vec::new();
    let groups = groups(judgement);
    let keys = judgement.keys_judged();
    let told: usize = groups.iter().map(|group| group.findings.len()).sum();
    let untold = keys.invalid.saturating_sub(told as u64);
    let total = match keys.total {
        // A verdict on parts does not count keys.
        0 => String::new(),
        total => format!(" of {}", counted(total, "key")),
    };
    match groups.as_slice() {
        [] => {}
        [only] if untold == 0 => {
            let number = count(told as u64);
            parts.push(format!("{} on {number}{total}", plural(only.kind, told)));
        }
        several => {
            let each = several.iter().map(|group| {
                let number = group.findings.len();
                format!("{} on {}", plural(group.kind, number), count(number as u64))
            });
            parts.push(format!("{}{total}", each.collect::<Vec<_>>().join(", ")));
        }
    }
    if untold > 0 {
        let more = if told > 0 { " more" } else { "" };
        parts.push(format!("{}{more}{total} not linearizable", count(untold)));
    }
    let missing: BTreeSet<&Text> =
        judgement.checked.key_counts.iter().flat_map(|scan| &scan.missing).collect();
    let unexpected: BTreeSet<&Text> =
        judgement.checked.key_counts.iter().flat_map(|scan| &scan.unexpected).collect();
    for (keys, what) in [(missing, "missing from scans"), (unexpected, "too many in scans")] {
        if !keys.is_empty() {
            parts.push(format!("{} {what}", counted(keys.len() as u64, "key")));
        }
    }
    let contradictions = judgement.checked.contradictions.len() as u64;
    if contradictions > 0 {
        let verb = if contradictions == 1 { "contradicts itself" } else { "contradict themselves" };
        parts.push(format!("{} {verb}", counted(contradictions, "answer")));
    }
    if judgement.experiment.iter().any(|finding| finding.weight == Weight::Invalid) {
        parts.push("the experiment shows a broken promise".to_owned());
    }
    if judgement.is_only_stuck() {
        return "stuck: the cluster does not serve again after the last healing; no answer was wrong"
            .to_owned();
    }
    if judgement.parts.is_some() {
        parts.push("a promise was broken in the last part".to_owned());
    }
    if parts.is_empty() { "a promise was broken".to_owned() } else { parts.join("; ") }
}

/// Rows on each cause. `room` is the width of a drawing in columns.
pub fn rows(judgement: &Judgement, room: usize) -> Vec<Row> {
    let (groups, clock) = (groups(judgement), Clock::of(judgement));
    let mut rows = Vec::new();
    let undrawn = || judgement.checked.keys.iter().find(|key| key.validity == Validity::Invalid);
    if let Some(group) = groups.first() {
        rows.extend(of_group(judgement, group, room));
    } else if let Some(key) = undrawn() {
        rows.extend(of_key(judgement, key));
    }
    for group in groups.iter().skip(1).take(2) {
        let example = group.findings[0];
        let number = group.findings.len();
        rows.push(Row::words(
            "also",
            format!(
                "{} on {}, e.g. {}",
                plural(group.kind, number),
                counted(number as u64, "key"),
                example.key
            ),
        ));
    }
    rows.extend(of_scans(judgement, if rows.is_empty() { "what" } else { "also" }));
    for contradiction in judgement.checked.contradictions.iter().take(2) {
        let label = if rows.is_empty() { "what" } else { "also" };
        let at = clock.at(contradiction.finish_ns);
        let sentence = &contradiction.sentence;
        rows.push(Row::words(label, format!("client {}{at}: {sentence}", contradiction.client)));
    }
    rows
}

/// One example of a group in full.
fn of_group(judgement: &Judgement, group: &Group<'_>, room: usize) -> Vec<Row> {
    let example = example(judgement, group);
    let clock = Clock::of(judgement);
    let mut rows = vec![Row::words("what", what(example, clock))];
    let region = region(judgement).map_or_else(String::new, |region| format!(", region {region}"));
    let like = match group.findings.len() as u64 - 1 {
        0 => String::new(),
        1 => "; and 1 more key like it".to_owned(),
        more => format!("; and {} more keys like it", count(more)),
    };
    rows.push(Row::words("where", format!("key {}{region}{like}", example.key)));
    let key = judgement.checked.keys.iter().find(|key| key.key == example.key);
    let found = key.and_then(|key| key.counterexample.as_ref());
    let places = found.and_then(|it| judge::counterexamples::places(it, &judgement.places));
    rows.extend(places.map(|places| Row::words("", places)));
    if clock.tells {
        rows.push(Row::words("when", when(judgement, group)));
        rows.push(Row::words("why?", why(judgement, example)));
    }
    rows.extend(drawing::draw(example, room).into_iter().map(Row::drawn));
    rows
}

/// The finding that is told in full: one that needs no second look, if there is one.
fn example<'a>(judgement: &Judgement, group: &Group<'a>) -> &'a Finding {
    let is_drawn = |finding: &Finding| {
        let key = judgement.checked.keys.iter().find(|key| key.key == finding.key);
        key.is_some_and(|key| key.counterexample.is_some())
    };
    let seen = |finding: &Finding| {
        let older = finding.older_state.unwrap_or_default();
        older.newer_seen_before && older.newer_seen_afterwards
    };
    let best = |finding: &&&Finding| {
        (!is_drawn(finding), !seen(finding), finding.participants.len() < 3, finding.invoke_ns)
    };
    group.findings.iter().min_by_key(best).copied().unwrap_or(group.findings[0])
}

/// A key that is not linearizable and shows no anomaly that has a name.
fn of_key(judgement: &Judgement, key: &KeyVerdict) -> Vec<Row> {
    let found = key.counterexample.as_ref();
    let sentence = found.map(|found| &found.sentence).or(key.reason.as_ref());
    let mut rows = Vec::new();
    rows.extend(sentence.map(|sentence| Row::words("what", cut(sentence, SENTENCE_MAX))));
    let like = match judgement.keys_judged().invalid {
        0 | 1 => String::new(),
        invalid => format!("; and {} more keys", count(invalid - 1)),
    };
    rows.push(Row::words("where", format!("key {}{like}", key.key)));
    if let Some(places) = found.and_then(|it| judge::counterexamples::places(it, &judgement.places))
    {
        rows.push(Row::words("", places));
    }
    rows.extend(found.iter().flat_map(|found| &found.drawing).map(Row::drawn));
    rows
}

/// Scans that lack keys, or return some that cannot be there.
fn of_scans(judgement: &Judgement, label: &'static str) -> Vec<Row> {
    let mut scans = judgement.checked.key_counts.iter();
    let wrong = scans.find(|it| !it.missing.is_empty() || !it.unexpected.is_empty());
    let Some(scan) = wrong else { return Vec::new() };
    let (keys, verb, not) = match scan.missing.as_slice() {
        [] => (&scan.unexpected, "returned", " not"),
        _ => (&scan.missing, "lacks", ""),
    };
    let were = if keys.len() == 1 { "was" } else { "were" };
    let named: Vec<String> = keys.iter().take(KEYS_MAX).map(ToString::to_string).collect();
    let more = if keys.len() > KEYS_MAX { ", …" } else { "" };
    vec![Row::words(
        label,
        format!(
            "the scan{} {verb} {} that certainly {were}{not} there: {}{more}",
            Clock::of(judgement).at(scan.finish_ns),
            counted(keys.len() as u64, "key"),
            named.join(", ")
        ),
    )]
}

/// One sentence: a client, an answer, and the reason why that answer cannot be.
fn what(finding: &Finding, clock: Clock) -> String {
    let Some(observer) = finding.participant(Role::Observer) else {
        return cut(&finding.sentence, SENTENCE_MAX);
    };
    let saw = saw(observer, clock);
    let replaced = |newer: &Participant| {
        let client = newer.client;
        let wrote = newer.wrote.as_ref().map(value).unwrap_or_default();
        match (newer.call, observer.found.as_ref()) {
            (CallKind::Expiry, _) => "it had expired".to_owned(),
            (CallKind::Delete, _) => format!("client {client} had deleted it"),
            (_, Some(Content::Nothing) | None) => format!("client {client} had put {wrote}"),
            _ => format!("client {client} had replaced it by {wrote}"),
        }
    };
    let acknowledged = |newer: &Participant| match newer.finish_ns {
        Some(_) if !clock.tells => " before".to_owned(),
        Some(at_ns) if at_ns <= observer.invoke_ns => {
            format!(", acknowledged {} earlier", length(observer.invoke_ns - at_ns))
        }
        _ => ", as others had seen before".to_owned(),
    };
    let newer = finding.participant(Role::NewerWrite);
    match (finding.kind, newer) {
        (FindingKind::StaleRead | FindingKind::LostUpdate, Some(newer)) => {
            format!("{saw}; {}{}", replaced(newer), acknowledged(newer))
        }
        (FindingKind::LostWrite, Some(newer)) => {
            format!("{saw}; {}{}, and nobody ever saw that", replaced(newer), acknowledged(newer))
        }
        (FindingKind::Resurrected, Some(newer)) => {
            format!("{saw}; {}{}; the old state stayed", replaced(newer), acknowledged(newer))
        }
        (FindingKind::Phantom, Some(newer)) if !clock.tells => {
            format!("{saw}, which client {} began to write only later", newer.client)
        }
        (FindingKind::Phantom, Some(newer)) => format!(
            "{saw}, which nobody had written by then: client {} began to write it {} later",
            newer.client,
            length(newer.invoke_ns.saturating_sub(observer.finish_ns.unwrap_or(0)))
        ),
        (FindingKind::Phantom, None) => format!("{saw}, which nobody wrote"),
        (FindingKind::Dirty, _) => match finding.participant(Role::FailedWrite) {
            Some(failed) => format!(
                "{saw}; only client {} had tried to write that, and was told that it was not applied",
                failed.client
            ),
            None => saw,
        },
        (FindingKind::LostUpdate, None) => match finding.participant(Role::OtherCas) {
            Some(other) => format!(
                "{saw}; client {}'s CAS from {} to {} succeeded too, and only one of them can",
                other.client,
                other.found.as_ref().map(value).unwrap_or_default(),
                other.wrote.as_ref().map(value).unwrap_or_default()
            ),
            None => saw,
        },
        (FindingKind::NonMonotonicRead, _) => match finding.participant(Role::SawNewerBefore) {
            Some(before) => format!(
                "{saw}, after it had read the newer {}{}",
                before.found.as_ref().map(value).unwrap_or_default(),
                clock.at(before.invoke_ns)
            ),
            None => saw,
        },
        _ => saw,
    }
}

/// The observer's answer, and when it asked.
fn saw(observer: &Participant, clock: Clock) -> String {
    let found = observer.found.as_ref().map(value).unwrap_or_default();
    let at = clock.at(observer.invoke_ns);
    let client = observer.client;
    match (observer.call, &observer.wrote) {
        (CallKind::Cas, Some(wrote)) => {
            format!("client {client}'s CAS from {found} to {} succeeded{at}", value(wrote))
        }
        (CallKind::ScanKeys, _) if found == "nothing" => {
            format!("client {client}'s scan did not find it{at}")
        }
        (CallKind::ScanKeys, _) => format!("client {client}'s scan found it{at}"),
        _ => format!("client {client} read {found}{at}"),
    }
}

/// The workload's region, where there is one and no more.
fn region(judgement: &Judgement) -> Option<u64> {
    let seen = || judgement.faults.iter().map(|fault| &fault.seen);
    let is_single = judgement.split_at.is_empty()
        && seen().all(|fault| fault.workload_regions.is_none_or(|regions| regions == 1));
    let regions: BTreeSet<u64> = seen().filter_map(|fault| fault.region).collect();
    let is_known = seen().any(|fault| fault.workload_regions.is_some());
    regions.first().copied().filter(|_| is_single && is_known && regions.len() == 1)
}

/// When all of a group were seen, how long after what was done to which store, and by whom.
fn when(judgement: &Judgement, group: &Group<'_>) -> String {
    let observers = || group.findings.iter().filter_map(|it| it.participant(Role::Observer));
    let asked = group.findings.iter().map(|finding| finding.invoke_ns);
    let first_ns = asked.clone().min().unwrap_or(0);
    let last_ns = asked.max().unwrap_or(0);
    let [first, last] = moments(first_ns, last_ns);
    let mut parts = vec![match group.findings.len() {
        1 => format!("at {first}{JOINT}s"),
        2 if first == last => format!("both at {first}{JOINT}s"),
        number if first == last => format!("all {} at {first}{JOINT}s", count(number as u64)),
        2 => format!("at {first} and {last}{JOINT}s"),
        number => format!("all {} between {first} and {last}{JOINT}s", count(number as u64)),
    }];
    parts.extend(after_steps(judgement, observers()));
    let clients: BTreeSet<u64> = observers().map(|it| it.client).collect();
    let word = if clients.len() == 1 { "client" } else { "clients" };
    parts.push(match ranges(clients.iter().copied(), RANGES_MAX) {
        Some(ranges) => format!("by {word} {ranges}"),
        None => format!("by {} {word}", count(clients.len() as u64)),
    });
    parts.join(", ")
}

/// Time from a step on a store to the answers, if all came after the same kind of step.
fn after_steps<'a>(
    judgement: &Judgement,
    observers: impl Iterator<Item = &'a Participant>,
) -> Option<String> {
    let mut steps: BTreeMap<u64, &Step> = BTreeMap::new();
    let (mut shortest_ns, mut longest_ns) = (u64::MAX, 0);
    for observer in observers {
        let answered_ns = observer.finish_ns?;
        let step = last_step(judgement, answered_ns)?;
        steps.insert(step.at_ns, step);
        shortest_ns = shortest_ns.min(answered_ns - step.at_ns);
        longest_ns = longest_ns.max(answered_ns - step.at_ns);
    }
    let after = lengths(shortest_ns, longest_ns);
    let first = *steps.values().next()?;
    let did = done(&first.f);
    if steps.len() == 1 {
        return Some(format!("answered {after} after store-{} was {did}", first.stores.first()?));
    }
    let alike = steps.values().all(|step| step.f == first.f);
    let times = counted(steps.len() as u64, "time");
    alike.then(|| format!("answered {after} after a store was {did} ({times})"))
}

/// The last step on a store at most a few seconds before a moment.
fn last_step(judgement: &Judgement, at_ns: u64) -> Option<&Step> {
    let steps = judgement.faults.iter().flat_map(|fault| &fault.seen.steps);
    let before = steps.filter(|step| step.at_ns <= at_ns && at_ns <= step.at_ns + BEFORE_NS);
    before.max_by_key(|step| step.at_ns)
}

/// The participle for a step on a store.
fn done(f: &str) -> &'static str {
    match f {
        "pause" => "paused",
        "resume" => "resumed",
        "kill" => "killed",
        "disk-error" => "hit by a failing disk",
        _ => "started again",
    }
}

/// Events that preceded, from the fault that was in force or had just ended.
fn why(judgement: &Judgement, finding: &Finding) -> String {
    let observer = finding.participant(Role::Observer);
    let asked_ns = finding.invoke_ns;
    let answered_ns = observer.and_then(|it| it.finish_ns).unwrap_or(asked_ns);
    let near = judgement.faults.iter().map(|fault| &fault.seen).filter(|seen| {
        !seen.only_replicas && seen.begin_ns <= answered_ns && asked_ns <= seen.end_ns + BEFORE_NS
    });
    let Some(fault) = near.max_by_key(|seen| seen.begin_ns) else {
        let when = if judgement.faults.is_empty() { "" } else { ", nor shortly before" };
        return format!("no fault was in force{when}");
    };
    preceded(fault, answered_ns).unwrap_or_else(|| {
        let stores = match fault.store_names().as_slice() {
            [] => String::new(),
            stores => format!(" of {}", listed(stores)),
        };
        if fault.end_ns < asked_ns {
            let before = length(asked_ns - fault.end_ns);
            return format!(
                "{}{stores} ended at {}, {before} before",
                fault.name,
                about(fault.end_ns)
            );
        }
        format!(
            "{}{stores} was in force from {} to {}",
            fault.name,
            about(fault.begin_ns),
            about(fault.end_ns)
        )
    })
}

/// The steps of a fault until a moment, told from the store that led.
fn preceded(fault: &FaultSeen, until_ns: u64) -> Option<String> {
    let before = || fault.steps.iter().filter(|step| step.at_ns <= until_ns);
    let names = |stores: &[u64]| {
        listed(&stores.iter().map(|store| format!("store-{store}")).collect::<Vec<_>>())
    };
    let was = |stores: &[u64]| if stores.len() == 1 { "was" } else { "were" };
    let first = before().next()?;
    let mut parts = Vec::new();
    let led = before().find(|step| step.leader && step.stores.len() == 1).zip(fault.region);
    for step in before() {
        let (stores, did, at) = (&step.stores, done(&step.f), about(step.at_ns));
        match led {
            Some((down, region)) if down == step => {
                parts.push(format!(
                    "{} led region {region} until it was {did} at {at}",
                    names(stores)
                ));
                let moved = fault.leader_moves.iter().find(|it| {
                    it.region == region && it.from == stores.first().copied() && it.to.is_some()
                });
                if let Some((to, seen_ns)) = moved.and_then(|it| Some((it.to?, it.seen_ns))) {
                    parts.push(format!("store-{to} led it by {}", about(seen_ns)));
                }
            }
            _ if step == first => parts.push(match fault.region {
                Some(region) => format!(
                    "{}, with {} of region {region}, {} {did} at {at}",
                    names(stores),
                    if stores.len() == 1 { "a replica" } else { "replicas" },
                    was(stores)
                ),
                None => format!("{} {} {did} at {at}", names(stores), was(stores)),
            }),
            _ => parts.push(format!("{} {} {did} at {at}", names(stores), was(stores))),
        }
    }
    Some(parts.join("; "))
}
