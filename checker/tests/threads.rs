//! The same history gives the same bytes of verdict.json, however many threads read and judge it.

use checker::{Collector, Options, Validity, check};
use histories::ReadError;
use histories::jsonl::Reader;
use std::fmt::Write;

const KEYS: u64 = 40;
const CLIENTS: u64 = 8;
/// Long enough for several batches of lines, each parsed in pieces.
const OPERATIONS: u64 = 60_000;

/// Clients take turns, so that their operations overlap; a few reads are stale, a few writes repeat
/// a value, so that counterexamples, findings and the search have work.
fn file() -> String {
    let mut text = r#"{"format":"jepsen-tikv history","version":1}"#.to_owned() + "\n";
    let mut open: Vec<Option<(u64, String)>> = vec![None; CLIENTS as usize];
    let mut last: Vec<[String; 2]> = vec![["null".to_owned(), "null".to_owned()]; KEYS as usize];
    for index in 0..2 * OPERATIONS {
        let client = index % CLIENTS;
        let key = (index * 2_654_435_761 / 7) % KEYS;
        let mut line = |kind: &str, f: &str, key: u64, value: &str| {
            writeln!(
                text,
                r#"{{"index":{index},"time":{index},"process":{client},"type":"{kind}","f":"{f}","key":"key-{key}","value":{value}}}"#
            )
            .expect("memory takes everything");
        };
        match open[client as usize].take() {
            None if (index / CLIENTS).is_multiple_of(4) => {
                let value = match index {
                    // Values that repeat, which only the search can judge.
                    _ if key == 7 && index < 2_000 => "\"again\"".to_owned(),
                    _ => format!("\"{index}\""),
                };
                line("invoke", "put", key, &value);
                open[client as usize] = Some((key, value));
            }
            None => {
                line("invoke", "get", key, "null");
                open[client as usize] = Some((key, String::new()));
            }
            Some((key, read)) if read.is_empty() => {
                let stale = index > OPERATIONS && key % 10 == 3 && index % 3_000 < 400;
                let value = &last[key as usize][usize::from(stale)];
                line("ok", "get", key, &value.clone());
            }
            Some((key, value)) => {
                line("ok", "put", key, &value);
                last[key as usize].swap(0, 1);
                last[key as usize][0] = value;
            }
        }
    }
    text
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let file = file();
    let verdict = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let mut collector = Collector::new();
            let reader = Reader::new(file.as_bytes()).expect("a header");
            let heard = reader.visit(|event| {
                collector.observe(event).expect("well-formed");
                Ok::<(), ReadError>(())
            });
            heard.expect("well-formed");
            check(&collector.finish(), &Options::default())
        })
    };
    let alone = verdict(1);
    let invalid = alone.keys.iter().filter(|key| key.validity == Validity::Invalid).count();
    assert!(invalid > 0, "something must be found, or little is compared");
    assert!(invalid < KEYS as usize, "some keys must be valid");
    let bytes = serde_json::to_vec_pretty(&alone).expect("JSON");
    for threads in [2, 3, 8] {
        let same = bytes == serde_json::to_vec_pretty(&verdict(threads)).expect("JSON");
        assert!(same, "{threads} threads say something else than one");
    }
}
