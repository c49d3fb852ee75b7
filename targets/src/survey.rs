//! Surveys a target before anything is done to it.
//!
//! In: a configuration. Out: the configuration with the facts found. Only a cluster that somebody
//! else started is surveyed; all others will be as configured. Changes nothing.

use super::attached::AttachedCluster;
use client::{DirectClient, DirectOptions, Outcome, PdHttp, RawKv, Request, Response};
use failure::Failure;
use plan::config::{Config, Found, TargetConfig};
use std::time::Duration;
use workload::Workload;

const PD_PATIENCE: Duration = Duration::from_secs(5);
const SCAN_PATIENCE: Duration = Duration::from_secs(10);

/// Adds the facts found about the target to a configuration.
pub fn surveyed(mut config: Config) -> Result<Config, Failure> {
    let TargetConfig::Attach(attach) = &config.target else { return Ok(config) };
    let security = super::security(&config.target)?;
    let attach = attach.clone();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let surveyed = runtime.block_on(async move {
        let cluster = AttachedCluster::find(&attach, security.as_ref()).await?;
        let endpoints = super::cluster_processes::ClusterProcesses::pd_endpoints(&cluster);
        let pd = PdHttp::of_members(&endpoints, PD_PATIENCE, security.as_ref());
        let pd = pd.map_err(Failure::target_or_disk)?;
        let rules = pd.placement_rules().await.map_err(Failure::target_or_disk)?;
        config.cluster.stores =
            super::cluster_processes::ClusterProcesses::stores(&cluster).len() as u32;
        config.cluster.replicas = pd.max_replicas().await.map_err(Failure::target_or_disk)? as u32;
        refuse_taken_prefix(&config, &endpoints, security.as_ref()).await?;
        let found = Found {
            pause: cluster.unknown.is_empty(),
            why_not: cluster.unknown.first().cloned(),
            max_replicas: rules.iter().all(client::pd_http::PlacementRule::is_default),
        };
        let mut attach = attach;
        attach.found = Some(found);
        config.target = TargetConfig::Attach(attach);
        Ok(config)
    });
    runtime.shutdown_background();
    let config: Config = surveyed?;
    config.check()?;
    Ok(config)
}

/// Refuses a prefix with existing keys, which are not ours to overwrite or delete.
async fn refuse_taken_prefix(
    config: &Config,
    endpoints: &[String],
    security: Option<&client::Security>,
) -> Result<(), Failure> {
    let (start, end) = Workload::prefix_range(&config.workload.prefix);
    let options = DirectOptions::default().with_security(security);
    let client = DirectClient::new(endpoints.to_vec(), options);
    let scan = Request::Scan { start, end: Some(end), limit: 1, reverse: false, key_only: false };
    match client.execute(&scan, SCAN_PATIENCE).await.outcome {
        Outcome::Ok(Response::Scanned(pairs)) => match pairs.first() {
            None => Ok(()),
            Some((key, _)) => Err(Failure::usage(format!(
                "the cluster has keys under --prefix {} already, {:?} among others: choose another --prefix, or delete \
                 them if an earlier run left them",
                config.workload.prefix,
                String::from_utf8_lossy(key)
            ))),
        },
        Outcome::Ok(other) => Err(Failure::software(format!("a scan was answered with {other:?}"))),
        Outcome::NotApplied(error) | Outcome::Unknown(error) => {
            Err(Failure::target_or_disk(format!("the cluster cannot be read: {}", error.message)))
        }
    }
}
