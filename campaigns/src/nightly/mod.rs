//! `nightly`: runs a night of tests in a time budget, for CI and for machines that are idle at
//! night.
//!
//! In: flags, `nightly.toml`, and the results of earlier nights. Out: a table, one exit code, and
//! in the night's folder `summary.json`, `summary.md`, `junit.xml` and an archive of every run that
//! was not valid. The order: the self-test, because a tester that catches nothing tonight must call
//! nothing valid; plans that failed in earlier nights; the matrix. A failure does not end the
//! night. Every step is in the journal first, so that the same command continues after a reboot.

mod annotations;
mod carry_out;
mod classify;
mod failing_plans;
mod journal;
mod junit;
mod markdown;
pub mod matrix;
mod night;
mod nights;
mod outcome;
mod settings;
mod summary;
mod table;

pub use settings::{Settings, Span};

use crate::attempts::children::Children;
use carry_out::Steps;
use failing_plans::FailingPlans;
use failure::{Exit, Failure};
use journal::Journal;
use matrix::ReadFlags;
use night::Night;
use nights::Nights;
use run::interrupt::Listener;
use settings::Keep;
use std::path::{Path, PathBuf};
use targets::heal;
use terminal::progress::Progress;

/// The options of a night.
#[derive(Debug)]
pub struct Nightly {
    /// The settings of the runs.
    pub settings: Settings,
    /// True if the user chose some of the settings.
    pub has_chosen: bool,
    /// The seed of all random choices; `None` = drawn.
    pub seed: Option<u64>,
    /// The folder of all nights.
    pub out: PathBuf,
    /// True to begin a new night even if the last one was interrupted.
    pub fresh: bool,
    /// True to report failures in GitHub's form, too.
    pub github_annotations: bool,
    /// The parser of a cell's flags.
    pub read_flags: ReadFlags,
}

/// Runs a night, or continues the last one.
pub fn command(args: &Nightly) -> Result<Exit, Failure> {
    let settings = args.settings.clone();
    heal::before_a_run()?;
    let seed = args.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    // Settings that cannot be run are refused before any file is created.
    matrix::of(&settings, seed, args.read_flags)?;
    let nights = Nights::open(&args.out)?;
    let listener = Listener::start()?;
    let (path, journal) = begin(args, &nights, seed, settings)?;
    let header = &journal.header;
    let mut matrix = matrix::of(&header.settings, header.seed, args.read_flags)?;
    matrix.least_tried_first(header.seed, &nights.tried_before(&path));
    let steps = Steps {
        night: path,
        children: Children::new(listener.interrupt())?,
        failing: FailingPlans::of(nights.path()),
        keep_all: header.settings.keep == Keep::All,
    };
    let mut night = Night {
        steps,
        journal,
        matrix,
        read_flags: args.read_flags,
        progress: Progress::new(),
        not_run: Vec::new(),
    };
    night.run()?;
    night.conclude(&nights, args.github_annotations)
}

/// Returns the last night if it was interrupted, otherwise a new one.
fn begin(
    args: &Nightly,
    nights: &Nights,
    seed: u64,
    settings: Settings,
) -> Result<(PathBuf, Journal), Failure> {
    let interrupted = if args.fresh { None } else { nights.interrupted()? };
    let Some((path, journal)) = interrupted else {
        let (path, journal) = nights.begin(seed, settings)?;
        terminal::result(format_args!("seed {seed}, night {}", shown(&path)));
        return Ok((path, journal));
    };
    let header = &journal.header;
    let asked = args.has_chosen;
    // The user decides what is run, not a folder, which may be somebody else's.
    let other = settings.axes() != header.settings.axes() || (asked && settings != header.settings);
    if other || args.seed.is_some_and(|it| it != header.seed) {
        return Err(Failure::usage(format!(
            "the night that began at {} in {} was interrupted, and had other settings: go on with it by the same \
             flags as then, or begin another with --fresh",
            header.began,
            shown(&path)
        )));
    }
    let done = journal.rows.len();
    terminal::result(format_args!(
        "seed {}, night {}: it goes on after an interruption, {done} runs are done",
        header.seed,
        shown(&path)
    ));
    for label in &journal.interrupted {
        terminal::note(format_args!("{label} was cut short, and is run anew"));
    }
    Ok((path, journal))
}

/// Formats a path as a person would type it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
