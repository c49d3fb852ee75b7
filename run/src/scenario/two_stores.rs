//! Experiment 2: with five replicas of every region, two stores that lead none of the workload's
//! regions are paused in one instant. Clients notice nothing: there is no gap, all keys are there,
//! a new one can be put.

use super::script::{Ended, Script};
use nemesis::{Region, Store, Target};
use plan::scenario::ScenarioConfig;
use tokio::time::Instant;

/// The number of replicas that survives two paused stores.
const REPLICAS: u32 = 5;

/// Plays the script.
pub async fn carry_out(script: &Script) -> Result<(), Ended> {
    let ScenarioConfig { wait, window_ms, gap_max_ms, .. } = script.config;
    let initial = script.parts.target.max_replicas().await?;
    script.step(format_args!("max-replicas {REPLICAS} instead of {initial}"));
    let took = script.set_replicas(0, REPLICAS, wait).await?;
    if wait {
        let took = took.as_secs_f64();
        script
            .say(format_args!("every region has {REPLICAS} voters, caught up, after {took:.1} s"));
    } else {
        script.say("not waited for (--no-wait): the stop races with the new replicas on purpose");
    }

    if wait {
        let seconds = window_ms as f64 / 1000.0;
        script.step(format_args!("load: measured for {seconds:.0} s while nothing is wrong"));
        let before = script.measure("before").await?;
        script.say(format_args!("{before:.0} operations succeed in a second"));
    }

    let (stores, regions) = script.look().await?;
    let (region, two) = choose(&stores, &regions)?;
    let names: Vec<String> = two.iter().map(told).collect();
    let pids: Vec<String> = two.iter().map(pid).collect();
    script.step(format_args!(
        "two stores that do not lead it, of the {} voters of region {}: {}",
        region.voters.len(),
        region.id,
        names.join(" and ")
    ));
    script.step(format_args!("stop both in one instant: kill -STOP {}", pids.join(" ")));
    let probe = script.stop(1, &region, &two).await?;
    let stopped = Instant::now();

    script.step("load, and the keys, while both are stopped");
    let during = script.measure("stopped").await?;
    script.say(format_args!(
        "{during:.0} operations succeed in a second; longest time without a success {:.0} ms (bound {gap_max_ms} ms)",
        probe.beat().gap.as_secs_f64() * 1000.0
    ));
    let counts = script.count().await?;
    match (counts.before, counts.after) {
        (Some(before), Some(after)) => {
            script.say(format_args!("{before} keys; one put; {after} keys"));
        }
        (Some(before), None) => script.say(format_args!("{before} keys; no put succeeded")),
        _ => script.say("the keys cannot be counted while both are stopped"),
    }

    script.step(format_args!("resume both: kill -CONT {}", pids.join(" ")));
    let stopped = stopped.elapsed();
    script.resume(1, &probe).await?;
    drop(probe);
    let took = script.await_whole().await?.as_secs_f64();
    script.say(format_args!("every region has {REPLICAS} voters, back in sync, after {took:.1} s"));

    if wait {
        script.step(format_args!(
            "load: watched for as long as both were stopped, {:.0} s, while nothing is wrong",
            stopped.as_secs_f64()
        ));
        let quiet_ms = script.watch_quiet(stopped).await?.as_secs_f64() * 1000.0;
        script.say(format_args!("longest time without a success {quiet_ms:.0} ms"));
    }

    script.step(format_args!("max-replicas {initial} again"));
    let took = script.set_replicas(2, initial, true).await?.as_secs_f64();
    script.say(format_args!("every region has {initial} voters after {took:.1} s"));
    Ok(())
}

/// A region of the workload, and two of its voters that lead none of the workload's regions.
fn choose(stores: &[Store], regions: &[Region]) -> Result<(Region, Vec<Store>), Ended> {
    let leads = |id| regions.iter().any(|region| region.leader == Some(id));
    let of = |region: &Region| -> Vec<Store> {
        let voters = stores.iter().filter(|store| region.voters.contains(&store.id));
        voters.filter(|store| !leads(store.id)).take(2).cloned().collect()
    };
    regions
        .iter()
        .map(|region| (region.clone(), of(region)))
        .find(|(region, two)| region.leader.is_some() && two.len() == 2)
        .ok_or_else(|| {
            Ended::Failed(
                "no region has two voters on stores that lead none of the workload's regions: use more stores, or \
                 fewer --regions"
                    .into(),
            )
        })
}

fn told(store: &Store) -> String {
    format!("store-{} at {}, process {}", store.id, store.address, pid(store))
}

fn pid(store: &Store) -> String {
    store.pid.map_or_else(|| "(not known)".into(), |pid| pid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(id: u64, leader: u64, voters: &[u64]) -> Region {
        Region { id, leader: Some(leader), voters: voters.to_vec(), learners: vec![] }
    }

    fn chosen(regions: &[Region]) -> Option<Vec<u64>> {
        let stores: Vec<Store> =
            (1..=6).map(|id| Store { id, address: String::new(), pid: None }).collect();
        let (_, two) = choose(&stores, regions).ok()?;
        Some(two.iter().map(|store| store.id).collect())
    }

    #[test]
    fn the_two_lead_none_of_the_workloads_regions() {
        assert_eq!(chosen(&[region(9, 1, &[1, 2, 3, 4, 5])]), Some(vec![2, 3]));
        let two = [region(9, 1, &[1, 2, 3, 4, 5]), region(10, 2, &[2, 3, 4, 5, 6])];
        assert_eq!(chosen(&two), Some(vec![3, 4]));
        assert_eq!(chosen(&[region(9, 1, &[1, 2])]), None);
        assert_eq!(chosen(&[]), None);
    }
}
