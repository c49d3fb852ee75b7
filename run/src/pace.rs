//! Measures the target's pace, that is the time to restart a store and to elect a leader, and
//! adapts the faults to it.
//!
//! In: a plan, the values its user left open, and a target without clients. Out: the same plan with
//! lengths and intervals in proportion to the measurement. The adapted plan goes into plan.json, so
//! that a replay is the same. The embedded cluster's pace is known; only other targets are
//! measured. If the plan kills stores, a store that we can start again is killed to measure it. A
//! cluster that somebody else started is only asked to move a leader there and back.

use failure::Failure;
use nemesis::{Action, Region, RegionId, StoreId, Target};
use plan::{
    Plan,
    config::{NemesisConfig, TargetConfig},
};
use std::time::Duration;
use targets::under_test::UnderTest;
use terminal::progress::Progress;
use tokio::time::Instant;

/// The time in which a cluster must become whole.
const WHOLE_WITHIN: Duration = Duration::from_mins(5);
/// The time to wait for a leader.
const LEADER_WITHIN: Duration = Duration::from_secs(30);
/// The time between two questions to PD.
const POLL: Duration = Duration::from_millis(50);
/// The least number of faults that fit into a run, however slow the cluster is.
const FAULTS_MIN: u64 = 4;

/// The values that a user left open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Free {
    /// The time between two faults.
    pub interval: bool,
    /// The longest pause.
    pub pause_max: bool,
}

/// The measured times of the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pace {
    /// The time from the start of a killed store until it serves and has caught up.
    restart: Option<Duration>,
    /// The time from the end of a leader's store until PD names another leader.
    election: Option<Duration>,
    /// The time from the request to move a leader until it has moved.
    transfer: Option<Duration>,
}

/// Returns the plan at the target's pace, or `None` if it stays unchanged.
pub async fn paced(
    plan: &Plan,
    free: Free,
    target: &UnderTest,
    progress: &Progress,
) -> Result<Option<Plan>, Failure> {
    let is_known = matches!(plan.config.target, TargetConfig::Embedded | TargetConfig::Simulated);
    let is_free = free.interval || free.pause_max;
    if is_known || !is_free || plan.schedule.is_empty() || plan.scenario.is_some() {
        return Ok(None);
    }
    progress.phase("measuring how long the cluster takes", None);
    target.await_whole(WHOLE_WITHIN).await?;
    let kills =
        |action: &Action| matches!(action, Action::Kill { .. } | Action::KillLeaderLast { .. });
    let kills = plan.schedule.iter().any(|fault| kills(&fault.what));
    let pace = measure(target, kills).await?;
    let mut config = plan.config.clone();
    config.nemesis = at_pace(&config.nemesis, free, pace, config.time_ms);
    progress.line(&in_words(pace, &config.nemesis));
    Plan::draw(config).map(Some)
}

async fn measure(target: &UnderTest, kills: bool) -> Result<Pace, Failure> {
    let mut pace = Pace::default();
    let regions = target.regions().await.map_err(Failure::target_or_disk)?;
    let led = regions.iter().find_map(|region| Some((region, region.leader?)));
    let Some((region, leader)) = led else { return Ok(pace) };
    if kills && target.capabilities().kill {
        target.kill(vec![leader]).await.map_err(Failure::target_or_disk)?;
        let moved = |now: &Region| now.leader.is_some_and(|now| now != leader);
        pace.election = until(target, region.id, moved).await;
        let begun = Instant::now();
        target.start(vec![leader]).await.map_err(Failure::target_or_disk)?;
        target.await_whole(WHOLE_WITHIN).await?;
        pace.restart = Some(begun.elapsed());
    } else if target.capabilities().schedule
        && let Some(other) = region.voters.iter().copied().find(|voter| *voter != leader)
    {
        pace.transfer = transfer(target, region.id, other).await;
        let back = transfer(target, region.id, leader).await;
        pace.transfer = pace.transfer.max(back);
    }
    Ok(pace)
}

/// Moves a leader. Returns the time it took, or `None` if PD refused or it did not move in time.
async fn transfer(target: &UnderTest, region: RegionId, to: StoreId) -> Option<Duration> {
    let begun = Instant::now();
    target.transfer_leader(region, to).await.ok()?;
    until(target, region, |now| now.leader == Some(to)).await?;
    Some(begun.elapsed())
}

/// Waits until PD reports the condition for a region. Returns the time it took, or `None` if too
/// late.
async fn until(
    target: &UnderTest,
    region: RegionId,
    holds: impl Fn(&Region) -> bool,
) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < LEADER_WITHIN {
        let regions = target.regions().await.unwrap_or_default();
        if regions.iter().any(|now| now.id == region && holds(now)) {
            return Some(begun.elapsed());
        }
        tokio::time::sleep(POLL).await;
    }
    None
}

/// The faults at the target's pace. Their interval is never shorter than the default.
fn at_pace(defaults: &NemesisConfig, free: Free, pace: Pace, time_ms: u64) -> NemesisConfig {
    let ms = |time: Option<Duration>| time.map_or(0, |time| time.as_millis() as u64);
    let (restart_ms, election_ms) = (ms(pace.restart), ms(pace.election));
    // A fault is over when its stores serve again; after it the clients get the same time
    // undisturbed.
    let recovers_ms = restart_ms.max(election_ms).max(2 * ms(pace.transfer));
    let most_ms = time_ms / FAULTS_MIN;
    let slower = |default_ms: u64, wanted_ms: u64| default_ms.max(wanted_ms.min(most_ms));
    let mut paced = defaults.clone();
    if free.interval {
        paced.interval_ms = slower(defaults.interval_ms, restart_ms + recovers_ms);
    }
    if free.pause_max {
        // Some pauses must be long enough for another leader.
        paced.pause_ms_max = slower(defaults.pause_ms_max, 2 * election_ms);
    }
    paced
}

fn in_words(pace: Pace, nemesis: &NemesisConfig) -> String {
    let took = |time: Option<Duration>, what: &str| {
        time.map(|time| format!("{:.1} s {what}", time.as_secs_f64()))
    };
    let took = [
        took(pace.restart, "to start a store again"),
        took(pace.election, "to find another leader"),
        took(pace.transfer, "to move a leader"),
    ];
    let took: Vec<String> = took.into_iter().flatten().collect();
    let took =
        if took.is_empty() { "a time that could not be measured".into() } else { took.join(", ") };
    format!(
        "the cluster takes {took}: about {:.1} s from one fault to the next, pauses up to {:.1} s",
        nemesis.interval_ms as f64 / 1e3,
        nemesis.pause_ms_max as f64 / 1e3
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: NemesisConfig = NemesisConfig {
        faults: Vec::new(),
        interval_ms: 3_000,
        pause_ms_min: 300,
        pause_ms_max: 4_000,
    };
    const ALL: Free = Free { interval: true, pause_max: true };

    fn pace(restart_ms: u64, election_ms: u64) -> Pace {
        let ms = |ms| Some(Duration::from_millis(ms));
        Pace { restart: ms(restart_ms), election: ms(election_ms), transfer: None }
    }

    #[test]
    fn a_store_that_takes_long_to_start_gets_as_much_time_to_serve() {
        let paced = at_pace(&FAST, ALL, pace(7_000, 1_500), 60_000);
        assert_eq!((paced.interval_ms, paced.pause_ms_max), (14_000, 4_000));
        // Some pauses are longer than an election.
        let paced = at_pace(&FAST, ALL, pace(2_000, 5_000), 60_000);
        assert_eq!((paced.interval_ms, paced.pause_ms_max), (7_000, 10_000));
        let moves = Pace { transfer: Some(Duration::from_secs(2)), ..Pace::default() };
        assert_eq!(at_pace(&FAST, ALL, moves, 60_000).interval_ms, 4_000);
    }

    #[test]
    fn a_fast_cluster_and_a_short_run_keep_their_faults_and_flags_win() {
        assert_eq!(at_pace(&FAST, ALL, pace(300, 900), 60_000), FAST);
        assert_eq!(at_pace(&FAST, ALL, Pace::default(), 60_000), FAST);
        assert_eq!(at_pace(&FAST, ALL, pace(7_000, 1_500), 20_000).interval_ms, 5_000);
        assert_eq!(at_pace(&FAST, Free::default(), pace(9_000, 9_000), 60_000), FAST);
    }
}
