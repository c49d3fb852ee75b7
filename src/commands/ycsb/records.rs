//! Chooses the next record and the next operation, like go-ycsb's choosers.
//!
//! In: [`Settings`] and a source of randomness. Out: record numbers and operations. Only existing
//! records are drawn: a new one can be drawn once its insert, and those of all before it, have
//! ended. YCSB does the same; newer versions of go-ycsb also draw records that were never inserted.
//! Zipf's law comes from a library.

use super::settings::{Lengths, Proportions, Requests, Settings};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Zipf};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// YCSB's exponent of Zipf's law.
const ZIPF_EXPONENT: f64 = 0.99;
/// The number of items that YCSB draws from, and spreads over the records by a hash.
const SCRAMBLED_ITEMS: f64 = 1e10;

/// The operation on a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reads a record.
    Read,
    /// Reads a record and writes it changed.
    Update,
    /// Writes a new record.
    Insert,
    /// Reads a record and those after it.
    Scan,
    /// Reads a record, then updates it.
    ReadModifyWrite,
}

/// The existing records, shared by all threads.
#[derive(Debug)]
pub struct Records {
    requests: Requests,
    first: u64,
    span: u64,
    next_sequential: AtomicU64,
    next_new: AtomicU64,
    /// All records below this number exist.
    known: AtomicU64,
    /// New records whose inserts ended before an earlier record's.
    early: Mutex<BTreeSet<u64>>,
}

impl Records {
    /// The records that exist before the run.
    pub fn of(settings: &Settings) -> Self {
        Self {
            requests: settings.requests,
            first: settings.insert_start,
            span: settings.last_record() - settings.insert_start + 1,
            next_sequential: AtomicU64::new(0),
            next_new: AtomicU64::new(settings.record_count),
            known: AtomicU64::new(settings.record_count),
            early: Mutex::default(),
        }
    }

    /// Draws an existing record.
    pub fn draw(&self, random: &mut ChaCha8Rng) -> u64 {
        let known = self.known.load(Ordering::Relaxed);
        loop {
            let record = match self.requests {
                Requests::Uniform => self.first + random.random_range(0..self.span),
                Requests::Sequential => {
                    self.first + self.next_sequential.fetch_add(1, Ordering::Relaxed) % self.span
                }
                Requests::Zipfian => {
                    let item = zipf(SCRAMBLED_ITEMS, random);
                    self.first + super::row::hash(item) % self.span
                }
                Requests::Latest => known - 1 - zipf(known as f64, random).min(known - 1),
                Requests::Hotspot { data, operations } => {
                    self.first + self.hot(data, operations, random)
                }
            };
            if record < known {
                return record;
            }
        }
    }

    fn hot(&self, data: f64, operations: f64, random: &mut ChaCha8Rng) -> u64 {
        let hot = ((self.span as f64 * data) as u64).clamp(1, self.span);
        if hot == self.span || random.random::<f64>() < operations {
            random.random_range(0..hot)
        } else {
            random.random_range(hot..self.span)
        }
    }

    /// Returns the number of a new record.
    pub fn new_record(&self) -> u64 {
        self.next_new.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that the insert of a new record ended.
    pub fn inserted(&self, record: u64) {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        early.insert(record);
        let mut known = self.known.load(Ordering::Relaxed);
        while early.remove(&known) {
            known += 1;
        }
        self.known.store(known, Ordering::Relaxed);
    }
}

/// Draws a rank from 0 on; the lowest is the most likely.
fn zipf(items: f64, random: &mut ChaCha8Rng) -> u64 {
    match Zipf::new(items, ZIPF_EXPONENT) {
        Ok(zipf) => zipf.sample(random) as u64 - 1,
        // Without items, the only possible rank is the first.
        Err(_) => 0,
    }
}

/// Draws a length between the two bounds.
pub fn length(lengths: Lengths, least: u64, most: u64, random: &mut ChaCha8Rng) -> u64 {
    match lengths {
        Lengths::Constant => most,
        Lengths::Uniform => random.random_range(least..=most),
        Lengths::Zipfian => least + zipf((most - least + 1) as f64, random).min(most - least),
    }
}

/// Draws an operation by its share.
pub fn step(proportions: &Proportions, random: &mut ChaCha8Rng) -> Step {
    let shares = [
        (proportions.read, Step::Read),
        (proportions.update, Step::Update),
        (proportions.insert, Step::Insert),
        (proportions.scan, Step::Scan),
        (proportions.read_modify_write, Step::ReadModifyWrite),
    ];
    let sum: f64 = shares.iter().map(|(share, _)| share).sum();
    let mut drawn = random.random::<f64>() * sum;
    let mut last = Step::Read;
    for (share, step) in shares.into_iter().filter(|(share, _)| *share > 0.0) {
        last = step;
        if drawn < share {
            break;
        }
        drawn -= share;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ycsb::properties::Properties;
    use rand_chacha::rand_core::SeedableRng;

    fn settings(distribution: &str) -> Settings {
        let pairs = [
            "recordcount=100".to_owned(),
            "operationcount=1000".into(),
            "insertproportion=0.05".into(),
            format!("requestdistribution={distribution}"),
        ];
        Settings::of(&Properties::gather(&[], &pairs).expect("pairs"), false).expect("usable")
    }

    fn draws(distribution: &str) -> Vec<usize> {
        let records = Records::of(&settings(distribution));
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut counts = vec![0; 101];
        for _ in 0..10_000 {
            counts[records.draw(&mut random) as usize] += 1;
        }
        counts
    }

    #[test]
    fn only_records_that_are_there_are_drawn() {
        for distribution in ["uniform", "zipfian", "latest", "sequential", "hotspot"] {
            let counts = draws(distribution);
            assert_eq!(counts[100], 0, "{distribution}");
            assert_eq!(counts.iter().sum::<usize>(), 10_000);
        }
    }

    #[test]
    fn distributions_have_their_shape() {
        assert!(draws("uniform").iter().take(100).all(|count| (50..=160).contains(count)));
        assert!(draws("sequential").iter().take(100).all(|count| *count == 100));
        let latest = draws("latest");
        assert!(latest[99] > latest[50] * 5 && latest[99] > 1000, "{latest:?}");
        let hot: usize = draws("hotspot").iter().take(20).sum();
        assert!((7_700..=8_300).contains(&hot), "{hot}");
        let zipfian = draws("zipfian");
        assert!(zipfian.iter().max() > Some(&300), "{zipfian:?}");
    }

    #[test]
    fn a_new_record_is_drawn_once_all_before_it_are_there() {
        let records = Records::of(&settings("latest"));
        assert_eq!((records.new_record(), records.new_record()), (100, 101));
        records.inserted(101);
        assert_eq!(records.known.load(Ordering::Relaxed), 100);
        records.inserted(100);
        assert_eq!(records.known.load(Ordering::Relaxed), 102);
    }

    #[test]
    fn steps_have_their_shares() {
        let proportions =
            Proportions { read: 0.5, update: 0.3, insert: 0.0, scan: 0.2, read_modify_write: 0.0 };
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let steps: Vec<Step> = (0..10_000).map(|_| step(&proportions, &mut random)).collect();
        let share = |wanted| steps.iter().filter(|step| **step == wanted).count();
        assert!((4_800..=5_200).contains(&share(Step::Read)));
        assert!((2_800..=3_200).contains(&share(Step::Update)));
        assert_eq!(share(Step::Insert) + share(Step::ReadModifyWrite), 0);
    }
}
