//! The flags of `self-test`.

use super::suggested::{Suggested, defect_names};
use campaigns::self_test::SelfTest;
use clap::Args;
use cluster::defects::Defect;
use failure::{Exit, Failure};
use std::{path::PathBuf, thread::available_parallelism};

/// The flags of `self-test`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct SelfTestArgs {
    /// Only these defects, separated by commas, and the correct cluster under their plans
    #[arg(long, value_delimiter = ',')]
    #[arg(value_parser = Suggested(defect_names), hide_possible_values = true)]
    pub only: Vec<String>,
    /// Only the half of the defects that take the least time and luck
    #[arg(long)]
    pub quick: bool,
    /// Random seed of the first try of each defect; the next tries count on from it [default: drawn, and printed]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Runs at a time [default: one for every two cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// Where run directories go, in its folder `self-test`
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl SelfTestArgs {
    /// Returns the self-test; an unknown defect is an error.
    pub fn self_test(&self) -> Result<SelfTest, Failure> {
        Ok(SelfTest {
            only: self.defects()?,
            quick: self.quick,
            seed: self.seed,
            jobs: self.jobs(),
            runs_dir: self.runs_dir.clone(),
        })
    }

    /// Returns the chosen defects; empty = all.
    fn defects(&self) -> Result<Vec<Defect>, Failure> {
        let known = || Defect::ALL.map(Defect::name).join(", ");
        let named = |name: &String| {
            Defect::from_name(name).ok_or_else(|| {
                let known = known();
                Failure::usage(format!("there is no defect {name:?}; the known ones are: {known}"))
            })
        };
        self.only.iter().map(named).collect()
    }

    /// Returns the number of concurrent runs.
    fn jobs(&self) -> usize {
        let cores = available_parallelism().map_or(1, usize::from);
        self.jobs.map_or((cores / 2).max(1), usize::from)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Command, parse_from};
    use campaigns::self_test::trials::of;
    use cluster::defects::Defect;

    #[test]
    fn every_plan_is_one_that_a_user_can_type() {
        for defect in Defect::ALL {
            let flags = of(defect).plan.flags;
            let line = format!("jepsen-tikv test {flags} --seed 1 --defect {}", defect.name());
            let cli = parse_from(line.split(' ')).expect("it parses");
            let Command::Test(args) = cli.command else { panic!("{line}") };
            let plan = plan::Plan::draw(args.config().expect("usable")).expect("drawn");
            assert_eq!(plan.schedule.is_empty(), flags.contains("--nemesis none"), "{flags}");
            assert!(plan.config.time_ms <= 60_000 && of(defect).plan.takes_s <= 60);
        }
    }
}
