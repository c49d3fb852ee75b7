//! Tests of the simulation as a client sees it, and of its repeatability by seed.

use super::*;
use proto::{
    kvrpcpb::{Context, RawGetRequest, RawPutRequest},
    pdpb::{GetRegionRequest, pd_client::PdClient},
    tikvpb::tikv_client::TikvClient,
};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

fn config(seed: u64) -> SimulationConfig {
    SimulationConfig {
        stores: 4,
        replicas: 3,
        profile: Profile::Fast,
        read: ReadMode::default(),
        defects: BTreeMap::new(),
        seed,
        log_entries_kept: 64,
        region_max_keys: None,
    }
}

/// Runs a scenario in a simulation of its own.
fn simulated<T>(seed: u64, scenario: impl AsyncFnOnce(&Simulation) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let simulation = Simulation::new(config(seed));
        tokio::select! {
            biased;
            result = scenario(&simulation) => result,
            () = simulation.run() => unreachable!("time has no end"),
        }
    })
}

/// Routes a key as a client that asks PD every time.
async fn route(simulation: &Simulation, key: &str) -> Option<(TikvClient<Wire>, Context)> {
    let mut pd = PdClient::new(simulation.wire(PD_ADDRESS));
    let request = GetRegionRequest { region_key: key.into(), ..Default::default() };
    let answer = timeout(Duration::from_secs(1), pd.get_region(request)).await.ok()?;
    let answer = answer.ok()?.into_inner();
    let (region, leader) = (answer.region?, answer.leader?);
    let context = Context {
        region_id: region.id,
        region_epoch: region.region_epoch,
        peer: Some(leader),
        ..Default::default()
    };
    Some((TikvClient::new(simulation.wire(&store_address(leader.store_id))), context))
}

async fn put(simulation: &Simulation, key: &str, value: &str) -> bool {
    let Some((mut store, context)) = route(simulation, key).await else { return false };
    let (key, value) = (key.into(), value.into());
    let request = RawPutRequest { context: Some(context), key, value, ..Default::default() };
    match timeout(Duration::from_secs(1), store.raw_put(request)).await {
        Ok(Ok(answer)) => answer.into_inner().region_error.is_none(),
        _ => false,
    }
}

async fn get(simulation: &Simulation, key: &str) -> Option<String> {
    let (mut store, context) = route(simulation, key).await?;
    let request = RawGetRequest { context: Some(context), key: key.into(), ..Default::default() };
    let answer = timeout(Duration::from_secs(1), store.raw_get(request)).await.ok()?.ok()?;
    let answer = answer.into_inner();
    answer.region_error.is_none().then(|| String::from_utf8(answer.value).expect("text"))
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("a minute of the world's time passed without this: {what}");
}

async fn whole(simulation: &Simulation) {
    let is_whole = async || {
        let regions = simulation.regions();
        regions.len() == 5
            && regions.iter().all(|it| {
                it.leader.is_some()
                    && it.region.peers.len() == 3
                    && !it.pending
                    && it.region.peers.iter().all(|peer| peer.role == 0)
            })
    };
    eventually("five regions of three voters", is_whole).await;
}

#[test]
fn a_cluster_grows_serves_and_survives_the_death_of_a_leader() {
    simulated(1, async |simulation| {
        whole(simulation).await;
        eventually("a put succeeds", async || put(simulation, "k", "1").await).await;
        let leader = simulation.regions()[0].leader.expect("it was whole");
        simulation.kill(&[leader]);
        eventually("the value is read", async || {
            get(simulation, "k").await.as_deref() == Some("1")
        })
        .await;
        simulation.start(&[leader]);
        simulation.set_max_replicas(3).expect("a setting");
        eventually("another put succeeds", async || put(simulation, "k", "2").await).await;
        assert_eq!(get(simulation, "k").await.as_deref(), Some("2"));
    });
}

#[test]
fn a_stopped_process_answers_late_a_dead_one_refuses_and_what_is_unknown_is_unimplemented() {
    simulated(2, async |simulation| {
        whole(simulation).await;
        let (mut store, context) = route(simulation, "k").await.expect("a leader");
        let leader = context.peer.expect("a leader").store_id;
        simulation.pause(&[leader]);
        let request =
            RawGetRequest { context: Some(context), key: "k".into(), ..Default::default() };
        {
            let late = store.raw_get(request.clone());
            tokio::pin!(late);
            assert!(timeout(Duration::from_secs(5), &mut late).await.is_err(), "it is stopped");
            simulation.resume(&[leader]);
            timeout(Duration::from_secs(5), late).await.expect("it runs").expect("an answer");
        }

        simulation.kill(&[leader]);
        let refused: Status = store.raw_get(request).await.expect_err("it is dead");
        assert_eq!(refused.code(), Code::Unknown, "{refused:?}");

        let mut pd = PdClient::new(simulation.wire(PD_ADDRESS));
        let unknown = pd.get_all_stores(proto::pdpb::GetAllStoresRequest::default()).await;
        assert_eq!(unknown.expect_err("not simulated").code(), Code::Unimplemented);
    });
}

#[test]
fn a_leader_that_is_cut_off_is_replaced_and_a_partition_heals() {
    simulated(3, async |simulation| {
        whole(simulation).await;
        let leader = simulation.regions()[0].leader.expect("it was whole");
        let mut ways = vec![(Node::Store(leader), Node::Pd)];
        for (other, _) in simulation.stores() {
            ways.push((Node::Store(leader), Node::Store(other)));
            ways.push((Node::Store(other), Node::Store(leader)));
        }
        for (from, to) in &ways {
            simulation.cut(*from, *to);
        }
        let moved = async || simulation.regions()[0].leader.is_some_and(|now| now != leader);
        eventually("another leads", moved).await;
        eventually("a put succeeds", async || put(simulation, "k", "1").await).await;
        assert!(simulation.stopped(&ways) > 0, "the cut met messages");
        for (from, to) in &ways {
            simulation.mend(*from, *to);
        }
        simulation.set_weather(Weather::FOUL);
        eventually("in foul weather too", async || put(simulation, "k", "2").await).await;
    });
}

/// The notes of a run with faults, from beginning to end.
fn trace(seed: u64) -> Vec<(u64, u64, String)> {
    simulated(seed, async |simulation| {
        whole(simulation).await;
        for round in 0..5_u64 {
            let store = 1 + (seed + round) % 4;
            match round % 3 {
                0 => simulation.pause(&[store]),
                1 => simulation.kill(&[store]),
                _ => simulation.set_clock(store, 20_000, -5_000),
            }
            for write in 0..20 {
                put(simulation, "k", &format!("{round} {write}")).await;
            }
            sleep(Duration::from_secs(2)).await;
            simulation.resume(&[store]);
            simulation.start(&[store]);
        }
        let mut notes = simulation.take_notes();
        notes.push((simulation.now_us(), 0, get(simulation, "k").await.unwrap_or_default()));
        notes
    })
}

#[test]
fn a_seed_repeats_the_simulation_and_another_one_does_not() {
    let first = trace(7);
    assert!(first.len() > 50, "{} notes", first.len());
    assert_eq!(first, trace(7));
    assert_ne!(first, trace(8));
}
