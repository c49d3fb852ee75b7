//! A run in the terminal (`--tui`): the live page in small.
//!
//! In: how far the run is, and what is seen of cluster and clients once a second. Out: a screen on standard error,
//! redrawn a few times a second by a thread of its own. Ctrl-C does what it always does; whatever way the run ends, a
//! panic included, the terminal is as it was (`screen`). Results are kept until then, and printed as ever.

mod draw;
mod screen;
mod shown;

use crate::watch::live::Past;
use failure::Failure;
use screen::Screen;
use shown::Shown;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use terminal::progress::Progress;

/// Between two frames.
const EVERY: Duration = Duration::from_millis(250);

/// The screen, until this is dropped.
#[derive(Debug)]
pub struct Tui {
    seen: Seen,
    over: Arc<AtomicBool>,
    drawing: Option<JoinHandle<()>>,
}

/// Where the run puts what is seen of the cluster, once there is one.
pub type Seen = Arc<Mutex<Option<Past>>>;

impl Tui {
    /// Takes the terminal.
    pub fn start(title: &str, progress: &Progress) -> Result<Self, Failure> {
        let mut screen = Screen::enter().map_err(|error| {
            Failure::target_or_disk(format!(
                "--tui cannot draw on this terminal: {error}; leave it away"
            ))
        })?;
        let (seen, over) = (Seen::default(), Arc::new(AtomicBool::new(false)));
        let (title, progress) = (title.to_owned(), progress.clone());
        let (seen_by_thread, over_for_thread) = (Arc::clone(&seen), Arc::clone(&over));
        let drawing = std::thread::spawn(move || {
            while !over_for_thread.load(Ordering::Relaxed) {
                let past = seen_by_thread.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let shown = Shown::of(&title, &progress, past.as_ref());
                if !screen.show(&shown) {
                    return;
                }
                std::thread::park_timeout(EVERY);
            }
        });
        Ok(Self { seen, over, drawing: Some(drawing) })
    }

    /// Where to put what is seen of the cluster.
    pub fn seen(&self) -> Seen {
        Arc::clone(&self.seen)
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(drawing) = self.drawing.take() {
            drawing.thread().unpark();
            // The thread gave the terminal back when it ended, by a panic too.
            let _ = drawing.join();
        }
    }
}
