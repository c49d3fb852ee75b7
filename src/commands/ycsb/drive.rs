//! Threads that work on a table until their share is done, the time is over, or an interrupt asks
//! for the end.
//!
//! In: a [`Table`]. Out: go-ycsb's lines every interval, and the number of operations done. A
//! record that cannot be loaded ends the load for all threads; a failed operation of a run is
//! counted as an error.

use super::{settings::Settings, table::Table};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use run::interrupt::{Interrupt, Urgency};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// The attempts for one record in a load if no property sets them: TiKV's clients for Go try for 20
/// s by themselves.
const INSERT_TRIES: u32 = 15;
/// The pause before the next attempt, times the number of attempts.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// The longest uninterrupted sleep of a thread, so that it notices an early end.
const NAP: Duration = Duration::from_millis(100);

/// The result of a load or a run.
#[derive(Debug)]
pub struct Driven {
    /// Operations that succeeded.
    pub succeeded: u64,
    /// The duration of the load or run.
    pub took: Duration,
    /// True if an interrupt asked for an early end.
    pub interrupted: bool,
    /// True if a further interrupt asked for the end at once.
    pub abandoned: bool,
    /// The last error.
    pub last_error: Option<String>,
}

/// The state that all threads share.
struct Shared {
    table: Arc<Table>,
    loads: bool,
    next: AtomicU64,
    succeeded: AtomicU64,
    stop: AtomicBool,
    last_error: Mutex<Option<String>>,
}

/// Loads the table, or runs the workload on it.
pub async fn drive(table: &Arc<Table>, loads: bool, interrupt: &Interrupt) -> Driven {
    let shared = Arc::new(Shared {
        table: Arc::clone(table),
        loads,
        next: AtomicU64::new(table.settings.insert_start),
        succeeded: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        last_error: Mutex::default(),
    });
    let begun = Instant::now();
    let mut threads = JoinSet::new();
    for thread in 0..table.settings.threads {
        let shared = Arc::clone(&shared);
        threads.spawn(async move { shared.work(thread, begun).await });
    }
    let settings = &table.settings;
    let mut next_report = begun + settings.interval;
    let end = settings.max_execution_time.map(|longest| begun + longest);
    let (mut interrupted, mut abandoned) = (false, false);
    loop {
        tokio::select! {
            ended = threads.join_next() => if ended.is_none() { break },
            () = tokio::time::sleep_until(next_report) => {
                next_report += settings.interval;
                report(table, begun.elapsed());
            }
            () = tokio::time::sleep_until(end.unwrap_or(begun)), if end.is_some() && !shared.stopped() => {
                shared.end();
            }
            () = interrupt.at_least(Urgency::Early), if !interrupted => {
                interrupted = true;
                shared.end();
            }
            () = interrupt.at_least(Urgency::Now) => {
                abandoned = true;
                threads.abort_all();
                break;
            }
        }
    }
    let last_error = shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).take();
    Driven {
        succeeded: shared.succeeded.load(Ordering::Relaxed),
        took: begun.elapsed(),
        interrupted,
        abandoned,
        last_error,
    }
}

/// Prints go-ycsb's lines.
pub fn report(table: &Table, elapsed: Duration) {
    let measurement = table.measurement.lock().unwrap_or_else(PoisonError::into_inner);
    for line in measurement.lines(elapsed) {
        terminal::result(line);
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    async fn work(&self, thread: u64, begun: Instant) {
        let mut random = ChaCha8Rng::seed_from_u64(rand::random());
        let settings = &self.table.settings;
        let (operations, threads) = (settings.operation_count, settings.threads);
        let share = operations / threads + u64::from(thread < operations % threads);
        let mut done = 0;
        while !self.stopped() && (operations == 0 || done < share) {
            self.await_turn(done, begun).await;
            let result = if self.loads {
                let record = self.next.fetch_add(1, Ordering::Relaxed);
                self.load(record, &mut random).await
            } else {
                self.table.transact(&mut random).await.map_err(|error| self.note(error))
            };
            done += 1;
            if result.is_ok() {
                self.succeeded.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Inserts a record, with retries. An error means that it could not be inserted, and ends the
    /// load.
    async fn load(&self, record: u64, random: &mut ChaCha8Rng) -> Result<(), ()> {
        let settings = &self.table.settings;
        let tries_max = settings.insert_retries.map_or(INSERT_TRIES, |retries| retries + 1);
        for tries in 1..=tries_max {
            match self.table.insert(record, random).await {
                Ok(()) => return Ok(()),
                Err(error) => self.note(format!("{}: {error}", self.table.shown(record))),
            }
            if self.stopped() || tries == tries_max {
                break;
            }
            self.nap(pause(settings, tries, random)).await;
        }
        self.end();
        Err(())
    }

    fn note(&self, error: String) {
        if !self.table.settings.silence {
            terminal::result(format_args!("operation err: {error}"));
        }
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Waits for the next operation's time, to keep the configured rate.
    async fn await_turn(&self, done: u64, begun: Instant) {
        let Settings { target: Some(target), threads, .. } = &self.table.settings else { return };
        let every = Duration::from_secs_f64(*threads as f64 / *target as f64);
        let turn = begun + every.mul_f64(done as f64);
        self.nap(turn.saturating_duration_since(Instant::now())).await;
    }

    async fn nap(&self, length: Duration) {
        let until = Instant::now() + length;
        while !self.stopped() && Instant::now() < until {
            tokio::time::sleep_until(until.min(Instant::now() + NAP)).await;
        }
    }
}

fn pause(settings: &Settings, tries: u32, random: &mut ChaCha8Rng) -> Duration {
    match settings.insert_retries {
        // Varied as in go-ycsb: up to a fifth shorter or longer.
        Some(_) => settings.insert_retry_interval.mul_f64(random.random_range(0.8..1.2)),
        None => TRY_AGAIN_AFTER * tries,
    }
}
