//! Several nodes in one test, which controls messages, disks and time.
//!
//! A store's disk is a map that survives [`Stores::restart`]. A paused store gets neither messages
//! nor ticks. When it goes on, it gets the messages that arrived meanwhile, as a process does after
//! SIGSTOP and SIGCONT.

mod chaos;
mod defects;
mod faults;
mod lease;
mod membership;
mod serving;

use super::{
    Node, disk,
    effects::{Input, NodeConfig, Now, Outgoing, Outputs},
    requests::{RawRequest, RawResponse},
};
use crate::{
    defects::{Defect, Defects},
    profile::Profile,
    read_mode::ReadMode,
};
use proto::{
    errorpb, kvrpcpb as kv,
    metapb::{Peer, Region, RegionEpoch},
    pdpb,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The first region's id. Its peer on store n has the id 100 + n.
pub const REGION: u64 = 1;
const LOG_ENTRIES_KEPT: u64 = 16;

/// A cluster in a test.
pub struct Stores {
    pub nodes: BTreeMap<u64, Node>,
    pub disks: BTreeMap<u64, BTreeMap<Vec<u8>, Vec<u8>>>,
    pub now: Now,
    pub stopped: BTreeSet<u64>,
    /// Disks that take writes but never report them done; these writes are lost at a restart.
    pub hung: BTreeSet<u64>,
    pub cut: BTreeSet<(u64, u64)>,
    /// The latest heartbeats of leaders, by region.
    pub regions: BTreeMap<u64, pdpb::RegionHeartbeatRequest>,
    pub asked_regions: BTreeSet<u64>,
    pub splits_done: Vec<Vec<Region>>,
    /// Parcels on their way to a store, or to its disk, by the moment of arrival; used if `weather`
    /// is set.
    on_the_way: BTreeMap<(u64, u64), Parcel>,
    /// If set, messages are delayed and lost, and disks take their time.
    weather: Option<Dice>,
    parcels: u64,
    inputs: BTreeMap<u64, VecDeque<Input>>,
    replies: BTreeMap<u64, RawResponse>,
    next_request: u64,
    next_id: u64,
    config: NodeConfig,
}

impl Stores {
    /// Stores 1 to `stores`, with one region whose voters are on the first `replicas` of them.
    pub fn new(stores: u64, replicas: u64, defects: &[Defect]) -> Self {
        Self::reading(ReadMode::default(), stores, replicas, defects)
    }

    /// Creates a cluster like [`Stores::new`], with this read mode.
    pub fn reading(read: ReadMode, stores: u64, replicas: u64, defects: &[Defect]) -> Self {
        let config = NodeConfig {
            store_id: 0,
            timing: Profile::Fast.timing(),
            read,
            defects: defects.iter().copied().collect::<Defects>(),
            seed: 1,
            log_entries_kept: LOG_ENTRIES_KEPT,
            region_max_keys: None,
            enable_ttl: true,
            waiting_max: 64,
        };
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            now: Now { monotonic_ms: 0, unix_ms: 1_000_000 },
            stopped: BTreeSet::new(),
            hung: BTreeSet::new(),
            cut: BTreeSet::new(),
            regions: BTreeMap::new(),
            asked_regions: BTreeSet::new(),
            splits_done: Vec::new(),
            on_the_way: BTreeMap::new(),
            weather: None,
            parcels: 0,
            inputs: BTreeMap::new(),
            replies: BTreeMap::new(),
            next_request: 0,
            next_id: 1_000,
            config,
        };
        let region = Region {
            id: REGION,
            region_epoch: Some(RegionEpoch { conf_ver: 1, version: 1 }),
            peers: vec![peer(1)],
            ..Region::default()
        };
        for store_id in 1..=stores {
            cluster.disks.insert(store_id, BTreeMap::new());
            if store_id == 1 {
                cluster.write(store_id, disk::first_region(&region, 101).writes);
            }
            cluster.start(store_id);
        }
        cluster.run_ms(100);
        for store_id in 2..=replicas {
            cluster.change(REGION, proto::eraftpb::ConfChangeType::AddLearnerNode, peer(store_id));
            cluster.change(REGION, proto::eraftpb::ConfChangeType::AddNode, peer(store_id));
        }
        cluster
    }

    /// (Re)starts a store on its disk.
    pub fn start(&mut self, store_id: u64) {
        let pairs = self.disks[&store_id].clone();
        let stored = disk::load(pairs).expect("the test's disk is sound");
        let config = NodeConfig { store_id, seed: store_id, ..self.config.clone() };
        self.nodes.insert(store_id, Node::new(config, stored, self.now));
        // Writes that the disk had not done when the process was killed are lost.
        self.on_the_way.retain(|_, parcel| match parcel {
            Parcel::Write { store_id: of, .. } => *of != store_id,
            Parcel::Message { .. } => true,
        });
        self.inputs.insert(store_id, VecDeque::new());
    }

    /// Restarts every store with a limit to the keys of a region.
    pub fn limit_regions(&mut self, keys_max: u64) {
        self.config.region_max_keys = Some(keys_max);
        for store_id in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.restart(store_id);
        }
        self.run_ms(3_000);
    }

    /// Restarts every store without TTL.
    pub fn forbid_ttl(&mut self) {
        self.config.enable_ttl = false;
        for store_id in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.restart(store_id);
        }
        self.run_ms(3_000);
    }

    /// Kills and restarts a store.
    pub fn restart(&mut self, store_id: u64) {
        self.hung.remove(&store_id);
        self.stopped.remove(&store_id);
        self.start(store_id);
    }

    pub fn put_in(&mut self, store_id: u64, input: Input) {
        self.inputs.get_mut(&store_id).expect("the store exists").push_back(input);
    }

    /// Lets time pass.
    pub fn run_ms(&mut self, ms: u64) {
        const STEP_MS: u64 = 10;
        for _ in 0..ms.div_ceil(STEP_MS) {
            self.settle();
            self.now.monotonic_ms += STEP_MS;
            self.now.unix_ms += STEP_MS;
        }
        self.settle();
    }

    /// Delivers everything that can be delivered now.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(first) = self.on_the_way.first_entry()
                && first.key().0 <= self.now.monotonic_ms
            {
                let parcel = first.remove();
                self.arrive(parcel);
            }
            for store_id in self.nodes.keys().copied().collect::<Vec<_>>() {
                if self.stopped.contains(&store_id) {
                    continue;
                }
                let inputs = std::mem::take(self.inputs.get_mut(&store_id).expect("it exists"));
                let node = self.nodes.get_mut(&store_id).expect("it exists");
                if inputs.is_empty() && node.wakes_at_ms() > self.now.monotonic_ms {
                    continue;
                }
                quiet = false;
                let outputs = node.step(self.now, inputs);
                self.carry_out(store_id, outputs);
            }
            if quiet {
                return;
            }
        }
    }

    fn carry_out(&mut self, store_id: u64, outputs: Outputs) {
        if let Some(persist) = outputs.persist
            && !self.hung.contains(&store_id)
        {
            let (seq, writes) = (persist.seq, persist.batch.writes);
            self.deliver(Parcel::Write { store_id, seq, writes });
        }
        for Outgoing { message, snapshot } in outputs.messages {
            let to = message.to_peer.as_ref().expect("messages have receivers");
            let (to, peer_id) = (to.store_id, to.id);
            let arrives = !self.cut.contains(&(store_id, to)) && self.nodes.contains_key(&to);
            if snapshot.is_some() {
                let region_id = message.region_id;
                self.put_in(store_id, Input::SnapshotSent { region_id, peer_id, ok: arrives });
            }
            if arrives {
                let input = Box::new(Input::Raft { message, snapshot });
                self.deliver(Parcel::Message { to, input });
            }
        }
        for heartbeat in outputs.heartbeats {
            let region_id = heartbeat.region.as_ref().expect("it is about a region").id;
            self.regions.insert(region_id, heartbeat);
        }
        for (region, keys) in outputs.ask_split {
            let parts = keys.into_iter().map(|end| {
                let mut id = || {
                    self.next_id += 1;
                    self.next_id
                };
                super::command::SplitPart {
                    end,
                    region_id: id(),
                    peer_ids: region.peers.iter().map(|_| id()).collect(),
                }
            });
            let parts = parts.collect();
            self.put_in(store_id, Input::SplitIds { region, parts });
        }
        self.splits_done.extend(outputs.splits_done);
        self.asked_regions.extend(outputs.ask_region);
        self.replies.extend(outputs.replies);
    }

    /// Delivers a parcel, now or, in bad weather, later or never.
    fn deliver(&mut self, parcel: Parcel) {
        let Some(dice) = &mut self.weather else {
            self.arrive(parcel);
            return;
        };
        let delay_ms = match &parcel {
            Parcel::Message { .. } if dice.one_in(50) => return,
            Parcel::Message { .. } if dice.one_in(20) => dice.below(400),
            Parcel::Message { .. } => dice.below(20),
            Parcel::Write { .. } if dice.one_in(50) => dice.below(1_000),
            Parcel::Write { .. } => dice.below(30),
        };
        // A disk takes writes in order.
        let earliest_ms = match &parcel {
            Parcel::Message { .. } => 0,
            Parcel::Write { store_id, .. } => {
                let same_disk = |(key, other): (&(u64, u64), &Parcel)| match other {
                    Parcel::Write { store_id: of, .. } if of == store_id => Some(key.0),
                    _ => None,
                };
                self.on_the_way.iter().filter_map(same_disk).max().unwrap_or_default()
            }
        };
        self.parcels += 1;
        let arrival_ms = (self.now.monotonic_ms + delay_ms).max(earliest_ms);
        self.on_the_way.insert((arrival_ms, self.parcels), parcel);
    }

    fn arrive(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Message { to, input } => self.put_in(to, *input),
            Parcel::Write { store_id, seq, writes } => {
                self.write(store_id, writes);
                self.put_in(store_id, Input::Persisted { seq });
            }
        }
    }

    fn write(&mut self, store_id: u64, writes: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
        let disk = self.disks.get_mut(&store_id).expect("it exists");
        for (key, value) in writes {
            match value {
                Some(value) => disk.insert(key, value),
                None => disk.remove(&key),
            };
        }
    }

    /// The region as its last leader reported it.
    pub fn region(&self, region_id: u64) -> Region {
        self.regions[&region_id].region.clone().expect("a heartbeat has its region")
    }

    /// The store whose peer leads, as far as it knows; the one with the highest term, if there are
    /// several.
    pub fn leader(&self, region_id: u64) -> Option<u64> {
        let leads = |id: &&u64| {
            let peer = self.nodes[*id].peers.get(&region_id);
            peer.is_some_and(super::peer::Peer::is_leader)
        };
        self.nodes
            .keys()
            .filter(leads)
            .max_by_key(|id| self.nodes[*id].peers[&region_id].term())
            .copied()
    }

    /// Lets time pass until there is a leader that may answer; ten seconds at most.
    pub fn await_leader(&mut self, region_id: u64) -> u64 {
        for _ in 0..100 {
            self.run_ms(100);
            if let Some(leader) = self.leader(region_id)
                && !self.stopped.contains(&leader)
                && self.get_at(leader, region_id, "any").is_some_and(|r| error_of(&r).is_none())
            {
                return leader;
            }
        }
        panic!("nobody leads region {region_id}");
    }

    /// Sends one membership change of PD and waits for it.
    pub fn change(&mut self, region_id: u64, kind: proto::eraftpb::ConfChangeType, peer: Peer) {
        let change = pdpb::ChangePeer { peer: Some(peer), change_type: kind as i32 };
        self.operate(
            region_id,
            pdpb::RegionHeartbeatResponse { change_peer: Some(change), ..Default::default() },
        );
    }

    /// Sends PD's request to the leader and lets some time pass.
    pub fn operate(&mut self, region_id: u64, wish: pdpb::RegionHeartbeatResponse) {
        let leader = self.leader(region_id).expect("the region has a leader");
        let region_epoch = self.nodes[&leader].peers[&region_id].region().region_epoch;
        let wish = pdpb::RegionHeartbeatResponse { region_id, region_epoch, ..wish };
        self.put_in(leader, Input::Operator(Box::new(wish)));
        self.run_ms(300);
    }

    /// Sends a request to a store; the answer comes with [`Self::reply`].
    pub fn send(&mut self, store_id: u64, request: impl Into<RawRequest>) -> u64 {
        self.next_request += 1;
        let (id, request) = (self.next_request, request.into());
        self.put_in(store_id, Input::Request { id, request });
        id
    }

    /// The answer to a request, if there is one yet.
    pub fn reply(&mut self, request: u64) -> Option<RawResponse> {
        self.replies.remove(&request)
    }

    /// The context of a client that knows the store's peer of the region.
    pub fn context(&self, store_id: u64, region_id: u64) -> kv::Context {
        let peer = self.nodes[&store_id].peers.get(&region_id);
        let region = peer.map_or_else(Region::default, |peer| peer.region().clone());
        let member = region.peers.iter().find(|peer| peer.store_id == store_id);
        kv::Context {
            region_id,
            region_epoch: region.region_epoch,
            peer: member.copied().or(Some(Peer { store_id, ..Peer::default() })),
            ..Default::default()
        }
    }

    pub fn put_at(&mut self, store: u64, region: u64, key: &str, value: &str) -> u64 {
        let context = Some(self.context(store, region));
        let (key, value) = (key.into(), value.into());
        self.send(store, kv::RawPutRequest { context, key, value, ..Default::default() })
    }

    pub fn ask_get_at(&mut self, store: u64, region: u64, key: &str) -> u64 {
        let context = Some(self.context(store, region));
        self.send(store, kv::RawGetRequest { context, key: key.into(), ..Default::default() })
    }

    fn get_at(&mut self, store: u64, region: u64, key: &str) -> Option<RawResponse> {
        let id = self.ask_get_at(store, region, key);
        self.run_ms(50);
        self.reply(id)
    }

    /// Puts through the leader; the write must succeed.
    pub fn put(&mut self, region: u64, key: &str, value: &str) {
        let leader = self.leader(region).expect("the region has a leader");
        let id = self.put_at(leader, region, key, value);
        self.run_ms(50);
        let reply = self.reply(id).expect("a put is answered within 50 ms");
        assert_eq!(error_of(&reply), None, "put {key}");
    }

    /// Gets through the leader; the read must succeed.
    pub fn get(&mut self, region: u64, key: &str) -> Option<String> {
        let leader = self.leader(region).expect("the region has a leader");
        let reply = self.get_at(leader, region, key).expect("a get is answered within 50 ms");
        assert_eq!(error_of(&reply), None, "get {key}");
        value_of(&reply)
    }

    /// A store's own copy of a key, without confirmation that it is current.
    pub fn copy(&self, store: u64, region: u64, key: &str) -> Option<String> {
        let storage = self.nodes[&store].peers.get(&region)?.raw.store();
        let record = storage.data.get(key.as_bytes(), self.now.unix_s())?;
        Some(String::from_utf8_lossy(&record.value).into_owned())
    }
}

/// A message or write that takes time.
enum Parcel {
    Message { to: u64, input: Box<Input> },
    Write { store_id: u64, seq: u64, writes: Vec<(Vec<u8>, Option<Vec<u8>>)> },
}

/// Seeded randomness.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = super::peer::mix(self.0);
        self.0 % bound
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// The peer of the first region on a store.
pub fn peer(store_id: u64) -> Peer {
    Peer { id: 100 + store_id, store_id, ..Peer::default() }
}

/// The value of a get's answer.
pub fn value_of(reply: &RawResponse) -> Option<String> {
    match reply {
        RawResponse::Get(get) if get.not_found => None,
        RawResponse::Get(get) => Some(String::from_utf8_lossy(&get.value).into_owned()),
        other => panic!("{other:?} is no answer to a get"),
    }
}

/// The region error of an answer, by its name; "message" for one without details.
pub fn error_of(reply: &RawResponse) -> Option<&'static str> {
    let error = match reply {
        RawResponse::Get(r) => r.region_error.as_ref(),
        RawResponse::Put(r) => r.region_error.as_ref(),
        RawResponse::Scan(r) => r.region_error.as_ref(),
        RawResponse::CompareAndSwap(r) => r.region_error.as_ref(),
        RawResponse::KeyTtl(r) => r.region_error.as_ref(),
        other => panic!("the tests do not use {other:?}"),
    }?;
    Some(name_of(error))
}

fn name_of(error: &errorpb::Error) -> &'static str {
    [
        (error.not_leader.is_some(), "not leader"),
        (error.region_not_found.is_some(), "region not found"),
        (error.key_not_in_region.is_some(), "key not in region"),
        (error.epoch_not_match.is_some(), "epoch not match"),
        (error.server_is_busy.is_some(), "server is busy"),
        (error.stale_command.is_some(), "stale command"),
        (error.store_not_match.is_some(), "store not match"),
        (error.mismatch_peer_id.is_some(), "mismatch peer id"),
        (error.disk_full.is_some(), "disk full"),
    ]
    .into_iter()
    .find_map(|(is, name)| is.then_some(name))
    .unwrap_or("message")
}
