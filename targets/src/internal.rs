//! The hidden subcommands: this binary serves as one process of the embedded cluster.
//!
//! In: flags that only [`crate`] writes. Out: a process that serves until it is terminated. Writing
//! and parsing of the flags are both here, so that they cannot disagree. stdout carries the one
//! line that reports readiness, stderr is the log.

use clap::Args;
use cluster::{pd::PdConfig, profile::Profile, read_mode::ReadMode, store::StoreConfig};
use failure::{Exit, Failure, wall_clock::refuse_before_1970};
use std::{ffi::CStr, net::SocketAddr, os::unix::process::CommandExt, path::PathBuf};

/// The flags of `internal-pd`.
#[derive(Debug, Clone, Args)]
pub struct PdArgs {
    /// The process that must live for this one to live.
    #[arg(long)]
    pub parent_pid: u32,
    /// PD's name.
    #[arg(long)]
    pub name: String,
    /// Where it keeps its data.
    #[arg(long)]
    pub data_dir: PathBuf,
    /// Where it serves; port 0 = pick one.
    #[arg(long)]
    pub client_addr: SocketAddr,
    /// How fast time passes.
    #[arg(long)]
    pub profile: String,
    /// How many replicas a region shall have, at first.
    #[arg(long)]
    pub max_replicas: u32,
}

/// The flags of `internal-store`.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// The process that must live for this one to live.
    #[arg(long)]
    pub parent_pid: u32,
    /// Its id, if its directory is new.
    #[arg(long)]
    pub store_id: u64,
    /// PD's address.
    #[arg(long)]
    pub pd_endpoint: String,
    /// Where it serves; port 0 = pick one.
    #[arg(long)]
    pub addr: SocketAddr,
    /// Where it serves its status; port 0 = pick one.
    #[arg(long)]
    pub status_addr: SocketAddr,
    /// Where it keeps its data.
    #[arg(long)]
    pub data_dir: PathBuf,
    /// How fast time passes.
    #[arg(long)]
    pub profile: String,
    /// A region with more keys is split.
    #[arg(long)]
    pub region_max_keys: Option<u64>,
    /// Values may have a time to live.
    #[arg(long)]
    pub enable_ttl: bool,
    /// How it makes sure that it still leads before it answers a read.
    #[arg(long)]
    pub read: String,
    /// How it is wrong on purpose.
    #[arg(long)]
    pub defect: Vec<String>,
}

/// The flags of `internal-exec`.
#[derive(Debug, Clone, Args)]
pub struct ExecArgs {
    /// The process that must live for this one to live.
    #[arg(long)]
    pub parent_pid: u32,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<String>,
}

impl ExecArgs {
    /// Becomes the given program, which ends when the tester does: the parent-death signal outlives
    /// exec.
    pub fn run(self) -> Result<Exit, Failure> {
        cluster::process::die_with_parent(self.parent_pid).map_err(Failure::software)?;
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| Failure::usage("no program was named"))?;
        let error = std::process::Command::new(program).args(arguments).exec();
        Err(Failure::target_or_disk(format!("cannot start {program}: {error}")))
    }
}

impl PdArgs {
    /// The process's name for `ps`, `lsof` and `pgrep`: the program that it stands for.
    pub const PROGRAM: &CStr = c"pd-server";

    /// The arguments that parse to this.
    pub fn to_arguments(&self) -> Vec<String> {
        vec![
            "internal-pd".into(),
            format!("--parent-pid={}", self.parent_pid),
            format!("--name={}", self.name),
            format!("--data-dir={}", self.data_dir.display()),
            format!("--client-addr={}", self.client_addr),
            format!("--profile={}", self.profile),
            format!("--max-replicas={}", self.max_replicas),
        ]
    }

    /// Serves until terminated.
    pub fn run(self) -> Result<Exit, Failure> {
        begin(self.parent_pid, Self::PROGRAM)?;
        let config = PdConfig {
            name: self.name,
            data_dir: self.data_dir,
            client_addr: self.client_addr,
            profile: profile(&self.profile)?,
            max_replicas: self.max_replicas,
        };
        cluster::pd::run(config).map_err(|error| ended("PD", error)).map(|()| Exit::Valid)
    }
}

impl StoreArgs {
    /// The process's name for `ps`, `lsof` and `pgrep`: the program that it stands for.
    pub const PROGRAM: &CStr = c"tikv-server";

    /// The arguments that parse to this.
    pub fn to_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "internal-store".into(),
            format!("--parent-pid={}", self.parent_pid),
            format!("--store-id={}", self.store_id),
            format!("--pd-endpoint={}", self.pd_endpoint),
            format!("--addr={}", self.addr),
            format!("--status-addr={}", self.status_addr),
            format!("--data-dir={}", self.data_dir.display()),
            format!("--profile={}", self.profile),
            format!("--read={}", self.read),
        ];
        arguments.extend(self.region_max_keys.map(|keys| format!("--region-max-keys={keys}")));
        arguments.extend(self.enable_ttl.then(|| "--enable-ttl".to_owned()));
        arguments.extend(self.defect.iter().map(|name| format!("--defect={name}")));
        arguments
    }

    /// Serves until terminated.
    pub fn run(self) -> Result<Exit, Failure> {
        begin(self.parent_pid, Self::PROGRAM)?;
        let config = StoreConfig {
            store_id: Some(self.store_id),
            pd_endpoint: self.pd_endpoint,
            addr: self.addr,
            status_addr: self.status_addr,
            data_dir: self.data_dir,
            profile: profile(&self.profile)?,
            region_max_keys: self.region_max_keys,
            enable_ttl: self.enable_ttl,
            read: read_mode(&self.read)?,
            defects: plan::config::defects_named(&self.defect)?,
        };
        cluster::store::run(config).map_err(|error| ended("the store", error)).map(|()| Exit::Valid)
    }
}

fn profile(name: &str) -> Result<Profile, Failure> {
    Profile::from_name(name)
        .ok_or_else(|| Failure::usage(format!("there is no profile {name:?}: use fast or tikv")))
}

fn read_mode(name: &str) -> Result<ReadMode, Failure> {
    ReadMode::from_name(name)
        .ok_or_else(|| Failure::usage(format!("there is no way to read {name:?}")))
}

/// The common start: never outlive the tester, bear the program's name, and log to stderr.
fn begin(parent_pid: u32, program: &CStr) -> Result<(), Failure> {
    cluster::process::die_with_parent(parent_pid).map_err(Failure::software)?;
    cluster::process::take_name(program).map_err(Failure::software)?;
    refuse_before_1970()?;
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("JEPSEN_TIKV_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

/// The failure of an embedded process that ended with an error. The process logs it, the tester
/// reports it.
fn ended(who: &str, error: impl std::fmt::Display) -> Failure {
    Failure::target_or_disk(format!("{who} cannot go on: {error}"))
}
