//! Answers of the clients on a healthy cluster, over region bounds, limits and splits.

use super::fake::FakeCluster;
use super::{PATIENCE, both, bytes, direct, get, not_applied, ok, put};
use client::{Cause, Request, Response};

#[tokio::test]
async fn every_operation_is_answered_over_three_regions() {
    for (_cluster, client) in both(false).await {
        let client = client.as_ref();
        let value = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(ok(client, get("a")).await, Response::Got(None));
        assert_eq!(ok(client, put("a", "1")).await, Response::Done);
        assert_eq!(ok(client, get("a")).await, Response::Got(value("1")));
        let pairs = vec![("h".into(), "2".into()), ("z".into(), "3".into())];
        assert_eq!(ok(client, Request::BatchPut { pairs }).await, Response::Done);
        let keys = bytes(&["z", "b", "a", "h"]);
        assert_eq!(
            ok(client, Request::BatchGet { keys: keys.clone() }).await,
            Response::GotBatch(
                keys.into_iter().zip([value("3"), None, value("1"), value("2")]).collect()
            )
        );
        let scan = |reverse, key_only| Request::Scan {
            start: vec![],
            end: None,
            limit: 10,
            reverse,
            key_only,
        };
        assert_eq!(
            ok(client, scan(false, true)).await,
            Response::ScannedKeys(bytes(&["a", "h", "z"]))
        );
        assert_eq!(
            ok(client, scan(true, false)).await,
            Response::Scanned(
                bytes(&["z", "h", "a"]).into_iter().zip(bytes(&["3", "2", "1"])).collect()
            )
        );
        assert_eq!(ok(client, Request::Delete { key: "h".into() }).await, Response::Done);
        let keys = bytes(&["a", "z"]);
        assert_eq!(ok(client, Request::BatchDelete { keys }).await, Response::Done);
        assert_eq!(ok(client, scan(false, true)).await, Response::ScannedKeys(vec![]));
        ok(client, put("b", "4")).await;
        ok(client, put("i", "5")).await;
        ok(client, put("q", "6")).await;
        let range = Request::DeleteRange { start: "c".into(), end: Some("q".into()) };
        assert_eq!(ok(client, range).await, Response::Done);
        assert_eq!(ok(client, scan(false, true)).await, Response::ScannedKeys(bytes(&["b", "q"])));
    }
}

#[tokio::test]
async fn cas_says_what_was_there_and_delete_range_is_refused_beside_it() {
    for (cluster, client) in both(true).await {
        let client = client.as_ref();
        let cas = |expected: Option<&str>, new: &str| Request::Cas {
            key: "k".into(),
            expected: expected.map(|text| text.as_bytes().to_vec()),
            new: new.into(),
        };
        let answer = |swapped, previous: Option<&str>| Response::Cas {
            swapped,
            previous: previous.map(|text| text.as_bytes().to_vec()),
        };
        assert_eq!(ok(client, cas(None, "1")).await, answer(true, None));
        assert_eq!(ok(client, cas(None, "2")).await, answer(false, Some("1")));
        assert_eq!(ok(client, cas(Some("1"), "2")).await, answer(true, Some("1")));
        ok(client, Request::BatchDelete { keys: bytes(&["k"]) }).await;
        assert_eq!(ok(client, get("k")).await, Response::Got(None));
        ok(client, put("k", "3")).await;
        let range = Request::DeleteRange { start: vec![], end: None };
        let reply = client.execute(&range, PATIENCE).await;
        assert_eq!(not_applied(&reply), Cause::RefusedByClient);
        assert_eq!(cluster.state().data.len(), 1);
    }
}

#[tokio::test]
async fn scans_keep_bounds_limits_and_order_over_region_bounds() {
    let cluster = FakeCluster::start().await;
    let client = direct(&cluster, false);
    let letters: Vec<Vec<u8>> = (b'a'..=b'z').map(|letter| vec![letter]).collect();
    cluster.state().data.extend(letters.iter().map(|key| (key.clone(), key.clone())));
    for (start, end) in [
        ("", None),
        ("c", Some("x")),
        ("g", Some("p")),
        ("f", Some("g")),
        ("p", None),
        ("m", Some("b")),
    ] {
        for limit in [0, 1, 5, 9, 10_000] {
            for reverse in [false, true] {
                let (start, end) =
                    (start.as_bytes().to_vec(), end.map(|end| end.as_bytes().to_vec()));
                let mut expected: Vec<Vec<u8>> = letters
                    .iter()
                    .filter(|key| **key >= start && end.as_ref().is_none_or(|end| *key < end))
                    .cloned()
                    .collect();
                if reverse {
                    expected.reverse();
                }
                expected.truncate(limit as usize);
                let scan = Request::Scan { start, end, limit, reverse, key_only: true };
                assert_eq!(
                    ok(&client, scan.clone()).await,
                    Response::ScannedKeys(expected),
                    "{scan:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_scan_longer_than_a_page_misses_and_repeats_nothing() {
    let cluster = FakeCluster::start().await;
    let client = direct(&cluster, false);
    let keys: Vec<Vec<u8>> = (0..2500).map(|n| format!("k{n:05}").into_bytes()).collect();
    cluster.state().data.extend(keys.iter().map(|key| (key.clone(), vec![1])));
    for reverse in [false, true] {
        let scan =
            Request::Scan { start: vec![], end: None, limit: 10_240, reverse, key_only: true };
        let mut expected = keys.clone();
        if reverse {
            expected.reverse();
        }
        assert_eq!(ok(&client, scan).await, Response::ScannedKeys(expected));
    }
}

#[tokio::test]
async fn a_scan_goes_on_after_a_leader_moved_and_a_region_split() {
    let cluster = FakeCluster::start().await;
    let client = direct(&cluster, false);
    let scan =
        || Request::Scan { start: vec![], end: None, limit: 100, reverse: false, key_only: true };
    cluster.state().data.extend(bytes(&["a", "h", "l", "z"]).into_iter().map(|key| (key, vec![1])));
    let all = Response::ScannedKeys(bytes(&["a", "h", "l", "z"]));
    assert_eq!(ok(&client, scan()).await, all);
    cluster.state().leaders.insert(3, 1);
    cluster.set_regions(&[(1, "", "g", 1), (4, "g", "k", 2), (2, "k", "p", 2), (3, "p", "", 1)]);
    cluster.state().leaders.insert(4, 2);
    assert_eq!(ok(&client, scan()).await, all);
}
