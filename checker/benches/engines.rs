//! The engines on the same histories, in one run, so that their ratios mean something.
//!
//! `cargo bench -p checker`. Histories of unique values as a perfect register would give them, made
//! from a seed: YCSB A over many keys, and one key that everybody fights for. porcupine-rs is
//! measured where it ends in a few seconds.

#![allow(missing_docs)]

use std::hint::black_box;

use checker::{Collector, Engine, History, Options, Validity, check};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use histories::{Answer, Event, Operation, Outcome, Process, What};

/// A history of `operations` by `clients` on `keys`; half of them reads, in a hundred so many CAS
/// and deletes.
fn history(operations: u64, keys: usize, clients: usize, cas: u64, deletes: u64) -> History {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut values: Vec<Option<Vec<u8>>> = vec![None; keys];
    let mut open: Vec<Option<(Operation, Answer)>> = vec![None; clients];
    let mut collector = Collector::new();
    let (mut index, mut done) = (0, 0);
    while done < operations {
        let client = random(clients as u64) as usize;
        let what = if let Some((operation, answer)) = open[client].take() {
            done += 1;
            What::Complete(operation, Outcome::Ok(answer))
        } else {
            let at = random(keys as u64) as usize;
            let key = format!("user{at:08}").into_bytes();
            let new = format!("{client}-{index}").into_bytes();
            let previous = values[at].clone();
            let kind = random(100);
            // It takes effect when it is invoked, which is inside its interval.
            let (operation, answer) = if kind < cas {
                values[at] = Some(new.clone());
                let cas = Operation::Cas { key, expected: previous.clone(), new };
                (cas, Answer::Cas { swapped: true, previous })
            } else if kind < cas + deletes {
                values[at] = None;
                (Operation::Delete { key }, Answer::Done)
            } else if kind < 50 {
                values[at] = Some(new.clone());
                (Operation::Put { key, value: new, ttl_s: None }, Answer::Done)
            } else {
                (Operation::Get { key }, Answer::Got(previous))
            };
            open[client] = Some((operation.clone(), answer));
            What::Invoke(operation)
        };
        let process = Process::Client(client as u64);
        let event =
            Event { index, time_ns: index * 100, process, what, error: None, attempts: vec![] };
        collector.push(event).expect("well-formed");
        index += 1;
    }
    collector.finish()
}

fn engines(criterion: &mut Criterion) {
    let both = [Engine::Auto, Engine::Porcupine].as_slice();
    let ours = [Engine::Auto].as_slice();
    for (name, history, operations, engines) in [
        ("ycsb-a, 10,000 keys, 16 clients", history(100_000, 10_000, 16, 0, 0), 100_000, both),
        ("one key, 4 clients", history(1_000, 1, 4, 0, 0), 1_000, both),
        ("one key, 64 clients", history(100_000, 1, 64, 0, 0), 100_000, ours),
        (
            "one key, 64 clients, 10 % CAS and deletes",
            history(100_000, 1, 64, 10, 10),
            100_000,
            ours,
        ),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(operations)).sample_size(10);
        for engine in engines {
            let options = Options { engine: *engine, ..Options::default() };
            group.bench_with_input(
                BenchmarkId::from_parameter(format!("{engine:?}")),
                &history,
                |bench, history| {
                    bench.iter(|| {
                        let verdict = check(black_box(history), &options);
                        assert_eq!(verdict.validity, Validity::Valid);
                    });
                },
            );
        }
        group.finish();
    }
}

criterion_group!(benches, engines);
criterion_main!(benches);
