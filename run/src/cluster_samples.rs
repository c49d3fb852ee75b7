//! Samples the cluster during a run and keeps the samples in `cluster-samples.jsonl`.
//!
//! In: PD's addresses, an observer of the processes, the run's clock. Out: a line about once a
//! second. The report draws leaders and regions from the file. No verdict rests on it, so a failed
//! sample or a full disk does not end the run.

use crate::clock::Clock;
use std::{io::Write, path::Path, sync::Arc, time::Duration};
use targets::observe::{Processes, Sampler};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// The time between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// Samples until this is dropped.
#[derive(Debug)]
pub struct Watch(Option<JoinHandle<()>>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// Begins to sample.
pub fn watch(
    path: &Path,
    pd_endpoints: &[String],
    security: Option<&client::Security>,
    processes: Arc<dyn Processes>,
    clock: Clock,
) -> Watch {
    let opened = std::fs::File::create_new(path);
    let (Ok(mut file), Ok(mut sampler)) =
        (opened, Sampler::new(pd_endpoints, security, Some(processes)))
    else {
        tracing::warn!(path = %path.display(), "the cluster is not looked at: the report will lack leaders and regions");
        return Watch(None);
    };
    Watch(Some(tokio::spawn(async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let begun_ns = clock.now_ns();
            let mut sample = sampler.look().await;
            sample.run_ns = Some(begun_ns);
            // Nothing drawn from the file needs the bounds, which would be most of it.
            sample.regions.iter_mut().for_each(|region| region.range.clear());
            let Ok(mut line) = serde_json::to_vec(&sample) else { continue };
            line.push(b'\n');
            if let Err(error) = file.write_all(&line) {
                tracing::warn!(%error, "the cluster is no longer looked at");
                return;
            }
        }
    })))
}
