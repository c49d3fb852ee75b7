//! The flags of `scenario`, and their conversion to a checked [`Config`] and a [`ScenarioConfig`].

use super::{
    EndingArgs, TestArgs, parse_ms,
    shape::{ProfileName, ShapeArgs},
    target::TargetArgs,
    watching::WatchingArgs,
};
use clap::Args;
use failure::{Exit, Failure};
use plan::{
    config::{ClientName, Config},
    scenario::{ScenarioConfig, ScenarioName},
};
use std::path::PathBuf;

/// The flags of `scenario`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ScenarioArgs {
    /// Which experiment
    #[arg(value_enum)]
    pub scenario: ScenarioName,
    /// two-stores: stop the stores without waiting for the new replicas, a race on purpose
    #[arg(long)]
    pub no_wait: bool,
    /// two-stores: the longest time without a success that is allowed
    ///
    /// In seconds, or with a unit. A longer time breaks the promise if it is far longer than
    /// without a fault.
    #[arg(long, default_value = "1", value_parser = parse_ms)]
    pub gap_max: u64,
    /// one-store: percent of the operations a second that must come back
    #[arg(long, default_value_t = 80, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub ops_back: u64,
    /// How long the load is measured at a time (seconds, or with a unit)
    #[arg(long, default_value = "10", value_parser = parse_ms)]
    #[arg(hide_short_help = true)]
    pub window: u64,
    /// How long the cluster may take for a step, as electing a leader [default: 60, profile tikv: 300]
    #[arg(long, value_parser = parse_ms)]
    #[arg(hide_short_help = true)]
    pub patience: Option<u64>,
    /// Random seed [default: drawn, and printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many keys are loaded
    #[arg(long, default_value_t = 10_000, help_heading = "Workload")]
    pub keys: u64,
    /// How long a value is, bytes
    #[arg(long, default_value_t = 100, help_heading = "Workload")]
    #[arg(hide_short_help = true)]
    pub value_bytes: usize,
    /// Which client
    #[arg(long, value_enum, default_value = "tikv-client", help_heading = "Workload")]
    pub client: ClientName,
    /// How many logical clients, a quarter of them mostly idle
    #[arg(long, value_name = "N", default_value_t = 16, help_heading = "Workload")]
    pub concurrency: u32,
    /// Operations a second over all clients [default: unlimited]
    #[arg(long, help_heading = "Workload")]
    pub rate: Option<u64>,
    /// How long one operation may take (seconds, or with a unit: 500ms)
    #[arg(long, default_value = "2", value_parser = parse_ms, help_heading = "Workload")]
    #[arg(hide_short_help = true)]
    pub op_timeout: u64,
    /// Which cluster
    #[command(flatten)]
    pub target: TargetArgs,
    /// The cluster's shape
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// How it is watched
    #[command(flatten)]
    pub watching: WatchingArgs,
    /// The ending's form
    #[command(flatten)]
    pub ending: EndingArgs,
    /// Where run directories go
    #[arg(long, default_value = "runs", help_heading = "Output")]
    pub runs_dir: PathBuf,
    /// The run's name [default: the scenario's]
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub name: Option<String>,
}

impl ScenarioArgs {
    /// Returns the scenario's checked options.
    pub fn scenario(&self) -> Result<ScenarioConfig, Failure> {
        if self.window == 0 {
            return Err(Failure::usage(
                "--window is 0: measure for a second at least, e.g. --window 10",
            ));
        }
        let patience_ms = match self.shape.profile {
            ProfileName::Fast => 60_000,
            ProfileName::Tikv => 300_000,
        };
        Ok(ScenarioConfig {
            name: self.scenario,
            window_ms: self.window,
            wait: !self.no_wait,
            gap_max_ms: self.gap_max,
            ops_back_percent: self.ops_back,
            patience_ms: self.patience.unwrap_or(patience_ms),
        })
    }

    /// Returns the checked configuration of the scenario's run: workload A, and no drawn faults.
    pub fn config(self) -> Result<Config, Failure> {
        let mut args: TestArgs = super::default_test()?;
        args.nemesis = vec!["none".into()];
        args.name = Some(self.name.unwrap_or_else(|| format!("scenario-{}", self.scenario.name())));
        args.seed = self.seed;
        args.keys = Some(self.keys);
        args.value_bytes = self.value_bytes;
        args.client = self.client;
        args.concurrency = self.concurrency;
        args.rate = self.rate;
        args.op_timeout = self.op_timeout;
        args.target = self.target;
        args.shape = self.shape;
        args.config()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cli, Command},
        *,
    };
    use clap::Parser;
    use plan::Plan;

    fn plan(line: &str) -> Result<Plan, Failure> {
        let Command::Scenario(args) =
            Cli::try_parse_from(line.split_whitespace()).expect(line).command
        else {
            panic!("not a scenario")
        };
        let scenario = args.scenario()?;
        Plan::of_scenario(args.config()?, scenario)
    }

    #[test]
    fn without_flags_it_is_the_default_scenario() {
        for name in [ScenarioName::OneStore, ScenarioName::TwoStores] {
            let plan = plan(&format!("jepsen-tikv scenario {}", name.name())).expect("usable");
            assert_eq!(plan.scenario, Some(ScenarioConfig::of(name)));
            let seed = plan.config.seed;
            assert_eq!(plan.config, Config { seed, ..Config::of_scenario(name) });
        }
    }

    #[test]
    fn the_command_that_repeats_a_scenario_gives_the_same_plan() {
        for flags in [
            "one-store --window 2 --seed 5",
            "two-stores --no-wait --gap-max 1500ms --keys 100 --replicas 4 --stores 7 --seed 9 --patience 20",
        ] {
            let first = plan(&format!("jepsen-tikv scenario {flags}")).expect("usable");
            let line = first.command_line().expect("a line");
            assert!(line.starts_with("jepsen-tikv scenario "), "{line}");
            assert_eq!(plan(&line).expect("usable"), first, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_played_is_refused() {
        for (flags, named) in [
            ("two-stores --stores 4", "stores"),
            ("one-store --window 0", "--window"),
            ("one-store --keys 0", "--keys"),
        ] {
            let failure = plan(&format!("jepsen-tikv scenario {flags}")).expect_err(named);
            assert!(failure.sentence.contains(named), "{failure}");
        }
    }
}
