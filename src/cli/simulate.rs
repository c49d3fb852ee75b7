//! The flags of `simulate`: those of `test`, or a plan.

use super::TestArgs;
use crate::{
    config::{ClientName, TargetConfig},
    exit::{Exit, Failure},
    plan::Plan,
};
use clap::Args;
use std::path::PathBuf;

/// The flags of `simulate`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct SimulateArgs {
    /// A plan.json or a run directory; without it the flags below make a plan
    pub plan: Option<PathBuf>,
    /// The flags that make a plan
    #[command(flatten)]
    pub test: TestArgs,
}

impl SimulateArgs {
    /// The plan, and the command that repeats it. The client is the direct one always: tikv-client brings sockets.
    pub fn plan(&self) -> Result<(Plan, String), Failure> {
        let mut plan = match &self.plan {
            None => {
                let mut config = self.test.config()?;
                if config.target != TargetConfig::Embedded {
                    return Err(Failure::usage(
                        "a simulation brings its own cluster: leave --target out, or use jepsen-tikv test",
                    ));
                }
                config.target = TargetConfig::Simulated;
                Plan::draw(config)?
            }
            Some(path) => {
                let mut plan = Plan::read(&plan_file(path))?;
                plan.config.target = TargetConfig::Simulated;
                if let Some(seed) = self.test.seed {
                    plan.config.seed = seed;
                }
                plan
            }
        };
        plan.config.workload.client = ClientName::Direct;
        let repeat = match &self.plan {
            None => plan.config.command_line(&super::default_config()?).replacen(
                "jepsen-tikv test",
                "jepsen-tikv simulate",
                1,
            ),
            Some(path) => {
                format!("jepsen-tikv simulate {} --seed {}", path.display(), plan.config.seed)
            }
        };
        Ok((plan, repeat))
    }

    /// Where run directories go.
    pub fn runs_dir(&self) -> PathBuf {
        self.test.runs_dir.clone()
    }
}

/// A run's plan, or the file itself.
fn plan_file(path: &std::path::Path) -> PathBuf {
    if path.is_dir() { path.join("plan.json") } else { path.to_owned() }
}
