//! A test that compares the least plan that each defect can need with the plans that `shrink` found
//! (docs/fuzzing.md).
//!
//! A smaller plan shows the defect by something else than the behaviour it is named for.

use cluster::defects::Defect;

/// The participants of a plan.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Participants {
    clients: u32,
    stores: u32,
    regions: u32,
    /// True if the plan needs a fault.
    fault: bool,
}

fn least(defect: Defect) -> Participants {
    let (clients, stores, regions, fault) = match defect {
        // A client that puts and then reads sees it: the put is not yet applied, or reported
        // failure.
        Defect::AckBeforeCommit | Defect::PutReportsFailureButApplies => (1, 1, 1, false),
        // One store alone shows the effect of its restart or split.
        Defect::AckBeforeFsync
        | Defect::ApplyTwice
        | Defect::DeleteResurrects
        | Defect::KeyLostInSplit => (1, 1, 1, true),
        // One client may write at a new leader and read at the old one, or at a follower that it
        // takes for the leader. That needs three voters and a leader that moves. Two candidates and
        // a voter that votes twice need the same.
        Defect::StaleRead
        | Defect::LongLease
        | Defect::FollowerRead
        | Defect::LostOnLeaderChange
        | Defect::VoteTwice => (1, 3, 1, true),
        // A peer is removed, and two voters remain beside the leader.
        Defect::TornMembership => (1, 4, 1, true),
        // New replicas are made from snapshots when the cluster is built.
        Defect::ForgetfulSnapshot => (1, 2, 1, false),
        Defect::ScanSkipsBoundary => (1, 1, 2, false),
        // A CAS fails because another client has written since; a race has two winners.
        Defect::FailedCasWrites | Defect::CasRace => (2, 1, 1, false),
    };
    Participants { clients, stores, regions, fault }
}

/// Parses a cell like "`split`, 1 client, 1 store, 2 keys, 0.5 s".
fn of_cell(cell: &str) -> Participants {
    let number = |what: &str| {
        let part = cell
            .split(", ")
            .find(|part| part.split(' ').nth(1).is_some_and(|word| word.starts_with(what)))?;
        part.split(' ').next()?.parse().ok()
    };
    Participants {
        clients: number("client").unwrap_or_else(|| panic!("clients of {cell}")),
        stores: number("store").unwrap_or_else(|| panic!("stores of {cell}")),
        regions: number("region").unwrap_or(1),
        fault: !cell.starts_with("no fault"),
    }
}

#[test]
fn no_smallest_plan_is_smaller_than_its_defect_needs() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fuzzing.md");
    let page = std::fs::read_to_string(path).expect("a page");
    for defect in Defect::ALL {
        let rows = page.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let of_this = cells[0].starts_with(&format!("| `{}`", defect.name()));
            of_this.then(|| cells.get(3).map(ToString::to_string)).flatten()
        });
        let plans: Vec<String> = rows.collect();
        assert!(!plans.is_empty(), "docs/fuzzing.md has no plan of {}", defect.name());
        for plan in plans {
            let (has, needs) = (of_cell(&plan), least(defect));
            let enough = has.clients >= needs.clients
                && has.stores >= needs.stores
                && has.regions >= needs.regions
                && has.fault >= needs.fault;
            assert!(enough, "{}: {plan} is less than it needs: {needs:?}", defect.name());
        }
    }
}
