//! Takes over the terminal and restores it.
//!
//! In: frames. Out: the alternate screen of standard error. Keys are not echoed meanwhile and not
//! read. The terminal still turns Ctrl-C into a signal, so that a run can be interrupted even if
//! drawing hangs. The terminal is restored when this is dropped, and before a panic prints its
//! message; only SIGKILL leaves it as it is (`reset` helps).

use super::{draw, shown::Shown};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::{Hide, Show},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen},
    },
};
use std::{
    io::{Stderr, stderr, stdin},
    sync::{Mutex, Once, PoisonError},
};

/// The terminal's state before it was taken over, until it is restored.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);
static HOOK: Once = Once::new();

struct Taken {
    /// The settings of standard input, if it is a terminal.
    settings: Option<Termios>,
}

/// The terminal, taken over.
#[derive(Debug)]
pub struct Screen(Terminal<CrosstermBackend<Stderr>>);

impl Screen {
    /// Takes over the terminal.
    pub fn enter() -> std::io::Result<Self> {
        HOOK.call_once(|| {
            let told = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                told(panic);
            }));
        });
        let settings = tcgetattr(stdin()).ok();
        *taken() = Some(Taken { settings: settings.clone() });
        if let Some(mut quiet) = settings {
            quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
            // Ctrl-Z would leave a suspended run on the alternate screen.
            quiet.control_chars[SpecialCharacterIndices::VSUSP as usize] =
                nix::libc::_POSIX_VDISABLE;
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, &quiet);
        }
        let entered = execute!(stderr(), EnterAlternateScreen, Hide);
        let terminal = entered.and_then(|()| Terminal::new(CrosstermBackend::new(stderr())));
        terminal.map(Self).inspect_err(|_| give_back())
    }

    /// Draws a frame. Returns true if the terminal is still ours.
    pub fn show(&mut self, shown: &Shown) -> bool {
        // After a panic the terminal belongs to the panic's message. The lock is not held while
        // drawing: a panic in there restores the terminal, too.
        let is_ours = taken().is_some();
        is_ours && self.0.draw(|frame| draw::draw(frame, shown)).is_ok()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Restores the terminal, once.
fn give_back() {
    let Some(Taken { settings }) = taken().take() else { return };
    // A terminal that went away needs no restoring.
    let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    if let Some(settings) = settings {
        // Keys that were typed meanwhile are discarded.
        let _ = tcsetattr(stdin(), SetArg::TCSAFLUSH, &settings);
    }
}

fn taken() -> std::sync::MutexGuard<'static, Option<Taken>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
