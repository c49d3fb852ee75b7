//! Disturbances of a simulated cluster by faults, and their effects.
//!
//! In: a fault's disturbance, and its end. Out: the simulation's settings under all disturbances in
//! force: cuts add up, the worst weather and the slowest disk win, the newest fault sets a clock.
//! The effect of a disturbance is counted (messages cut off, slow writes), so that one without an
//! effect is not taken for a fault.

use cluster::simulation::{MessageCounts, Node, ProcessState, Simulation, Weather};
use nemesis::{Disturbance, Place, StoreId};
use std::collections::BTreeMap;

/// The longest delay of a message divided by the shortest.
const DELAY_SPREAD: u64 = 10;

/// The disturbances in force, by fault.
#[derive(Debug, Default)]
pub struct Disturbances {
    in_force: BTreeMap<usize, InForce>,
}

#[derive(Debug)]
struct InForce {
    what: Disturbance,
    /// The count of `met` before this disturbance began.
    met_before: u64,
    counts_before: MessageCounts,
    clock_before_ms: i64,
}

impl Disturbances {
    /// Begins a fault's disturbance.
    pub fn begin(&mut self, simulation: &Simulation, fault: usize, what: Disturbance) {
        let it = InForce {
            met_before: met(simulation, &what),
            counts_before: simulation.message_counts(),
            clock_before_ms: clock_ms(simulation, &what),
            what,
        };
        match &it.what {
            Disturbance::Cut(ways) => {
                for (from, to) in ways {
                    simulation.cut(node(*from), node(*to));
                }
            }
            Disturbance::PdStopped => simulation.pause_or_kill_pd(false),
            Disturbance::PdKilled => simulation.pause_or_kill_pd(true),
            _ => {}
        }
        self.in_force.insert(fault, it);
        self.apply(simulation);
    }

    /// Ends a fault's disturbance. Returns its effect in words.
    pub fn end(&mut self, simulation: &Simulation, fault: usize) -> Option<String> {
        let it = self.in_force.remove(&fault)?;
        let touched = it.touched(simulation);
        match &it.what {
            Disturbance::Cut(ways) => {
                for (from, to) in ways {
                    simulation.mend(node(*from), node(*to));
                }
            }
            Disturbance::SlowDisk { store, .. } => simulation.slow_disk(*store, 1),
            Disturbance::Clock { store, .. } => simulation.set_clock(*store, 0, 0),
            Disturbance::PdStopped | Disturbance::PdKilled if !self.hurts_pd() => {
                simulation.revive_pd();
            }
            _ => {}
        }
        self.apply(simulation);
        touched
    }

    fn hurts_pd(&self) -> bool {
        let of_pd =
            |it: &InForce| matches!(it.what, Disturbance::PdStopped | Disturbance::PdKilled);
        self.in_force.values().any(of_pd)
    }

    /// Sets weather, disks and clocks to the sum of the disturbances in force.
    fn apply(&self, simulation: &Simulation) {
        let mut weather = Weather::FAIR;
        let mut slowness: BTreeMap<StoreId, u64> = BTreeMap::new();
        for InForce { what, .. } in self.in_force.values() {
            match *what {
                Disturbance::Delay { ms_max } => {
                    weather.delay_us_max = weather.delay_us_max.max(ms_max * 1_000);
                    let shortest_us = ms_max * 1_000 / DELAY_SPREAD;
                    weather.delay_us_min = weather.delay_us_min.max(shortest_us);
                }
                Disturbance::Lose {
                    lost_per_mille,
                    twice_per_mille,
                    late_per_mille,
                    late_ms_max,
                } => {
                    weather.lost_per_mille = weather.lost_per_mille.max(lost_per_mille);
                    weather.twice_per_mille = weather.twice_per_mille.max(twice_per_mille);
                    weather.late_per_mille = weather.late_per_mille.max(late_per_mille);
                    weather.late_us_max = weather.late_us_max.max(late_ms_max * 1_000);
                }
                Disturbance::SlowDisk { store, times } => {
                    let slowest = slowness.entry(store).or_default();
                    *slowest = (*slowest).max(times);
                }
                Disturbance::Clock { store, drift_ppm, wall_offset_ms } => {
                    simulation.set_clock(store, drift_ppm, wall_offset_ms);
                }
                Disturbance::Cut(_) | Disturbance::PdStopped | Disturbance::PdKilled => {}
            }
        }
        simulation.set_weather(weather);
        for (store, times) in slowness {
            simulation.slow_disk(store, times);
        }
    }
}

fn node(place: Place) -> Node {
    match place {
        Place::Pd => Node::Pd,
        Place::Store(store) => Node::Store(store),
    }
}

/// The number of events so far that such a disturbance affects; 0 where they are not counted.
fn met(simulation: &Simulation, what: &Disturbance) -> u64 {
    let counts = simulation.message_counts();
    match what {
        Disturbance::Cut(ways) => {
            let ways: Vec<_> = ways.iter().map(|(from, to)| (node(*from), node(*to))).collect();
            simulation.stopped(&ways)
        }
        Disturbance::Delay { .. } => counts.sent,
        Disturbance::Lose { .. } => counts.lost + counts.twice + counts.late,
        Disturbance::SlowDisk { store, .. } => simulation.slow_writes(*store),
        Disturbance::Clock { .. } | Disturbance::PdStopped | Disturbance::PdKilled => 0,
    }
}

/// The lead of the disturbed clock, in milliseconds.
fn clock_ms(simulation: &Simulation, what: &Disturbance) -> i64 {
    match what {
        Disturbance::Clock { store, .. } => simulation.clock_error_ms(*store).0,
        _ => 0,
    }
}

impl InForce {
    /// The effect so far in words, or `None` if there was none.
    fn touched(&self, simulation: &Simulation) -> Option<String> {
        let met = met(simulation, &self.what).saturating_sub(self.met_before);
        let words = match &self.what {
            Disturbance::Cut(_) => format!("{met} messages were cut off"),
            Disturbance::Delay { ms_max } => {
                format!("{met} messages took {} to {ms_max} ms", ms_max / DELAY_SPREAD)
            }
            Disturbance::Lose { .. } => {
                let (now, before) = (simulation.message_counts(), self.counts_before);
                format!(
                    "of {} messages {} were lost, {} came twice, {} late",
                    now.sent - before.sent,
                    now.lost - before.lost,
                    now.twice - before.twice,
                    now.late - before.late
                )
            }
            Disturbance::SlowDisk { times, .. } => {
                format!("{met} writes took {times} times as long")
            }
            Disturbance::Clock { store, wall_offset_ms, .. } => {
                let gained_ms = clock_ms(simulation, &self.what) - self.clock_before_ms;
                let wrong = gained_ms != 0 || *wall_offset_ms != 0;
                return wrong.then(|| {
                    format!(
                        "the clock of store-{store} gained {gained_ms} ms, its wall clock was \
                         {wall_offset_ms} ms off"
                    )
                });
            }
            Disturbance::PdStopped | Disturbance::PdKilled => {
                return match simulation.pd_state() {
                    ProcessState::Running => None,
                    ProcessState::Stopped => Some("PD was stopped".into()),
                    ProcessState::Dead => Some("PD was gone".into()),
                };
            }
        };
        (met > 0).then_some(words)
    }
}
