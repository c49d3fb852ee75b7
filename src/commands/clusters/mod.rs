//! `cluster`: embedded clusters that live on their own, for other clients and for learning.
//!
//! In: the flags of `cluster up`, `status`, `kill`, `start`, `pause`, `resume`, `down` and `clean`.
//! Out: a cluster that serves, and its status. Each cluster has a [`tag`](tag::Tag), a
//! [`directory`], and one [`supervisor`], the parent of all its processes: in the terminal, or
//! detached from it ([`detach`]). The other commands read the directory. They change the cluster
//! through the supervisor's [`control`] socket, and end it by a signal to the supervisor. Knows
//! nothing of tests, histories or verdicts.

mod announcement;
mod choice;
mod clean;
mod config;
mod control;
mod detach;
mod directory;
mod down;
pub(crate) mod options;
mod ports;
mod processes;
mod spec;
mod status;
mod supervisor;
mod table;
mod tag;
mod watch;

pub use choice::running_pd;

use crate::cli::ClusterCommand;
use failure::{Exit, Failure};

/// `jepsen-tikv cluster …`.
pub fn command(command: &ClusterCommand) -> Result<Exit, Failure> {
    match command {
        ClusterCommand::Up(args) => {
            let options = options::ClusterOptions::checked(args)?;
            choice::refuse_foreign(&options.directory()?)?;
            if args.detach { detach::up(&options) } else { supervisor::in_the_terminal(&options) }
        }
        ClusterCommand::Status(args) => watch::command(args),
        ClusterCommand::Kill(args) => processes::ask(control::Act::Kill, args),
        ClusterCommand::Start(args) => processes::ask(control::Act::Start, args),
        ClusterCommand::Pause(args) => processes::ask(control::Act::Pause, args),
        ClusterCommand::Resume(args) => processes::ask(control::Act::Resume, args),
        ClusterCommand::Config(args) => config::command(args),
        ClusterCommand::Down(args) => down::command(args),
        ClusterCommand::Clean(args) => clean::command(args),
        ClusterCommand::Stop(_) => Err(Failure::usage(
            "`cluster stop` could mean two things: `cluster pause` stops the processes of stores (SIGSTOP), \
             `cluster down` ends the cluster",
        )),
    }
}

/// The hidden command that runs a detached cluster's supervisor.
pub fn detached_supervisor() -> Result<Exit, Failure> {
    detach::supervise()
}
