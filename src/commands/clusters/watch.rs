//! `cluster status`: shows the status once, or again every second.
//!
//! In: the choice of a cluster. Out: a table or JSON on stdout. On a terminal `--watch` redraws in
//! place, elsewhere it appends. Ctrl-C ends it with success, and so does the end of the cluster's
//! directory or of the reader of stdout.

use super::{choice, directory::ClusterDirectory, status::ClusterStatus, table};
use crate::cli::StatusArgs;
use failure::{Exit, Failure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use run::interrupt::{Interrupt, Urgency};
use std::{cell::RefCell, io::IsTerminal, time::Duration};

/// The interval between two rounds.
const EVERY: Duration = Duration::from_secs(1);

/// `jepsen-tikv cluster status`.
pub fn command(args: &StatusArgs) -> Result<Exit, Failure> {
    let subject = if args.pd.is_empty() {
        Subject::Own(choice::of(&args.place.runs_dir, args.place.tag.as_deref())?)
    } else {
        Subject::Foreign(args.pd.clone())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::software)?.block_on(async {
        if args.watch {
            return watch(&subject, args.json).await;
        }
        let status = subject.look().await?;
        if args.json {
            terminal::data(serde_json::to_string_pretty(&status).map_err(Failure::software)?);
        } else {
            table::lines(&status).iter().for_each(terminal::result);
        }
        Ok(Exit::Valid)
    })
}

enum Subject {
    Own(ClusterDirectory),
    Foreign(Vec<String>),
}

impl Subject {
    async fn look(&self) -> Result<ClusterStatus, Failure> {
        match self {
            Self::Own(directory) => ClusterStatus::of_cluster(directory).await,
            Self::Foreign(endpoints) => ClusterStatus::of_pd(endpoints).await,
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self, Self::Own(directory) if !directory.exists())
    }
}

async fn watch(subject: &Subject, json: bool) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen().map_err(Failure::software)?;
    let screen = Screen::new(json);
    loop {
        let round = async {
            // A PD that does not answer is shown and asked again: such moments are the reason to
            // watch.
            let text = match subject.look().await {
                Ok(status) if json => serde_json::to_string(&status).map_err(Failure::software)?,
                Ok(status) => table::lines(&status).join("\n"),
                Err(failure) if json => {
                    serde_json::json!({ "error": failure.sentence }).to_string()
                }
                Err(failure) => failure.sentence,
            };
            let seen = screen.show(text);
            tokio::time::sleep(EVERY).await;
            Ok(seen)
        };
        tokio::select! {
            seen = round => if !seen? { break },
            () = interrupt.at_least(Urgency::Early) => break,
        }
        if subject.is_gone() {
            screen.show("the cluster has ended, and its data is removed".into());
            break;
        }
    }
    screen.leave();
    Ok(Exit::Valid)
}

/// The output of the rounds: in place on a terminal, one after the other elsewhere.
enum Screen {
    /// A bar that is redrawn, and its last text, which is printed once at the end.
    InPlace(ProgressBar, RefCell<String>),
    Appending,
}

impl Screen {
    fn new(json: bool) -> Self {
        if json || !std::io::stdout().is_terminal() {
            return Self::Appending;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        // The table is the bar's message, because bars redraw in place well.
        let plain = ProgressStyle::with_template("{msg}");
        bar.set_style(plain.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self::InPlace(bar, RefCell::default())
    }

    /// Shows a round. Returns false if the reader is gone.
    fn show(&self, text: String) -> bool {
        match self {
            Self::InPlace(bar, last) => {
                let now = jiff::Timestamp::now().strftime("%H:%M:%S UTC");
                bar.set_message(format!("{text}\n\n{now}, again every second; Ctrl-C ends this"));
                last.replace(text);
                true
            }
            Self::Appending => terminal::data(text),
        }
    }

    /// Leaves the last round on the screen.
    fn leave(&self) {
        if let Self::InPlace(bar, last) = self {
            bar.finish_and_clear();
            last.borrow().lines().for_each(terminal::result);
        }
    }
}
