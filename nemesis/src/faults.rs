//! The faults of a run: from names on the command line to kinds that the cluster allows.
//!
//! In: names, and the target's capabilities. Out: [`Faults`], or an error that explains the refusal
//! in one sentence. Pure.

use crate::kind::{FaultKind, Possible};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The faults of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// The kinds, each once, in a fixed order.
    pub kinds: Vec<FaultKind>,
    /// True if faults overlap on purpose (`mix`).
    pub overlap: bool,
}

/// A fault that cannot be injected, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultsError {
    /// No fault has this name.
    #[error("there is no nemesis {0:?}{alike}; known are {known}", alike = alike(.0), known = Faults::known_names().join(", "))]
    Unknown(String),
    /// The cluster is too small for the fault.
    #[error("nemesis {name} needs {needs}, there are {there}; {instead}")]
    TooSmall {
        /// The fault.
        name: &'static str,
        /// The required size.
        needs: String,
        /// The actual size.
        there: u32,
        /// The advice to the user.
        instead: &'static str,
    },
    /// Only a simulated cluster can suffer the fault.
    #[error(
        "nemesis {name} cannot be used here: only a simulation can hurt network, disks, clocks and PD; \
         use `jepsen-tikv simulate`, or `fuzz --simulate`"
    )]
    OnlySimulated {
        /// The fault.
        name: &'static str,
    },
    /// The target cannot carry out the fault.
    #[error("nemesis {name} cannot be used here: this target cannot {what}")]
    Unsupported {
        /// The fault.
        name: &'static str,
        /// The missing capability.
        what: &'static str,
    },
}

/// The question whether the nearest known name was meant; empty if none is near.
fn alike(name: &str) -> String {
    let near = |known: &&'static str| strsim::jaro_winkler(name, known);
    let best = Faults::known_names().into_iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    let best = best.filter(|known| near(known) > NEAR);
    best.map_or_else(String::new, |known| format!(" (did you mean {known}?)"))
}

/// Names that are as much alike as this are taken for a slip of the hand.
const NEAR: f64 = 0.8;

impl Faults {
    /// All names that [`Faults::parse`] knows.
    pub fn known_names() -> Vec<&'static str> {
        let kinds = FaultKind::ALL.into_iter().map(FaultKind::name);
        std::iter::once("none").chain(kinds).chain(["mix"]).collect()
    }

    /// Parses names of faults; `none` adds none, `mix` adds all and lets them overlap.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, FaultsError> {
        let mut faults = Self { kinds: Vec::new(), overlap: false };
        for name in names.iter().map(|name| name.as_ref().trim()) {
            match FaultKind::ALL.into_iter().find(|kind| kind.name() == name) {
                Some(kind) => faults.kinds.push(kind),
                None if name == "mix" => {
                    faults.kinds.extend(FaultKind::ALL);
                    faults.overlap = true;
                }
                None if name == "none" => {}
                None => return Err(FaultsError::Unknown(name.to_owned())),
            }
        }
        faults.kinds.sort_unstable();
        faults.kinds.dedup();
        Ok(faults)
    }

    /// Refuses faults that this cluster does not allow. A `mix`, which names no fault, leaves them
    /// out instead.
    pub fn fit(mut self, possible: &Possible) -> Result<Self, FaultsError> {
        let replicas = self.replicas_during_faults(possible);
        if self.overlap {
            self.kinds.retain(|kind| kind.fits(possible, possible.replicas).is_ok());
        }
        for kind in &self.kinds {
            let present = if *kind == FaultKind::Replicas { possible.replicas } else { replicas };
            kind.fits(possible, present)?;
        }
        Ok(self)
    }

    /// Returns true if replicas are raised before the other faults and lowered after them:
    /// `replicas` in a combination.
    pub fn raises_replicas_first(&self) -> bool {
        !self.overlap && self.kinds.len() > 1 && self.kinds.contains(&FaultKind::Replicas)
    }

    fn replicas_during_faults(&self, possible: &Possible) -> u32 {
        possible.replicas + if self.raises_replicas_first() { 2 } else { 0 }
    }

    /// The warnings before the run starts: the faults that leave a region without a majority, on
    /// purpose.
    pub fn warnings(&self, possible: &Possible) -> Vec<String> {
        let replicas = self.replicas_during_faults(possible);
        let majority = replicas / 2 + 1;
        if self.overlap {
            return vec![
                "faults of a mix overlap: regions lose their majority now and then and are unavailable on purpose"
                    .into(),
            ];
        }
        let sentence = |kind: &FaultKind| {
            let taken = kind.voters_taken(replicas);
            (taken > 0 && replicas - taken.min(replicas) < majority).then(|| {
                format!(
                    "{} takes {taken} of the {replicas} replicas of a region, whose majority is {majority}: \
                     that makes it unavailable on purpose until they run again",
                    kind.name()
                )
            })
        };
        self.kinds.iter().filter_map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: Possible = Possible {
        pause: true,
        kill: true,
        schedule: true,
        max_replicas: true,
        simulated: false,
        stores: 6,
        replicas: 3,
    };

    fn names(faults: &Faults) -> Vec<&'static str> {
        faults.kinds.iter().map(|kind| kind.name()).collect()
    }

    #[test]
    fn names_become_faults() {
        for name in Faults::known_names() {
            assert!(Faults::parse(&[name]).is_ok(), "{name}");
        }
        assert!(Faults::parse(&["none"]).expect("known").kinds.is_empty());
        let both = Faults::parse(&["replicas", "pause-two", "replicas"]).expect("known");
        assert_eq!(names(&both), ["pause-two", "replicas"]);
        assert!(both.raises_replicas_first());
        let mix = Faults::parse(&["mix"]).expect("known");
        assert_eq!(mix.kinds, FaultKind::ALL);
        assert!(mix.overlap && !mix.raises_replicas_first());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = Faults::parse(&["pause-too"]).expect_err("unknown").to_string();
        assert!(error.contains("\"pause-too\"") && error.contains("pause-two,"), "{error}");
        assert!(error.contains("mix") && error.contains("none"), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_refused_or_left_out_of_a_mix() {
        let four = Possible { stores: 4, ..SIX };
        let error = Faults::parse(&["replicas"]).expect("known").fit(&four).expect_err("too small");
        assert!(error.to_string().contains("5 stores"), "{error}");
        let mix = Faults::parse(&["mix"]).expect("known").fit(&four).expect("fits");
        assert!(!mix.kinds.contains(&FaultKind::Replicas));
        let attached = Possible { kill: false, ..SIX };
        let error = Faults::parse(&["kill-one"]).expect("known").fit(&attached).expect_err("no");
        assert!(error.to_string().contains("cannot kill"), "{error}");
        let single = Possible { replicas: 1, ..SIX };
        assert!(Faults::parse(&["pause-two"]).expect("known").fit(&single).is_err());
        assert!(Faults::parse(&["pause-two", "replicas"]).expect("known").fit(&single).is_ok());
        assert!(Faults::parse(&["pause-leader"]).expect("known").fit(&single).is_ok());
    }

    #[test]
    fn what_only_a_simulation_offers_is_refused_elsewhere_and_left_out_of_a_mix() {
        let simulated = Possible { simulated: true, ..SIX };
        for kind in FaultKind::ALL.into_iter().filter(|kind| kind.needs_simulation()) {
            let asked = || Faults::parse(&[kind.name()]).expect("known");
            let error = asked().fit(&SIX).expect_err("not simulated").to_string();
            assert!(error.contains(kind.name()) && error.contains("simulate"), "{error}");
            assert_eq!(asked().fit(&simulated).expect("fits").kinds, [kind]);
        }
        let mix = || Faults::parse(&["mix"]).expect("known");
        let everywhere = FaultKind::ALL.into_iter().filter(|kind| !kind.needs_simulation());
        assert_eq!(mix().fit(&SIX).expect("fits").kinds, everywhere.collect::<Vec<_>>());
        assert_eq!(mix().fit(&simulated).expect("fits").kinds, FaultKind::ALL);
        let three = Possible { stores: 3, ..simulated };
        let error = Faults::parse(&["partition-ring"]).expect("known").fit(&three);
        assert!(error.expect_err("too small").to_string().contains("4 stores"));
    }

    #[test]
    fn a_lost_majority_is_said_aloud() {
        let said = |list: &[&str]| Faults::parse(list).expect("known").warnings(&SIX);
        let [sentence] = said(&["pause-two"]).try_into().expect("one sentence");
        assert!(sentence.contains("pause-two takes 2 of the 3 replicas"), "{sentence}");
        assert!(sentence.contains("unavailable on purpose"), "{sentence}");
        assert!(said(&["pause-two", "replicas"]).is_empty());
        assert!(said(&["pause-leader", "transfer-leader"]).is_empty());
        assert_eq!(said(&["pause-overlap"]).len(), 1);
        assert_eq!(said(&["mix"]).len(), 1);
    }
}
