//! All operations of a run, however many, in little memory: what the panels of throughput and
//! latency draw.
//!
//! In: completed operations, one after the other, about in the order of completion. Out: each of
//! them while they are few; counts by kind and outcome, and latencies to within two percent, in
//! buckets of time; of single operations the slowest, and some of the failed and unknown ones. It
//! takes a few megabytes, whether the run took a minute or a day, and knows nothing of drawing.

use super::facts::{Done, Ended};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// Up to so many operations are kept one by one.
pub const FEW_MAX: usize = 4_000;
/// So many of the slowest, of the failed and of the unknown ones are kept beyond.
pub const NOTABLE_MAX: usize = 800;
/// Buckets of time, at most; one more makes ten into one.
const BUCKETS_MAX: usize = 4_000;
/// The width of a bucket at first, nanoseconds.
const WIDTH_NS: u64 = 100_000_000;
/// Steps of a latency's binary logarithm: neighbours are two percent apart.
const STEPS: f64 = 32.0;
/// Shorter latencies are as good as this one, nanoseconds.
const LATENCY_MIN_NS: u64 = 1_000;

/// Operations, thinned.
#[derive(Debug)]
pub struct Thinned {
    total: usize,
    few: Vec<Done>,
    width_ns: u64,
    counts: BTreeMap<(Ended, &'static str), Vec<u64>>,
    /// Of what was acknowledged: reads, writes.
    latencies: [Vec<Latencies>; 2],
    slowest: [BinaryHeap<Reverse<Slow>>; 2],
    failed: Sample,
    unknown: Sample,
}

/// Latencies of a bucket: how many in each step.
#[derive(Debug, Clone, Default)]
pub struct Latencies {
    steps: BTreeMap<u16, u64>,
    total: u64,
}

/// An operation, by how long it took; of those that took as long, the earlier is the slower.
#[derive(Debug, Clone, Copy)]
struct Slow(Done);

/// Some of many, evenly.
#[derive(Debug)]
struct Sample {
    kept: Vec<Done>,
    seen: usize,
    /// Each such one is kept.
    every: usize,
}

impl Default for Thinned {
    fn default() -> Self {
        Self {
            total: 0,
            few: Vec::new(),
            width_ns: WIDTH_NS,
            counts: BTreeMap::new(),
            latencies: Default::default(),
            slowest: Default::default(),
            failed: Sample::default(),
            unknown: Sample::default(),
        }
    }
}

impl Thinned {
    /// Takes one more.
    pub fn push(&mut self, done: Done) {
        self.total += 1;
        if self.total <= FEW_MAX {
            self.few.push(done);
        } else {
            self.few = Vec::new();
        }
        while done.completed_ns / self.width_ns >= BUCKETS_MAX as u64 {
            self.widen();
        }
        let bucket = (done.completed_ns / self.width_ns) as usize;
        *at(self.counts.entry((done.ended, done.kind)).or_default(), bucket) += 1;
        match done.ended {
            Ended::Ok => {
                let which = usize::from(!done.is_read());
                at(&mut self.latencies[which], bucket).push(done.took_ns());
                let slowest = &mut self.slowest[which];
                slowest.push(Reverse(Slow(done)));
                if slowest.len() > NOTABLE_MAX {
                    slowest.pop();
                }
            }
            Ended::Fail => self.failed.push(done),
            Ended::Info => self.unknown.push(done),
        }
    }

    /// All of them, while they are few.
    pub fn few(&self) -> Option<&[Done]> {
        (self.total <= FEW_MAX).then_some(&self.few)
    }

    /// How many completed in each stretch of so many nanoseconds, by outcome and kind.
    pub fn counts(&self, width_ns: u64) -> BTreeMap<(Ended, &'static str), Vec<u64>> {
        let factor = self.factor(width_ns);
        let wider =
            |counts: &Vec<u64>| counts.chunks(factor).map(|chunk| chunk.iter().sum()).collect();
        self.counts.iter().map(|(of, counts)| (*of, wider(counts))).collect()
    }

    /// The latencies of acknowledged reads or writes in each stretch of so many nanoseconds.
    pub fn latencies(&self, reads: bool, width_ns: u64) -> Vec<Latencies> {
        wider(&self.latencies[usize::from(!reads)], self.factor(width_ns))
    }

    /// The slowest acknowledged reads or writes, in the order of completion.
    pub fn slowest(&self, reads: bool) -> Vec<Done> {
        let slowest = &self.slowest[usize::from(!reads)];
        in_time(slowest.iter().map(|Reverse(Slow(done))| *done).collect())
    }

    /// Some of those that failed, or whose outcome is unknown, in the order of completion.
    pub fn some(&self, ended: Ended) -> Vec<Done> {
        let kept = match ended {
            Ended::Ok => &[][..],
            Ended::Fail => &self.failed.kept,
            Ended::Info => &self.unknown.kept,
        };
        let every = if self.few().is_some() { 1 } else { kept.len().div_ceil(NOTABLE_MAX).max(1) };
        in_time(kept.iter().step_by(every).copied().collect())
    }

    /// So many buckets make one of that width.
    fn factor(&self, width_ns: u64) -> usize {
        (width_ns / self.width_ns).max(1) as usize
    }

    fn widen(&mut self) {
        self.width_ns *= 10;
        for counts in self.counts.values_mut() {
            *counts = counts.chunks(10).map(|chunk| chunk.iter().sum()).collect();
        }
        for latencies in &mut self.latencies {
            *latencies = wider(latencies, 10);
        }
    }
}

impl Latencies {
    fn push(&mut self, took_ns: u64) {
        let step = (took_ns.max(LATENCY_MIN_NS) as f64).log2() * STEPS;
        *self.steps.entry(step as u16).or_default() += 1;
        self.total += 1;
    }

    fn add(&mut self, other: &Self) {
        for (step, count) in &other.steps {
            *self.steps.entry(*step).or_default() += count;
        }
        self.total += other.total;
    }

    /// Nobody's.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The latency that this part of them does not exceed, milliseconds.
    pub fn quantile_ms(&self, part: f64) -> f64 {
        let mut left = (self.total.saturating_sub(1) as f64 * part) as u64;
        for (step, count) in &self.steps {
            if left < *count {
                return ((f64::from(*step) + 0.5) / STEPS).exp2() / 1e6;
            }
            left -= count;
        }
        0.0
    }
}

impl Ord for Slow {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by = |it: &Self| (it.0.took_ns(), Reverse(it.0.completed_ns), it.0.kind);
        by(self).cmp(&by(other))
    }
}

impl PartialOrd for Slow {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Slow {}

impl Default for Sample {
    fn default() -> Self {
        Self { kept: Vec::new(), seen: 0, every: 1 }
    }
}

impl Sample {
    fn push(&mut self, done: Done) {
        if self.seen.is_multiple_of(self.every) {
            self.kept.push(done);
        }
        self.seen += 1;
        // Few operations are all shown, whatever they came to.
        if self.kept.len() > FEW_MAX {
            let mut number = 0;
            self.kept.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every *= 2;
        }
    }
}

/// An entry, made if it is not there yet.
fn at<T: Default + Clone>(buckets: &mut Vec<T>, bucket: usize) -> &mut T {
    if buckets.len() <= bucket {
        buckets.resize(bucket + 1, T::default());
    }
    &mut buckets[bucket]
}

fn wider(latencies: &[Latencies], factor: usize) -> Vec<Latencies> {
    let sum = |chunk: &[Latencies]| {
        chunk.iter().fold(Latencies::default(), |mut sum, one| {
            sum.add(one);
            sum
        })
    };
    latencies.chunks(factor).map(sum).collect()
}

fn in_time(mut done: Vec<Done>) -> Vec<Done> {
    done.sort_unstable_by_key(|done| done.completed_ns);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(at_ms: u64, took_ms: u64, kind: &'static str, ended: Ended) -> Done {
        let completed_ns = at_ms * 1_000_000;
        Done { kind, ended, invoked_ns: completed_ns - took_ms * 1_000_000, completed_ns }
    }

    #[test]
    fn a_day_is_counted_whole_in_few_buckets() {
        let mut all = Thinned::default();
        let seconds = 24 * 3600;
        for second in 1..=seconds {
            all.push(done(second * 1_000, second % 100 + 1, "get", Ended::Ok));
            if second % 10 == 0 {
                all.push(done(second * 1_000, 7, "put", Ended::Fail));
            }
        }
        assert!(all.few().is_none());
        let hour_ns = 3_600_000_000_000;
        let counts = all.counts(hour_ns);
        assert_eq!(counts[&(Ended::Ok, "get")].iter().sum::<u64>(), seconds);
        assert_eq!(counts[&(Ended::Fail, "put")].iter().sum::<u64>(), seconds / 10);
        assert!(counts.values().all(|counts| counts.len() == 25), "{counts:?}");
        let hours = all.latencies(true, hour_ns);
        let (median, most) = (hours[3].quantile_ms(0.5), hours[3].quantile_ms(1.0));
        assert!(
            (48.0..=52.0).contains(&median) && (97.0..=103.0).contains(&most),
            "{median} {most}"
        );
        assert!(all.latencies(false, hour_ns).is_empty());
        assert_eq!(all.slowest(true).len(), NOTABLE_MAX);
        assert!(all.slowest(true).iter().all(|done| done.took_ns() >= 99_000_000));
        let failed = all.some(Ended::Fail);
        assert!((NOTABLE_MAX / 2..=NOTABLE_MAX).contains(&failed.len()), "{}", failed.len());
        assert!(failed.is_sorted_by_key(|done| done.completed_ns));
    }

    #[test]
    fn few_are_kept_one_by_one() {
        let mut all = Thinned::default();
        for at in 1..=FEW_MAX as u64 {
            all.push(done(at, 1, "get", Ended::Info));
        }
        assert_eq!(all.few().map(<[Done]>::len), Some(FEW_MAX));
        assert_eq!(all.some(Ended::Info).len(), FEW_MAX);
        all.push(done(5_000, 1, "get", Ended::Info));
        assert!(all.few().is_none() && all.some(Ended::Info).len() <= NOTABLE_MAX);
    }
}
