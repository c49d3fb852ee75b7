//! `serve`: shows the runs of a folder in a browser, the newest first, with new ones as they
//! appear.
//!
//! In: the folder that `--runs-dir` names, and an address. Out: a list with filters; for each run
//! its report, its files and an archive of all of them; and two runs side by side. The server only
//! reads, does not judge again, and keeps no state but a cache. A path that leads out of the
//! folder, through `..` or through a link, counts as missing (`inside`).

mod comparison;
mod inside;
mod media_type;
mod responses;
mod routes;
mod row;
mod runs;
mod tail;
mod verdict_head;

use crate::cli::ServeArgs;
use failure::{Exit, Failure};
use pages::serving;
use run::interrupt::{Interrupt, Urgency};
use runs::Runs;
use std::sync::Arc;

/// `jepsen-tikv serve`: serves until Ctrl-C.
pub fn command(args: &ServeArgs) -> Result<Exit, Failure> {
    let runs = Arc::new(Runs::open(&args.runs_dir)?);
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    runtime.block_on(serve(args, runs))?;
    // A download in progress does not delay the end.
    runtime.shutdown_background();
    Ok(Exit::Valid)
}

async fn serve(args: &ServeArgs, runs: Arc<Runs>) -> Result<(), Failure> {
    let interrupt = Interrupt::listen().map_err(Failure::software)?;
    let listener = serving::listen("the list of runs", args.addr()).await?;
    let addr = listener.local_addr().map_err(Failure::target_or_disk)?;
    terminal::result(format_args!("runs:   {}", runs.root().display()));
    terminal::result(format_args!("open:   http://{addr}/"));
    if !addr.ip().is_loopback() {
        terminal::note(
            "everybody who reaches this address can read every run; there is no password",
        );
    }
    terminal::note("Ctrl-C ends this");
    let pages = routes::pages(runs, addr);
    tokio::select! {
        never = serving::serve(listener, pages) => match never {},
        () = interrupt.at_least(Urgency::Early) => Ok(()),
    }
}
