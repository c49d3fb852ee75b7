//! Smaller times of a plan: the gaps before its faults, their lengths, the run's duration and the
//! rate of operations.
//!
//! In: a plan, and the place of a fault. Out: simpler plans, or trees of them. Only a few lengths
//! are tried: a millisecond less makes no plan easier to read, and attempts are expensive.

use super::{PlanTree, TIME_STEP_MS, shapes::Listed};
use plan::Plan;

/// The lengths that are tried for a gap before a fault, or a fault, milliseconds.
const MOST_MS: [u64; 7] = [50, 100, 250, 500, 1_000, 2_000, 4_000];
/// The rates that are tried, operations a second.
const RATES: [u64; 4] = [10, 25, 50, 100];

/// Shortens the gap before the fault at a place; all later faults begin earlier by as much.
pub fn gap_before(plan: &Plan, place: usize) -> Option<PlanTree> {
    let begin_ms = plan.schedule.get(place)?.begin_ms;
    let before_ms = place.checked_sub(1).map_or(0, |before| plan.schedule[before].begin_ms);
    let gap_ms = begin_ms.saturating_sub(before_ms);
    let with = |most_ms: u64| {
        let mut simpler = plan.clone();
        for fault in &mut simpler.schedule[place..] {
            fault.begin_ms -= gap_ms - most_ms;
        }
        simpler
    };
    let smaller = MOST_MS.into_iter().filter(|most_ms| *most_ms < gap_ms);
    Some(Box::new(Listed::new(plan, smaller.map(with).collect())))
}

/// Shortens the fault at a place.
pub fn length_of(plan: &Plan, place: usize) -> Option<PlanTree> {
    let what = plan.schedule.get(place)?.what;
    let with = |most_ms: u64| {
        let mut simpler = plan.clone();
        simpler.schedule[place].what = what.no_longer_than(most_ms);
        simpler
    };
    let shorter = MOST_MS.into_iter().filter(|most_ms| what.no_longer_than(*most_ms) != what);
    Some(Box::new(Listed::new(plan, shorter.map(with).collect())))
}

/// Fits the same faults into less time, each begun earlier in proportion.
pub fn shortened(plan: &mut Plan, time_ms: u64) {
    let before_ms = plan.config.time_ms.max(1);
    for fault in &mut plan.schedule {
        fault.begin_ms = fault.begin_ms * time_ms / before_ms;
    }
    plan.config.time_ms = time_ms;
}

/// Ends the run earlier, but not before the last fault begins; the faults stay in their places.
pub fn cut(plan: &mut Plan, time_ms: u64) {
    let last_begins_ms = plan.schedule.last().map_or(0, |fault| fault.begin_ms);
    let floor_ms = (last_begins_ms + 1).next_multiple_of(TIME_STEP_MS);
    plan.config.time_ms = time_ms.max(floor_ms).min(plan.config.time_ms);
}

/// Returns plans with fewer operations a second, which give shorter histories.
pub fn slower(plan: &Plan) -> Vec<Plan> {
    let now = plan.config.workload.rate;
    let with = |rate| {
        let mut simpler = plan.clone();
        simpler.config.workload.rate = Some(rate);
        simpler
    };
    RATES.into_iter().filter(|rate| now.is_none_or(|now| *rate < now)).map(with).collect()
}
