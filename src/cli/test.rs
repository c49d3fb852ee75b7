//! The flags of `test`, and their conversion to a checked [`Config`].

use super::{
    EndingArgs, parse_ms, shape::ShapeArgs, suggested::Suggested, target::TargetArgs,
    watching::WatchingArgs,
};
use crate::cli::RunOptions;
use clap::{Args, ValueEnum};
use failure::{Exit, Failure};
use nemesis::Faults;
use plan::config::{
    AtomicMode, ClientName, Config, Distribution, FaultTimes, NemesisConfig, OperationName,
    Operations, WorkloadConfig, WorkloadName, default_name, parse_weight,
};
use run::{HISTORY_SEGMENT_MIB, pace::Free};
use std::path::PathBuf;

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// The flags of `test`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct TestArgs {
    /// Which cluster
    #[command(flatten)]
    pub target: TargetArgs,
    /// The cluster's shape
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Faults, as listed by `jepsen-tikv nemeses`
    ///
    /// Several are separated by commas. `none` stands for no fault, `mix` for all that the target
    /// offers, overlapping.
    #[arg(long, default_value = "pause-two", value_delimiter = ',', help_heading = "Faults")]
    #[arg(value_parser = Suggested(Faults::known_names), hide_possible_values = true)]
    pub nemesis: Vec<String>,
    /// Time from one fault to the next, about [default: by the profile]
    ///
    /// In seconds, or with a unit. With a real cluster the default follows what is measured of it.
    #[arg(long, value_name = "TIME", value_parser = parse_ms, help_heading = "Faults")]
    pub nemesis_interval: Option<u64>,
    /// Shortest pause, milliseconds [default: below the profile's lease]
    #[arg(long, help_heading = "Faults", hide_short_help = true)]
    pub pause_ms_min: Option<u64>,
    /// Longest pause, milliseconds [default: above the profile's election timeout, and above what
    /// is measured of a real cluster]
    #[arg(long, help_heading = "Faults", hide_short_help = true)]
    pub pause_ms_max: Option<u64>,
    /// What the clients do
    #[arg(long, value_enum, default_value = "ycsb-a", help_heading = "Workload")]
    #[arg(value_name = "NAME")]
    pub workload: WorkloadName,
    /// How many keys [default: 10000; workload register: 10]
    #[arg(long, help_heading = "Workload")]
    pub keys: Option<u64>,
    /// Weights of the operations of workload register [default: get=8,put=5,cas=4,delete=2,scan=1,batch-get=1,batch-put=1,batch-delete=1]
    #[arg(long, value_name = "NAME=N", value_delimiter = ',', value_parser = parse_weight)]
    #[arg(help_heading = "Workload", hide_short_help = true)]
    pub operations: Vec<(OperationName, u32)>,
    /// How keys are drawn
    #[arg(long, value_enum, default_value = "uniform", help_heading = "Workload")]
    #[arg(hide_short_help = true)]
    pub distribution: Distribution,
    /// How long a value is, bytes
    #[arg(long, default_value_t = 100, help_heading = "Workload", hide_short_help = true)]
    pub value_bytes: usize,
    /// Which client
    #[arg(long, value_enum, default_value = "tikv-client", help_heading = "Workload")]
    pub client: ClientName,
    /// Leave tikv-client's own retries on, as shipped: known to repeat writes, and the tester must find it
    #[arg(long, value_enum, default_value = "off", help_heading = "Workload")]
    #[arg(hide_short_help = true)]
    pub client_retries: Switch,
    /// TiKV's mode of writes [default: on if the workload uses CAS, otherwise off]
    #[arg(long, value_enum, help_heading = "Workload", hide_short_help = true)]
    pub atomic: Option<AtomicMode>,
    /// How many logical clients
    #[arg(long, value_name = "N", default_value_t = 16, help_heading = "Workload")]
    pub concurrency: u32,
    /// How many of them are mostly idle and keep old routes [default: a quarter]
    #[arg(long, help_heading = "Workload", hide_short_help = true)]
    pub idle_clients: Option<u32>,
    /// Operations a second over all clients [default: unlimited]
    #[arg(long, help_heading = "Workload")]
    pub rate: Option<u64>,
    /// How long one operation may take (seconds, or with a unit: 500ms)
    #[arg(long, default_value = "2", value_parser = parse_ms, help_heading = "Workload")]
    #[arg(hide_short_help = true)]
    pub op_timeout: u64,
    /// How long clients and faults run (seconds, or 90s, 5m)
    #[arg(long, default_value = "60", value_parser = parse_ms, help_heading = "Time")]
    pub time: u64,
    /// Random seed [default: drawn, and printed]
    #[arg(long, help_heading = "Time")]
    pub seed: Option<u64>,
    /// End the run as soon as a broken promise is seen in what is recorded so far
    #[arg(long, help_heading = "Time")]
    pub fail_fast: bool,
    /// Change to new keys at this interval; judge and drop the history of the old ones (runs of hours and days)
    #[arg(long, value_name = "TIME", value_parser = parse_ms, conflicts_with_all = ["live", "metrics", "tui"])]
    #[arg(help_heading = "Time", hide_short_help = true)]
    pub rotate_keys: Option<u64>,
    /// Where run directories go
    #[arg(long, default_value = "runs", help_heading = "Output")]
    pub runs_dir: PathBuf,
    /// The test's name [default: workload and faults]
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub name: Option<String>,
    /// The ending's form
    #[command(flatten)]
    pub ending: EndingArgs,
    /// How it is watched
    #[command(flatten)]
    pub watching: WatchingArgs,
    /// Compress the history in segments of so many MiB while the run goes; 0 keeps it in one plain file
    #[arg(long, value_name = "MIB", default_value_t = HISTORY_SEGMENT_MIB)]
    #[arg(help_heading = "Output", hide_short_help = true)]
    pub history_segment: u64,
    /// Number of invalid keys that get a counterexample, at most
    #[arg(long, value_name = "N", default_value_t = checker::Options::default().counterexamples_max)]
    #[arg(help_heading = "Output", hide_short_help = true)]
    pub counterexamples_max: u32,
}

impl TestArgs {
    /// Returns the run's options beside its plan.
    pub fn run_options(&self) -> Result<RunOptions, Failure> {
        let history_segment_bytes = Some(self.history_segment)
            .filter(|mib| *mib > 0)
            .map(|mib| mib.saturating_mul(1 << 20));
        Ok(RunOptions {
            fail_fast: self.fail_fast,
            history_segment_bytes,
            counterexamples_max: Some(self.counterexamples_max),
            free: self.free(),
            told: self.ending.told(),
            ..self.watching.run_options()?
        })
    }

    /// Returns the settings that measurements of the target may change.
    pub fn free(&self) -> Free {
        Free { interval: self.nemesis_interval.is_none(), pause_max: self.pause_ms_max.is_none() }
    }

    /// Returns the checked configuration, with a seed drawn if none was given.
    pub fn config(&self) -> Result<Config, Failure> {
        let times = FaultTimes::of_profile(self.shape.profile.name());
        let faults: Vec<String> =
            self.nemesis.iter().filter(|name| *name != "none").cloned().collect();
        let config = Config {
            name: checked_name(
                self.name.clone().unwrap_or_else(|| default_name(self.workload, &faults)),
            )?,
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            target: self.target.target()?,
            cluster: self.shape.shape(),
            workload: WorkloadConfig {
                name: self.workload,
                operations: Operations::given(&self.operations),
                keys: self.keys.unwrap_or(self.workload.default_keys()),
                distribution: self.distribution,
                value_bytes: self.value_bytes,
                client: self.client,
                client_retries: self.client_retries == Switch::On,
                atomic: self.atomic.unwrap_or(self.workload.atomic()),
                prefix: self.target.prefix()?,
                concurrency: self.concurrency,
                idle_clients: self.idle_clients.unwrap_or(self.concurrency / 4),
                rate: self.rate,
                op_timeout_ms: self.op_timeout,
            },
            nemesis: NemesisConfig {
                faults,
                interval_ms: self.nemesis_interval.unwrap_or(times.interval_ms),
                pause_ms_min: self.pause_ms_min.unwrap_or(times.pause_ms_min),
                pause_ms_max: self
                    .pause_ms_max
                    .unwrap_or_else(|| times.pause_ms_max.max(self.pause_ms_min.unwrap_or(0))),
            },
            time_ms: self.time,
        };
        config.check()?;
        Ok(config)
    }
}

/// Checks a test's name, which is also a folder's name.
fn checked_name(name: String) -> Result<String, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty()
        || name.starts_with('.')
        || matches!(&*name, "latest" | "clusters")
        || !name.chars().all(plain)
    {
        return Err(Failure::usage(format!(
            "--name {name:?} cannot be a folder's name: use letters, digits, '-', '_' and '.', not 'latest' or 'clusters'"
        )));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cli, Command},
        *,
    };
    use clap::Parser;

    fn config(arguments: &[&str]) -> Result<Config, Failure> {
        let all = ["jepsen-tikv", "test"].iter().chain(arguments).copied();
        let Command::Test(args) = Cli::try_parse_from(all).expect("parses").command else {
            panic!("not a test command")
        };
        args.config()
    }

    #[test]
    fn the_command_that_repeats_a_run_gives_the_same_configuration() {
        let flags = "--nemesis kill-one,replicas --time 1500ms --seed 7 --stores 7 --replicas 5 \
                     --regions 3 --profile tikv --defect stale-read --workload register --keys 4 \
                     --distribution zipfian --client direct --concurrency 9 --idle-clients 1 --rate 50 \
                     --op-timeout 700ms --nemesis-interval 4 --pause-ms-min 5 --pause-ms-max 9 \
                     --operations get=3,put=2 --region-max-keys 90 --value-bytes 12 --pd-port 4000 --store-port 5000 --atomic mixed --prefix t/";
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let first = config(&flags).expect("usable");
        let defaults = config(&[]).expect("usable");
        let line = first.command_line(&defaults);
        let again: Vec<&str> = line.split_whitespace().skip(2).collect();
        assert_eq!(config(&again).expect("usable"), first);
    }

    #[test]
    fn without_flags_it_is_the_default_configuration() {
        let drawn = config(&[]).expect("usable");
        assert_eq!(drawn, Config { seed: drawn.seed, ..Config::default() });
        let tikv = config(&["--profile", "tikv"]).expect("usable").nemesis;
        let times = FaultTimes::of_profile("tikv");
        assert_eq!((tikv.pause_ms_max, tikv.interval_ms), (times.pause_ms_max, times.interval_ms));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_its_flag_named() {
        for (flags, named) in [
            (vec!["--time", "0"], "--time"),
            (vec!["--stores", "0"], "--stores"),
            (vec!["--stores", "2"], "--replicas"),
            (vec!["--replicas", "0"], "--replicas"),
            (vec!["--keys", "0"], "--keys"),
            (vec!["--concurrency", "0"], "--concurrency"),
            (vec!["--concurrency", "2", "--idle-clients", "2"], "--idle-clients"),
            (vec!["--rate", "0"], "--rate"),
            (vec!["--operations", "get=1,put=1"], "--operations"),
            (vec!["--pause-ms-min", "9", "--pause-ms-max", "8"], "--pause-ms-min"),
            (vec!["--name", "../up"], "--name"),
            (vec!["--client", "direct", "--client-retries", "on"], "--client-retries"),
        ] {
            let failure = config(&flags).expect_err(named);
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.sentence.contains(named), "{named}: {failure}");
        }
    }
}
