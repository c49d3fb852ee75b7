//! The track record as data: each defect and the plan that catches it.
//!
//! A plan is the flags that a user would type after `jepsen-tikv test`. Several defects share one
//! plan, and the correct cluster runs under each plan too. The evidence that a plan must bring is
//! defined in [`super::evidence`].

use cluster::defects::Defect;

/// A workload with its faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The flags of `test`, but for the seed and the defect.
    pub flags: &'static str,
    /// The approximate duration of one run, seconds.
    pub takes_s: u64,
}

impl Plan {
    /// Returns a name for the plan's folder.
    pub fn label(&self) -> String {
        let words = self.flags.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
    }
}

/// A defect and the plan that catches it.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// The defect.
    pub defect: Defect,
    /// The plan that catches it.
    pub plan: Plan,
    /// True if it belongs to the quick half.
    pub quick: bool,
}

const fn plan(flags: &'static str, takes_s: u64) -> Plan {
    Plan { flags, takes_s }
}

const OVERLAP: Plan = plan("--nemesis pause-overlap --pause-ms-min 2000 --keys 500 --time 20", 30);
/// With tikv-client a refused write leaves the old route, and a read that is refused too finds the
/// new one. Where any peer answers reads, none is refused, so the route stays wrong, and even the
/// load can fail. The direct client asks PD.
const OVERLAP_DIRECT: Plan =
    plan("--nemesis pause-overlap --pause-ms-min 2000 --client direct --keys 500 --time 20", 30);
const OVERLAP_LEASE: Plan =
    plan("--read lease --nemesis pause-overlap --pause-ms-min 2000 --keys 500 --time 20", 30);
/// Clients that wait for the old leader must still wait when it runs again. The start and election
/// of killed stores fill that time.
const KILL_FOLLOWERS: Plan = plan(
    "--nemesis kill-followers --pause-ms-max 1000 --op-timeout 15 --stores 3 --keys 500 --time 25",
    35,
);
const KILL_ALL: Plan = plan("--nemesis kill-all --stores 3 --keys 500 --time 12", 20);
/// Two leaders of one term show only where the first one's log has entries that nobody else has,
/// and none of its voters remembers it. So it is killed after its followers, and all are asked for
/// a vote at the same time. The second leader's entries then have the first one's indexes and term,
/// and Raft takes them for equal. Many regions (each is a group of its own) and clients make such
/// entries likely. Many keys at a low rate keep them from being overwritten before the store that
/// lacks them leads. The interval lets elections end between two kills.
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
/// A leader that is a quorum of its own learns on its return that it is deposed. As its only voter
/// it is elected again an election timeout later, alone. So the others must stay paused for longer
/// than that.
const MOVES: Plan = plan(
    "--nemesis move-replica,pause-overlap --nemesis-interval 1 --pause-ms-min 2500 --stores 4 --rate 800 --keys 500 --time 25",
    30,
);
const SPLITS: Plan =
    plan("--nemesis split --nemesis-interval 1 --stores 3 --keys 500 --time 8", 15);
const REGIONS: Plan = plan("--nemesis none --regions 4 --stores 3 --keys 500 --time 5", 12);
const REGISTER: Plan =
    plan("--workload register --nemesis none --stores 3 --concurrency 8 --time 5", 12);

/// Two swaps race only if both expect the present value. With swaps and few keys, the loser of a
/// race knows that value.
const RACE: Plan = plan(
    "--workload register --operations get=1,cas=4 --keys 2 --nemesis none --stores 3 --concurrency 8 --time 5",
    12,
);

/// The run that must stay invalid whatever else is chosen: it needs no fault, no luck and one try.
pub const CANARY: Trial = Trial { defect: Defect::FailedCasWrites, plan: REGISTER, quick: true };

/// Returns the trial of a defect.
pub fn of(defect: Defect) -> Trial {
    let (plan, quick) = match defect {
        Defect::StaleRead => (OVERLAP, true),
        Defect::LongLease => (OVERLAP_LEASE, false),
        Defect::FollowerRead => (OVERLAP_DIRECT, false),
        Defect::AckBeforeCommit | Defect::LostOnLeaderChange => (KILL_FOLLOWERS, false),
        Defect::AckBeforeFsync | Defect::ApplyTwice => (KILL_ALL, true),
        Defect::ForgetfulSnapshot => (REPLICAS, true),
        Defect::TornMembership => (MOVES, false),
        Defect::VoteTwice => (KILL_LEADER_LAST, false),
        Defect::KeyLostInSplit => (SPLITS, true),
        Defect::DeleteResurrects => (KILL_ALL_REGISTER, false),
        Defect::ScanSkipsBoundary => (REGIONS, true),
        Defect::FailedCasWrites => (REGISTER, true),
        Defect::CasRace => (RACE, true),
        Defect::PutReportsFailureButApplies => (REGIONS, false),
    };
    Trial { defect, plan, quick }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_half_is_about_a_half() {
        let quick = Defect::ALL.into_iter().filter(|defect| of(*defect).quick).count();
        assert_eq!(quick, 8);
    }
}
