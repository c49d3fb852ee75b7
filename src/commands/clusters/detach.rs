//! `cluster up --detach`: runs a supervisor in a session of its own, which survives the terminal.
//!
//! In: the checked options. Out: a supervisor process that stays, once its cluster serves. It is
//! this binary again, with the options on its standard input; it reports progress through a pipe
//! (`announcement`). If the cluster does not come up, or the starting command goes away first,
//! nothing of it stays.

use super::{
    announcement::{Announcement, Announcer},
    options::ClusterOptions,
    supervisor,
};
use failure::{Exit, Failure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use run::interrupt::{Interrupt, Urgency};
use run_directory::plain_file;
use std::{
    fs::OpenOptions,
    io::Read,
    path::Path,
    process::Stdio,
    sync::{Arc, atomic::AtomicBool},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

/// Starts a detached supervisor, and returns once its cluster serves.
pub fn up(options: &ClusterOptions) -> Result<Exit, Failure> {
    targets::heal::before_a_run()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::software)?.block_on(async {
        let interrupt = Interrupt::listen().map_err(Failure::software)?;
        let mut supervisor = spawn(options).await?;
        tokio::select! {
            heard = observe(&mut supervisor) => heard,
            () = interrupt.at_least(Urgency::Early) => end(supervisor).await,
        }
    })
}

async fn spawn(options: &ClusterOptions) -> Result<Child, Failure> {
    let directory = options.directory()?;
    directory.make()?;
    let log = directory.logs().join("supervisor.log");
    let cannot = |error: std::io::Error| {
        Failure::target_or_disk(format!("cannot start the supervisor: {error}"))
    };
    let log = plain_file::open_with(&log, OpenOptions::new().create(true).append(true));
    let log = log.map_err(cannot)?;
    let mut supervisor = Command::new(std::env::current_exe().map_err(cannot)?)
        // This name is not found by a search for "tikv".
        .arg0("jepsen-cluster")
        .arg("internal-supervisor")
        .arg(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(cannot)?;
    let text = serde_json::to_vec(options).map_err(Failure::software)?;
    if let Some(mut stdin) = supervisor.stdin.take() {
        stdin.write_all(&text).await.map_err(cannot)?;
    }
    Ok(supervisor)
}

/// Prints the supervisor's messages until its cluster serves.
async fn observe(supervisor: &mut Child) -> Result<Exit, Failure> {
    let silent = || Failure::software("the supervisor ended without a word; see its logs");
    let stdout = supervisor.stdout.take().ok_or_else(silent)?;
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Announcement::Line(line)) => terminal::result(line),
            Ok(Announcement::Serving) => return Ok(Exit::Valid),
            Ok(Announcement::Failed { exit, sentence }) => {
                let _ = supervisor.wait().await;
                return Err(Announcement::failure(exit, sentence));
            }
            Err(_) => {}
        }
    }
    Err(silent())
}

/// Terminates a supervisor whose cluster has not come up yet, and waits for it.
async fn end(mut supervisor: Child) -> Result<Exit, Failure> {
    if let Some(pid) = supervisor.id() {
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
    }
    let _ = supervisor.wait().await;
    Err(Failure::new(Exit::Interrupted, "interrupted: the cluster is ended again"))
}

/// Runs the detached supervisor.
pub fn supervise() -> Result<Exit, Failure> {
    let announcer = Arc::new(Announcer::Pipe(AtomicBool::new(false)));
    let lived = read_wish().and_then(|options| supervisor::run(&options, &announcer));
    if let Err(failure) = &lived {
        announcer.failed(failure);
        // The failure was already reported, through the pipe and in the log.
        return Ok(failure.exit);
    }
    lived
}

fn read_wish() -> Result<ClusterOptions, Failure> {
    nix::unistd::setsid().map_err(Failure::software)?;
    // The folder that the command was started in may be removed or unmounted later.
    std::env::set_current_dir(Path::new("/")).map_err(Failure::software)?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(Failure::software)?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!("this is started by `cluster up --detach`, not by hand: {error}"))
    })
}
