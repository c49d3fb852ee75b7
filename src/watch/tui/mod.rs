//! A run in the terminal (`--tui`): a smaller form of the live page.
//!
//! In: the run's progress, and observations of cluster and clients once a second. Out: a screen on
//! standard error, redrawn a few times a second by a thread of its own. Ctrl-C works as without it.
//! However the run ends, a panic included, the terminal is restored (`screen`). Results are kept
//! until then, and printed as usual.

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

/// The interval of the frames.
const EVERY: Duration = Duration::from_millis(250);

/// The screen, until this is dropped.
#[derive(Debug)]
pub struct Tui {
    seen: Seen,
    over: Arc<AtomicBool>,
    drawing: Option<JoinHandle<()>>,
}

/// The place where the run puts observations of the cluster, once there is one.
pub type Seen = Arc<Mutex<Option<Past>>>;

impl Tui {
    /// Takes over the terminal.
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

    /// Returns the place for observations of the cluster.
    pub fn seen(&self) -> Seen {
        Arc::clone(&self.seen)
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(drawing) = self.drawing.take() {
            drawing.thread().unpark();
            // The thread has restored the terminal when it ends, even by a panic.
            let _ = drawing.join();
        }
    }
}
