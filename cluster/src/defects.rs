//! The embedded cluster's defects: small, named, switchable departures from correctness, all off by default.
//!
//! Each exists so that anyone can see the tester catch it. Store logic asks [`Defects::has`] at the one place
//! where the defect departs; nothing else in the program may depend on a defect.

use std::collections::BTreeSet;

/// One departure from correctness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// A leader answers reads without confirming that it still leads.
    StaleRead,
}

/// The defects that are switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defects(BTreeSet<Defect>);

impl Defect {
    /// Every defect there is.
    pub const ALL: [Self; 1] = [Self::StaleRead];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale-read",
        }
    }

    /// What it breaks, in one line.
    pub fn breaks(self) -> &'static str {
        match self {
            Self::StaleRead => {
                "a leader answers reads without confirming that it still leads, so a deposed one answers from old state"
            }
        }
    }

    /// The defect of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| defect.name() == name)
    }
}

impl Defects {
    /// Whether a defect is on.
    pub fn has(&self, defect: Defect) -> bool {
        self.0.contains(&defect)
    }

    /// The defects that are on, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Defect> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self(defects.into_iter().collect())
    }
}
