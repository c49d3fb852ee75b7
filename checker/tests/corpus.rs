//! The corpus of histories with known verdicts: every engine says what stands in EXPECTED.toml,
//! every invalid key has a counterexample that is judged invalid by itself, and the verdict is the
//! same bytes every time.

#![allow(clippy::disallowed_methods)] // The ban on files is for the checker, not for its tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use checker::{Collector, Engine, FindingKind, History, Options, Role, Validity, check};
use histories::{Event, jsonl};
use serde::Deserialize;

const HISTORIES_MIN: usize = 60;

#[derive(Deserialize)]
struct Expected {
    verdict: Validity,
    why: String,
    /// The names of what it shows, in the order of time.
    #[serde(default)]
    findings: Vec<FindingKind>,
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus")
}

fn expected() -> BTreeMap<String, Expected> {
    let text = std::fs::read_to_string(corpus().join("EXPECTED.toml")).expect("an EXPECTED.toml");
    toml::from_str(&text).expect("a table for each history")
}

fn collected(events: impl IntoIterator<Item = Event>) -> History {
    let mut collector = Collector::new();
    for event in events {
        collector.push(event).expect("well-formed");
    }
    collector.finish()
}

fn read(path: &Path) -> Vec<Event> {
    let reader = jsonl::open(path).expect("readable");
    reader.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_history_has_a_verdict_and_every_verdict_a_history() {
    let mut files: Vec<String> = std::fs::read_dir(corpus())
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    files.sort();
    let expected: Vec<String> = expected().into_keys().collect();
    assert_eq!(files, expected);
    assert!(files.len() >= HISTORIES_MIN);
}

#[test]
fn every_engine_says_what_is_expected() {
    for (name, expected) in expected() {
        let history = collected(read(&corpus().join(format!("{name}.jsonl"))));
        for engine in [Engine::Auto, Engine::Search, Engine::Porcupine, Engine::NearLinear] {
            let options = Options { engine, ..Options::default() };
            let said = check(&history, &options).validity;
            // Repeated values and the like are beyond the near-linear check, and it says so.
            let beyond = engine == Engine::NearLinear && said == Validity::Unknown;
            assert!(
                said == expected.verdict || beyond,
                "{name}, {engine:?}: {said}, but {}",
                expected.why
            );
        }
    }
}

#[test]
fn every_invalid_key_has_a_counterexample_that_is_invalid_by_itself() {
    for (name, expected) in expected() {
        let history = collected(read(&corpus().join(format!("{name}.jsonl"))));
        let verdict = check(&history, &Options::default());
        for key in &verdict.keys {
            assert_eq!(key.validity == Validity::Invalid, key.counterexample.is_some(), "{name}");
            let Some(found) = &key.counterexample else { continue };
            let again = check(&collected(found.events.clone()), &Options::default());
            assert_eq!(again.validity, Validity::Invalid, "{name}: {}", found.sentence);
        }
        let explained = !verdict.reasons.is_empty();
        assert_eq!(explained, expected.verdict == Validity::Invalid, "{name}");
    }
}

#[test]
fn anomalies_are_called_by_their_names() {
    let mut told: BTreeMap<FindingKind, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, expected) in expected() {
        let history = collected(read(&corpus().join(format!("{name}.jsonl"))));
        let findings = check(&history, &Options::default()).findings;
        let kinds: Vec<FindingKind> = findings.iter().map(|finding| finding.kind).collect();
        if kinds != expected.findings {
            wrong.push(format!("{name}: {kinds:?}, but {:?}: {}", expected.findings, expected.why));
        }
        for kind in kinds {
            *told.entry(kind).or_default() += 1;
        }
        for finding in findings {
            let observer = finding.participant(Role::Observer).expect("an observer");
            assert_eq!(finding.operations.last(), Some(&observer.operation), "{name}");
            assert_eq!(finding.invoke_ns, observer.invoke_ns, "{name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for kind in FindingKind::ALL {
        assert!(told.get(&kind).is_some_and(|times| *times >= 2), "{kind}: {told:?}");
    }
}

#[test]
fn same_history_gives_the_same_bytes() {
    for name in expected().into_keys() {
        let bytes = || {
            let history = collected(read(&corpus().join(format!("{name}.jsonl"))));
            serde_json::to_vec_pretty(&check(&history, &Options::default())).expect("JSON")
        };
        assert_eq!(bytes(), bytes(), "{name}");
    }
}

#[test]
fn histories_are_written_back_as_they_were_read() {
    for name in expected().into_keys() {
        let path = corpus().join(format!("{name}.jsonl"));
        let reader = jsonl::open(&path).expect("readable");
        let mut writer = jsonl::Writer::new(Vec::new(), reader.header()).expect("memory");
        for event in reader {
            writer.write(&event.expect("well-formed")).expect("memory");
        }
        let written = writer.finish().expect("memory");
        let events: Vec<Event> = jsonl::Reader::new(written.as_slice())
            .expect("a header")
            .collect::<Result<_, _>>()
            .expect("well-formed");
        assert_eq!(events, read(&path), "{name}");
    }
}
