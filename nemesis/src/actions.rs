//! The steps of each kind of fault between its beginning and its healing.
//!
//! In: an [`Action`] of the plan. Out: calls to the target in the right order, each wait bounded.
//! Stores that are still down when an action returns are healed by [`Injection`], whatever the
//! action returned.

use crate::{
    action::{Action, Whom},
    injection::{Ended, Injection},
    select::{choose, choose_move, choose_new_leader},
    shared_state::{Down, SharedState},
    target::{Region, RegionId, StoreId},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// The longest time that a leader may take to move on request.
const TRANSFER_PATIENCE: Duration = Duration::from_secs(10);
/// The longest time that the split of a region may take on request.
const SPLIT_PATIENCE: Duration = Duration::from_secs(10);
/// The longest time in which the replicas of all regions may be added or removed.
const REPLICAS_PATIENCE: Duration = Duration::from_mins(1);
/// The longest time that one replica may take to move.
const MOVE_PATIENCE: Duration = Duration::from_secs(10);

impl Injection {
    pub(crate) async fn act(&mut self, action: Action) -> Result<(), Ended> {
        match action {
            Action::Pause { whom, length_ms } => self.down(Down::Stopped, whom, length_ms).await,
            Action::Kill { whom, length_ms } => self.down(Down::Killed, whom, length_ms).await,
            Action::TransferLeader => self.transfer_leader().await,
            Action::MoveReplica => self.move_replica().await,
            Action::Split => self.split().await,
            Action::MaxReplicas { to } => self.max_replicas(to).await,
            Action::KillLeaderLast { alone_ms, length_ms } => {
                self.kill_leader_last(alone_ms, length_ms).await
            }
            Action::KillFollowers { alone_ms, election_wait_ms_max, length_ms } => {
                self.kill_followers(alone_ms, election_wait_ms_max, length_ms).await
            }
            Action::PauseOverlap { election_wait_ms_max, serve_ms, length_ms } => {
                self.pause_overlap(election_wait_ms_max, serve_ms, length_ms).await
            }
            Action::DiskError { whom, length_ms } => {
                self.down(Down::DiskFailed, whom, length_ms).await
            }
            Action::Partition { length_ms, .. }
            | Action::DelayMessages { length_ms, .. }
            | Action::LoseMessages { length_ms, .. }
            | Action::SlowDisk { length_ms, .. }
            | Action::ClockSkew { length_ms, .. }
            | Action::PausePd { length_ms }
            | Action::KillPd { length_ms } => self.disturb(action, length_ms).await,
        }
    }

    async fn down(&mut self, how: Down, whom: Whom, length_ms: u64) -> Result<(), Ended> {
        let (region, stores) = self.take(how, whom).await?;
        self.hurt(how, &region, &stores, length_ms).await?;
        self.hold(length_ms).await
    }

    /// Finds a region with stores of these roles and takes these stores.
    async fn take(&mut self, how: Down, whom: Whom) -> Result<(Region, Vec<StoreId>), Ended> {
        let every: Vec<StoreId> = match whom {
            Whom::All => self.shared.target.stores().await?.iter().map(|store| store.id).collect(),
            _ => Vec::new(),
        };
        let pick = |shared: &SharedState, regions: &[Region], random: &mut _| {
            shared.take(how, |down| {
                let (region, mut stores) = choose(whom, regions, down, random)?;
                if whom == Whom::All {
                    stores = every.iter().copied().filter(|store| !down.contains(store)).collect();
                }
                Some((region, stores))
            })
        };
        let (region, stores) = self.find(pick).await?;
        self.taken.extend(stores.iter().map(|store| (*store, how)));
        Ok((region, stores))
    }

    async fn transfer_leader(&mut self) -> Result<(), Ended> {
        let pick = |shared: &SharedState, regions: &[Region], random: &mut _| {
            choose_new_leader(regions, &shared.down(), random)
        };
        let (region, to) = self.find(pick).await?;
        let value = json!({ "region": region.id, "from": region.leader, "to": to });
        self.begin("transfer-leader", value);
        let moved = match self.shared.target.transfer_leader(region.id, to).await {
            // A leader that did not move in time had no effect; the comparison will show that.
            Ok(()) => self.await_leader(region.id, to).await.map(|_| ()),
            Err(error) => Err(error.into()),
        };
        self.compare().await;
        self.complete("transfer-leader", json!({ "regions": self.record.regions }));
        moved
    }

    async fn move_replica(&mut self) -> Result<(), Ended> {
        let stores: Vec<StoreId> =
            self.shared.target.stores().await?.iter().map(|store| store.id).collect();
        let pick = |shared: &SharedState, regions: &[Region], random: &mut _| {
            choose_move(regions, &stores, &shared.down(), random)
        };
        let (region, from, to) = self.find(pick).await?;
        self.begin("move-replica", json!({ "region": region.id, "from": from, "to": to }));
        let asked = self.shared.target.move_replica(region.id, from, to).await;
        let moved = match asked {
            Ok(()) => self.await_replica(region.id, from, to).await,
            Err(error) => Err(error.into()),
        };
        self.compare().await;
        let mut value = json!({ "regions": self.record.regions });
        if let Ok(true) = moved {
            if let Some(leader) = region.leader {
                self.shared.note_changed(region.id, leader);
            }
            let effect = format!("region {} moved from store-{from} to store-{to}", region.id);
            value["changed"] = effect.as_str().into();
            self.record.effects.push(effect);
        }
        self.complete("move-replica", value);
        moved.map(|_| ())
    }

    /// Waits until the replica has moved. Returns false if it did not move in time.
    async fn await_replica(
        &self,
        region: RegionId,
        from: StoreId,
        to: StoreId,
    ) -> Result<bool, Ended> {
        let shared = &self.shared;
        let there = || async move {
            let regions = shared.target.regions().await.ok()?;
            let now = regions.iter().find(|it| it.id == region)?;
            (now.voters.contains(&to) && !now.voters.contains(&from)).then_some(())
        };
        Ok(shared.until(MOVE_PATIENCE, there).await?.is_some())
    }

    /// Waits until that store leads the region. Returns false if it did not in time.
    pub(crate) async fn await_leader(&self, region: RegionId, to: StoreId) -> Result<bool, Ended> {
        let shared = &self.shared;
        let there = || async move {
            let regions = shared.target.regions().await.ok()?;
            let now = regions.iter().find(|it| it.id == region)?;
            (now.leader == Some(to)).then_some(())
        };
        Ok(shared.until(TRANSFER_PATIENCE, there).await?.is_some())
    }

    async fn split(&mut self) -> Result<(), Ended> {
        let pick = |shared: &SharedState, regions: &[Region], random: &mut _| {
            choose(Whom::Leader, regions, &shared.down(), random)
        };
        let (region, _) = self.find(pick).await?;
        self.begin("split", json!({ "region": region.id }));
        let (done, regions) = match self.shared.target.split(region.id).await {
            Ok(()) => match self.await_split().await {
                Ok(regions) => (Ok(()), regions),
                Err(ended) => (Err(ended), None),
            },
            Err(error) => (Err(error.into()), None),
        };
        // A region that was not split in time had no effect; the completion event says so.
        let before = self.before.len();
        let after = regions.unwrap_or(before);
        if after > before {
            self.record
                .effects
                .push(format!("region {} was split: {before} regions became {after}", region.id));
        }
        self.compare().await;
        self.complete(
            "split",
            json!({ "region": region.id, "count_before": before, "count_after": after }),
        );
        done
    }

    /// Waits until there are more regions than before. Returns their number then.
    async fn await_split(&self) -> Result<Option<usize>, Ended> {
        let shared = &self.shared;
        let before = self.before.len();
        let more = || async move {
            let regions = shared.target.regions().await.ok()?;
            (regions.len() > before).then_some(regions.len())
        };
        Ok(shared.until(SPLIT_PATIENCE, more).await?)
    }

    async fn max_replicas(&mut self, to: u32) -> Result<(), Ended> {
        let shared = Arc::clone(&self.shared);
        self.before = shared.target.regions().await?;
        let from = shared.want_replicas(to).ok_or_else(|| {
            Ended::Error("the number of replicas is not known, so it could not be restored".into())
        })?;
        self.begin("max-replicas", json!({ "from": from, "to": to }));
        let settled = match shared.target.set_max_replicas(to).await {
            Ok(()) => self.await_replicas(to).await,
            Err(error) => Err(error.into()),
        };
        self.compare().await;
        self.complete("max-replicas", json!({ "to": to, "regions": self.record.regions }));
        settled
    }

    async fn await_replicas(&self, to: u32) -> Result<(), Ended> {
        let shared = &self.shared;
        let settled = || async move {
            if shared.wanted_replicas() != Some(to) {
                let reason = format!("another number was wanted before {to} was reached");
                return Some(Err(Ended::Error(reason)));
            }
            let regions = shared.target.regions().await.ok()?;
            let whole =
                |region: &Region| region.voters.len() == to as usize && region.learners.is_empty();
            regions.iter().all(whole).then_some(Ok(()))
        };
        let late = || {
            let seconds = REPLICAS_PATIENCE.as_secs();
            Err(Ended::Error(format!("not every region had {to} voters after {seconds} s")))
        };
        shared.until(REPLICAS_PATIENCE, settled).await?.unwrap_or_else(late)
    }
}
