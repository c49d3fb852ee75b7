//! Communication in the simulated world: messages between stores, calls of clients, messages to and
//! from PD.
//!
//! In: a message. Out: its arrival, planned, if the network carries it.

use super::{
    super::{
        network::Node,
        routing,
        store::ProcessState,
        wire::{Answer, Broken, Call, raw_request},
    },
    Event, Words, World,
};
use crate::{
    pd::core::Message,
    store::node::{
        command::SplitPart,
        effects::{Input, Outgoing},
    },
};
use proto::pdpb;

/// The delay until the sender of a snapshot notices that its receiver is dead or cut off.
const SNAPSHOT_LOST_US: u64 = 1_000_000;

impl World {
    pub(super) fn send(&mut self, from: u64, Outgoing { message, snapshot }: Outgoing) {
        let Some(peer) = message.to_peer else { return };
        let to = peer.store_id;
        let reachable = self.network.carries(Node::Store(from), Node::Store(to));
        let state = self.stores.get(&to).map_or(ProcessState::Dead, |store| store.state);
        let now_us = self.now_us;
        if state == ProcessState::Dead && reachable {
            let at_us = now_us + self.network.call_delay_us(&mut self.random);
            let input = Box::new(Input::Unreachable { store_id: to });
            self.queue.plan(at_us, Event::Arrived { from: Node::Store(to), store: from, input });
        }
        let arrives = reachable && state != ProcessState::Dead;
        if snapshot.is_some() {
            let after_us = if arrives { 2_000 } else { SNAPSHOT_LOST_US };
            let input = Box::new(Input::SnapshotSent {
                region_id: message.region_id,
                peer_id: peer.id,
                ok: arrives && state == ProcessState::Running,
            });
            // Our own driver reports this, whatever the network does.
            let event = Event::Arrived { from: Node::Clients, store: from, input };
            self.queue.plan(now_us + after_us, event);
        }
        if !arrives {
            return;
        }
        for delay_us in self.network.deliveries(&mut self.random) {
            let (message, snapshot) = (message.clone(), snapshot.clone());
            let input = Box::new(Input::Raft { message, snapshot });
            let event = Event::Arrived { from: Node::Store(from), store: to, input };
            self.queue.plan(now_us + delay_us, event);
        }
    }

    pub(super) fn serve(&mut self, id: u64, call_id: u64, call: &Call) {
        let Some(store) = self.stores.get_mut(&id).filter(|it| it.state != ProcessState::Dead)
        else {
            self.answer(call_id, Node::Store(id), Err(Broken::Refused));
            return;
        };
        match raw_request(call) {
            Ok(request) => {
                store.open_calls.insert(call_id);
                store.put_in(Input::Request { id: call_id, request });
                self.wake(id);
            }
            Err(status) => self.answer(call_id, Node::Store(id), Err(Broken::Status(status))),
        }
    }

    pub(super) fn answer(&mut self, id: u64, from: Node, answer: Answer) {
        if self.network.carries(from, Node::Clients) {
            let at_us = self.now_us + self.network.call_delay_us(&mut self.random);
            self.queue.plan(at_us, Event::Answered { id, answer });
        }
    }

    pub(super) fn tell_pd(&mut self, store: u64, words: Words) {
        if self.network.carries(Node::Store(store), Node::Pd) {
            let at_us = self.now_us + self.network.call_delay_us(&mut self.random);
            self.queue.plan(at_us, Event::Told { store, words: Box::new(words) });
        }
    }

    pub(super) fn store_heartbeat(&mut self, id: u64) {
        let every_us = self.config.profile.timing().store_heartbeat_ms * 1_000;
        self.queue.plan(self.now_us + every_us, Event::StoreHeartbeat { store: id });
        let store = self.store(id);
        if store.state == ProcessState::Running {
            const ROOM_BYTES: u64 = 1 << 36;
            let stats = pdpb::StoreStats {
                store_id: id,
                capacity: ROOM_BYTES,
                available: ROOM_BYTES,
                region_count: store.region_count() as u32,
                ..Default::default()
            };
            self.tell_pd(id, Words::Store(stats));
        }
    }

    /// Delivers a store's message to PD.
    pub(super) fn hear(&mut self, store: u64, words: Words) {
        match words {
            Words::Region(beat) => {
                let beaten = self.administer(|core, now| core.region_heartbeat(now, beat));
                if let Err(refusal) = beaten {
                    self.notes.push((self.now_us, store, format!("heartbeat refused: {refusal}")));
                }
            }
            Words::Store(stats) => {
                let beaten = self.administer(|core, now| core.store_heartbeat(now, stats));
                if let Err(refusal) = beaten {
                    self.notes.push((self.now_us, store, format!("heartbeat refused: {refusal}")));
                }
            }
            Words::AskSplit(region, keys) => {
                let count = keys.len() as u32;
                let ids = self.administer(|core, _| core.split_ids(&region, count));
                if let Ok(ids) = ids {
                    let parts = keys.into_iter().zip(ids).map(|(end, ids)| SplitPart {
                        end,
                        region_id: ids.new_region_id,
                        peer_ids: ids.new_peer_ids,
                    });
                    let input = Input::SplitIds { region, parts: parts.collect() };
                    self.arrive_from_pd(store, input);
                }
            }
            Words::AskRegion(id) => {
                let region = self.placement.core().regions().get(id);
                if let Some(region) = region.map(|region| region.meta.clone()) {
                    self.arrive_from_pd(store, Input::RegionFromPd { region });
                }
            }
        }
    }

    pub(super) fn send_steps(&mut self, messages: Vec<Message>) {
        for Message { store, step } in messages {
            self.arrive_from_pd(store, Input::Operator(Box::new(step)));
        }
    }

    pub(super) fn arrive_from_pd(&mut self, store: u64, input: Input) {
        let at_us = self.now_us + self.network.call_delay_us(&mut self.random);
        let input = Box::new(input);
        self.queue.plan(at_us, Event::Arrived { from: Node::Pd, store, input });
    }

    pub(super) fn serve_pd(&mut self, id: u64, call: &Call) {
        let answer = routing::answer(self.placement.core(), call).map_err(Broken::Status);
        self.answer(id, Node::Pd, answer);
    }
}
