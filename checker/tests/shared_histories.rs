//! Histories with published verdicts, which lie beside the workspace where they are at hand: recorded on real
//! TiKV, and the suites of Knossos and Porcupine. Where they are absent, the tests say so and pass.

#![allow(clippy::disallowed_methods)] // The ban on files is for the checker, not for its tests.

use std::collections::BTreeMap;
use std::path::PathBuf;

use checker::{Collector, Options, Validity, check};

/// A folder of shared histories, if it is there.
fn folder(name: &str) -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let places = ["../shared/data/histories", "../../shared/data/histories"];
    let mut folders = places.iter().map(|place| workspace.join(place).join(name));
    let found = folders.find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: there is no ../shared/data/histories/{name} beside the workspace");
    }
    found
}

/// The verdicts that stand beside the histories.
fn expected(folder: &std::path::Path) -> BTreeMap<String, Validity> {
    let text = std::fs::read_to_string(folder.join("EXPECTED.toml")).expect("an EXPECTED.toml");
    toml::from_str(&text).expect("file = verdict")
}

#[test]
fn histories_of_real_tikv_have_their_known_verdicts() {
    let Some(folder) = folder("real-tikv") else { return };
    for (file, expected) in expected(&folder) {
        let mut collector = Collector::new();
        for event in histories::jsonl::open(&folder.join(&file)).expect("readable") {
            collector.push(event.expect("well-formed")).expect("well-formed");
        }
        let verdict = check(&collector.finish(), &Options::default());
        assert_eq!(verdict.validity, expected, "{file}: {:?}", verdict.reasons);
    }
}
