//! Which cluster is under test: the kinds of target, and what each lets us do.
//!
//! In: values as the command line gives them. Out: a [`TargetConfig`], part of the plan, and what it [`Offers`], which a
//! plan is held against before anything starts.

use serde::{Deserialize, Serialize};

/// Which cluster is under test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TargetConfig {
    /// The embedded cluster: processes of our own, started by the run.
    #[default]
    Embedded,
}

/// What a target lets us do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// What its nemesis can do.
    pub faults: nemesis::Capabilities,
    /// Its stores can be made wrong on purpose.
    pub defects: bool,
}

impl TargetConfig {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
        }
    }

    /// What it lets us do.
    pub fn offers(&self) -> Offers {
        match self {
            Self::Embedded => Offers {
                faults: nemesis::Capabilities { pause: true, kill: true, schedule: true },
                defects: true,
            },
        }
    }
}
