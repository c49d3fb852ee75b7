//! What a synced commit costs: fjall, on which stores keep their data, against a bare append with
//! fdatasync.
//!
//! Entries have 100 bytes of value and the 17 bytes of key of a log entry; a commit has 1, 16 or 64
//! of them, as group commit makes it. Set `TMPDIR` to the disk that is to be measured.

#![expect(clippy::disallowed_types, reason = "the real disk is measured")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use std::{fs::File, io::Write};

const VALUE: [u8; 100] = [42; 100];

fn key(index: u64) -> [u8; 17] {
    let mut key = [3; 17];
    key[9..].copy_from_slice(&index.to_be_bytes());
    key
}

fn commits(criterion: &mut Criterion) {
    let dir = tempfile::TempDir::new().expect("a directory");
    let mut file = File::create(dir.path().join("bare")).expect("a file");
    let database = Database::builder(dir.path().join("fjall"))
        .worker_threads(1)
        .manual_journal_persist(true)
        .open()
        .expect("a database");
    let keyspace = database.keyspace("store", KeyspaceCreateOptions::default).expect("a keyspace");
    let mut index = 0;
    let mut group = criterion.benchmark_group("synced commit");
    for entries in [1, 16, 64] {
        group.throughput(Throughput::Elements(entries));
        group.bench_function(BenchmarkId::new("append and fdatasync", entries), |bencher| {
            bencher.iter(|| {
                for _ in 0..entries {
                    file.write_all(&VALUE).expect("room on the disk");
                }
                file.sync_data().expect("a disk that syncs");
            });
        });
        group.bench_function(BenchmarkId::new("fjall", entries), |bencher| {
            bencher.iter(|| {
                let mut batch = database.batch().durability(Some(PersistMode::SyncData));
                for _ in 0..entries {
                    index += 1;
                    batch.insert(&keyspace, key(index), VALUE);
                }
                batch.commit().expect("room on the disk");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, commits);
criterion_main!(benches);
