//! A store that stays away too long: PD calls it Disconnected, then Down, and moves its replicas to
//! a healthy store. When it comes back, its old peers hear that they were removed, and destroy
//! themselves.

use super::{
    cluster::{Cluster, until},
    durability::{OP_TIMEOUT, client, lost, put_of},
};
use ::client::{Outcome, PdHttp, RawKv, pd_http::Region};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};
use tokio::runtime::Runtime;

const STORES: u32 = 4;
const AWAY: &str = "store-2";
/// Shorter than the profile's minutes, longer than the two seconds until Disconnected.
const MAX_STORE_DOWN_TIME: &str = "6s";
/// A write that meets an election is tried so often.
const TRIES_MAX: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// `pd-ctl config set NAME VALUE`, as pd-ctl sends it.
fn set_config(pd: &str, name: &str, value: &str) {
    let body = format!("{{\"{name}\":\"{value}\"}}");
    let mut stream = TcpStream::connect(pd).expect("PD serves");
    let length = body.len();
    write!(
        stream,
        "POST /pd/api/v1/config HTTP/1.1\r\nHost: {pd}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .expect("PD listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("PD answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// The store that is not Up, with PD's word for it.
fn not_up(runtime: &Runtime, pd: &PdHttp) -> Option<(u64, String)> {
    let stores = runtime.block_on(pd.stores()).ok()?;
    let away = stores.into_iter().find(|store| store.state != "Up")?;
    Some((away.id, away.state))
}

/// The regions, if each has three voters and nothing else, on these stores only.
fn whole_without(runtime: &Runtime, pd: &PdHttp, away: u64) -> Option<Vec<Region>> {
    let regions = runtime.block_on(pd.regions()).ok()?;
    let whole = |region: &Region| {
        let voters = region.voter_stores();
        region.peers.len() == 3 && voters.len() == 3 && !voters.contains(&away)
    };
    regions.iter().all(whole).then_some(regions)
}

async fn write(pd: &str, keys: &BTreeSet<String>) {
    let client = client(pd);
    for key in keys {
        let mut tries = 0;
        // A leader that a busy machine starved gives way to another.
        while let failed @ (Outcome::NotApplied(_) | Outcome::Unknown(_)) =
            client.execute(&put_of(key), OP_TIMEOUT).await.outcome
        {
            tries += 1;
            assert!(tries < TRIES_MAX, "{key}: {failed:?}");
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }
}

#[test]
fn replicas_of_a_store_that_is_down_move_away_and_its_old_peers_end_when_told() {
    let runtime = Runtime::new().expect("a runtime");
    let cluster = Cluster::of_stores(STORES);
    let pd = PdHttp::new(&cluster.pd, OP_TIMEOUT).expect("an address");
    let keys: BTreeSet<String> =
        (0..30).map(|n| format!("{}{n}", ["a", "s", "z"][n % 3])).collect();
    runtime.block_on(write(&cluster.pd, &keys));
    set_config(&cluster.pd, "max-store-down-time", MAX_STORE_DOWN_TIME);

    cluster.act("kill", &[AWAY]);
    let mut seen = Vec::new();
    let away = loop {
        let (id, state) = until("a store is not Up", || not_up(&runtime, &pd));
        let down = state == "Down";
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        if down {
            break id;
        }
    };
    assert_eq!(seen, ["Disconnected", "Down"]);
    let regions = until("three voters elsewhere", || whole_without(&runtime, &pd, away));
    assert_eq!(regions.len(), 5);
    let lost = |cluster: &Cluster| runtime.block_on(lost(&cluster.pd, &keys));
    assert_eq!(lost(&cluster), Vec::<String>::new());

    // While the cluster grew, balancing may have taken peers from it; it is dead now and says no
    // more.
    let destroyed =
        || cluster.log_of(AWAY).lines().filter(|line| line.contains("is destroyed")).count();
    let before = destroyed();
    cluster.act("start", &[AWAY]);
    until("an old peer is destroyed", || (destroyed() > before).then_some(()));
    until("it is Up again", || not_up(&runtime, &pd).is_none().then_some(()));
    assert_eq!(lost(&cluster), Vec::<String>::new());
}
