//! Histories with published verdicts, which lie beside the workspace where they are at hand:
//! recorded on real TiKV, and the suites of Knossos and Porcupine. Where they are absent, the tests
//! say so and pass.

#![allow(clippy::disallowed_methods)] // The ban on files is for the checker, not for its tests.

use std::collections::BTreeMap;
use std::path::PathBuf;

use checker::{Collector, FindingKind, Options, Validity, Verdict, check};

/// A folder of shared histories, if it is there.
fn folder(name: &str) -> Option<PathBuf> {
    folder_in("histories", name)
}

fn folder_in(data: &str, name: &str) -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let places = [format!("../shared/data/{data}"), format!("../../shared/data/{data}")];
    let mut folders = places.iter().map(|place| workspace.join(place).join(name));
    let found = folders.find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: there is no ../shared/data/{data}/{name} beside the workspace");
    }
    found
}

/// The verdicts that stand beside the histories.
fn expected(folder: &std::path::Path) -> BTreeMap<String, Validity> {
    let text = std::fs::read_to_string(folder.join("EXPECTED.toml")).expect("an EXPECTED.toml");
    toml::from_str(&text).expect("file = verdict")
}

/// Judges a history.
fn judged(file: &std::path::Path, initial: Option<&str>) -> Verdict {
    let mut collector = match initial {
        Some(value) => Collector::with_initial(value.as_bytes().to_vec()),
        None => Collector::new(),
    };
    let source =
        histories::source::open(file, histories::ReadOptions::default()).expect("readable");
    let heard = source.visit(|event| {
        collector.observe(event).expect("well-formed");
        Ok::<(), histories::ReadError>(())
    });
    heard.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    check(&collector.finish(), &Options::default())
}

/// Judges every history of a folder, and compares.
fn judged_as_published(name: &str, initial: Option<&str>) {
    let Some(folder) = folder(name) else { return };
    for (file, expected) in expected(&folder) {
        let verdict = judged(&folder.join(&file), initial);
        assert_eq!(verdict.validity, expected, "{file}: {:?}", verdict.reasons);
        for key in &verdict.keys {
            assert_eq!(key.validity == Validity::Invalid, key.counterexample.is_some(), "{file}");
        }
    }
}

#[test]
fn histories_of_real_tikv_have_their_known_verdicts() {
    judged_as_published("real-tikv", None);
}

#[test]
fn what_a_leader_answers_after_its_lease_is_called_a_stale_read() {
    let Some(folder) = folder("real-tikv") else { return };
    let verdict = judged(&folder.join("overlapping-pauses-long-lease.jsonl.zst"), None);
    let told = |kind| verdict.findings.iter().filter(|finding| finding.kind == kind).count();
    let stale = told(FindingKind::StaleRead);
    assert!(stale > 3, "{stale}");
    // A client whose own earlier read was newer adds only that.
    assert_eq!(stale + told(FindingKind::NonMonotonicRead), verdict.findings.len());
}

#[test]
fn histories_of_knossos_have_their_published_verdicts() {
    judged_as_published("knossos-cas-register", Some("0"));
}

#[test]
fn histories_of_porcupine_have_their_published_verdicts() {
    judged_as_published("porcupine-etcd", None);
}

#[test]
fn small_registers_with_many_lost_answers_have_their_published_verdicts() {
    let Some(folder) = folder_in("reports", "repeated") else { return };
    for file in ["small.edn", "h2.edn"] {
        let verdict = judged(&folder.join(file), Some("0"));
        assert_eq!(verdict.validity, Validity::Valid, "{file}: {:?}", verdict.reasons);
    }
}
