//! The track record as data: each defect, the plan that catches it, and the evidence that this must bring.
//!
//! A plan is what a user would type after `jepsen-tikv test`. Several defects share one; the correct cluster is run
//! under each of them too. Evidence is what the judge says, not that it says something: a stale read that is reported
//! as a lost key is no catch.

use checker::{Finding, FindingKind, Verdict};
use cluster::defects::Defect;

/// A workload with its faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The flags of `test`, but for the seed and the defect.
    pub flags: &'static str,
    /// About how long one run of it takes, seconds.
    pub takes_s: u64,
}

impl Plan {
    /// A name for its folder.
    pub fn label(&self) -> String {
        let words = self.flags.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    }
}

/// What shows a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The judge names an anomaly of this kind.
    Finding(FindingKind),
    /// The same, read while a fault of this name was in force.
    During(FindingKind, &'static str),
    /// A read found nothing where a value was.
    FoundNothing,
    /// A scan lacks keys that were certainly there.
    MissingKey,
    /// A key's calls have no order, whatever the anomaly is called.
    NoOrder,
}

/// A defect and how it is caught.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// The defect.
    pub defect: Defect,
    /// What catches it.
    pub plan: Plan,
    /// Any of these is the right evidence.
    pub evidence: &'static [Evidence],
    /// Whether it belongs to the quick half.
    pub quick: bool,
}

const fn plan(flags: &'static str, takes_s: u64) -> Plan {
    Plan { flags, takes_s }
}

const OVERLAP: Plan = plan("--nemesis pause-overlap --keys 500 --time 20", 30);
/// With tikv-client a refused write leaves the old route, and a read that is refused too finds the new one. Where any peer
/// answers reads none is refused, so the route stays wrong, and even the load can fail. The direct client asks PD.
const OVERLAP_DIRECT: Plan =
    plan("--nemesis pause-overlap --client direct --keys 500 --time 20", 30);
const OVERLAP_LEASE: Plan = plan("--read lease --nemesis pause-overlap --keys 500 --time 20", 30);
const PAUSE_LEADER: Plan =
    plan("--nemesis pause-leader --pause-ms-min 2500 --op-timeout 8 --keys 500 --time 20", 30);
const KILL_ALL: Plan = plan("--nemesis kill-all --stores 3 --keys 500 --time 12", 20);
/// Two leaders of one term show only where the first one's log has entries that nobody else has, and none of its voters
/// remembers it: so it is killed after its followers, and all are asked for a vote at the same time. The second leader's
/// entries then have the first one's indexes and term, and Raft takes them for the same. Many regions (each is a group of
/// its own) and clients make such entries likely; many keys at a low rate keep them from being overwritten before the
/// store that lacks them leads; the interval lets elections end between two kills.
const KILL_LEADER_LAST: Plan = plan(
    "--nemesis kill-leader-last --nemesis-interval 3 --pause-ms-min 100 --pause-ms-max 1000 --op-timeout 1 --stores 3 --regions 8 --concurrency 128 --rate 1500 --keys 10000 --time 25",
    30,
);
const KILL_ALL_REGISTER: Plan = plan(
    "--workload register --keys 100 --nemesis kill-all --pause-ms-max 1000 --stores 3 --concurrency 8 --time 15",
    20,
);
const REPLICAS: Plan = plan(
    "--nemesis replicas,transfer-leader --nemesis-interval 1 --stores 5 --keys 500 --time 12",
    20,
);
/// A leader that is a quorum of its own hears on its return that it is deposed; being its only voter it is elected again
/// an election timeout later, alone. So the others must stay stopped for longer than that.
const MOVES: Plan = plan(
    "--nemesis move-replica,pause-overlap --nemesis-interval 1 --pause-ms-min 2500 --stores 4 --rate 800 --keys 500 --time 25",
    30,
);
const SPLITS: Plan =
    plan("--nemesis split --nemesis-interval 1 --stores 3 --keys 500 --time 8", 15);
const REGIONS: Plan = plan("--nemesis none --regions 4 --stores 3 --keys 500 --time 5", 12);
const REGISTER: Plan =
    plan("--workload register --nemesis none --stores 3 --concurrency 8 --time 5", 12);

/// A store answers from old state while it runs alone: what it returns had been replaced, and the reader waited for it
/// while the fault was in force. The value in between was seen by others (resurrected), by nobody (lost), or only later
/// (stale): the workload's luck. The same seen when no store is stopped would be another defect.
const OLD_STATE: &[Evidence] = &[
    Evidence::During(FindingKind::Resurrected, "pause-overlap"),
    Evidence::During(FindingKind::LostWrite, "pause-overlap"),
    Evidence::During(FindingKind::StaleRead, "pause-overlap"),
];
/// An acknowledged write never was in a majority's log, so nobody saw it, and the value before it stays.
const LOST: &[Evidence] = &[Evidence::Finding(FindingKind::LostWrite)];
/// A write is undone that was acknowledged in order: by a kill, or because a replica that lacks it comes to lead. The value
/// before it is there again, whether the write had been seen (resurrected) or not (lost).
const DIVERGED: &[Evidence] =
    &[Evidence::Finding(FindingKind::LostWrite), Evidence::Finding(FindingKind::Resurrected)];
/// Keys that were certainly there are not found. Not always by the count at the end: each is written again soon.
const ABSENT: &[Evidence] = &[Evidence::FoundNothing, Evidence::MissingKey];

/// The run that must stay red whatever else is asked for: no fault, no luck, one try.
pub const CANARY: Trial = Trial {
    defect: Defect::FailedCasWrites,
    plan: REGISTER,
    evidence: &[Evidence::NoOrder],
    quick: true,
};

/// The trial of a defect.
pub fn of(defect: Defect) -> Trial {
    let (plan, evidence, quick): (Plan, &'static [Evidence], bool) = match defect {
        Defect::StaleRead => (OVERLAP, OLD_STATE, true),
        Defect::LongLease => (OVERLAP_LEASE, OLD_STATE, false),
        Defect::FollowerRead => (OVERLAP_DIRECT, OLD_STATE, false),
        Defect::AckBeforeCommit | Defect::LostOnLeaderChange => (PAUSE_LEADER, LOST, false),
        Defect::AckBeforeFsync | Defect::ApplyTwice => (KILL_ALL, DIVERGED, true),
        Defect::ForgetfulSnapshot => (REPLICAS, ABSENT, true),
        Defect::TornMembership => (MOVES, DIVERGED, false),
        Defect::VoteTwice => (KILL_LEADER_LAST, DIVERGED, false),
        Defect::KeyLostInSplit => (SPLITS, ABSENT, true),
        Defect::DeleteResurrects => (KILL_ALL_REGISTER, &[Evidence::NoOrder], false),
        Defect::ScanSkipsBoundary => (REGIONS, &[Evidence::MissingKey], true),
        Defect::FailedCasWrites | Defect::CasRace => (REGISTER, &[Evidence::NoOrder], true),
        Defect::PutReportsFailureButApplies => {
            (REGIONS, &[Evidence::Finding(FindingKind::Dirty)], false)
        }
    };
    Trial { defect, plan, evidence, quick }
}

impl Evidence {
    /// What in a verdict is this evidence, in words; none if there is nothing of it.
    pub fn in_verdict(self, verdict: &Verdict) -> Option<String> {
        match self {
            Self::Finding(kind) => {
                let found = verdict.findings.iter().find(|finding| finding.kind == kind)?;
                Some(format!("{kind}: {}", found.sentence))
            }
            Self::During(kind, fault) => {
                let during = |it: &&Finding| it.faults.iter().any(|name| name == fault);
                let of_kind = verdict.findings.iter().filter(|finding| finding.kind == kind);
                let found = of_kind.into_iter().find(during)?;
                Some(format!("{kind} during {fault}: {}", found.sentence))
            }
            Self::FoundNothing => {
                let nothing = |it: &&Finding| it.sentence.starts_with("get → nothing");
                let found = verdict.findings.iter().find(nothing)?;
                Some(format!("{}: {}", found.kind, found.sentence))
            }
            Self::MissingKey => {
                let count = verdict.key_counts.iter().find(|count| !count.missing.is_empty())?;
                Some(format!(
                    "a scan returned {} keys, at least {} were there",
                    count.count, count.certainly_present
                ))
            }
            Self::NoOrder => {
                let key = verdict.keys.iter().find(|key| key.counterexample.is_some())?;
                let example = key.counterexample.as_ref()?;
                Some(example.sentence.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse_from};

    #[test]
    fn every_plan_is_one_that_a_user_can_type() {
        for defect in Defect::ALL {
            let flags = of(defect).plan.flags;
            let line = format!("jepsen-tikv test {flags} --seed 1 --defect {}", defect.name());
            let cli = parse_from(line.split(' ')).expect("it parses");
            let Command::Test(args) = cli.command else { panic!("{line}") };
            let plan = crate::plan::Plan::draw(args.config().expect("usable")).expect("drawn");
            assert_eq!(plan.schedule.is_empty(), flags.contains("--nemesis none"), "{flags}");
            assert!(plan.config.time_ms <= 60_000 && of(defect).plan.takes_s <= 60);
        }
    }

    #[test]
    fn the_quick_half_is_about_a_half_and_evidence_is_never_anything_at_all() {
        let quick = Defect::ALL.into_iter().filter(|defect| of(*defect).quick).count();
        assert_eq!(quick, 8);
        for defect in Defect::ALL {
            let evidence = of(defect).evidence;
            assert!(!evidence.is_empty());
            let nothing = Verdict::default();
            assert!(evidence.iter().all(|it| it.in_verdict(&nothing).is_none()));
        }
    }
}
