//! The plans that failed in some night, which the next nights try first.
//!
//! A folder with a plan.json for each failure, named after the run and its seed. A plan stays until
//! its file is deleted by hand: one success says little about a fault that needs luck to show. A
//! plan that differs from a kept one only in its seed, and in what is drawn from that, is not kept.
//! Otherwise a failure of every night would fill the nights. Crashes have names of their own, so
//! that a crash of the tester, or a full disk, is no reason to leave out a broken promise.

use super::outcome::Outcome;
use failure::Failure;
use run_directory::plain_file::{self, PLAN_BYTES_MAX};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The prefix of the plans' names whose run was a crash.
const CRASH: &str = "crash.";

/// A plan that failed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingPlan {
    /// The plan's name.
    pub name: String,
    /// The plan's file.
    pub path: PathBuf,
}

/// The folder of failing plans.
#[derive(Debug)]
pub struct FailingPlans {
    path: PathBuf,
}

impl FailingPlan {
    /// Returns the label of the run that failed first.
    pub fn first_run(&self) -> &str {
        self.name.strip_prefix(CRASH).unwrap_or(&self.name)
    }
}

/// Returns a plan without its seed, the values drawn from it, and the version that drew it.
fn apart_from_its_seed(plan: &Path) -> Option<Value> {
    let mut plan: Value = plain_file::json(plan, PLAN_BYTES_MAX).ok()?;
    plan["config"].as_object_mut()?.remove("seed")?;
    let fields = plan.as_object_mut()?;
    for drawn in ["schedule", "tool-version"] {
        fields.remove(drawn);
    }
    Some(plan)
}

impl FailingPlans {
    /// The folder of failing plans in the folder of all nights.
    pub fn of(nights: &Path) -> Self {
        Self { path: nights.join("failing-plans") }
    }

    /// Lists all failing plans, the newest first.
    pub fn all(&self) -> Vec<FailingPlan> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut plans: Vec<(std::time::SystemTime, FailingPlan)> = entries
            .filter_map(|entry| {
                let path = entry.path();
                let name = path.file_name()?.to_str()?.strip_suffix(".plan.json")?.to_owned();
                Some((entry.metadata().ok()?.modified().ok()?, FailingPlan { name, path }))
            })
            .collect();
        plans.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| a.name.cmp(&b.name)));
        plans.into_iter().map(|(_, plan)| plan).collect()
    }

    /// Keeps a plan under a name. An existing plan stays unchanged, and stands for others like it.
    pub fn keep(&self, plan: &Path, name: &str, outcome: Outcome) -> Result<(), Failure> {
        let is_there = |name: &str| self.path.join(format!("{name}.plan.json")).exists();
        let crashed = outcome == Outcome::Crash;
        let same_kind = |kept: &FailingPlan| kept.name.starts_with(CRASH) == crashed;
        let apart = apart_from_its_seed(plan);
        let like = |kept: &FailingPlan| apart.is_some() && apart_from_its_seed(&kept.path) == apart;
        if is_there(name) || self.all().iter().any(|kept| same_kind(kept) && like(kept)) {
            return Ok(());
        }
        let name = format!("{}{name}", if crashed { CRASH } else { "" });
        let kept = self.path.join(format!("{name}.plan.json"));
        let copy = || {
            std::fs::create_dir_all(&self.path)?;
            plain_file::write(&kept, &plain_file::read(plan, PLAN_BYTES_MAX)?)
        };
        copy().map_err(|error| {
            Failure::target_or_disk(format!("cannot keep a plan as {}: {error}", kept.display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_plan_is_kept_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let plans = FailingPlans::of(directory.path());
        assert!(plans.all().is_empty());
        let plan = directory.path().join("plan.json");
        for contents in ["first", "second"] {
            std::fs::write(&plan, contents).expect("written");
            plans.keep(&plan, "register-7", Outcome::Invalid).expect("kept");
        }
        let all = plans.all();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].name, "register-7");
        assert_eq!(std::fs::read_to_string(&all[0].path).expect("there"), "first");
    }

    #[test]
    fn one_that_differs_by_its_seed_only_is_not_kept_beside_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let plans = FailingPlans::of(directory.path());
        let plan = directory.path().join("plan.json");
        let keep = |seed: u64, keys: u64, outcome| {
            let text = format!(
                r#"{{"config":{{"seed":{seed},"keys":{keys}}},"schedule":[{seed}],"tool-version":"{seed}"}}"#
            );
            std::fs::write(&plan, text).expect("written");
            plans.keep(&plan, &format!("run-{seed}"), outcome).expect("kept");
            plans.all().len()
        };
        // A crash is kept, and does not stand for a broken promise.
        assert_eq!(keep(1, 10, Outcome::Crash), 1);
        assert_eq!(keep(2, 10, Outcome::Invalid), 2);
        assert_eq!((keep(3, 10, Outcome::Invalid), keep(3, 10, Outcome::Crash)), (2, 2));
        assert_eq!(keep(4, 20, Outcome::Invalid), 3, "another configuration is another failure");
        let mut first: Vec<String> =
            plans.all().iter().map(|it| it.first_run().to_owned()).collect();
        first.sort();
        assert_eq!(first, ["run-1", "run-2", "run-4"]);
    }
}
