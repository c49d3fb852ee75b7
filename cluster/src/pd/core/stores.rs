//! The registry of stores: their identities, their last reports, and the resulting states.

use super::Now;
use proto::{
    metapb::{self, StoreState},
    pdpb,
};
use std::time::Duration;

/// PD's knowledge of one store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Store {
    /// Address, version, labels, state.
    pub meta: metapb::Store,
    /// The statistics in its last heartbeat.
    pub stats: pdpb::StoreStats,
    /// The time of its last heartbeat since PD started, or of the one saved on PD's disk.
    pub heard: Option<Now>,
    /// The time since which this PD knows the store: silence while PD itself slept is not held
    /// against a store.
    pub known_since: Option<Now>,
    /// The weight for leaders, relative to other stores.
    pub leader_weight: f64,
    /// The weight for peers, relative to other stores.
    pub region_weight: f64,
}

/// The state of a store as PD's tools name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The store is heard from.
    Up,
    /// The store has been silent for a while; nothing new is put on it.
    Disconnected,
    /// The store has been silent for so long that its replicas are replaced. Also a new store
    /// before its first heartbeat.
    Down,
    /// The store is being removed: its replicas move away.
    Offline,
    /// The store was removed.
    Tombstone,
}

/// The longest silence of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The silence after which the store is Disconnected.
    pub disconnected: Duration,
    /// The silence after which the store is Down.
    pub down: Duration,
}

impl Condition {
    /// The name in PD's tools.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Disconnected => "Disconnected",
            Self::Down => "Down",
            Self::Offline => "Offline",
            Self::Tombstone => "Tombstone",
        }
    }
}

impl Store {
    /// Creates a store that PD hears from for the first time.
    pub fn new(meta: metapb::Store) -> Self {
        Self { meta, leader_weight: 1.0, region_weight: 1.0, ..Self::default() }
    }

    /// The store's state at `now`.
    pub fn condition(&self, now: Now, patience: Patience) -> Condition {
        match self.meta.state() {
            StoreState::Offline => Condition::Offline,
            StoreState::Tombstone => Condition::Tombstone,
            StoreState::Up => {
                let silent = |since: Option<Now>| since.map(|at| now.saturating_sub(at));
                let unheard = silent(self.heard);
                let down_for = match (unheard, silent(self.known_since)) {
                    (Some(unheard), Some(known)) => Some(unheard.min(known)),
                    (unheard, known) => unheard.or(known),
                };
                if down_for.is_none_or(|silence| silence > patience.down) {
                    Condition::Down
                } else if unheard.is_none_or(|silence| silence > patience.disconnected) {
                    Condition::Disconnected
                } else {
                    Condition::Up
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_what_its_silence_makes_it() {
        let patience =
            Patience { disconnected: Duration::from_secs(2), down: Duration::from_mins(1) };
        let at = |heard: Option<u64>, known: Option<u64>, now: u64| {
            let mut store = Store::new(metapb::Store::default());
            store.heard = heard.map(Duration::from_secs);
            store.known_since = known.map(Duration::from_secs);
            store.condition(Duration::from_secs(now), patience).name()
        };
        assert_eq!(at(None, None, 100), "Down", "a new store before its first heartbeat");
        assert_eq!(at(Some(100), None, 101), "Up");
        assert_eq!(at(Some(100), None, 103), "Disconnected");
        assert_eq!(at(Some(100), None, 161), "Down");
        assert_eq!(at(Some(100), Some(500), 501), "Disconnected", "silent while PD was away");
        assert_eq!(at(Some(100), Some(500), 561), "Down");
        assert_eq!(at(None, Some(500), 501), "Disconnected");
    }
}
