//! Records each client operation: invoked before it is sent, completed after it is answered.
//!
//! In: an operation, and the client library that executes it. Out: the reply, and two events of the
//! history. Only this module translates the libraries' terms (requests, responses, fates) into
//! those of a history, and only this module assigns client ids.

use crate::{
    clock::Clock,
    listener::{Listener, RunEvent},
    measurement::Measurement,
};
use client::{RawKv, Request, Response};
use failure::Failure;
use histories::{
    Answer, Attempt, ClientId, Key, Operation, Outcome, Process, Record, RecordError,
    RecorderHandle, What,
};
use judge::ended_early::EndedEarly;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// The number of last acknowledged writes that are remembered.
const FRESH_KEYS_MAX: usize = 32;

/// The failure of a run whose history could not be written. The file still holds a valid history.
pub fn not_recorded(error: &RecordError) -> Failure {
    Failure::target_or_disk(format!(
        "{error}; make room or choose another --runs-dir; what was recorded until then is whole: jepsen-tikv check judges it"
    ))
}

/// The state that all clients of a run share.
#[derive(Debug)]
pub struct Recording {
    clock: Clock,
    recorder: RecorderHandle,
    /// False only while the cost of recording is measured.
    records: AtomicBool,
    next_client: AtomicU64,
    completed: AtomicU64,
    succeeded: AtomicU64,
    acknowledged_writes: AtomicU64,
    /// Sum of the durations of operations that succeeded, in microseconds.
    latency_us: AtomicU64,
    /// The invocation times of open writes, by client.
    open_writes: Mutex<BTreeMap<ClientId, u64>>,
    measurement: Mutex<Measurement>,
    /// Measurements since the last look of a live page; kept only if there is a page.
    since_look: OnceLock<Mutex<Measurement>>,
    /// The listeners.
    listeners: OnceLock<Vec<Weak<dyn Listener>>>,
    /// The keys of the last acknowledged writes, the newest last.
    fresh_keys: Mutex<VecDeque<Key>>,
}

/// A logical client: sequential, retired after an operation of unknown outcome.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Recording>,
    id: ClientId,
}

impl Recording {
    /// A recording that writes to this recorder.
    pub fn new(clock: Clock, recorder: RecorderHandle) -> Arc<Self> {
        Arc::new(Self {
            clock,
            recorder,
            records: AtomicBool::new(true),
            next_client: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            succeeded: AtomicU64::new(0),
            acknowledged_writes: AtomicU64::new(0),
            latency_us: AtomicU64::new(0),
            open_writes: Mutex::default(),
            measurement: Mutex::default(),
            since_look: OnceLock::new(),
            listeners: OnceLock::new(),
            fresh_keys: Mutex::default(),
        })
    }

    /// Creates a client with a fresh id.
    pub fn client(self: &Arc<Self>) -> Client {
        Client { id: self.fresh_id(), shared: Arc::clone(self) }
    }

    /// Switches recording off and on again. A history recorded meanwhile has gaps and is not
    /// judged.
    pub fn set_records(&self, records: bool) {
        self.records.store(records, Ordering::Relaxed);
    }

    /// The number of operations completed so far, with any outcome.
    pub fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// The number of operations that succeeded so far.
    pub fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    /// Sum of the durations of operations that succeeded so far, in microseconds.
    pub fn latency_us(&self) -> u64 {
        self.latency_us.load(Ordering::Relaxed)
    }

    /// The time now, in nanoseconds since the run's start.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// The number of writes acknowledged so far.
    pub fn acknowledged_writes(&self) -> u64 {
        self.acknowledged_writes.load(Ordering::Relaxed)
    }

    /// The number of writes that have been open for at least `for_at_least`.
    pub fn waiting_writes(&self, for_at_least: Duration) -> u64 {
        let since_ns = self.now_ns().saturating_sub(for_at_least.as_nanos() as u64);
        let open = self.open_writes.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter(|invoked_ns| **invoked_ns <= since_ns).count() as u64
    }

    /// Notes that a client's write is open, or with `None` that it is not any more.
    fn note_open(&self, client: ClientId, invoked_ns: Option<u64>) {
        let mut open = self.open_writes.lock().unwrap_or_else(PoisonError::into_inner);
        match invoked_ns {
            Some(invoked_ns) => _ = open.insert(client, invoked_ns),
            None => _ = open.remove(&client),
        }
    }

    /// Sets the listeners, which receive every operation and the events of [`Self::tell`] from now
    /// on.
    pub fn heard_by(&self, listeners: &[Arc<dyn Listener>]) {
        // They may hold this recording for life, so it must not keep them alive.
        let listeners = listeners.iter().map(Arc::downgrade).collect();
        let _ = self.listeners.set(listeners);
    }

    /// Sends an event to the listeners.
    pub fn tell(&self, event: RunEvent<'_>) {
        for listener in self.listeners.get().into_iter().flatten().filter_map(Weak::upgrade) {
            listener.observe(event);
        }
    }

    /// From now on also keeps measurements for a live page, from one look to the next.
    pub fn measure_between_looks(&self) {
        self.since_look.get_or_init(Mutex::default);
    }

    /// Takes the measurements since the last look of a live page.
    pub fn take_since_look(&self) -> Measurement {
        let since = self.since_look.get();
        let take = |it: &Mutex<Measurement>| {
            std::mem::take(&mut *it.lock().unwrap_or_else(PoisonError::into_inner))
        };
        since.map(take).unwrap_or_default()
    }

    fn measure(&self, kind: &str, latency: Duration) {
        self.lock().record(kind, latency);
        if let Some(since) = self.since_look.get() {
            since.lock().unwrap_or_else(PoisonError::into_inner).record(kind, latency);
        }
    }

    /// Takes the measurements since the last call.
    pub fn take_measurement(&self) -> Measurement {
        std::mem::take(&mut self.lock())
    }

    /// go-ycsb's lines of the measurements so far.
    pub fn measurement_lines(&self, elapsed: Duration) -> Vec<String> {
        self.lock().lines(elapsed)
    }

    /// Records that the clients ended early.
    pub fn ended_early(&self, early: EndedEarly) {
        for what in early.events() {
            self.nemesis(what);
        }
    }

    /// Records an event of the nemesis now and returns its time.
    pub fn nemesis(&self, what: What) -> u64 {
        let now_ns = self.clock.now_ns();
        self.recorder.record(Record::new(now_ns, Process::Nemesis, what));
        now_ns
    }

    /// The key of one of the last acknowledged writes. A store with old state answers wrongly about
    /// it.
    pub fn fresh_key(&self, draw: u64) -> Option<Key> {
        let keys = self.fresh_keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(draw as usize % keys.len().max(1)).cloned()
    }

    fn note_fresh_key(&self, write: &Operation) {
        // One key of a batch is enough, since its keys are alike.
        let key = match write {
            Operation::Put { key, .. } | Operation::Cas { key, .. } | Operation::Delete { key } => {
                key
            }
            Operation::BatchPut { pairs } if !pairs.is_empty() => &pairs[0].0,
            Operation::BatchDelete { keys } if !keys.is_empty() => &keys[0],
            _ => return,
        };
        let mut keys = self.fresh_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() == FRESH_KEYS_MAX {
            keys.pop_front();
        }
        keys.push_back(key.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Measurement> {
        self.measurement.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh_id(&self) -> ClientId {
        self.next_client.fetch_add(1, Ordering::Relaxed)
    }
}

impl Client {
    /// The id of the client's next operation.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// Executes an operation and records it. `kind` is go-ycsb's name of it.
    pub async fn execute(
        &mut self,
        library: &dyn RawKv,
        kind: &str,
        operation: Operation,
        timeout: Duration,
    ) -> (Operation, Outcome) {
        let shared = Arc::clone(&self.shared);
        let request = to_request(&operation);
        let process = Process::Client(self.id);
        let invoked_ns = shared.clock.now_ns();
        let invoke = What::Invoke(operation.clone());
        let records = shared.records.load(Ordering::Relaxed);
        if records {
            shared.recorder.record(Record::new(invoked_ns, process, invoke));
        }

        let writes = !request.is_read();
        if writes {
            shared.note_open(self.id, Some(invoked_ns));
        }
        let reply = library.execute(&request, timeout).await;
        if writes {
            shared.note_open(self.id, None);
        }

        let returned_ns = shared.clock.now_ns();
        let (outcome, error) = match reply.outcome {
            client::Outcome::Ok(response) => (Outcome::Ok(to_answer(response)), None),
            client::Outcome::NotApplied(error) => (Outcome::Fail, Some(error.message)),
            client::Outcome::Unknown(error) => (Outcome::Info, Some(error.message)),
        };
        let clock = shared.clock;
        let attempts = reply.attempts.into_iter().map(|attempt| to_attempt(clock, attempt));
        let completion = Record {
            time_ns: returned_ns,
            process,
            what: What::Complete(operation.clone(), outcome.clone()),
            // A first attempt that succeeded adds nothing to the event.
            attempts: if error.is_some() { attempts.collect() } else { Vec::new() },
            error,
        };
        if records {
            shared.recorder.record(completion);
        }

        let latency = Duration::from_nanos(returned_ns - invoked_ns);
        shared.tell(RunEvent::Completed {
            operation: operation.name(),
            outcome: &outcome,
            latency,
        });
        match &outcome {
            Outcome::Ok(_) => {
                shared.measure(kind, latency);
                shared.succeeded.fetch_add(1, Ordering::Relaxed);
                shared.latency_us.fetch_add(latency.as_micros() as u64, Ordering::Relaxed);
            }
            Outcome::Fail | Outcome::Info => {
                shared.measure(&format!("{kind}_ERROR"), latency);
            }
        }
        shared.completed.fetch_add(1, Ordering::Relaxed);
        if matches!(outcome, Outcome::Ok(_)) && writes {
            shared.acknowledged_writes.fetch_add(1, Ordering::Relaxed);
            shared.note_fresh_key(&operation);
        }
        if outcome == Outcome::Info {
            self.id = shared.fresh_id();
        }
        (operation, outcome)
    }
}

fn to_request(operation: &Operation) -> Request {
    match operation.clone() {
        Operation::Get { key } => Request::Get { key },
        Operation::Put { key, value, ttl_s } => Request::Put { key, value, ttl_s },
        Operation::Delete { key } => Request::Delete { key },
        Operation::Cas { key, expected, new } => Request::Cas { key, expected, new },
        Operation::BatchGet { keys } => Request::BatchGet { keys },
        Operation::BatchPut { pairs } => Request::BatchPut { pairs },
        Operation::BatchDelete { keys } => Request::BatchDelete { keys },
        Operation::Scan { start, end, limit, reverse, key_only } => {
            Request::Scan { start, end, limit, reverse, key_only }
        }
        Operation::DeleteRange { start, end } => Request::DeleteRange { start, end },
    }
}

fn to_answer(response: Response) -> Answer {
    match response {
        Response::Got(value) => Answer::Got(value),
        Response::Done => Answer::Done,
        Response::Cas { swapped, previous } => Answer::Cas { swapped, previous },
        Response::GotBatch(pairs) => Answer::GotBatch(pairs),
        Response::Scanned(pairs) => Answer::Scanned(pairs),
        Response::ScannedKeys(keys) => Answer::ScannedKeys(keys),
    }
}

fn to_attempt(clock: Clock, attempt: client::Attempt) -> Attempt {
    Attempt {
        store: attempt.store,
        region: attempt.region,
        begin_ns: clock.at_ns(attempt.begun),
        end_ns: clock.at_ns(attempt.ended),
        error: attempt.error,
    }
}
