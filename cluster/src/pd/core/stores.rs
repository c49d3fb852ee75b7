//! The registry of stores: who they are, what they last said, and what state that puts them in.

use super::Now;
use proto::{
    metapb::{self, StoreState},
    pdpb,
};
use std::time::Duration;

/// What PD knows of one store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Store {
    /// Address, version, labels, state.
    pub meta: metapb::Store,
    /// What its last heartbeat said.
    pub stats: pdpb::StoreStats,
    /// Its last heartbeat since PD started, or the one that PD's disk knows of.
    pub heard: Option<Now>,
    /// When this PD learned of it: PD does not hold a silence against it that PD itself has slept through.
    pub known_since: Option<Now>,
    /// How much more than others it is given to lead.
    pub leader_weight: f64,
    /// How much more than others it is given to hold.
    pub region_weight: f64,
}

/// The state of a store as PD's tools name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It is heard from.
    Up,
    /// Silent for a while; nothing new is put on it.
    Disconnected,
    /// Silent for so long that its replicas are replaced. Also a new store before its first heartbeat.
    Down,
    /// Being removed: its replicas move away.
    Offline,
    /// Removed.
    Tombstone,
}

/// How long a store may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until it is Disconnected.
    pub disconnected: Duration,
    /// Until it is Down.
    pub down: Duration,
}

impl Condition {
    /// As PD's tools write it.
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
    /// A store that PD hears of for the first time.
    pub fn new(meta: metapb::Store) -> Self {
        Self { meta, leader_weight: 1.0, region_weight: 1.0, ..Self::default() }
    }

    /// Its state at `now`.
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
