//! What must be put back on a cluster that somebody else started: its `max-replicas`, and our keys, which are deleted.
//!
//! In: what it was before. Out: `attached.json` in the run directory, on disk before anything is changed, and the
//! undoing: at the end of a run on every way out, or by `heal` after a tester that was killed. Version 1, a JSON object
//! of an [`Undo`]'s fields. Doing it twice does no harm.

use crate::{
    config::{AttachConfig, TargetConfig},
    exit::Failure,
    run_directory::write_whole,
    workload::Workload,
};
use client::{DirectClient, DirectOptions, Outcome, PdHttp, RawKv, Request, Response, Security};
use nemesis::{ProcessIdentity, ProcessState};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Duration};
use tokio::time::Instant;

const FORMAT: &str = "jepsen-tikv attached";
const VERSION: u32 = 1;
const PD_PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take until all is put back.
const PATIENCE: Duration = Duration::from_mins(1);
const STEP_PATIENCE: Duration = Duration::from_secs(10);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What must be put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Undo {
    format: String,
    version: u32,
    tester: ProcessIdentity,
    attach: AttachConfig,
    pd_endpoints: Vec<String>,
    max_replicas: u64,
    prefix: String,
    done: bool,
}

impl Undo {
    /// Notes on disk what a cluster was like.
    pub async fn begin(
        path: &Path,
        attach: &AttachConfig,
        (pd, pd_endpoints): (&PdHttp, &[String]),
        prefix: &str,
    ) -> Result<Self, Failure> {
        let no_proc = || Failure::software("/proc says nothing about this process");
        let undo = Self {
            format: FORMAT.into(),
            version: VERSION,
            tester: ProcessIdentity::own().ok_or_else(no_proc)?,
            attach: attach.clone(),
            pd_endpoints: pd_endpoints.to_vec(),
            max_replicas: pd.max_replicas().await.map_err(Failure::target_or_disk)?,
            prefix: prefix.to_owned(),
            done: false,
        };
        undo.write(path)?;
        Ok(undo)
    }

    /// What a tester that is gone left to be put back, if anything.
    pub fn left_over(path: &Path) -> Option<Self> {
        let undo: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let ours = undo.format == FORMAT && undo.version == VERSION;
        (ours && !undo.done && undo.tester.state() == ProcessState::Gone).then_some(undo)
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        write_whole(path, &serde_json::to_vec_pretty(self).map_err(Failure::software)?)
    }

    /// Puts everything back, and notes that it was done. What was done, in sentences.
    pub async fn carry_out(&self, path: &Path) -> Result<Vec<String>, Failure> {
        let security = TargetConfig::Attach(self.attach.clone()).security()?;
        let mut done = Vec::new();
        done.extend(self.restore_max_replicas(security.as_ref()).await?);
        if !self.attach.keep_keys {
            self.delete_keys(security.as_ref()).await?;
            done.push(format!("deleted the keys under {:?}", self.prefix));
        }
        Self { done: true, ..self.clone() }.write(path)?;
        Ok(done)
    }

    async fn restore_max_replicas(
        &self,
        security: Option<&Security>,
    ) -> Result<Option<String>, Failure> {
        let pd = PdHttp::of_members(&self.pd_endpoints, PD_PATIENCE, security);
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

    async fn delete_keys(&self, security: Option<&Security>) -> Result<(), Failure> {
        let (start, end) = Workload::prefix_range(&self.prefix);
        let options = DirectOptions::default().with_security(security);
        let client = DirectClient::new(self.pd_endpoints.clone(), options);
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
