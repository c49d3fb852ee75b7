//! The flags of `cluster` and its subcommands, named as those of `tiup playground` where it has
//! them.

use super::PdArgs;
use super::shape::{ProfileName, ReadName};
use super::suggested::{Suggested, defect_names};
use clap::{Args, Subcommand};
use failure::Exit;
use std::{net::IpAddr, path::PathBuf};

/// The flags of `cluster`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ClusterArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ClusterCommand,
}

/// What to do with a cluster.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Start a cluster, and keep it until Ctrl-C or `cluster down`
    Up(UpArgs),
    /// Show every process: address, PID, state, leaders, regions, and what PD says of it
    Status(StatusArgs),
    /// Kill stores (SIGKILL); `start` starts them again
    Kill(ChosenArgs),
    /// Start killed stores again: same address, same data
    Start(ChosenArgs),
    /// Stop the processes of stores (SIGSTOP); `resume` lets them run again
    Pause(ChosenArgs),
    /// Let paused stores run again (SIGCONT)
    Resume(ChosenArgs),
    /// Show or change PD's settings, in pd-ctl's words
    Config(ConfigArgs),
    /// End a cluster: resume what is paused, end every process, and wait for it
    Down(DownArgs),
    /// Remove the data of clusters that have ended
    Clean(CleanArgs),
    /// Not a command: it could mean `pause` or `down`
    #[command(hide = true)]
    Stop(StopArgs),
}

/// Which cluster.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// The cluster's tag [default: the only one that runs]
    #[arg(short = 'T', long)]
    pub tag: Option<String>,
    /// Where run directories are; clusters are in its folder `clusters`
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

/// The flags of `cluster up`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct UpArgs {
    /// A version of TiKV, which the embedded cluster has not: taken and passed over
    #[arg(value_name = "VERSION")]
    #[arg(hide_short_help = true)]
    pub version: Option<String>,
    /// The playground's mode; the embedded cluster is `tikv-slim`
    #[arg(long, hide = true)]
    pub mode: Option<String>,
    /// Components of the playground that this cluster does not have: 0 of them.
    #[command(flatten)]
    pub components: ComponentArgs,
    /// How many stores [default: 6, or as many as the tag's data has]
    #[arg(long, alias = "stores")]
    pub kv: Option<u32>,
    /// How many PDs; the embedded cluster has one
    #[arg(long, default_value_t = 1)]
    #[arg(hide_short_help = true)]
    pub pd: u32,
    /// The cluster's tag; its data is kept and used again [default: drawn, and the data removed at the end]
    #[arg(short = 'T', long)]
    pub tag: Option<String>,
    /// The address of this machine that every process serves on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Added to every default port; 10000, 20000 and so on are good
    #[arg(long, default_value_t = 0)]
    #[arg(hide_short_help = true)]
    pub port_offset: u16,
    /// PD's port, or the next free one [default: 2379]
    #[arg(long = "pd.port")]
    pub pd_port: Option<u16>,
    /// The first store's port; every store takes the next free one [default: 20160]
    #[arg(long = "kv.port")]
    pub kv_port: Option<u16>,
    /// Serve no dashboard
    #[arg(long)]
    #[arg(hide_short_help = true)]
    pub without_monitor: bool,
    /// Return once the cluster serves; it goes on without this terminal until `cluster down`
    #[arg(short = 'd', long, visible_alias = "background")]
    pub detach: bool,
    /// How many replicas a region has [default: 3, or as many as there are stores]
    #[arg(long)]
    pub replicas: Option<u32>,
    /// Number of regions that the keys of go-ycsb's table are split into [default: 1]
    #[arg(long)]
    pub regions: Option<u32>,
    /// Let a region with more keys than this be split, again and again
    #[arg(long, value_name = "N")]
    #[arg(hide_short_help = true)]
    pub region_max_keys: Option<u64>,
    /// Let values have a time to live (TiKV's storage.enable-ttl), which is refused otherwise
    #[arg(long)]
    #[arg(hide_short_help = true)]
    pub enable_ttl: bool,
    /// Timing: fast (elections 1-2 s) or TiKV's defaults (10-20 s) [default: fast]
    #[arg(long, value_enum)]
    pub profile: Option<ProfileName>,
    /// Confirmation of leadership before a leader answers a read [default: read-index]
    #[arg(long, value_enum)]
    #[arg(hide_short_help = true)]
    pub read: Option<ReadName>,
    /// Make the cluster wrong on purpose (see `jepsen-tikv defects`)
    ///
    /// NAME@1+3 gives the defect to stores 1 and 3 only.
    #[arg(long, value_name = "NAME[@STORES]", value_delimiter = ',')]
    #[arg(value_parser = Suggested(defect_names), hide_possible_values = true)]
    pub defect: Vec<String>,
    /// Where run directories go; the cluster is in its folder `clusters`
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

/// How many of what `tiup playground` starts besides PD and TiKV: none.
#[derive(Debug, Default, Args)]
pub struct ComponentArgs {
    /// How many `TiDB` servers
    #[arg(long, hide = true, value_name = "N")]
    pub db: Option<u16>,
    /// How many `TiFlash` servers
    #[arg(long, hide = true, value_name = "N")]
    pub tiflash: Option<u16>,
    /// How many `TiCDC` servers
    #[arg(long, hide = true, value_name = "N")]
    pub ticdc: Option<u16>,
    /// How many TiKV-CDC servers
    #[arg(long, hide = true, value_name = "N")]
    pub kvcdc: Option<u16>,
    /// How many `TiProxy` servers
    #[arg(long, hide = true, value_name = "N")]
    pub tiproxy: Option<u16>,
    /// How many pumps
    #[arg(long, hide = true, value_name = "N")]
    pub pump: Option<u16>,
    /// How many drainers
    #[arg(long, hide = true, value_name = "N")]
    pub drainer: Option<u16>,
}

impl ComponentArgs {
    /// Returns the flags that were given, each with its number.
    pub fn asked(&self) -> impl Iterator<Item = (&'static str, u16)> {
        let all = [
            ("--db", self.db),
            ("--tiflash", self.tiflash),
            ("--ticdc", self.ticdc),
            ("--kvcdc", self.kvcdc),
            ("--tiproxy", self.tiproxy),
            ("--pump", self.pump),
            ("--drainer", self.drainer),
        ];
        all.into_iter().filter_map(|(flag, count)| Some((flag, count?)))
    }
}

/// The flags of `cluster status`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct StatusArgs {
    /// Which cluster.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Ask this PD, or the first of several that answers, about a cluster that somebody else started
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', conflicts_with = "tag")]
    pub pd: Vec<String>,
    /// Show it again every second, in place on a terminal, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Print JSON (docs/cluster.md says what the fields mean); with --watch a line each second
    #[arg(long)]
    pub json: bool,
}

/// The flags of `cluster kill`, `start`, `pause` and `resume`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ChosenArgs {
    /// Stores by id (4), name (store-2) or address (127.0.0.1:20160)
    #[arg(value_name = "STORE", required_unless_present = "pd")]
    pub stores: Vec<String>,
    /// PD as well
    #[arg(long)]
    pub pd: bool,
    /// Which cluster.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// The flags of `cluster config`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ConfigArgs {
    /// What to do with PD's settings
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with PD's settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the settings as JSON: those of replication and scheduling, or a section
    Show {
        /// `all`, `replication` or `schedule`
        #[arg(value_parser = ["all", "replication", "schedule"])]
        section: Option<String>,
        /// Whose.
        #[command(flatten)]
        pd: PdArgs,
    },
    /// Change a setting, e.g. max-replicas 5
    Set {
        /// Its name, e.g. max-replicas
        name: String,
        /// Its new value
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// Whose.
        #[command(flatten)]
        pd: PdArgs,
    },
}

/// The flags of `cluster down`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct DownArgs {
    /// Which cluster.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// End every cluster
    #[arg(long, conflicts_with = "tag")]
    pub all: bool,
}

/// The flags of `cluster clean`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct CleanArgs {
    /// Whose data
    #[arg(short = 'T', long, required_unless_present = "all")]
    pub tag: Option<String>,
    /// The data of every cluster that has ended
    #[arg(long, conflicts_with = "tag")]
    pub all: bool,
    /// Where run directories are; clusters are in its folder `clusters`
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

/// Whatever stands after `cluster stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Anything.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}
