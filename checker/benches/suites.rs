//! The suites of other checkers, whose values repeat: how long each engine takes for all their
//! histories together.
//!
//! `cargo bench -p checker --bench suites`, with the folders of the histories beside the workspace
//! (see `tests/shared_histories.rs`); without them there is nothing to measure. Histories are read
//! beforehand. `bench/porcupine` measures Porcupine itself on the same files.

#![allow(missing_docs)]
#![allow(clippy::disallowed_methods)] // The ban on files is for the checker, not for its benches.

use std::hint::black_box;
use std::path::PathBuf;

use checker::{Collector, Engine, History, Options, Validity, check};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn histories(suite: &str, initial: Option<&str>) -> Vec<History> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let places = ["../shared/data/histories", "../../shared/data/histories"];
    let mut folders = places.iter().map(|place| workspace.join(place).join(suite));
    let Some(folder) = folders.find(|folder| folder.is_dir()) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "log" || it == "edn"));
    files.sort();
    let collected = |file: &PathBuf| {
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
        heard.expect("well-formed");
        collector.finish()
    };
    files.iter().map(collected).collect()
}

fn suites(criterion: &mut Criterion) {
    for (suite, initial) in [("porcupine-etcd", None), ("knossos-cas-register", Some("0"))] {
        let histories = histories(suite, initial);
        if histories.is_empty() {
            eprintln!("skipped: there is no ../shared/data/histories/{suite} beside the workspace");
            continue;
        }
        let mut group = criterion.benchmark_group(format!("{suite}, {} files", histories.len()));
        group.sample_size(10);
        for engine in [Engine::Auto, Engine::Search, Engine::Porcupine] {
            let options = Options { engine, ..Options::default() };
            group.bench_function(BenchmarkId::from_parameter(format!("{engine:?}")), |bench| {
                bench.iter(|| {
                    let verdicts = histories.iter().map(|it| check(black_box(it), &options));
                    let valid = verdicts.filter(|it| it.validity == Validity::Valid).count();
                    assert!(valid > 0);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, suites);
criterion_main!(benches);
