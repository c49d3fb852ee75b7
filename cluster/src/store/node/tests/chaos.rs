//! Random faults, random requests, one seed: the answers must always be those of one register a
//! key.
//!
//! Stores pause, crash, lose messages and wait for their disks; leaders move, replicas come and go,
//! regions split. Written values are unique, so a key's history is linearizable if and only if no
//! two values clash. Each value has a first moment at which its time must have begun to end
//! (`first_end`: the earliest end of an operation that saw or wrote it). It also has a last moment
//! at which it was still there (`last_begin`: the latest begin of one). Two values clash if each
//! must come wholly before the other (Gibbons and Korach, 1997).

use super::*;
use proto::eraftpb::ConfChangeType::{AddLearnerNode, AddNode, RemoveNode};

const STORES: u64 = 5;
const CLIENTS: usize = 6;
const KEYS: [&str; 3] = ["a", "m", "z"];
/// The number of runs of one test; an unoptimized one takes half a second.
const SEEDS: u64 = if cfg!(debug_assertions) { 10 } else { 300 };
const ROUND_MS: u64 = 20;
const ROUNDS: u64 = 1_500;
/// The time after which a client gives up and never learns the outcome of its write.
const PATIENCE_MS: u64 = 2_000;

#[derive(Clone)]
struct Operation {
    key: &'static str,
    /// The value written or read; `None` = absent.
    value: Option<u64>,
    is_write: bool,
    begin_ms: u64,
    /// The end; `None` if the outcome is unknown.
    end_ms: Option<u64>,
}

struct Client {
    open: Option<(u64, Operation)>,
}

struct Chaos {
    stores: Stores,
    dice: Dice,
    clients: Vec<Client>,
    history: Vec<Operation>,
    values: u64,
    peer_ids: u64,
    leaders: BTreeMap<(u64, u64), u64>,
}

impl Chaos {
    fn new(seed: u64, read: ReadMode, defects: &[Defect]) -> Self {
        let mut stores = Stores::reading(read, STORES, 3, defects);
        stores.weather = Some(Dice(seed ^ 0xABCD));
        let clients = (0..CLIENTS).map(|_| Client { open: None }).collect();
        let (dice, leaders) = (Dice(seed), BTreeMap::new());
        Self { stores, dice, clients, history: Vec::new(), values: 0, peer_ids: 500, leaders }
    }

    fn run(&mut self) {
        for _ in 0..ROUNDS {
            self.hurt();
            for client in 0..CLIENTS {
                self.drive(client);
            }
            self.stores.run_ms(ROUND_MS);
            self.one_leader_a_term();
        }
        self.stores.stopped.clear();
        self.stores.cut.clear();
        self.stores.weather = None;
        self.stores.run_ms(5_000);
        for _ in 0..200 {
            for client in 0..CLIENTS {
                self.drive(client);
            }
            self.stores.run_ms(ROUND_MS);
        }
    }

    fn hurt(&mut self) {
        let store = 1 + self.dice.below(STORES);
        match self.dice.below(100) {
            0..3 if self.stores.stopped.len() < 2 => {
                self.stores.stopped.insert(store);
            }
            3..8 => {
                self.stores.stopped.pop_first();
            }
            8..9 => self.stores.restart(store),
            9..11 => {
                let other = 1 + self.dice.below(STORES);
                self.stores.cut.insert((store, other));
            }
            11..14 => self.stores.cut.clear(),
            14..16 => self.wish(|_, _| None),
            16..22 => self.wish(Self::replica_change),
            22 if self.dice.one_in(10) => self.wish(|_, _| {
                let keys = vec![b"k".to_vec(), b"t".to_vec()];
                Some(pdpb::RegionHeartbeatResponse {
                    split_region: Some(pdpb::SplitRegion {
                        policy: pdpb::CheckPolicy::Usekey.into(),
                        keys,
                    }),
                    ..Default::default()
                })
            }),
            _ => {}
        }
    }

    /// Sends PD's request for a random region to a random store that leads it; a leader transfer if
    /// `make` returns none.
    fn wish(&mut self, make: impl Fn(&mut Self, &Region) -> Option<pdpb::RegionHeartbeatResponse>) {
        let store = 1 + self.dice.below(STORES);
        let led: Vec<Region> = self.stores.nodes[&store]
            .peers
            .values()
            .filter(|peer| peer.is_leader())
            .map(|peer| peer.region().clone())
            .collect();
        if led.is_empty() {
            return;
        }
        let region = led[self.dice.below(led.len() as u64) as usize].clone();
        let wish = make(self, &region).unwrap_or_else(|| {
            let at = self.dice.below(region.peers.len() as u64) as usize;
            let peer = Some(region.peers[at]);
            pdpb::RegionHeartbeatResponse {
                transfer_leader: Some(pdpb::TransferLeader { peer, peers: Vec::new() }),
                ..Default::default()
            }
        });
        let (region_id, region_epoch) = (region.id, region.region_epoch);
        let wish = pdpb::RegionHeartbeatResponse { region_id, region_epoch, ..wish };
        self.stores.put_in(store, Input::Operator(Box::new(wish)));
    }

    /// Promotes a learner, adds a replica if there are few, or removes one if there are many.
    fn replica_change(&mut self, region: &Region) -> Option<pdpb::RegionHeartbeatResponse> {
        let learner = region.peers.iter().find(|peer| peer.role != 0);
        let (kind, peer) = if let Some(learner) = learner {
            (AddNode, *learner)
        } else if region.peers.len() > 3 {
            let at = self.dice.below(region.peers.len() as u64) as usize;
            (RemoveNode, region.peers[at])
        } else {
            let free = (1..=STORES).find(|id| !region.peers.iter().any(|p| p.store_id == *id))?;
            self.peer_ids += 1;
            (AddLearnerNode, Peer { id: self.peer_ids, store_id: free, ..Peer::default() })
        };
        let change = pdpb::ChangePeer { peer: Some(peer), change_type: kind as i32 };
        Some(pdpb::RegionHeartbeatResponse { change_peer: Some(change), ..Default::default() })
    }

    fn drive(&mut self, client: usize) {
        let now_ms = self.stores.now.monotonic_ms;
        if let Some((id, mut operation)) = self.clients[client].open.take() {
            match self.stores.reply(id) {
                None if now_ms < operation.begin_ms + PATIENCE_MS => {
                    self.clients[client].open = Some((id, operation));
                    return;
                }
                None => self.history.push(operation),
                Some(reply) => match error_of(&reply) {
                    None => {
                        operation.end_ms = Some(now_ms);
                        if !operation.is_write {
                            operation.value = value_of(&reply).map(|v| v.parse().expect("ours"));
                        }
                        self.history.push(operation);
                    }
                    // Unknown outcomes; all other errors say that the write was not applied.
                    Some("stale command" | "message") => self.history.push(operation),
                    Some(_) => {}
                },
            }
        }
        let key = KEYS[self.dice.below(KEYS.len() as u64) as usize];
        let leads = |peer: &&super::super::peer::Peer| {
            peer.is_leader() && super::super::data_range_contains(peer.region(), key.as_bytes())
        };
        let leaders: Vec<(u64, u64)> = self
            .stores
            .nodes
            .iter()
            .flat_map(|(id, node)| node.peers.values().filter(leads).map(|p| (*id, p.region().id)))
            .collect();
        if leaders.is_empty() {
            return;
        }
        // If several stores believe that they lead, all of them are asked, the old ones too.
        let (store, region) = leaders[self.dice.below(leaders.len() as u64) as usize];
        let is_write = self.dice.one_in(2);
        self.values += u64::from(is_write);
        let value = is_write.then_some(self.values);
        let id = match value {
            Some(value) => self.stores.put_at(store, region, key, &value.to_string()),
            None => self.stores.ask_get_at(store, region, key),
        };
        let operation = Operation { key, value, is_write, begin_ms: now_ms, end_ms: None };
        self.clients[client].open = Some((id, operation));
    }

    fn one_leader_a_term(&mut self) {
        for (store, node) in &self.stores.nodes {
            for peer in node.peers.values().filter(|peer| peer.is_leader()) {
                let (region, term) = (peer.region().id, peer.term());
                let leader = *self.leaders.entry((region, term)).or_insert(*store);
                assert_eq!(leader, *store, "two leaders of region {region} in term {term}");
            }
        }
    }
}

/// The reason that a history is not one of registers; `None` if it is.
fn violation(history: &[Operation]) -> Option<String> {
    for key in KEYS {
        // Each value's first end and last begin; absence was there from the beginning.
        let mut values = BTreeMap::from([(None, (0, 0))]);
        let of_key = || history.iter().filter(|operation| operation.key == key);
        for operation in of_key() {
            let end = operation.end_ms.unwrap_or(u64::MAX);
            if !operation.is_write && operation.end_ms.is_none() {
                continue;
            }
            let (first_end, last_begin) = values.entry(operation.value).or_insert((u64::MAX, 0));
            *first_end = end.min(*first_end);
            *last_begin = operation.begin_ms.max(*last_begin);
        }
        let written: BTreeSet<Option<u64>> =
            of_key().filter(|operation| operation.is_write).map(|o| o.value).collect();
        for (value, (first_end, last_begin)) in &values {
            if value.is_some() && !written.contains(value) {
                return Some(format!("{key} was read as {value:?}, which nobody wrote"));
            }
            for (other, (other_end, other_begin)) in values.range(..value) {
                if first_end < other_begin && other_end < last_begin {
                    return Some(format!("{key}: {value:?} and {other:?} come before each other"));
                }
            }
        }
    }
    None
}

#[test]
fn no_fault_makes_a_key_anything_but_a_register() {
    let mut answered = 0;
    for seed in 0..SEEDS {
        let read = if seed % 2 == 0 { ReadMode::ReadIndex } else { ReadMode::Lease };
        let mut chaos = Chaos::new(seed, read, &[]);
        chaos.run();
        assert_eq!(violation(&chaos.history), None, "seed {seed}");
        let tail = chaos.history.iter().rev().take(CLIENTS * 10);
        assert!(tail.clone().all(|o| o.end_ms.is_some()), "seed {seed}: not healed at the end");
        answered += chaos.history.iter().filter(|o| o.end_ms.is_some()).count();
    }
    assert!(
        answered as u64 > SEEDS * 1_000,
        "only {answered} operations were answered: the test tests little"
    );
}

/// Without stale-read, long-lease and lost-on-leader-change: leaders here move by request, hardly
/// ever by an election against a leader that is cut off and goes on. `faults`, `lease` and
/// `defects` have tests for those defects.
#[test]
fn the_same_faults_with_a_defect_are_noticed() {
    for defect in [
        Defect::FollowerRead,
        Defect::AckBeforeCommit,
        Defect::AckBeforeFsync,
        Defect::ApplyTwice,
        Defect::KeyLostInSplit,
        Defect::PutReportsFailureButApplies,
    ] {
        let found = (0..SEEDS).any(|seed| {
            let mut chaos = Chaos::new(seed, ReadMode::ReadIndex, &[defect]);
            chaos.run();
            violation(&chaos.history).is_some()
        });
        assert!(found, "{SEEDS} seeds and nothing wrong with {}", defect.name());
    }
}
