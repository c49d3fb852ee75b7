//! Choreographies: faults of several steps in a fixed order. Each is a step machine that reacts to
//! the cluster's observed state.
//!
//! In: the lengths that the plan gives. Out: calls to the target. All of them share two rules:
//! - **the choice of the leader**: leadership is moved first, so that every store that can lead is
//!   hurt as a leader before one is hurt twice. A store that never leads is never tested as a
//!   leader. A leader that has just changed its region's membership comes first, without a move:
//!   only this leader can have got the change wrong.
//! - **the precondition**: each step makes sense only after the effect of the one before it was
//!   seen (another leader serves, only one leader has certain writes). A choreography whose
//!   precondition is not met heals and begins again, a few times, instead of going on by the clock.

use crate::{
    injection::{Ended, Injection},
    select::choose_next_leader,
    shared_state::{Down, SharedState},
    target::{Region, RegionId, StoreId},
};
use histories::What;
use serde_json::json;
use std::time::Duration;

/// The number of tries to meet a choreography's precondition.
const TRIES_MAX: u32 = 3;
/// The pause between two tries: the cluster serves again, and clients have routes.
const BETWEEN_TRIES_MS: u64 = 1_000;
/// The number of writes, for each region of the workload, that show that a new leader serves.
const WRITES_PER_REGION: u64 = 4;
/// A write that is open for longer than this waits for a quorum that does not answer.
const WAITS_AFTER: Duration = Duration::from_millis(200);
/// The time for which an old leader is left alone after it learned that it is deposed.
const AFTER_RESUME_MS: u64 = 200;
/// The longest time until a leader without followers has such a waiting write.
const TAIL_PATIENCE: Duration = Duration::from_secs(3);

/// The ending of one try of a choreography.
enum Try {
    Met,
    /// Its precondition was not met; the reason.
    Missed(&'static str),
}

const NO_OTHER_LEADER: Try = Try::Missed("no other leader acknowledged writes in time");

impl Injection {
    /// Pauses a leader until another one is elected, then pauses the others and resumes the first
    /// alone.
    pub(crate) async fn pause_overlap(
        &mut self,
        wait_ms_max: u64,
        serve_ms: u64,
        length_ms: u64,
    ) -> Result<(), Ended> {
        for tries_left in (0..TRIES_MAX).rev() {
            let tried = self.try_to_overlap(wait_ms_max, serve_ms, length_ms).await?;
            if self.is_over(tried, tries_left).await? {
                break;
            }
        }
        Ok(())
    }

    async fn try_to_overlap(
        &mut self,
        wait_ms_max: u64,
        serve_ms: u64,
        length_ms: u64,
    ) -> Result<Try, Ended> {
        let (region, first) = self.take_next_leader(Down::Stopped).await?;
        self.hurt(Down::Stopped, &region, &[first], wait_ms_max).await?;
        let patience = Duration::from_millis(wait_ms_max);
        let Some(now) = self.await_other_leader(&region, patience).await? else {
            return Ok(NO_OTHER_LEADER);
        };
        if !self.await_writes(patience).await? {
            return Ok(NO_OTHER_LEADER);
        }
        self.hold(serve_ms).await?;
        let others = self.take_of(Down::Stopped, &now.voters);
        self.hurt(Down::Stopped, &now, &others, length_ms).await?;
        self.heal(Down::Stopped, &[first]).await?;
        self.record.effects.push(format!(
            "store-{first} ran alone with old state after others had acknowledged writes"
        ));
        self.shared.note_led(first);
        self.hold(length_ms).await?;
        Ok(Try::Met)
    }

    /// Kills a leader's followers, so that nobody gets the writes it takes from then on. Once it
    /// has taken some, it is paused, and the others are started and elect another leader. Then the
    /// first leader is resumed and learns that it is deposed.
    pub(crate) async fn kill_followers(
        &mut self,
        alone_ms: u64,
        wait_ms_max: u64,
        length_ms: u64,
    ) -> Result<(), Ended> {
        for tries_left in (0..TRIES_MAX).rev() {
            let tried = self.try_to_kill_followers(alone_ms, wait_ms_max, length_ms).await?;
            if self.is_over(tried, tries_left).await? {
                break;
            }
        }
        Ok(())
    }

    async fn try_to_kill_followers(
        &mut self,
        alone_ms: u64,
        wait_ms_max: u64,
        length_ms: u64,
    ) -> Result<Try, Ended> {
        let (region, leader, followers) = self.take_followers().await?;
        self.hurt(Down::Killed, &region, &followers, alone_ms + wait_ms_max).await?;
        let tail = self.await_tail(alone_ms).await?;
        if tail == 0 {
            return Ok(Try::Missed("no write came to a leader without followers in time"));
        }
        let leaders = self.take_of(Down::Stopped, &[leader]);
        self.hurt(Down::Stopped, &region, &leaders, wait_ms_max).await?;
        self.heal(Down::Killed, &followers).await?;
        let patience = Duration::from_millis(wait_ms_max);
        if self.await_other_leader(&region, patience).await?.is_none() {
            return Ok(Try::Missed("no other leader was elected in time"));
        }
        self.hold(length_ms).await?;
        self.record.effects.push(format!(
            "store-{leader} had {tail} writes without its followers, and ran again when another one led"
        ));
        self.shared.note_led(leader);
        // The old leader's reaction to being deposed belongs to this fault.
        self.heal(Down::Stopped, &leaders).await?;
        self.hold(AFTER_RESUME_MS).await?;
        Ok(Try::Met)
    }

    /// Kills a region's followers, and the leader too once writes wait that only its log has. Then
    /// all are started at once, so that any of them may be elected.
    pub(crate) async fn kill_leader_last(
        &mut self,
        alone_ms: u64,
        length_ms: u64,
    ) -> Result<(), Ended> {
        let (region, leader, followers) = self.take_followers().await?;
        self.hurt(Down::Killed, &region, &followers, alone_ms + length_ms).await?;
        let tail = self.await_tail(alone_ms).await?;
        // Another fault of a mix may have taken the leader by now.
        let last = self.take_of(Down::Killed, &[leader]);
        self.hurt(Down::Killed, &region, &last, length_ms).await?;
        self.record.effects.push(format!("store-{leader} had {tail} writes without its followers"));
        self.shared.note_led(leader);
        self.hold(length_ms).await
    }

    /// Returns true if no further try is needed. After a miss it heals and lets clients work for a
    /// moment.
    async fn is_over(&mut self, tried: Try, tries_left: u32) -> Result<bool, Ended> {
        let Try::Missed(reason) = tried else { return Ok(true) };
        if tries_left == 0 {
            return Err(Ended::Error(reason.into()));
        }
        for how in [Down::Killed, Down::Stopped] {
            let of = self.taken.iter().filter(|(_, down)| *down == how);
            let stores: Vec<StoreId> = of.map(|(store, _)| *store).collect();
            if !stores.is_empty() {
                self.heal(how, &stores).await?;
            }
        }
        self.hold(BETWEEN_TRIES_MS).await?;
        Ok(false)
    }

    /// Takes those of the given stores that no other fault has.
    fn take_of(&mut self, how: Down, stores: &[StoreId]) -> Vec<StoreId> {
        let taken = self.shared.take(how, |down| {
            Some(((), stores.iter().copied().filter(|store| !down.contains(store)).collect()))
        });
        let taken = taken.map_or_else(Vec::new, |((), taken)| taken);
        self.taken.extend(taken.iter().map(|store| (*store, how)));
        taken
    }

    async fn take_next_leader(&mut self, how: Down) -> Result<(Region, StoreId), Ended> {
        let (id, _) = self.move_leadership().await?;
        let pick = |shared: &SharedState, regions: &[Region], _: &mut _| {
            shared.take(how, |down| {
                let (region, leader) = led(regions, id)?;
                (!down.contains(&leader)).then(|| (region, vec![leader]))
            })
        };
        let (region, stores) = self.find(pick).await?;
        self.taken.extend(stores.iter().map(|store| (*store, how)));
        Ok((region, stores[0]))
    }

    /// Takes the followers of the next leader's region to kill them. Returns the region, its leader
    /// and its followers.
    async fn take_followers(&mut self) -> Result<(Region, StoreId, Vec<StoreId>), Ended> {
        let (id, _) = self.move_leadership().await?;
        let pick = |shared: &SharedState, regions: &[Region], _: &mut _| {
            shared.take(Down::Killed, |down| {
                let (region, leader) = led(regions, id).filter(|(_, it)| !down.contains(it))?;
                let mut followers = region.voters.clone();
                followers.retain(|store| *store != leader && !down.contains(store));
                (!followers.is_empty()).then_some(((region, leader), followers))
            })
        };
        let ((region, leader), followers) = self.find(pick).await?;
        self.taken.extend(followers.iter().map(|store| (*store, Down::Killed)));
        Ok((region, leader, followers))
    }

    /// Moves leadership to a store that was hurt least often as a leader. Returns the region and
    /// the intended leader; if the move is not done in time, the region's leader at that time.
    async fn move_leadership(&mut self) -> Result<(RegionId, StoreId), Ended> {
        self.leaders_stay = !self.shared.target.capabilities().schedule;
        let can_move = !self.leaders_stay;
        let pick = |shared: &SharedState, regions: &[Region], random: &mut _| {
            choose_next_leader(regions, &shared.down(), &shared.leaders_hurt(), can_move, random)
        };
        let (region, to) = self.find(pick).await?;
        if region.leader == Some(to) {
            return Ok((region.id, to));
        }
        // This transfer only prepares the fault, so its event does not bear the fault's number.
        let mut value = json!({
            "for": self.record.fault, "region": region.id, "from": region.leader, "to": to,
        });
        let f = "transfer-leader".to_owned();
        let observer = &self.shared.observer;
        observer.record(What::FaultInvoke { f: f.clone(), value: value.clone() });
        match self.shared.target.transfer_leader(region.id, to).await {
            Ok(()) => value["moved"] = self.await_leader(region.id, to).await?.into(),
            Err(error) => value["error"] = error.to_string().into(),
        }
        self.shared.observer.record(What::FaultComplete { f, value });
        Ok((region.id, to))
    }

    /// Waits until another store leads the region and returns the region then. Returns `None` if no
    /// other store led in time.
    async fn await_other_leader(
        &self,
        old: &Region,
        patience: Duration,
    ) -> Result<Option<Region>, Ended> {
        let shared = &self.shared;
        let elected = || async move {
            let regions = shared.target.regions().await.ok()?;
            let now = regions.into_iter().find(|region| region.id == old.id)?;
            (now.leader.is_some() && now.leader != old.leader).then_some(now)
        };
        Ok(shared.until(patience, elected).await?)
    }

    /// Waits until enough writes were acknowledged to show that every region serves. Returns false
    /// if they were not in time.
    async fn await_writes(&self, patience: Duration) -> Result<bool, Ended> {
        let shared = &self.shared;
        let writes = WRITES_PER_REGION * self.before.len() as u64;
        let enough = shared.observer.acknowledged_writes() + writes;
        let written =
            || async move { (shared.observer.acknowledged_writes() >= enough).then_some(()) };
        Ok(shared.until(patience, written).await?.is_some())
    }

    /// Leaves a leader whose followers are down alone for `alone_ms`, and longer until it has taken
    /// writes. Counts writes that wait for a quorum and writes that it acknowledged all the same.
    /// Returns their number, 0 if there was none in time.
    async fn await_tail(&self, alone_ms: u64) -> Result<u64, Ended> {
        let shared = &self.shared;
        let before = shared.observer.acknowledged_writes();
        self.hold(alone_ms).await?;
        let taken = || async move {
            let acknowledged = shared.observer.acknowledged_writes().saturating_sub(before);
            let taken = acknowledged + shared.observer.waiting_writes(WAITS_AFTER);
            (taken > 0).then_some(taken)
        };
        Ok(shared.until(TAIL_PATIENCE, taken).await?.unwrap_or_default())
    }
}

/// Finds the region of that id and its leader.
fn led(regions: &[Region], id: RegionId) -> Option<(Region, StoreId)> {
    let region = regions.iter().find(|region| region.id == id)?;
    Some((region.clone(), region.leader?))
}
