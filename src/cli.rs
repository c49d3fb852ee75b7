//! The command line: typed flags, and how they become a checked [`Config`].
//!
//! In: the arguments. Out: a [`Command`]. Wrong usage is one sentence and exit code 64, never a run.

use crate::{
    config::{
        ClientName, ClusterShape, Config, Distribution, NemesisConfig, WorkloadConfig, WorkloadName,
    },
    exit::{Exit, Failure},
    judge::Judging,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Tests whether a TiKV cluster keeps its promises while its machines fail.
#[derive(Debug, Parser)]
#[command(name = "jepsen-tikv", version, about, after_help = Exit::table())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run clients and faults against a cluster, then judge what the clients saw
    Test(Box<TestArgs>),
    /// Start an embedded cluster for other clients, and keep it until Ctrl-C
    Cluster(ClusterArgs),
    /// Execute a run's plan again
    Replay(ReplayArgs),
    /// Judge recorded histories again, offline
    Check(CheckArgs),
    /// Resume processes that a killed tester left stopped, and end those it left running
    Heal(HealArgs),
    /// List the embedded cluster's defects: what each breaks
    Defects,
    /// Measure what recording costs (docs/benchmarks.md)
    #[command(hide = true)]
    BenchRecording(Box<TestArgs>),
    /// Serve as a PD of the embedded cluster
    #[command(hide = true)]
    InternalPd(crate::internal::PdArgs),
    /// Serve as a store of the embedded cluster
    #[command(hide = true)]
    InternalStore(crate::internal::StoreArgs),
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// How fast time passes in the embedded cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// Elections after 1–2 s
    Fast,
    /// TiKV's own defaults: elections after 10–20 s
    Tikv,
}

/// The flags of `test`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct TestArgs {
    /// Faults, separated by commas; `none` for none
    #[arg(long, default_value = "pause-two", value_delimiter = ',', help_heading = "Faults")]
    pub nemesis: Vec<String>,
    /// How long clients and faults run side by side (seconds, or with a unit: 90s, 5m)
    #[arg(long, default_value = "60", value_parser = parse_ms)]
    pub time: u64,
    /// Seed of everything drawn by chance [default: drawn, and printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// About how long from one fault to the next (seconds, or with a unit) [default: by the profile]
    #[arg(long, value_parser = parse_ms, help_heading = "Faults")]
    pub nemesis_interval: Option<u64>,
    /// Shortest pause, milliseconds [default: below the profile's lease]
    #[arg(long, help_heading = "Faults")]
    pub pause_ms_min: Option<u64>,
    /// Longest pause, milliseconds [default: above the profile's election timeout]
    #[arg(long, help_heading = "Faults")]
    pub pause_ms_max: Option<u64>,
    /// What the clients do
    #[arg(long, value_enum, default_value = "ycsb-a", help_heading = "Workload")]
    pub workload: WorkloadName,
    /// How many keys [default: 10000; workload register: 10]
    #[arg(long, help_heading = "Workload")]
    pub keys: Option<u64>,
    /// How keys are drawn
    #[arg(long, value_enum, default_value = "uniform", help_heading = "Workload")]
    pub distribution: Distribution,
    /// How long a value is, bytes
    #[arg(long, default_value_t = 100, help_heading = "Workload")]
    pub value_bytes: usize,
    /// Client library
    #[arg(long, value_enum, default_value = "tikv-client", help_heading = "Workload")]
    pub client: ClientName,
    /// Leave tikv-client's own retries as shipped: known to break promises, and to be found
    #[arg(long, value_enum, default_value = "off", help_heading = "Workload")]
    pub client_retries: Switch,
    /// How many logical clients
    #[arg(long, default_value_t = 16, help_heading = "Workload")]
    pub concurrency: u32,
    /// How many of them are mostly idle and keep old routes [default: a quarter]
    #[arg(long, help_heading = "Workload")]
    pub idle_clients: Option<u32>,
    /// Operations a second over all clients [default: unlimited]
    #[arg(long, help_heading = "Workload")]
    pub rate: Option<u64>,
    /// How long one operation may take (seconds, or with a unit: 500ms)
    #[arg(long, default_value = "2", value_parser = parse_ms, help_heading = "Workload")]
    pub op_timeout: u64,
    /// The embedded cluster's shape
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Where run directories go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
    /// The test's name [default: workload and faults]
    #[arg(long)]
    pub name: Option<String>,
}

/// The flags of the embedded cluster's shape.
#[derive(Debug, Args)]
#[command(next_help_heading = "Embedded cluster")]
pub struct ShapeArgs {
    /// How many stores
    #[arg(long, default_value_t = 6)]
    pub stores: u32,
    /// How many replicas a region has
    #[arg(long, default_value_t = 3)]
    pub replicas: u32,
    /// Into how many regions the workload's keys are split
    #[arg(long, default_value_t = 1)]
    pub regions: u32,
    /// How fast time passes
    #[arg(long, value_enum, default_value = "fast")]
    pub profile: ProfileName,
    /// PD's port; 0 = pick one
    #[arg(long, default_value_t = 0)]
    pub pd_port: u16,
    /// The first store's port, the others follow; 0 = pick them
    #[arg(long, default_value_t = 0)]
    pub store_port: u16,
    /// Make the cluster wrong on purpose (see `jepsen-tikv defects`)
    #[arg(long, value_delimiter = ',')]
    pub defect: Vec<String>,
}

/// The flags of `cluster`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct ClusterArgs {
    /// The embedded cluster's shape
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Where run directories go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

/// The flags of `check`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct CheckArgs {
    /// Run directories or history files (- = standard input); plain or compressed with zstd
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The files' format; otherwise told from how they begin
    #[arg(long, value_enum)]
    pub format: Option<FormatName>,
    /// What the histories are held to
    #[arg(long, value_enum, default_value = "kv")]
    pub model: ModelName,
    /// The value that every key has at first [default: absent]
    #[arg(long)]
    pub initial: Option<String>,
    /// Who decides: the near-linear check and the search where it cannot, one of them, or porcupine-rs
    #[arg(long, value_enum, default_value = "auto")]
    pub engine: EngineName,
    /// Configurations that a search may explore for one key before it says unknown
    #[arg(long, default_value_t = checker::Budget::default().configurations)]
    pub budget: u64,
    /// Print the judgements as JSON
    #[arg(long)]
    pub json: bool,
    /// Threads that judge [default: one for each core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Where counterexamples go [default: the run directory; the current one if a single file is judged]
    #[arg(long)]
    pub counterexamples: Option<PathBuf>,
}

/// A history's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Our own history.jsonl
    Jsonl,
    /// Jepsen's and Knossos' EDN
    Edn,
    /// Text logs of Jepsen, Knossos and Porcupine
    Log,
}

/// What a history is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelName {
    /// Registers with get, put and delete
    Register,
    /// Registers that can be compared and swapped as well
    CasRegister,
    /// Every operation
    Kv,
}

/// Who decides a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// The fastest that can
    Auto,
    /// The near-linear check of unique values
    NearLinear,
    /// The general search
    Search,
    /// The crate porcupine-rs
    Porcupine,
}

impl CheckArgs {
    /// What the judge has to know.
    pub fn judging(&self) -> Judging {
        Judging {
            options: checker::Options {
                engine: match self.engine {
                    EngineName::Auto => checker::Engine::Auto,
                    EngineName::NearLinear => checker::Engine::NearLinear,
                    EngineName::Search => checker::Engine::Search,
                    EngineName::Porcupine => checker::Engine::Porcupine,
                },
                budget: checker::Budget {
                    configurations: self.budget,
                    ..checker::Budget::default()
                },
            },
            model: match self.model {
                ModelName::Register => checker::Model::Register,
                ModelName::CasRegister => checker::Model::CasRegister,
                ModelName::Kv => checker::Model::Kv,
            },
            format: self.format.map(|format| match format {
                FormatName::Jsonl => histories::Format::Jsonl,
                FormatName::Edn => histories::Format::Edn,
                FormatName::Log => histories::Format::Log,
            }),
            initial: self.initial.clone().map(String::into_bytes),
        }
    }
}

/// The flags of `replay`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct ReplayArgs {
    /// A run directory, or its plan.json
    pub run: PathBuf,
    /// Where run directories go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl ReplayArgs {
    /// The plan's file.
    pub fn plan(&self) -> PathBuf {
        if self.run.is_dir() { self.run.join("plan.json") } else { self.run.clone() }
    }
}

/// The flags of `heal`.
#[derive(Debug, Args)]
pub struct HealArgs {
    /// Where the run directories are
    #[arg(default_value = "runs")]
    pub runs_dir: PathBuf,
}

/// Parses a time: a number is seconds; `ms`, `s`, `m` and `h` are understood.
fn parse_ms(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor_ms = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("give whole seconds, or a number with ms, s, m or h".into()),
    };
    let number: u64 = number.parse().map_err(|_| "give a whole number of seconds".to_owned())?;
    number
        .checked_mul(factor_ms)
        .filter(|&time_ms| time_ms <= 7 * 24 * 3_600_000)
        .ok_or_else(|| "a run lasts a week at most".to_owned())
}

/// Shortest and longest pause, and the interval between faults: by default some pauses move the leader and some
/// do not, so they straddle lease and election timeout.
fn fault_times_ms(profile: ProfileName) -> (u64, u64, u64) {
    match profile {
        ProfileName::Fast => (300, 4_000, 3_000),
        ProfileName::Tikv => (4_000, 30_000, 15_000),
    }
}

impl ShapeArgs {
    fn shape(&self) -> ClusterShape {
        ClusterShape {
            stores: self.stores,
            replicas: self.replicas,
            regions: self.regions,
            profile: match self.profile {
                ProfileName::Fast => "fast".into(),
                ProfileName::Tikv => "tikv".into(),
            },
            pd_port: self.pd_port,
            store_port: self.store_port,
            defects: self.defect.clone(),
        }
    }
}

impl ClusterArgs {
    /// The checked shape.
    pub fn checked_shape(&self) -> Result<ClusterShape, Failure> {
        let shape = self.shape.shape();
        shape.check()?;
        Ok(shape)
    }
}

impl TestArgs {
    /// The checked configuration, with a seed drawn if none was given.
    pub fn config(&self) -> Result<Config, Failure> {
        let (pause_ms_min, pause_ms_max, interval_ms) = fault_times_ms(self.shape.profile);
        let faults: Vec<String> =
            self.nemesis.iter().filter(|name| *name != "none").cloned().collect();
        let workload_name = match self.workload {
            WorkloadName::YcsbA => "ycsb-a",
            WorkloadName::Register => "register",
        };
        let default_name = if faults.is_empty() {
            format!("{workload_name}-none")
        } else {
            format!("{workload_name}-{}", faults.join("-"))
        };
        let default_keys = match self.workload {
            WorkloadName::YcsbA => 10_000,
            WorkloadName::Register => 10,
        };
        let config = Config {
            name: checked_name(self.name.clone().unwrap_or(default_name))?,
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            cluster: self.shape.shape(),
            workload: WorkloadConfig {
                name: self.workload,
                keys: self.keys.unwrap_or(default_keys),
                distribution: self.distribution,
                value_bytes: self.value_bytes,
                client: self.client,
                client_retries: self.client_retries == Switch::On,
                concurrency: self.concurrency,
                idle_clients: self.idle_clients.unwrap_or(self.concurrency / 4),
                rate: self.rate,
                op_timeout_ms: self.op_timeout,
            },
            nemesis: NemesisConfig {
                faults,
                interval_ms: self.nemesis_interval.unwrap_or(interval_ms),
                pause_ms_min: self.pause_ms_min.unwrap_or(pause_ms_min),
                pause_ms_max: self
                    .pause_ms_max
                    .unwrap_or_else(|| pause_ms_max.max(self.pause_ms_min.unwrap_or(0))),
            },
            time_ms: self.time,
        };
        config.check()?;
        Ok(config)
    }
}

/// A test's name is a folder's name.
fn checked_name(name: String) -> Result<String, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || name == "latest" || !name.chars().all(plain) {
        return Err(Failure::usage(format!(
            "--name {name:?} cannot be a folder's name: use letters, digits, '-', '_' and '.', not 'latest'"
        )));
    }
    Ok(name)
}

/// The configuration of a test without any flags.
pub fn default_config() -> Result<Config, Failure> {
    match Cli::try_parse_from(["jepsen-tikv", "test"]) {
        Ok(Cli { command: Command::Test(args) }) => args.config(),
        _ => Err(Failure::software("the default flags do not parse")),
    }
}

/// Parses the arguments. Help and version are printed and end the program well; wrong usage is a failure.
pub fn parse() -> Result<Cli, Failure> {
    Cli::try_parse().map_err(|error| {
        if error.use_stderr() {
            let text = error.to_string();
            let sentence = text.trim_start_matches("error: ").trim_end().to_owned();
            Failure::usage(sentence)
        } else {
            error.exit()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
                     --value-bytes 12 --pd-port 4000 --store-port 5000";
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let first = config(&flags).expect("usable");
        let defaults = config(&[]).expect("usable");
        let line = first.command_line(&defaults);
        let again: Vec<&str> = line.split_whitespace().skip(2).collect();
        assert_eq!(config(&again).expect("usable"), first);
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
            (vec!["--pause-ms-min", "9", "--pause-ms-max", "8"], "--pause-ms-min"),
            (vec!["--name", "../up"], "--name"),
            (vec!["--client", "direct", "--client-retries", "on"], "--client-retries"),
        ] {
            let failure = config(&flags).expect_err(named);
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.sentence.contains(named), "{named}: {failure}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(parse_ms("60"), Ok(60_000));
        assert_eq!(parse_ms("250ms"), Ok(250));
        assert_eq!(parse_ms("5m"), Ok(300_000));
        assert!(parse_ms("1.5").is_err());
        assert!(parse_ms("ms").is_err());
        assert!(parse_ms("99999999999999999999").is_err());
    }
}
