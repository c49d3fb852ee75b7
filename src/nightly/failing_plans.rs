//! Plans that failed in some night, to be tried first in the next ones.
//!
//! A folder with a plan.json for each failure, named after the run and its seed. A plan stays until somebody deletes its
//! file: that it passes once says little about a fault that needs luck to show.

use crate::exit::Failure;
use std::path::{Path, PathBuf};

/// A plan that failed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingPlan {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

/// The folder of them.
#[derive(Debug)]
pub struct FailingPlans {
    path: PathBuf,
}

impl FailingPlans {
    /// The folder among the nights.
    pub fn of(nights: &Path) -> Self {
        Self { path: nights.join("failing-plans") }
    }

    /// All of them, the newest first.
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

    /// Keeps a plan under a name. One that is there already stays as it is.
    pub fn keep(&self, plan: &Path, name: &str) -> Result<(), Failure> {
        let kept = self.path.join(format!("{name}.plan.json"));
        if kept.exists() {
            return Ok(());
        }
        let copy = || {
            std::fs::create_dir_all(&self.path)?;
            std::fs::copy(plan, &kept)
        };
        copy().map(|_| ()).map_err(|error| {
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
            plans.keep(&plan, "register-7").expect("kept");
        }
        let all = plans.all();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].name, "register-7");
        assert_eq!(std::fs::read_to_string(&all[0].path).expect("there"), "first");
    }
}
