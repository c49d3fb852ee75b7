//! The running operators: their beginning, sending, progress and end.
//!
//! In: heartbeats and time. Out: messages to leaders. A step is sent when it begins, with every
//! heartbeat and periodically in between, until the region shows that it is done. Sending it twice
//! does no harm, because the leader compares the epoch. The operators themselves are chosen in
//! other files: replicas, balance, admin.

use super::{
    Core, Message, Now, Refusal,
    operator::{Operator, Origin, Progress, Step},
    regions::Region,
    stores::Condition,
};
use crate::profile::Timing;
use proto::{metapb, pdpb};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// The number of regions that one tick examines.
const PATROL_REGIONS: usize = 128;
/// The number of ended operators that are remembered for queries.
const ENDED_MAX: usize = 512;
/// The bounds at which a new cluster is split, as a new TiKV is: those of its raw and transactional
/// default keyspaces.
const FIRST_BOUNDS: [[u8; 9]; 4] = [
    [0x72, 0, 0, 0, 0, 0, 0, 0, 0xFB],
    [0x72, 0, 0, 1, 0, 0, 0, 0, 0xFB],
    [0x78, 0, 0, 0, 0, 0, 0, 0, 0xFB],
    [0x78, 0, 0, 1, 0, 0, 0, 0, 0xFB],
];

/// A scheduler by PD's name, with the stores it acts on (none for most).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    /// The name, such as `balance-leader-scheduler`.
    pub name: String,
    /// For `evict-leader-scheduler`: the stores that shall not lead.
    pub stores: Vec<u64>,
}

/// The state of scheduling.
#[derive(Debug)]
pub(super) struct Scheduling {
    pub(super) operators: BTreeMap<u64, Operator>,
    pub(super) ended: VecDeque<(Operator, Progress)>,
    pub(super) schedulers: BTreeMap<String, Vec<u64>>,
    /// Regions that are not balanced until this time, because an administrator or an election just
    /// moved them.
    pub(super) hold_until: BTreeMap<u64, Now>,
    pub(super) balanced_at: Now,
    /// The region at which the next patrol begins.
    patrol_from: u64,
    resend_every: Duration,
}

impl Scheduling {
    pub(super) fn new(timing: Timing) -> Self {
        let names = [
            "balance-region-scheduler",
            "balance-leader-scheduler",
            "balance-hot-region-scheduler",
            "evict-slow-store-scheduler",
            "evict-stopping-store-scheduler",
        ];
        Self {
            operators: BTreeMap::new(),
            ended: VecDeque::new(),
            schedulers: names.into_iter().map(|name| (name.to_owned(), Vec::new())).collect(),
            hold_until: BTreeMap::new(),
            balanced_at: Now::ZERO,
            patrol_from: 0,
            resend_every: Duration::from_millis(timing.disconnected_ms / 10),
        }
    }

    pub(super) fn restore_schedulers(&mut self, saved: BTreeMap<String, Vec<u64>>) {
        self.schedulers = saved;
    }

    pub(super) fn saved_schedulers(&self) -> BTreeMap<String, Vec<u64>> {
        self.schedulers.clone()
    }

    fn end(&mut self, region: u64, progress: Progress) {
        if let Some(operator) = self.operators.remove(&region) {
            if self.ended.len() == ENDED_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((operator, progress));
        }
    }
}

impl Core {
    /// Takes in a leader's report of its region; steps for the region may follow.
    pub fn region_heartbeat(
        &mut self,
        now: Now,
        beat: pdpb::RegionHeartbeatRequest,
    ) -> Result<(), Refusal> {
        self.expect_bootstrapped()?;
        self.wake(now);
        let store = beat.leader.as_ref().map_or(0, |leader| leader.store_id);
        match self.condition(now, store) {
            None => return Err(Refusal::StoreNotFound(store)),
            Some(Condition::Tombstone) => return Err(Refusal::StoreTombstone),
            Some(_) => {}
        }
        let region = Region::from_heartbeat(now, beat);
        let id = region.meta.id;
        let old_leader = self.regions.get(id).map_or(0, Region::leader_store);
        self.regions.put(region)?;
        if old_leader != 0 && old_leader != store && !self.scheduling.operators.contains_key(&id) {
            let pause = Duration::from_millis(self.timing.disconnected_ms);
            let hold = self.scheduling.hold_until.entry(id).or_default();
            *hold = (*hold).max(now + pause);
        }
        self.advance(now, id);
        self.want(now, id);
        self.send_step(now, id);
        Ok(())
    }

    /// Lets time pass: operators expire and are sent again, regions are examined, loads are
    /// balanced.
    pub fn tick(&mut self, now: Now) {
        if !self.bootstrapped {
            return;
        }
        self.wake(now);
        let running: Vec<u64> = self.scheduling.operators.keys().copied().collect();
        for id in running {
            self.advance(now, id);
            let due = |operator: &Operator| {
                operator
                    .sent
                    .is_none_or(|at| now.saturating_sub(at) >= self.scheduling.resend_every)
            };
            if self.scheduling.operators.get(&id).is_some_and(due) {
                self.send_step(now, id);
            }
        }
        let patrolled: Vec<u64> = self
            .regions
            .iter()
            .map(|region| region.meta.id)
            .filter(|id| *id >= self.scheduling.patrol_from)
            .take(PATROL_REGIONS)
            .collect();
        self.scheduling.patrol_from = match patrolled.last() {
            Some(last) if patrolled.len() == PATROL_REGIONS => last + 1,
            _ => 0,
        };
        for id in patrolled {
            if self.want(now, id) {
                self.send_step(now, id);
            }
        }
        if now.saturating_sub(self.scheduling.balanced_at) >= self.scheduling.resend_every {
            self.scheduling.balanced_at = now;
            self.scheduling.hold_until.retain(|_, until| *until > now);
            self.balance(now);
        }
        self.bury_empty_stores();
    }

    /// The running operator of a region.
    pub fn operator(&self, region: u64) -> Option<&Operator> {
        self.scheduling.operators.get(&region)
    }

    /// All running operators.
    pub fn operators(&self) -> impl Iterator<Item = &Operator> {
        self.scheduling.operators.values()
    }

    /// The running or else the last ended operator of a region, and its progress.
    pub fn last_operator(&self, region: u64) -> Option<(&Operator, Progress)> {
        let ended = || {
            let mut newest_first = self.scheduling.ended.iter().rev();
            newest_first.find(|(op, _)| op.region == region).map(|(op, end)| (op, *end))
        };
        self.operator(region).map(|operator| (operator, Progress::Running)).or_else(ended)
    }

    /// The ended operators that are still remembered, the newest first.
    pub fn ended_operators(&self) -> impl Iterator<Item = (&Operator, Progress)> {
        self.scheduling.ended.iter().rev().map(|(operator, progress)| (operator, *progress))
    }

    /// Ends a region's operator. Returns false if it has none.
    pub fn cancel_operator(&mut self, region: u64) -> bool {
        let had = self.scheduling.operators.contains_key(&region);
        self.scheduling.end(region, Progress::Cancel);
        had
    }

    /// Begins an operator and sends its first step. A running one of lower priority gives way.
    pub(super) fn begin(
        &mut self,
        now: Now,
        origin: Origin,
        description: &str,
        region: u64,
        steps: Vec<Step>,
    ) -> Result<(), Refusal> {
        let of = self.regions.get(region).ok_or(Refusal::RegionNotFound(region))?;
        let operator = Operator {
            description: description.to_owned(),
            region,
            origin,
            steps,
            epoch: of.epoch(),
            current: 0,
            created: now,
            step_began: now,
            sent: None,
            size_mib: of.size_mib(),
        };
        if self.operator(region).is_some_and(|running| running.origin >= origin) {
            let text = "[PD:operator:ErrAddOperator]failed to add operator, maybe already have one";
            return Err(Refusal::Operator(text.into()));
        }
        self.scheduling.end(region, Progress::Replace);
        self.scheduling.operators.insert(region, operator);
        Ok(())
    }

    fn advance(&mut self, now: Now, id: u64) {
        let timeouts = self.timeouts();
        let Some(region) = self.regions.get(id) else { return };
        let Some(operator) = self.scheduling.operators.get_mut(&id) else { return };
        let mut progress = operator.advance(now, region, timeouts);
        let target = match operator.step() {
            Some(Step::AddLearner { store, .. } | Step::Promote { store, .. }) => Some(*store),
            Some(Step::TransferLeader { to, .. }) => Some(*to),
            _ => None,
        };
        let origin = operator.origin;
        // A store that has gone silent meanwhile is given nothing new.
        if progress == Progress::Running && target.is_some_and(|store| !self.is_up(now, store)) {
            progress = Progress::Cancel;
        }
        if progress == Progress::Running {
            return;
        }
        self.scheduling.end(id, progress);
        let pause = match origin {
            Origin::Admin => 5,
            Origin::Balance => 1,
            Origin::Checker => return,
        };
        let pause = Duration::from_millis(self.timing.disconnected_ms * pause);
        self.scheduling.hold_until.insert(id, now + pause);
    }

    /// Begins the operator that a region needs, if it has none. Returns true if it did.
    fn want(&mut self, now: Now, id: u64) -> bool {
        if self.scheduling.operators.contains_key(&id) {
            return false;
        }
        let Some(region) = self.regions.get(id) else { return false };
        // Only a leader can act, and only one that was heard from since PD started.
        if region.heard.is_none() || !self.serves(now, region.leader_store()) {
            return false;
        }
        let inside = |bound: &&[u8; 9]| {
            let (start, end) = (region.meta.start_key.as_slice(), region.meta.end_key.as_slice());
            bound.as_slice() > start && (end.is_empty() || bound.as_slice() < end)
        };
        let keys: Vec<_> = FIRST_BOUNDS.iter().filter(inside).map(|bound| bound.to_vec()).collect();
        let plan = if keys.is_empty() {
            self.replica_plan(now, id)
        } else {
            Some((
                "labeler-split-region",
                vec![Step::Split { policy: pdpb::CheckPolicy::Usekey, keys }],
            ))
        };
        let Some((description, steps)) = plan else { return false };
        self.begin(now, Origin::Checker, description, id, steps).is_ok()
    }

    fn send_step(&mut self, now: Now, id: u64) {
        let Some(region) = self.regions.get(id) else { return };
        let Some(step) = self.operator(id).and_then(Operator::step) else { return };
        let safe = match step {
            Step::Remove { store } => {
                *store != region.leader_store()
                    && self.keeps_quorum(now, region, Some(*store), None)
            }
            Step::Promote { store, .. } => self.keeps_quorum(now, region, None, Some(*store)),
            _ => true,
        };
        // An unsafe step may be safe at the next heartbeat, or the operator expires.
        let Some(step) = step.message(region).filter(|_| safe) else { return };
        let store = region.leader_store();
        if let Some(operator) = self.scheduling.operators.get_mut(&id) {
            operator.sent = Some(now);
            self.messages.push(Message { store, step });
        }
    }

    /// Removes stores that are leaving and have nothing left.
    fn bury_empty_stores(&mut self) {
        for store in self.stores.values_mut() {
            let leaving = store.meta.state() == metapb::StoreState::Offline;
            if leaving && self.regions.load(store.meta.id).peers == 0 {
                store.meta.set_state(metapb::StoreState::Tombstone);
                store.meta.set_node_state(metapb::NodeState::Removed);
                self.unsaved = true;
            }
        }
    }

    /// Returns true if a store is heard from, though it may be leaving.
    pub(super) fn serves(&self, now: Now, store: u64) -> bool {
        let heard = self.store(store).and_then(|store| store.heard);
        let lately = |at| now.saturating_sub(at) <= self.patience().disconnected;
        self.condition(now, store) != Some(Condition::Tombstone) && heard.is_some_and(lately)
    }

    pub(super) fn is_up(&self, now: Now, store: u64) -> bool {
        self.condition(now, store) == Some(Condition::Up)
    }
}
