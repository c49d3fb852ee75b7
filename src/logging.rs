//! The amount and the form of the program's messages besides its results.
//!
//! In: `-q`, `-v`, `--log-format`. Out: a subscriber of `tracing` that writes to stderr; with `-q`
//! the notes on stderr are silenced. Results on stdout and the sentence of a failure are not
//! affected.

use crate::cli::{LogFormat, Verbosity};
use terminal::Log;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Starts logging, once in a process.
pub fn begin(verbosity: &Verbosity) {
    terminal::silence_notes(verbosity.quiet);
    if verbosity.verbose > 0 {
        terminal::say_more();
    }
    let level = match (verbosity.quiet, verbosity.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, 2) => Level::DEBUG,
        (false, _) => Level::TRACE,
    };
    // Libraries log only with more than one -v: their messages are another program's log.
    let others = if level > Level::INFO { level } else { Level::ERROR };
    let ours = ["jepsen_tikv", "checker", "client", "cluster", "histories", "nemesis"];
    let filter = Targets::new()
        .with_default(LevelFilter::from_level(others))
        .with_targets(ours.map(|target| (target, level)));
    let log = Log { json: verbosity.log_format == LogFormat::Json };
    // Without colours, so that an event contains nothing that a terminal obeys.
    let builder =
        tracing_subscriber::fmt().with_writer(move || log).with_ansi(false).with_max_level(level);
    // A second subscriber changes nothing; a process of the embedded cluster has its own.
    let _ = match verbosity.log_format {
        LogFormat::Text => install(builder.finish(), filter),
        LogFormat::Json => install(builder.json().finish(), filter),
    };
}

fn install<S>(subscriber: S, filter: Targets) -> Result<(), tracing_subscriber::util::TryInitError>
where
    S: tracing::Subscriber
        + for<'a> tracing_subscriber::registry::LookupSpan<'a>
        + Send
        + Sync
        + 'static,
{
    use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
    subscriber.with(filter).try_init()
}
