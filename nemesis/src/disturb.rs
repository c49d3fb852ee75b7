//! Faults that only a simulated cluster can suffer, between their beginning and their healing.
//!
//! In: an [`Action`] of the plan. Out: one disturbance of the target, and its observed effect. A
//! partition that no message met, or a slow disk that nobody wrote to, had none. [`Injection`] ends
//! the disturbances that are left when it ends.

use crate::{
    action::{Action, Whom},
    disturbance::{Disturbance, partition},
    injection::{Ended, Injection},
    record::Role,
    select::choose,
    target::{Region, StoreId},
};
use histories::What;
use serde_json::{Value, json};

impl Injection {
    /// Disturbs, waits, heals.
    pub(crate) async fn disturb(&mut self, action: Action, length_ms: u64) -> Result<(), Ended> {
        let (region, about, disturbance) = self.resolve(action).await?;
        let role = |store| if region.leader == Some(store) { Role::Leader } else { Role::Follower };
        let stores = about.iter().map(|store| json!({ "id": store, "role": role(*store) }));
        let mut value = disturbance.to_json();
        value["region"] = region.id.into();
        value["stores"] = stores.collect::<Value>();
        value["length_ms"] = length_ms.into();
        let (f, _) = disturbance.steps();
        // Noted first: a disturbance that was half done must be ended too.
        self.shared.note_disturbed(self.record.fault, &disturbance);
        self.disturbance = Some(disturbance.clone());
        self.begin(f, value);
        let done = self.shared.target.disturb(self.record.fault, disturbance).await;
        let error = done.as_ref().err().map(ToString::to_string);
        self.complete(f, error.map_or_else(|| json!({}), |error| json!({ "error": error })));
        done?;
        self.hold(length_ms).await
    }

    /// Ends this fault's disturbance and notes its observed effect.
    pub(crate) async fn calm(&mut self) -> Result<(), Ended> {
        let Some(disturbance) = self.disturbance.clone() else { return Ok(()) };
        let (_, f) = disturbance.steps();
        let value = json!({ "fault": self.record.fault });
        self.shared.observer.record(What::FaultInvoke { f: f.into(), value });
        let calmed = self.shared.target.calm(self.record.fault).await;
        let mut value = json!({ "regions": self.record.regions });
        match &calmed {
            Ok(Some(touched)) => {
                value["touched"] = touched.as_str().into();
                self.record.effects.push(touched.clone());
            }
            Ok(None) => {}
            Err(error) => value["error"] = error.to_string().into(),
        }
        self.complete(f, value);
        calmed?;
        self.shared.note_calm(self.record.fault);
        self.disturbance = None;
        Ok(())
    }

    /// Resolves an action to the affected stores and the exact disturbance.
    async fn resolve(
        &mut self,
        action: Action,
    ) -> Result<(Region, Vec<StoreId>, Disturbance), Ended> {
        let stores: Vec<StoreId> =
            self.shared.target.stores().await?.iter().map(|store| store.id).collect();
        self.find(|shared, regions, random| {
            let whom = match action {
                Action::SlowDisk { whom, .. } | Action::ClockSkew { whom, .. } => whom,
                _ => Whom::Leader,
            };
            let (region, mut about) = choose(whom, regions, &shared.down(), random)?;
            let disturbance = match action {
                Action::Partition { shape, .. } => {
                    let (around, cuts) = partition(shape, &stores, &region, random)?;
                    about = around;
                    Disturbance::Cut(cuts)
                }
                Action::SlowDisk { times, .. } => {
                    Disturbance::SlowDisk { store: *about.first()?, times }
                }
                Action::ClockSkew { drift_ppm, wall_offset_ms, .. } => {
                    Disturbance::Clock { store: *about.first()?, drift_ppm, wall_offset_ms }
                }
                of_no_store => {
                    about.clear();
                    of_all(of_no_store)?
                }
            };
            Some((region, about, disturbance))
        })
        .await
    }
}

/// The disturbance of an action that affects all processes alike; `None` for the others.
fn of_all(action: Action) -> Option<Disturbance> {
    match action {
        Action::DelayMessages { delay_ms_max: ms_max, .. } => Some(Disturbance::Delay { ms_max }),
        Action::LoseMessages {
            lost_per_mille,
            twice_per_mille,
            late_per_mille,
            late_ms_max,
            ..
        } => {
            Some(Disturbance::Lose { lost_per_mille, twice_per_mille, late_per_mille, late_ms_max })
        }
        Action::PausePd { .. } => Some(Disturbance::PdStopped),
        Action::KillPd { .. } => Some(Disturbance::PdKilled),
        _ => None,
    }
}
