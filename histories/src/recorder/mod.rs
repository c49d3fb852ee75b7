//! Records a run: appends events to `history.jsonl` while clients work, without making them wait
//! for the disk.
//!
//! In: events from many threads through [`RecorderHandle::record`], each with the time that its own
//! thread took (before the request is sent, after the reply is there). Out: the file, and a
//! [`RecordError`] where the disk gave up. It does not know clocks: times are handed in.
//!
//! - Workers push into a queue and never wait. One thread assigns the indexes, in the order of the
//!   queue, formats and writes. Since one client's events come from one thread at a time, they keep
//!   their order.
//! - The thread wakes every [`POLL`] and takes all queued events, so that pushing costs no wake-up
//!   call.
//! - Only whole lines are handed to the file, at least every [`FLUSH`]. The file is append-only:
//!   after a crash at any byte it is a readable prefix, at most with a torn last line. After a
//!   refused write it ends with a whole line.
//! - A long history is cut into segments, and full segments are compressed, if [`RecorderOptions`]
//!   say so.
//! - A listener gets the events in the order of their indexes while they are recorded.
//! - The queue is bounded: when [`PENDING_MAX`] events wait, the disk is too slow to record on. The
//!   recorder then fails, as it does on a write error, and says so through
//!   [`RecorderHandle::failure`]; it never blocks.

mod segmented;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::event::{Attempt, Event, Header, Process, What};
use crate::torn_end;
use segmented::Segmented;

/// The time that the writing thread sleeps when nothing waits.
pub const POLL: Duration = Duration::from_millis(2);
/// The largest delay until a recorded event is in the file.
pub const FLUSH: Duration = Duration::from_millis(50);
/// The largest number of events that may wait for the disk; about half a gigabyte, and minutes of a
/// fast run.
pub const PENDING_MAX: u64 = 2_000_000;

/// The reason that the history is not whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// The file could not be created.
    #[error("cannot create the history {path}: {reason}")]
    Create {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The disk refused a write.
    #[error("cannot write the history {path}: {reason}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The disk is too slow.
    #[error("the disk under {path} is too slow: {PENDING_MAX} events wait to be written")]
    Behind {
        /// The file.
        path: PathBuf,
    },
}

/// One event as a worker has it: everything but the index.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Nanoseconds since the run's start.
    pub time_ns: u64,
    /// The client or nemesis.
    pub process: Process,
    /// The content of the event.
    pub what: What,
    /// The error's text, for `fail` and `info`.
    pub error: Option<String>,
    /// The attempts behind a completion.
    pub attempts: Vec<Attempt>,
}

impl Record {
    /// Creates a record without an error and without attempts.
    pub fn new(time_ns: u64, process: Process, what: What) -> Self {
        Self { time_ns, process, what, error: None, attempts: Vec::new() }
    }
}

/// Owns the file and the thread that writes it. Dropped without [`finish`](Recorder::finish), it
/// still writes everything that was recorded before the last handle was dropped.
#[derive(Debug)]
pub struct Recorder {
    handle: Option<RecorderHandle>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// Records events; one per worker, or shared.
#[derive(Debug, Clone)]
pub struct RecorderHandle {
    sender: Sender<Message>,
    shared: Arc<Shared>,
}

/// The optional features of a recorder.
#[derive(Debug, Clone, Default)]
pub struct RecorderOptions {
    /// The size from which on a segment is full and the next is begun; `None` = never.
    pub segment_bytes_max: Option<u64>,
    /// The receiver of every event that was written. The recorder does not wait for it.
    pub listener: Option<Sender<Event>>,
}

#[derive(Debug)]
enum Message {
    Record(Record),
    Finish,
}

#[derive(Debug, Default)]
struct Shared {
    path: PathBuf,
    pending: AtomicU64,
    recorded: AtomicU64,
    failure: OnceLock<RecordError>,
}

impl Recorder {
    /// Creates the file, which must not exist yet, and writes the header to it.
    pub fn create(
        path: &Path,
        header: &Header,
        options: RecorderOptions,
    ) -> Result<Self, RecordError> {
        let failed = |error: io::Error| RecordError::Create {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut file =
            Segmented::create(path, header, options.segment_bytes_max).map_err(failed)?;
        file.flush().map_err(failed)?;
        Self::start(path, file, options.listener).map_err(failed)
    }

    fn start(path: &Path, file: Segmented, listener: Option<Sender<Event>>) -> io::Result<Self> {
        let shared = Arc::new(Shared { path: path.to_owned(), ..Shared::default() });
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new().name("recorder".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || write_all(&receiver, file, listener, &shared)
        })?;
        let handle = RecorderHandle { sender, shared: Arc::clone(&shared) };
        Ok(Self { handle: Some(handle), thread: Some(thread), shared })
    }

    /// Creates a handle for a worker.
    pub fn handle(&self) -> RecorderHandle {
        self.handle.clone().expect("the handle is there until the recorder is finished")
    }

    /// The failure so far, if any.
    pub fn failure(&self) -> Option<RecordError> {
        self.shared.failure.get().cloned()
    }

    /// Writes the waiting events, syncs the file, and returns the number of events in it. Events
    /// recorded after this, through handles that still exist, are dropped.
    pub fn finish(mut self) -> Result<u64, RecordError> {
        self.stop();
        match self.failure() {
            Some(failure) => Err(failure),
            None => Ok(self.shared.recorded.load(Ordering::Acquire)),
        }
    }

    fn stop(&mut self) {
        if let Some(handle) = self.handle.take() {
            // A send fails only when the thread is gone, and then there is nothing to tell it.
            let _ = handle.sender.send(Message::Finish);
        }
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the recorder's thread does not panic");
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop();
    }
}

impl RecorderHandle {
    /// Queues an event. Never waits; after a failure events are dropped, since the run is lost
    /// anyway.
    pub fn record(&self, record: Record) {
        if self.shared.pending.fetch_add(1, Ordering::Relaxed) >= PENDING_MAX {
            self.shared.fail(RecordError::Behind { path: self.shared.path.clone() });
        }
        if self.shared.failure.get().is_none() {
            // A send fails only after `finish`, after which events are dropped.
            let _ = self.sender.send(Message::Record(record));
        }
    }

    /// The failure so far, if any; workers poll it, and end the run.
    pub fn failure(&self) -> Option<RecordError> {
        self.shared.failure.get().cloned()
    }
}

impl Shared {
    fn fail(&self, failure: RecordError) {
        // The first failure stands.
        let _ = self.failure.set(failure);
    }
}

/// The recorder's thread: takes everything that waits, writes it, sleeps, until it is told to
/// finish.
fn write_all(
    receiver: &Receiver<Message>,
    mut file: Segmented,
    mut listener: Option<Sender<Event>>,
    shared: &Shared,
) {
    let mut index = 0;
    let mut flushed = Instant::now();
    let failed = |error: io::Error| {
        shared.fail(RecordError::Write { path: shared.path.clone(), reason: error.to_string() });
    };
    loop {
        let message = receiver.try_recv();
        match message {
            Ok(Message::Record(record)) => {
                shared.pending.fetch_sub(1, Ordering::Relaxed);
                if shared.failure.get().is_some() {
                    continue;
                }
                let event = Event {
                    index,
                    time_ns: record.time_ns,
                    process: record.process,
                    what: record.what,
                    error: record.error,
                    attempts: record.attempts,
                };
                match file.write(&event) {
                    Ok(()) => index += 1,
                    Err(error) => {
                        failed(error);
                        continue;
                    }
                }
                // The listener may be gone.
                listener = listener.filter(|listener| listener.send(event).is_ok());
            }
            Err(TryRecvError::Empty) => {
                if flushed.elapsed() >= FLUSH {
                    file.flush().unwrap_or_else(failed);
                    flushed = Instant::now();
                }
                thread::sleep(POLL);
            }
            Ok(Message::Finish) | Err(TryRecvError::Disconnected) => break,
        }
    }
    file.finish().unwrap_or_else(failed);
    if shared.failure.get().is_some() {
        // If that is refused as well, the end stays torn, and a reader reports it.
        let _ = torn_end::cut(&shared.path);
    }
    shared.recorded.store(index, Ordering::Release);
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::operation::Operation;
    use std::fs::OpenOptions;

    #[test]
    fn full_disk_fails_the_recording_and_nothing_panics() {
        let path = Path::new("/dev/full");
        let file = OpenOptions::new().append(true).open(path).expect("Linux has /dev/full");
        let file =
            Segmented::behind(path, &Header::default(), None, file).expect("it takes the header");
        let recorder = Recorder::start(path, file, None).expect("a thread");
        let handle = recorder.handle();
        let get = What::Invoke(Operation::Get { key: b"k".to_vec() });
        handle.record(Record::new(0, Process::Client(0), get));
        assert!(matches!(recorder.finish(), Err(RecordError::Write { .. })));
        assert!(matches!(handle.failure(), Some(RecordError::Write { .. })));
    }
}
