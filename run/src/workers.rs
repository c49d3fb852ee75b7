//! The tasks that drive clients: busy ones that load and then work without pause, and mostly idle
//! ones.
//!
//! In: a workload, client libraries, and a switch that ends the work. Out: recorded operations.
//! Every operation has a deadline, so every worker ends soon after the switch is thrown. Each idle
//! client has its own connection, its own region cache and a deadline longer than any pause. Only
//! such clients still send to an old leader after others have moved on, and wait until it answers
//! again.

use crate::recording::{Client, Recording};
use client::RawKv;
use histories::{Key, Operation, Outcome};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use workload::{Generator, Workload};

/// The wait of a client after a failed operation, so that a refusing store is not flooded.
const AFTER_FAILURE: Duration = Duration::from_millis(20);
/// The number of tries of one key before the whole load gives up.
const LOAD_TRIES_MAX: u32 = 15;
/// The shortest time that one operation of the load may take: a short `--op-timeout` is about the
/// clients' work, and on a busy machine it would keep the keys from being loaded at all.
const LOAD_OP_TIMEOUT_MIN: Duration = Duration::from_secs(10);
/// The shortest and the longest idle time, in milliseconds. The longest exceeds an election, so
/// that some clients ask only after one.
const IDLE_MS_MIN: u64 = 100;
const IDLE_MS_MAX: u64 = 4_000;
/// Percentage of an idle client's reads of a key that was just written, where old state shows.
const FRESH_PERCENT: u64 = 90;
/// Percentage of wake-ups after which an idle client sleeps on while nothing can be written.
const PATIENT_PERCENT: u64 = 75;
/// The longest time that a client sleeps on.
const AWAIT_WRITES: Duration = Duration::from_secs(5);
/// Nothing can be written if no write was acknowledged for this long.
const WRITES_STALL_AFTER: Duration = Duration::from_millis(200);
/// A read that took longer was answered after a pause of its store or after an election.
const LATE: Duration = Duration::from_millis(300);
/// The number of reads without a pause after a late answer. If the store answers from old state, it
/// does so now, and one key alone may not show it.
const READS_AFTER_LATE: u32 = 40;

/// The parts that workers need.
#[derive(Clone)]
pub struct Workers {
    /// The operations.
    pub workload: Workload,
    /// The recording of the operations.
    pub recording: Arc<Recording>,
    /// The client library that the busy clients share.
    pub busy_library: Arc<dyn RawKv>,
    /// One client library for each idle client.
    pub idle_libraries: Vec<Arc<dyn RawKv>>,
    /// The number of busy clients.
    pub busy_clients: u32,
    /// The deadline of a busy client's operation.
    pub op_timeout: Duration,
    /// The deadline of an idle client's operation.
    pub idle_op_timeout: Duration,
    /// Operations per second over all busy clients; `None` = unlimited.
    pub rate: Option<u64>,
}

impl Workers {
    /// Loads every key once, all busy clients together. Ends early when keys cannot be loaded, and
    /// returns those.
    pub async fn load(&self, stop: &watch::Receiver<bool>) -> Vec<Key> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for worker in 0..self.busy_clients {
            let (workers, next, stop) = (self.clone(), Arc::clone(&next), stop.clone());
            tasks.spawn(async move { workers.load_some(worker, &next, &stop).await });
        }
        tasks.join_all().await.concat()
    }

    async fn load_some(
        &self,
        worker: u32,
        next: &AtomicUsize,
        stop: &watch::Receiver<bool>,
    ) -> Vec<Key> {
        let mut client = self.recording.client();
        let mut generator = self.workload.generator(worker);
        let mut missing = Vec::new();
        let op_timeout = self.op_timeout.max(LOAD_OP_TIMEOUT_MIN);
        while let Some(key) = self.workload.keys().get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut tries = 0;
            loop {
                let put = generator.put(client.id(), key.clone());
                let (_, outcome) =
                    client.execute(self.busy_library.as_ref(), "INSERT", put, op_timeout).await;
                tries += 1;
                if matches!(outcome, Outcome::Ok(_)) {
                    break;
                }
                if tries == LOAD_TRIES_MAX || *stop.borrow() {
                    missing.push(key.clone());
                    // Gives no further key to any client.
                    next.store(self.workload.keys().len(), Ordering::Relaxed);
                    break;
                }
                tokio::time::sleep(AFTER_FAILURE * tries).await;
            }
            if *stop.borrow() {
                break;
            }
        }
        missing
    }

    /// Works until the switch is thrown and every operation has ended.
    pub async fn work(&self, stop: &watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        for worker in 0..self.busy_clients {
            let (workers, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move { workers.be_busy(worker, &stop).await });
        }
        for (worker, library) in (self.busy_clients..).zip(self.idle_libraries.clone()) {
            let (workers, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move { workers.be_idle(worker, library.as_ref(), stop).await });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn be_busy(&self, worker: u32, stop: &watch::Receiver<bool>) {
        let mut client = self.recording.client();
        // The load already drew from the first streams.
        let mut generator = self.workload.generator(1_000 + worker);
        let mut pace = self.rate.map(|rate| Pace::new(rate, self.busy_clients, worker));
        while !*stop.borrow() {
            if let Some(pace) = &mut pace {
                pace.wait().await;
            }
            let operation = generator.next(client.id());
            let outcome =
                self.execute(&mut client, &mut generator, operation, self.op_timeout).await;
            if !matches!(outcome, Outcome::Ok(_)) {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }

    async fn execute(
        &self,
        client: &mut Client,
        generator: &mut Generator,
        operation: Operation,
        timeout: Duration,
    ) -> Outcome {
        let kind = kind(&operation);
        let library = self.busy_library.as_ref();
        let (operation, outcome) = client.execute(library, kind, operation, timeout).await;
        if let Outcome::Ok(answer) = &outcome {
            generator.observe(&operation, answer);
        }
        outcome
    }

    /// Waits while no write is acknowledged, and a moment more after that. By then the new leader
    /// has written, and this client still has the old route. Bounded; costs little at a low rate.
    async fn await_writes(&self, stop: &watch::Receiver<bool>) {
        let until = Instant::now() + AWAIT_WRITES;
        let mut stalled = false;
        while Instant::now() < until && !*stop.borrow() {
            let before = self.recording.acknowledged_writes();
            tokio::time::sleep(WRITES_STALL_AFTER).await;
            let flows = self.recording.acknowledged_writes() > before;
            if flows && !stalled {
                return;
            }
            if flows {
                tokio::time::sleep(WRITES_STALL_AFTER).await;
                return;
            }
            stalled = true;
        }
    }

    async fn be_idle(&self, worker: u32, library: &dyn RawKv, mut stop: watch::Receiver<bool>) {
        let mut client = self.recording.client();
        let mut generator = self.workload.generator(1_000 + worker);
        loop {
            let idle_ms = generator.between(IDLE_MS_MIN, IDLE_MS_MAX);
            tokio::select! {
            biased;
                () = tokio::time::sleep(Duration::from_millis(idle_ms)) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            if generator.between(1, 100) <= PATIENT_PERCENT {
                self.await_writes(&stop).await;
            }
            let mut reads_left = 1;
            while reads_left > 0 && !*stop.borrow() {
                reads_left -= 1;
                let fresh = self.recording.fresh_key(generator.between(0, u64::MAX));
                let of_fresh_key = fresh.filter(|_| generator.between(1, 100) <= FRESH_PERCENT);
                let read = match of_fresh_key {
                    Some(key) => Operation::Get { key },
                    None => generator.next_read(),
                };
                let begun = Instant::now();
                let (_, outcome) =
                    client.execute(library, kind(&read), read, self.idle_op_timeout).await;
                let late = begun.elapsed() >= LATE;
                match outcome {
                    Outcome::Ok(_) if late => reads_left = READS_AFTER_LATE,
                    Outcome::Ok(_) => {}
                    Outcome::Fail | Outcome::Info => reads_left = 0,
                }
            }
        }
    }
}

/// go-ycsb's name of an operation.
fn kind(operation: &Operation) -> &'static str {
    match operation {
        Operation::Get { .. } => "READ",
        Operation::Put { .. } => "UPDATE",
        Operation::Delete { .. } => "DELETE",
        Operation::Cas { .. } => "CAS",
        Operation::BatchGet { .. } => "BATCH_READ",
        Operation::BatchPut { .. } => "BATCH_UPDATE",
        Operation::BatchDelete { .. } => "BATCH_DELETE",
        Operation::Scan { .. } => "SCAN",
        Operation::DeleteRange { .. } => "DELETE_RANGE",
    }
}

/// Spreads a rate evenly: each worker has its turns, and lost turns are not made up for.
struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    fn new(rate: u64, workers: u32, worker: u32) -> Self {
        let every = Duration::from_secs_f64(f64::from(workers) / rate as f64);
        Self { next: Instant::now() + every.mul_f64(f64::from(worker) / f64::from(workers)), every }
    }

    async fn wait(&mut self) {
        tokio::time::sleep_until(self.next).await;
        self.next = (self.next + self.every).max(Instant::now());
    }
}

#[cfg(test)]
mod tests;
