//! Undoes the changes to a cluster that somebody else started: sets its `max-replicas` back and
//! deletes our keys.
//!
//! In: the state before. Out: an [`Undo`] in the tester's record, on disk before anything is
//! changed. It is carried out at the end of a run in every case, or by `heal` after a tester that
//! was killed. Repeating it does no harm. A cluster with another id is left alone. `attached.json`
//! in the run directory describes the changes for people.

use client::{DirectClient, DirectOptions, Outcome, PdHttp, RawKv, Request, Response, Security};
use failure::Failure;
use plan::config::{AttachConfig, TargetConfig};
use run_directory::{RunDirectory, write_whole};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;
use workload::Workload;

const FORMAT: &str = "jepsen-tikv attached";
const VERSION: u32 = 2;
const PD_PATIENCE: Duration = Duration::from_secs(5);
/// The time for undoing everything, and for one step of it.
const PATIENCE: Duration = Duration::from_mins(1);
const STEP_PATIENCE: Duration = Duration::from_secs(10);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The changes to undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Undo {
    attach: AttachConfig,
    pd_endpoints: Vec<String>,
    cluster_id: u64,
    max_replicas: u64,
    prefix: String,
}

impl Undo {
    /// Notes the state of a cluster before any change.
    pub async fn begin(
        attach: &AttachConfig,
        (pd, pd_endpoints): (&PdHttp, &[String]),
        prefix: &str,
    ) -> Result<Self, Failure> {
        Ok(Self {
            attach: attach.clone(),
            pd_endpoints: pd_endpoints.to_vec(),
            cluster_id: pd.cluster_id().await.map_err(Failure::target_or_disk)?,
            max_replicas: pd.max_replicas().await.map_err(Failure::target_or_disk)?,
            prefix: prefix.to_owned(),
        })
    }

    /// Describes the changes in a run directory, for people. The file is never acted on.
    pub fn describe(&self, run: &RunDirectory, record: &str, done: bool) -> Result<(), Failure> {
        let described = serde_json::json!({
            "format": FORMAT, "version": VERSION, "record": record,
            "pd-endpoints": self.pd_endpoints, "cluster-id": self.cluster_id,
            "max-replicas": self.max_replicas, "prefix": self.prefix,
            "keep-keys": self.attach.keep_keys, "done": done,
        });
        let text = serde_json::to_vec_pretty(&described).map_err(Failure::software)?;
        write_whole(&run.attached(), &text)
    }

    /// The cluster's addresses, for people.
    pub fn place(&self) -> String {
        self.pd_endpoints.join(",")
    }

    /// Undoes all changes, if the cluster answers within `patience` and is the same one. Returns
    /// the actions, in sentences.
    pub async fn carry_out(&self, patience: Duration) -> Result<Vec<String>, Failure> {
        let security = super::security(&TargetConfig::Attach(self.attach.clone()))?;
        let members = self.members(security.as_ref(), patience).await?;
        let mut done = Vec::new();
        done.extend(self.restore_max_replicas(&members, security.as_ref()).await?);
        if !self.attach.keep_keys {
            self.delete_keys(&members, security.as_ref()).await?;
            done.push(format!("deleted the keys under {:?}", self.prefix));
        }
        Ok(done)
    }

    /// The PD members that belong to the cluster: another one may serve at its addresses by now.
    async fn members(
        &self,
        security: Option<&Security>,
        patience: Duration,
    ) -> Result<Vec<String>, Failure> {
        let deadline = Instant::now() + patience;
        loop {
            let (mut ours, mut why) = (Vec::new(), String::from("no address of it is known"));
            for endpoint in &self.pd_endpoints {
                let pd = PdHttp::of_members(std::slice::from_ref(endpoint), PD_PATIENCE, security);
                match pd.map_err(Failure::target_or_disk)?.cluster_id().await {
                    Ok(id) if id == self.cluster_id => ours.push(endpoint.clone()),
                    Ok(id) => why = format!("{endpoint} belongs to the cluster {id} now"),
                    Err(error) => why = error.to_string(),
                }
            }
            if !ours.is_empty() {
                return Ok(ours);
            }
            if Instant::now() >= deadline {
                return Err(Failure::target_or_disk(format!(
                    "max-replicas {} and the keys under {:?} were not put back on the cluster {} at {}: {why}",
                    self.max_replicas,
                    self.prefix,
                    self.cluster_id,
                    self.place()
                )));
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }

    async fn restore_max_replicas(
        &self,
        members: &[String],
        security: Option<&Security>,
    ) -> Result<Option<String>, Failure> {
        let pd = PdHttp::of_members(members, PD_PATIENCE, security);
        let pd = pd.map_err(Failure::target_or_disk)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let restored = match pd.max_replicas().await {
                Ok(now) if now == self.max_replicas => return Ok(None),
                Ok(_) => pd.set_max_replicas(self.max_replicas).await,
                Err(error) => Err(error),
            };
            match restored {
                Ok(()) => {
                    return Ok(Some(format!("set max-replicas back to {}", self.max_replicas)));
                }
                Err(error) if Instant::now() >= deadline => {
                    let wanted = self.max_replicas;
                    return Err(Failure::target_or_disk(format!(
                        "max-replicas could not be set back to {wanted}: {error}"
                    )));
                }
                Err(_) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
            }
        }
    }

    async fn delete_keys(
        &self,
        members: &[String],
        security: Option<&Security>,
    ) -> Result<(), Failure> {
        let (start, end) = Workload::prefix_range(&self.prefix);
        let options = DirectOptions::default().with_security(security);
        let client = DirectClient::new(members.to_vec(), options);
        let delete = Request::DeleteRange { start: start.clone(), end: Some(end.clone()) };
        let look =
            Request::Scan { start, end: Some(end), limit: 1, reverse: false, key_only: false };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let deleted = client.execute(&delete, STEP_PATIENCE).await.outcome;
            let left = client.execute(&look, STEP_PATIENCE).await.outcome;
            let none_left =
                matches!(&left, Outcome::Ok(Response::Scanned(pairs)) if pairs.is_empty());
            if none_left && matches!(deleted, Outcome::Ok(_)) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let prefix = &self.prefix;
                return Err(Failure::target_or_disk(format!(
                    "the keys under {prefix:?} could not be deleted: {deleted:?}"
                )));
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }
}
