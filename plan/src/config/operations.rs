//! The weights of a workload's operations: `get=8,put=5`.
//!
//! In: weights as the command line or a plan gives them. Out: checked [`Operations`]. An operation
//! that is not named is not drawn.

use super::WorkloadName;
use failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// An operation that can be drawn.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OperationName {
    /// A read of one key.
    Get,
    /// A write of one key.
    Put,
    /// A compare-and-swap.
    Cas,
    /// A delete of one key.
    Delete,
    /// A scan over all keys.
    Scan,
    /// A read of some keys, each a read of its own.
    BatchGet,
    /// A write of some keys, each a write of its own.
    BatchPut,
    /// A delete of some keys, each a delete of its own.
    BatchDelete,
}

/// Weights of operations, of the sum of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Operations(BTreeMap<OperationName, u32>);

/// The largest weight; the sum of such weights does not overflow.
const WEIGHT_MAX: u32 = 1_000_000;

impl OperationName {
    /// Every operation.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Put,
        Self::Cas,
        Self::Delete,
        Self::Scan,
        Self::BatchGet,
        Self::BatchPut,
        Self::BatchDelete,
    ];
    /// The operations that read; a workload without any of them tests nothing.
    pub const READS: [Self; 3] = [Self::Get, Self::Scan, Self::BatchGet];
    /// The operations that write values; a workload without any of them tests nothing.
    pub const WRITES: [Self; 3] = [Self::Put, Self::Cas, Self::BatchPut];

    /// The operation's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Cas => "cas",
            Self::Delete => "delete",
            Self::Scan => "scan",
            Self::BatchGet => "batch-get",
            Self::BatchPut => "batch-put",
            Self::BatchDelete => "batch-delete",
        }
    }

    /// The reading effort for a person. A put and a get stand alone; a chain of CAS must be read
    /// whole.
    fn effort(self) -> u32 {
        match self {
            Self::Get | Self::Put => 1,
            Self::Delete | Self::Scan => 2,
            Self::BatchGet | Self::BatchPut | Self::BatchDelete => 3,
            Self::Cas => 4,
        }
    }
}

impl Operations {
    /// Operations with these weights.
    pub fn new(weights: impl IntoIterator<Item = (OperationName, u32)>) -> Self {
        Self(weights.into_iter().collect())
    }

    /// The weights as the command line gives them; none = the workload's own.
    pub fn given(weights: &[(OperationName, u32)]) -> Option<Self> {
        (!weights.is_empty()).then(|| Self::new(weights.iter().copied()))
    }

    /// Every operation that can be drawn, with its weight.
    pub fn weights(&self) -> Vec<(OperationName, u32)> {
        self.0.iter().map(|(name, weight)| (*name, *weight)).collect()
    }

    /// The reading effort of a history, for shrinking: operations that depend on others, or on
    /// several keys, are harder.
    fn effort(&self) -> u32 {
        self.0.keys().map(|name| name.effort()).sum()
    }

    /// Weights that are easier to read than `now` or a workload's own, the easiest first. All of
    /// them still test something.
    pub fn simpler(now: Option<&Self>) -> Vec<Self> {
        let is_drawn = |name: &OperationName| now.is_none_or(|it| it.0.contains_key(name));
        let plain = [OperationName::Get, OperationName::Put];
        let plain_and = |more: Option<OperationName>| {
            Self::new(plain.into_iter().chain(more).map(|name| (name, 1)))
        };
        let others = OperationName::ALL.into_iter().filter(is_drawn).map(Some);
        let one_fewer = now.into_iter().flat_map(|now| {
            now.0.keys().map(|name| {
                let mut fewer = now.clone();
                fewer.0.remove(name);
                fewer
            })
        });
        let all = std::iter::once(None).chain(others).map(plain_and).chain(one_fewer);
        let effort_now = now.map_or(u32::MAX, Self::effort);
        let mut simpler: Vec<Self> = all
            .filter(|it| it.effort() < effort_now && it.check(WorkloadName::Register).is_ok())
            .collect();
        simpler.sort_by_key(Self::effort);
        simpler.dedup();
        simpler
    }

    /// Refuses weights that cannot be drawn, or that would test nothing.
    pub(super) fn check(&self, workload: WorkloadName) -> Result<(), Failure> {
        if workload != WorkloadName::Register {
            return Err(Failure::usage(
                "--operations is about workload register: go-ycsb's workload A is half reads, half updates",
            ));
        }
        if let Some((name, weight)) = self.0.iter().find(|(_, weight)| **weight > WEIGHT_MAX) {
            let name = name.name();
            return Err(Failure::usage(format!(
                "--operations {name}={weight} is too much: use weights up to {WEIGHT_MAX}"
            )));
        }
        let any = |names: &[OperationName]| {
            names.iter().any(|name| self.0.get(name).is_some_and(|weight| *weight > 0))
        };
        if !any(&OperationName::READS) {
            return Err(Failure::usage("--operations reads nothing: add get, scan or batch-get"));
        }
        if !any(&OperationName::WRITES) {
            return Err(Failure::usage("--operations writes nothing: add put, cas or batch-put"));
        }
        Ok(())
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> =
            self.0.iter().map(|(name, weight)| format!("{}={weight}", name.name())).collect();
        f.write_str(&pairs.join(","))
    }
}

/// Parses `get=8`.
pub fn parse_weight(text: &str) -> Result<(OperationName, u32), String> {
    let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
    let known = || OperationName::ALL.map(OperationName::name).join(", ");
    let name = OperationName::ALL
        .into_iter()
        .find(|it| it.name() == name)
        .ok_or_else(|| format!("there is no operation {name:?}; known are {}", known()))?;
    let weight =
        weight.parse().map_err(|_| format!("{weight:?} is no weight; write get=8,put=5"))?;
    Ok((name, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_what_tests_nothing_is_refused() {
        let given = |text: &str| {
            let weights: Result<Vec<_>, _> = text.split(',').map(parse_weight).collect();
            weights.map(Operations::new)
        };
        let check = |text: &str| given(text).expect("parses").check(WorkloadName::Register);
        assert_eq!(given("put=5,get").expect("parses").to_string(), "get=1,put=5");
        check("put=5,get").expect("usable");
        check("batch-put=2,batch-get").expect("usable");
        for (text, named) in [("put=5", "reads nothing"), ("get=1,put=0", "writes nothing")] {
            let refused = check(text).expect_err(text);
            assert!(refused.sentence.contains(named), "{refused}");
        }
        assert!(given("pet=1").expect_err("unknown").contains("known are get, put"));
        assert!(given("get=x").expect_err("no number").contains("no weight"));
    }

    #[test]
    fn simpler_operations_are_ever_easier_to_read_and_test_something() {
        let in_words = |now: Option<&str>| {
            let now = now.map(|text| Operations::new(text.split(',').flat_map(parse_weight)));
            let simpler = Operations::simpler(now.as_ref());
            simpler.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(in_words(Some("get=3,put=1")).is_empty());
        assert_eq!(
            in_words(Some("get=2,delete=2,cas=9"))[..2],
            ["get=1,put=1", "get=1,put=1,delete=1"]
        );
        assert_eq!(
            in_words(Some("get=3,put=5,scan=2")),
            ["get=1,put=1", "get=3,put=5", "put=5,scan=2"]
        );
        assert_eq!(in_words(None)[0], "get=1,put=1");
    }
}
