//! Progress of reading and judging a history: a bar with a length once it takes a while.
//!
//! In: the position in the file, polled ten times a second. Out: stderr, if it is a terminal. Short
//! files, which are nearly all, draw nothing.

use crate::escaped;
use histories::jsonl::Position;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    path::Path,
    sync::{
        OnceLock,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The time before a bar appears.
const QUIET: Duration = Duration::from_millis(300);

/// Runs `work` and shows the reading position meanwhile. The work provides the position once the
/// file is open.
pub fn during<T>(path: &Path, work: impl FnOnce(&OnceLock<Position>) -> T) -> T {
    let position = OnceLock::new();
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let position = &position;
        scope.spawn(move || show(path, position, &ended));
        // Dropped however the work ends, which ends the display.
        let _done = done;
        work(position)
    })
}

fn show(path: &Path, position: &OnceLock<Position>, ended: &mpsc::Receiver<()>) {
    let waits = |time| matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    if !waits(QUIET) {
        return;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    bar.set_message(format!("reading {}", escaped(path.display())));
    loop {
        if let Some(position) = position.get() {
            let read = position.read();
            if let Some(length) = position.length().filter(|_| bar.length().is_none()) {
                bar.set_length(length);
                bar.set_style(style());
            }
            bar.set_position(read);
            if position.length().is_some_and(|length| read >= length) {
                bar.set_message(format!("judging {}", escaped(path.display())));
            }
        }
        if !waits(LOOK_EVERY) {
            break;
        }
    }
    bar.finish_and_clear();
}

fn style() -> ProgressStyle {
    // The template is our constant: if it were wrong, the plain bar would do.
    ProgressStyle::with_template("{msg} [{bar:24}] {bytes} of {total_bytes}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_waited_for_and_no_longer() {
        assert_eq!(during(Path::new("x"), |_| 7), 7);
        let panicked = std::panic::catch_unwind(|| during(Path::new("x"), |_| panic!("work")));
        assert!(panicked.is_err(), "a panic ends the showing too");
    }
}
