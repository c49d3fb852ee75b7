//! The answers to clients: values, TiKV's errors, expiry, compare-and-swap.

use super::*;

#[test]
fn three_replicas_take_a_write_and_all_have_it() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.put(REGION, "k", "v");
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("v"));
    assert_eq!(stores.get(REGION, "other"), None);
    stores.run_ms(500);
    for store in 1..=3 {
        assert_eq!(stores.copy(store, REGION, "k").as_deref(), Some("v"), "store {store}");
    }
}

#[test]
fn a_request_in_the_wrong_place_is_told_where_to_go() {
    let mut stores = Stores::new(3, 3, &[]);
    let good = stores.context(1, REGION);
    let with = |change: &dyn Fn(&mut kv::Context)| {
        let mut context = good.clone();
        change(&mut context);
        kv::RawGetRequest { context: Some(context), key: b"k".to_vec(), ..Default::default() }
    };
    let cases = [
        (1, with(&|_| {}), None),
        (1, with(&|c| c.peer = Some(Peer { store_id: 2, ..peer(1) })), Some("store not match")),
        (1, with(&|c| c.region_id = 9), Some("region not found")),
        (2, with(&|c| c.peer = Some(peer(2))), Some("not leader")),
        (1, with(&|c| c.peer = Some(Peer { id: 9, ..peer(1) })), Some("mismatch peer id")),
        (1, with(&|c| c.region_epoch = None), Some("epoch not match")),
        // Membership may be old: data requests do not depend on it.
        (1, with(&|c| c.region_epoch = Some(RegionEpoch { conf_ver: 1, version: 1 })), None),
    ];
    for (store, request, want) in cases {
        let id = stores.send(store, request.clone());
        stores.run_ms(50);
        let reply = stores.reply(id).expect("an answer");
        assert_eq!(error_of(&reply), want, "{request:?}");
        if let (Some("not leader"), RawResponse::Get(get)) = (want, reply) {
            let hint = get.region_error.and_then(|e| e.not_leader).and_then(|n| n.leader);
            assert_eq!(hint, Some(peer(1)), "the hint names the leader");
        }
    }
}

fn swap(stores: &mut Stores, expected: Option<&str>, value: &str) -> (bool, Option<String>) {
    let leader = stores.leader(REGION).expect("a leader");
    let context = Some(stores.context(leader, REGION));
    let id = stores.send(
        leader,
        kv::RawCasRequest {
            context,
            key: b"k".to_vec(),
            value: value.into(),
            previous_not_exist: expected.is_none(),
            previous_value: expected.unwrap_or_default().into(),
            ..Default::default()
        },
    );
    stores.run_ms(50);
    match stores.reply(id) {
        Some(RawResponse::CompareAndSwap(r)) => {
            let previous = String::from_utf8_lossy(&r.previous_value).into_owned();
            (r.succeed, (!r.previous_not_exist).then_some(previous))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_compare_and_swap_answers_with_what_was_there() {
    let mut stores = Stores::new(3, 3, &[]);
    assert_eq!(swap(&mut stores, Some("x"), "a"), (false, None));
    assert_eq!(swap(&mut stores, None, "a"), (true, None));
    assert_eq!(swap(&mut stores, None, "b"), (false, Some("a".into())));
    assert_eq!(swap(&mut stores, Some("a"), ""), (true, Some("a".into())));
    assert_eq!(swap(&mut stores, Some(""), "c"), (true, Some(String::new())), "empty is a value");
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("c"));
}

#[test]
fn a_value_with_a_time_to_live_expires_for_reads_and_swaps() {
    let mut stores = Stores::new(1, 1, &[]);
    let context = Some(stores.context(1, REGION));
    let put = kv::RawPutRequest {
        context: context.clone(),
        key: b"k".to_vec(),
        value: b"v".to_vec(),
        ttl: 5,
        ..Default::default()
    };
    let ttl = kv::RawGetKeyTtlRequest { context, key: b"k".to_vec(), ..Default::default() };
    stores.send(1, put);
    stores.run_ms(50);
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("v"));
    let left = |stores: &mut Stores| {
        let id = stores.send(1, ttl.clone());
        stores.run_ms(50);
        match stores.reply(id) {
            Some(RawResponse::KeyTtl(r)) => (!r.not_found).then_some(r.ttl),
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(left(&mut stores), Some(4..=5)));
    stores.run_ms(5_000);
    assert_eq!(left(&mut stores), None);
    assert_eq!(stores.get(REGION, "k"), None);
    assert_eq!(swap(&mut stores, None, "new"), (true, None), "expired is absent");
}

#[test]
fn a_time_to_live_is_refused_in_tikvs_words_where_it_is_not_enabled() {
    let mut stores = Stores::new(1, 1, &[]);
    stores.forbid_ttl();
    let context = Some(stores.context(1, REGION));
    let (key, value, ttl) = (b"k".to_vec(), b"v".to_vec(), 5);
    let put = kv::RawPutRequest { context: context.clone(), key, value, ttl, ..Default::default() };
    let pair = kv::KvPair { key: b"k".to_vec(), value: b"v".to_vec(), ..Default::default() };
    let batch = kv::RawBatchPutRequest {
        context: context.clone(),
        pairs: vec![pair],
        ttls: vec![5],
        ..Default::default()
    };
    let cas = kv::RawCasRequest {
        context: context.clone(),
        key: b"k".to_vec(),
        value: b"v".to_vec(),
        previous_not_exist: true,
        ttl,
        ..Default::default()
    };
    let asked = kv::RawGetKeyTtlRequest { context, key: b"k".to_vec(), ..Default::default() };
    let ids =
        [stores.send(1, put), stores.send(1, batch), stores.send(1, cas), stores.send(1, asked)];
    stores.run_ms(50);
    let errors = ids.map(|id| match stores.reply(id) {
        Some(RawResponse::Put(r)) => r.error,
        Some(RawResponse::BatchPut(r)) => r.error,
        Some(RawResponse::CompareAndSwap(r)) => r.error,
        Some(RawResponse::KeyTtl(r)) => r.error,
        other => panic!("{other:?}"),
    });
    let words = "ttl is not enabled, but get put request with ttl";
    assert_eq!(errors, [words, words, words, "get ttl on non-ttl store"]);
    assert_eq!(stores.get(REGION, "k"), None, "nothing was written");
    stores.put(REGION, "k", "without");
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("without"));
}

#[test]
fn keys_may_be_empty_but_not_endless() {
    let mut stores = Stores::new(1, 1, &[]);
    stores.put(REGION, "", "empty key");
    assert_eq!(stores.get(REGION, "").as_deref(), Some("empty key"));
    for (length, refused) in [(8_192, false), (8_193, true)] {
        let id = stores.put_at(1, REGION, &"k".repeat(length), "v");
        stores.run_ms(50);
        let Some(RawResponse::Put(put)) = stores.reply(id) else { panic!("a put has an answer") };
        assert_eq!(!put.error.is_empty(), refused, "{length}: {}", put.error);
    }
}

#[test]
fn too_many_waiting_requests_are_refused_not_kept() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.hung.insert(1);
    let ids: Vec<u64> = (0..100).map(|_| stores.put_at(1, REGION, "k", "v")).collect();
    stores.run_ms(50);
    let busy = ids.iter().filter(|id| {
        stores.reply(**id).is_some_and(|reply| error_of(&reply) == Some("server is busy"))
    });
    assert_eq!(busy.count(), 36, "64 may wait");
}

#[test]
fn a_full_disk_refuses_writes_and_serves_reads() {
    let mut stores = Stores::new(3, 3, &[]);
    stores.put(REGION, "k", "v");
    stores.put_in(1, Input::DiskFull(true));
    let id = stores.put_at(1, REGION, "k", "w");
    stores.run_ms(50);
    assert_eq!(error_of(&stores.reply(id).expect("an answer")), Some("disk full"));
    assert_eq!(stores.get(REGION, "k").as_deref(), Some("v"));
    stores.put_in(1, Input::DiskFull(false));
    stores.put(REGION, "k", "w");
}
