//! The panels of a report that come from the history: faults, throughput, latency, processes, key
//! counts.
//!
//! In: [`Facts`] and the judgement. Out: panels as `panels.js` understands them, times in seconds.
//! Operations are thinned (`thinned`); the evidence (counterexamples, faults, key counts) is not,
//! up to more than anybody can look at.

use super::{
    facts::{Done, Ended, Facts, ProcessChange},
    thinned::NOTABLE_MAX,
};
use histories::cluster_sample::ProcessWord;
use judge::Judgement;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// So many faults are drawn, and so many stretches of processes: a page of more is slow, and
/// nothing is seen on it. All of them are in verdict.json and the history.
const DRAWN_MAX: usize = 5_000;
/// About so many buckets over the whole time.
const BUCKETS: f64 = 300.0;

/// Nanoseconds as seconds, rounded to a tenth of a millisecond.
pub fn seconds(ns: u64) -> f64 {
    (ns as f64 / 1e5).round() / 1e4
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The width of a bucket: 1, 2 or 5 times a power of ten, at least a tenth of a second.
fn bucket_s(end_s: f64) -> f64 {
    let wanted = (end_s / BUCKETS).max(0.1);
    let power = 10_f64.powf(wanted.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|width| *width >= wanted * 0.999)
        .unwrap_or(wanted)
}

/// Faults as bands over all panels.
pub fn bands(judgement: &Judgement) -> Vec<Value> {
    judgement
        .faults
        .iter()
        .take(DRAWN_MAX)
        .map(|fault| {
            json!({ "from": seconds(fault.seen.begin_ns), "to": seconds(fault.seen.end_ns), "label": label(fault) })
        })
        .collect()
}

fn label(fault: &judge::FaultJudged) -> String {
    let stores = fault.seen.store_names();
    let of = if stores.is_empty() { String::new() } else { format!(" of {}", stores.join(", ")) };
    format!("{}{of}, gap {:.0} ms", fault.seen.name, fault.longest_gap_ns as f64 / 1e6)
}

/// The gap, then whom: the lane has the fault's name.
fn gap_first(fault: &judge::FaultJudged) -> String {
    let stores = fault.seen.store_names();
    let of = if stores.is_empty() { String::new() } else { format!(", {}", stores.join(" ")) };
    format!("{:.1} s gap{of}", fault.longest_gap_ns as f64 / 1e9)
}

/// So many kinds of faults have a lane, and so many stores.
const LANES_MAX: usize = 100;

/// A lane for each kind of fault.
pub fn faults(judgement: &Judgement) -> Option<Value> {
    let names: BTreeSet<&str> =
        judgement.faults.iter().map(|fault| fault.seen.name.as_str()).collect();
    let mut lanes: BTreeMap<&str, usize> = names.into_iter().zip(0..).collect();
    // There are as many kinds as the nemesis has; a history with more is none that a person can
    // look at.
    lanes.retain(|_, lane| *lane < LANES_MAX);
    let segments: Vec<Value> = judgement
        .faults
        .iter()
        .filter_map(|fault| Some((fault, lanes.get(fault.seen.name.as_str())?)))
        .take(DRAWN_MAX)
        .map(|(fault, lane)| {
            json!({ "lane": lane, "from": seconds(fault.seen.begin_ns),
                "to": seconds(fault.seen.end_ns), "tone": 3, "label": gap_first(fault), "faint": !fault.seen.confirmed })
        })
        .collect();
    (!segments.is_empty()).then(|| {
        let all = judgement.faults.len();
        let more = if segments.len() < all { format!(" ({} of {all})", segments.len()) } else { String::new() };
        let title = format!("Faults, with the longest time without a success{more}");
        json!({ "id": "faults", "title": title, "lanes": lanes.keys().collect::<Vec<_>>(), "segments": segments, "legend": [] })
    })
}

/// Operations a second by kind and outcome.
pub fn throughput(facts: &Facts) -> Value {
    let (width, end_s) = (bucket_s(facts.end_s()), facts.end_s());
    let buckets = (end_s / width).ceil().max(1.0) as usize;
    let counts = facts.done.counts(width_ns(width));
    let kinds: BTreeSet<&str> = counts.keys().map(|(_, kind)| *kind).collect();
    let series: Vec<Value> = counts
        .iter()
        .map(|((ended, kind), counts)| {
            let (word, dash) = match ended {
                Ended::Ok => ("ok", 0),
                Ended::Fail => ("failed", 1),
                Ended::Info => ("unknown", 2),
            };
            let last_width = (end_s - (buckets - 1) as f64 * width).clamp(width / 10.0, width);
            let points = (0..buckets).map(|bucket| {
                let wide = if bucket + 1 == buckets { last_width } else { width };
                // What completed at the very end is in a bucket of its own.
                let last = if bucket + 1 == buckets { counts.len() } else { bucket + 1 };
                let count: u64 = counts.get(bucket..last).into_iter().flatten().sum();
                [rounded((bucket as f64 + 0.5) * width).min(end_s), rounded(count as f64 / wide)]
            });
            json!({ "name": format!("{kind} {word}"), "tone": kinds.iter().position(|it| it == kind), "dash": dash,
                "values": points.collect::<Vec<_>>() })
        })
        .collect();
    json!({ "id": "throughput", "title": "Operations a second", "series": series, "reach": width })
}

/// Latency: every operation as a point up to a limit, quantiles beyond.
pub fn latency(facts: &Facts) -> Value {
    let width = bucket_s(facts.end_s());
    let few = facts.done.few();
    let mut series = Vec::new();
    for (name, tone, reads) in [("reads", 0, true), ("writes", 1, false)] {
        if let Some(few) = few {
            let ok = few.iter().filter(|done| done.ended == Ended::Ok && done.is_read() == reads);
            series.extend(points(name, tone, &ok.copied().collect::<Vec<_>>()));
            continue;
        }
        let (mut median, mut band) = (Vec::new(), Vec::new());
        let mut last = None;
        let buckets = facts.done.latencies(reads, width_ns(width));
        for (bucket, latencies) in buckets.iter().enumerate().filter(|(_, it)| !it.is_empty()) {
            // A silence is a hole, not a line from its beginning to its end.
            if last.replace(bucket).is_some_and(|last| last + 1 < bucket) {
                median.push(json!([rounded(bucket as f64 * width), null]));
            }
            let at = |part: f64| rounded(latencies.quantile_ms(part));
            let middle = rounded((bucket as f64 + 0.5) * width);
            median.push(json!([middle, at(0.5)]));
            band.push([middle, at(0.05), at(0.99)]);
        }
        if band.is_empty() {
            continue;
        }
        series.push(json!({ "name": format!("{name} 5–99 %"), "kind": "band", "tone": tone, "values": band }));
        series.push(json!({ "name": format!("{name} median"), "tone": tone, "values": median }));
        series.extend(points(&format!("slowest {name}"), tone, &facts.done.slowest(reads)));
    }
    for (name, tone, ended) in [("failed", 2, Ended::Fail), ("unknown", 3, Ended::Info)] {
        series.extend(points(name, tone, &facts.done.some(ended)));
    }
    json!({ "id": "latency", "title": "Latency, invocation to completion", "unit": "ms", "log": true, "height": 190, "series": series, "reach": width })
}

fn latency_ms(done: &Done) -> f64 {
    (done.took_ns() as f64 / 1e6).max(0.001)
}

/// A width in nanoseconds.
fn width_ns(width_s: f64) -> u64 {
    (width_s * 1e9).round() as u64
}

/// A point for each operation, if there is one.
fn points(name: &str, tone: u32, done: &[Done]) -> Option<Value> {
    let values: Vec<[f64; 2]> =
        done.iter().map(|done| [seconds(done.completed_ns), rounded(latency_ms(done))]).collect();
    let points = json!({ "name": name, "kind": "points", "tone": tone, "values": values });
    (!done.is_empty()).then_some(points)
}

/// The lanes of the stores' processes: running, paused or gone.
pub fn processes(facts: &Facts, known: &BTreeSet<u64>) -> Option<Value> {
    let stores: BTreeSet<u64> =
        known.iter().copied().chain(facts.processes.iter().map(|change| change.store)).collect();
    let (mut segments, all) = (Vec::new(), all_stretches(facts));
    for (lane, store) in stores.iter().enumerate().take(LANES_MAX) {
        let own = all.get(store).cloned().unwrap_or_else(|| stretches(facts, []));
        for stretch in own.into_iter().take(DRAWN_MAX.saturating_sub(segments.len())) {
            let (tone, runs) = match stretch.state {
                ProcessWord::Running => (json!(2), stretch.is_confirmed),
                ProcessWord::Stopped => (json!(1), false),
                ProcessWord::Gone => (json!("bad"), false),
            };
            let label = if runs { "" } else { stretch.in_words() };
            segments.push(
                json!({ "lane": lane, "from": seconds(stretch.from), "to": seconds(stretch.to), "tone": tone,
                "label": label, "hatched": !runs && stretch.is_confirmed, "faint": runs || !stretch.is_confirmed }),
            );
        }
    }
    let lanes: Vec<String> =
        stores.iter().take(LANES_MAX).map(|store| format!("store-{store}")).collect();
    (!lanes.is_empty()).then(|| {
        json!({ "id": "processes", "title": "Store processes", "lanes": lanes, "segments": segments, "bands": false,
            "legend": [{ "name": "running", "tone": 2, "kind": "lane" }, { "name": "stopped", "tone": 1, "kind": "lane" },
                { "name": "killed", "tone": "bad", "kind": "lane" }] })
    })
}

/// A stretch of time of a store's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When it begins, nanoseconds.
    pub from: u64,
    /// When it ends.
    pub to: u64,
    /// What the process does, or was told to do.
    pub state: ProcessWord,
    /// The process was seen to do so. Between a signal and that it may do the one or the other.
    pub is_confirmed: bool,
    /// It was gone before.
    was_gone: bool,
}

impl Stretch {
    /// The stretch in a word.
    pub fn in_words(&self) -> &'static str {
        match (self.state, self.is_confirmed) {
            (ProcessWord::Running, true) => "running",
            (ProcessWord::Stopped, true) => "stopped",
            (ProcessWord::Gone, true) => "killed",
            (ProcessWord::Running, false) if self.was_gone => "starting",
            (ProcessWord::Running, false) => "resuming",
            (ProcessWord::Stopped, false) => "stopping",
            (ProcessWord::Gone, false) => "being killed",
        }
    }
}

/// The process of each store that something happened to, over the whole run.
pub fn all_stretches(facts: &Facts) -> BTreeMap<u64, Vec<Stretch>> {
    let mut changes: BTreeMap<u64, Vec<&ProcessChange>> = BTreeMap::new();
    for change in &facts.processes {
        changes.entry(change.store).or_default().push(change);
    }
    changes.into_iter().map(|(store, changes)| (store, stretches(facts, changes))).collect()
}

/// A store's process over the whole run, from its changes in time. It ran at first.
fn stretches<'a>(
    facts: &Facts,
    changes: impl IntoIterator<Item = &'a ProcessChange>,
) -> Vec<Stretch> {
    let mut now = Stretch {
        from: 0,
        to: facts.end_ns,
        state: ProcessWord::Running,
        is_confirmed: true,
        was_gone: false,
    };
    let mut found = Vec::new();
    let mut next = |now: &mut Stretch, at: u64, state, is_confirmed| {
        // What was confirmed only after the next signal lasts until that signal.
        let at = at.max(now.from);
        found.push(Stretch { to: at, ..*now });
        let was_gone = if is_confirmed { false } else { now.state == ProcessWord::Gone };
        *now = Stretch { from: at, to: facts.end_ns, state, is_confirmed, was_gone };
    };
    let changes: Vec<&ProcessChange> = changes.into_iter().collect();
    for (place, change) in changes.iter().enumerate() {
        if change.state != now.state {
            next(&mut now, change.at_ns, change.state, false);
            let until = changes.get(place + 1).map_or(u64::MAX, |after| after.at_ns);
            if change.confirmed_ns <= until {
                next(&mut now, change.confirmed_ns, change.state, true);
            }
        }
    }
    found.push(now);
    found.retain(|stretch| stretch.from < stretch.to || stretch.is_confirmed);
    found
}

/// How many keys each scan returned, and how many it had to.
pub fn key_counts(judgement: &Judgement) -> Option<Value> {
    let counts = &judgement.checked.key_counts;
    if counts.is_empty() {
        return None;
    }
    let every = counts.len().div_ceil(NOTABLE_MAX).max(1);
    let shown = || counts.iter().step_by(every);
    let line = |value: fn(&checker::KeyCount) -> u64| -> Vec<[f64; 2]> {
        shown().map(|count| [seconds(count.finish_ns), value(count) as f64]).collect()
    };
    let range: Vec<[f64; 3]> = shown()
        .map(|it| [seconds(it.finish_ns), it.certainly_present as f64, it.possibly_present as f64])
        .collect();
    Some(
        json!({ "id": "keys", "title": "Keys that each scan returned, and had to", "whole": true, "height": 110, "series": [
        { "name": "certainly to possibly there", "kind": "band", "tone": 2, "values": range },
        { "name": "returned", "kind": "points", "tone": 1, "values": line(|it| it.count) },
    ] }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(at_ms: u64, took_ms: u64, ended: Ended) -> Done {
        let completed_ns = at_ms * 1_000_000;
        Done { kind: "get", ended, invoked_ns: completed_ns - took_ms * 1_000_000, completed_ns }
    }

    #[test]
    fn buckets_are_round_and_not_too_many() {
        for (end_s, width) in [(3.0, 0.1), (60.0, 0.2), (600.0, 2.0), (7200.0, 50.0)] {
            assert!((bucket_s(end_s) - width).abs() < 1e-9, "{end_s}: {}", bucket_s(end_s));
        }
    }

    #[test]
    fn as_many_names_of_faults_as_faults_are_drawn_in_bounded_lanes() {
        let mut judgement = Judgement::of_nothing("");
        judgement.faults = (0..200_000_u64)
            .map(|fault| {
                let mut seen = judge::faults_seen::FaultSeen::default();
                (seen.fault, seen.name) = (fault, format!("fault-{fault}"));
                judge::FaultJudged {
                    seen,
                    ok_during: 0,
                    longest_gap_ns: 0,
                    first_success_after_ns: None,
                }
            })
            .collect();
        let panel = faults(&judgement).expect("a panel");
        assert_eq!(panel["lanes"].as_array().map(Vec::len), Some(LANES_MAX));
        assert_eq!(panel["segments"].as_array().map(Vec::len), Some(LANES_MAX));
    }

    #[test]
    fn a_large_run_is_thinned_but_keeps_its_slowest_and_its_failures() {
        let mut facts = Facts { end_ns: 60_000_000_000, ..Facts::default() };
        (1..200_000).for_each(|n| facts.done.push(done(100 + n * 59_000 / 200_000, 1, Ended::Ok)));
        facts.done.push(done(30_000, 5_000, Ended::Ok));
        facts.done.push(done(31_000, 2_000, Ended::Info));
        let panel = latency(&facts);
        assert!(panel.to_string().len() < 100_000);
        let series = panel["series"].as_array().expect("series");
        let named = |name: &str| {
            series.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name}"))["values"].clone()
        };
        assert!(
            named("slowest reads").as_array().expect("points").contains(&json!([30.0, 5000.0]))
        );
        assert_eq!(named("unknown"), json!([[31.0, 2000.0]]));
        assert_eq!(throughput(&facts)["series"].as_array().expect("series").len(), 2);
    }

    #[test]
    fn a_silence_shows_as_zero() {
        let mut facts = Facts { end_ns: 2_000_000_000, ..Facts::default() };
        facts.done.push(done(50, 1, Ended::Ok));
        facts.done.push(done(1950, 1, Ended::Ok));
        let panel = throughput(&facts);
        let values = panel["series"][0]["values"].as_array().expect("points");
        assert_eq!(values.len(), 20);
        assert_eq!(values[10][1], json!(0.0));
    }

    #[test]
    fn a_process_changes_between_the_signal_and_its_confirmation() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.jsonl");
        let line = |time: u64, kind: &str, f: &str, stores: &str| {
            format!(
                r#"{{"index":{},"time":{time},"process":"nemesis","type":"{kind}","f":"{f}","key":null,"value":{{"fault":0,"stores":[{stores}]}}}}"#,
                time / 10
            )
        };
        let told = |resumed: &str| {
            let lines = [
                r#"{"format":"jepsen-tikv history","version":1}"#.to_owned(),
                line(0, "invoke", "pause", r#"{"id":1}"#),
                line(10, "info", "pause", r#"{"id":1,"state":"stopped","signalled_ns":3}"#),
                line(20, "invoke", "resume", r#"{"id":1}"#),
                line(30, "info", "resume", resumed),
            ];
            std::fs::write(&path, lines.join("\n") + "\n").expect("written");
            let facts = Facts::read(&path, &BTreeSet::new(), []).expect("read");
            let found = all_stretches(&facts).remove(&1).unwrap_or_default().into_iter();
            found.map(|it| (it.from, it.to, it.in_words())).collect::<Vec<_>>()
        };
        let first = [(0, 3, "running"), (3, 10, "stopping")];
        let of_now = told(r#"{"id":1,"state":"running","signalled_ns":24}"#);
        assert_eq!(of_now[..2], first);
        assert_eq!(of_now[2..4], [(10, 24, "stopped"), (24, 30, "resuming")]);
        // Older histories hold only when the signal was about to be sent.
        let older = told(r#"{"id":1,"state":"running"}"#);
        assert_eq!(older[2..4], [(10, 20, "stopped"), (20, 30, "resuming")]);
        assert_eq!(older.last().map(|it| it.2), Some("running"));
    }
}
