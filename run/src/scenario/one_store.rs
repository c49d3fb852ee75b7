//! Experiment 1: the leader's store is paused. Another store takes over, service returns, no data
//! is lost.

use super::script::{Ended, Script};
use nemesis::{Region, Store};
use std::collections::BTreeMap;

/// Plays the script.
pub async fn carry_out(script: &Script) -> Result<(), Ended> {
    let (stores, _) = script.look().await?;
    script.step(format_args!(
        "load: measured for {:.0} s while nothing is wrong",
        script.config.window_ms as f64 / 1000.0
    ));
    let before = script.measure("before").await?;
    script.say(format_args!("{before:.0} operations succeed in a second"));

    let (leader, led) = leader(script, &stores).await?;
    script.step(format_args!("find the leader: {}", told(&leader, &led)));
    script.step(format_args!("stop its process: kill -STOP {}", pid(&leader)));
    let Some(first) = led.first() else {
        return Err(Ended::Failed("no region has a leader".into()));
    };
    let probe = script.stop(0, first, std::slice::from_ref(&leader)).await?;

    script.step("wait for another leader");
    if script.await_new_leaders(0, leader.id, &led).await?.is_none() {
        script.say(format_args!(
            "none after {:.0} s: the stopped store still leads as far as PD knows",
            script.patience().as_secs_f64()
        ));
    }

    script.step("load: measured again while the store is still stopped");
    let moved = script.measure("moved").await?;
    script.say(format_args!(
        "nothing succeeded for {:.1} s; now {moved:.0} operations succeed in a second, {:.0} % of before",
        probe.beat().gap.as_secs_f64(),
        moved / before.max(1.0) * 100.0
    ));

    script.step(format_args!("resume it: kill -CONT {}", pid(&leader)));
    script.resume(0, &probe).await?;
    drop(probe);
    let took = script.await_whole().await?;
    script.say(format_args!(
        "every store is up, every region has its replicas, caught up, after {:.1} s",
        took.as_secs_f64()
    ));
    Ok(())
}

/// The store that leads most of the workload's regions, and those regions.
async fn leader(script: &Script, stores: &[Store]) -> Result<(Store, Vec<Region>), Ended> {
    let (_, regions) = script.look().await?;
    let mut led: BTreeMap<u64, Vec<Region>> = BTreeMap::new();
    for region in regions {
        if let Some(leader) = region.leader {
            led.entry(leader).or_default().push(region);
        }
    }
    let most = led.into_iter().max_by_key(|(_, regions)| regions.len());
    let Some((id, regions)) = most else {
        return Err(Ended::Failed("PD knows of no leader of the workload's regions".into()));
    };
    let store = stores.iter().find(|store| store.id == id);
    let store = store.ok_or_else(|| Ended::Failed(format!("nobody knows where store-{id} is")))?;
    Ok((store.clone(), regions))
}

fn told(store: &Store, led: &[Region]) -> String {
    let regions: Vec<String> = led.iter().map(|region| region.id.to_string()).collect();
    format!(
        "store-{} at {}, process {}, leads region {} with the workload's keys",
        store.id,
        store.address,
        pid(store),
        regions.join(", ")
    )
}

fn pid(store: &Store) -> String {
    store.pid.map_or_else(|| "(not known)".into(), |pid| pid.to_string())
}
