//! What is exported for Knossos and read back is judged as before, key by key.

#![allow(clippy::disallowed_methods)] // The ban on files is for the checker, not for its tests.

use checker::{Collector, Options, Validity, check};
use histories::{
    Event,
    export::{Fate, KeyCall, KeyOperation, Splitter, edn},
    import::read_edn,
    jsonl,
};
use std::path::PathBuf;

fn judged(mut collector: Collector, events: impl IntoIterator<Item = Event>) -> checker::Verdict {
    for event in events {
        collector.push(event).expect("well-formed");
    }
    check(&collector.finish(), &Options::default())
}

#[test]
fn a_key_that_went_through_edn_has_the_same_verdict() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus");
    let files =
        std::fs::read_dir(corpus).expect("the corpus").map(|entry| entry.expect("one").path());
    let (mut compared, mut invalid) = (0, 0);
    for path in files.filter(|path| path.extension().is_some_and(|it| it == "jsonl")) {
        let events: Vec<Event> =
            jsonl::open(&path).expect("readable").collect::<Result<_, _>>().expect("well-formed");
        let mut splitter = Splitter::default();
        for event in &events {
            splitter.observe(event.borrowed());
        }
        let keys = splitter.finish();
        let before = judged(Collector::new(), events);
        // Key-only scans say less in EDN, and so does an answer that contradicts itself.
        let contradicts =
            ["cas-swapped-on-another-value.jsonl", "cas-failed-on-its-expected-value.jsonl"];
        let says_less = keys.left_out > 0 || contradicts.iter().any(|name| path.ends_with(name));
        for verdict in &before.keys {
            let key = &verdict.key.0;
            // A CAS that does not say what it saw instead is nothing to Knossos.
            let is_mute = |call: &KeyCall| {
                call.fate == Fate::Fail && matches!(call.operation, KeyOperation::Cas(..))
            };
            if keys.with_ttl.contains(key) || says_less || keys.calls[key].iter().any(is_mute) {
                continue;
            }
            let text = edn::text("a key", &keys.calls[key]);
            let again: Vec<Event> =
                read_edn(&text, None).events.into_iter().collect::<Result<_, _>>().expect("EDN");
            let after = judged(Collector::with_initial(edn::ABSENT.into()), again);
            assert_eq!(after.validity, verdict.validity, "{}:\n{text}", path.display());
            compared += 1;
            invalid += u32::from(verdict.validity == Validity::Invalid);
        }
    }
    assert!(compared >= 100 && invalid >= 30, "{compared} keys, {invalid} of them invalid");
}
