//! The terminal, taken and given back.
//!
//! In: frames. Out: the alternate screen of standard error. Keys are not echoed meanwhile and not read, but the terminal
//! still turns Ctrl-C into a signal, so that a run is interrupted by the same way as ever even if drawing hangs. It is
//! given back when this is dropped, and before a panic says anything; only SIGKILL leaves it as it is (`reset` helps).

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

/// How the terminal was, while it is ours.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);
static HOOK: Once = Once::new();

struct Taken {
    /// Its settings, if standard input is one.
    settings: Option<Termios>,
}

/// The terminal, taken.
#[derive(Debug)]
pub struct Screen(Terminal<CrosstermBackend<Stderr>>);

impl Screen {
    /// Takes it.
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
            // Ctrl-Z would leave a stopped run on the alternate screen.
            quiet.control_chars[SpecialCharacterIndices::VSUSP as usize] =
                nix::libc::_POSIX_VDISABLE;
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, &quiet);
        }
        let entered = execute!(stderr(), EnterAlternateScreen, Hide);
        let terminal = entered.and_then(|()| Terminal::new(CrosstermBackend::new(stderr())));
        terminal.map(Self).inspect_err(|_| give_back())
    }

    /// Draws a frame. Whether the terminal is still ours.
    pub fn show(&mut self, shown: &Shown) -> bool {
        // After a panic somewhere the terminal belongs to what it says.
        // Not looked at while drawing: a panic in there gives the terminal back, too.
        let is_ours = taken().is_some();
        is_ours && self.0.draw(|frame| draw::draw(frame, shown)).is_ok()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, once.
fn give_back() {
    let Some(Taken { settings }) = taken().take() else { return };
    // A terminal that went away needs nothing back.
    let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    if let Some(settings) = settings {
        // What was typed meanwhile was for nobody.
        let _ = tcsetattr(stdin(), SetArg::TCSAFLUSH, &settings);
    }
}

fn taken() -> std::sync::MutexGuard<'static, Option<Taken>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
