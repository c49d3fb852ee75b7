//! Outcomes of failed requests (certainly not applied, or unknown), and recovery from them.

use super::fake::{self, FakeCluster, Step};
use super::{PATIENCE, SHORT, both, bytes, direct, get, not_applied, ok, put, tikv, unknown};
use client::{Cause, DirectClient, DirectOptions, RawKv, RegionErrorKind, Request, Response};
use client::{TikvClient, TikvClientOptions};
use tonic::Code;

#[tokio::test]
async fn after_a_leader_moved_a_write_fails_once_and_then_finds_it() {
    for (cluster, client) in both(false).await {
        let client = client.as_ref();
        ok(client, put("a", "1")).await;
        cluster.state().leaders.insert(1, 2);
        let reply = client.execute(&put("a", "2"), PATIENCE).await;
        assert_eq!(not_applied(&reply), Cause::Region(RegionErrorKind::NotLeader));
        assert_eq!(cluster.state().writes_applied, 1);
        ok(client, put("a", "3")).await;
        assert_eq!(cluster.state().data[&b"a".to_vec()], b"3");
    }
}

#[tokio::test]
async fn a_stores_hint_leads_to_the_leader_that_pd_does_not_know_yet() {
    for (cluster, client) in both(false).await {
        let client = client.as_ref();
        cluster.state().pd_leaders.insert(1, 1);
        cluster.state().leaders.insert(1, 3);
        let reply = client.execute(&put("a", "1"), PATIENCE).await;
        assert_eq!(not_applied(&reply), Cause::Region(RegionErrorKind::NotLeader));
        ok(client, put("a", "2")).await;
    }
}

#[tokio::test]
async fn after_a_split_a_write_fails_once_and_then_finds_the_region() {
    for (cluster, client) in both(false).await {
        let client = client.as_ref();
        ok(client, put("h", "1")).await;
        cluster.set_regions(&[
            (1, "", "g", 1),
            (4, "g", "k", 2),
            (2, "k", "p", 2),
            (3, "p", "", 1),
        ]);
        cluster.state().leaders.insert(4, 2);
        let reply = client.execute(&put("h", "2"), PATIENCE).await;
        assert_eq!(not_applied(&reply), Cause::Region(RegionErrorKind::EpochNotMatch));
        ok(client, put("h", "3")).await;
        assert_eq!(cluster.state().writes_applied, 2);
    }
}

#[tokio::test]
async fn what_a_store_refuses_before_proposing_was_not_applied() {
    for (cluster, client) in both(false).await {
        for (error, kind) in [
            (fake::busy(), RegionErrorKind::ServerIsBusy),
            (fake::not_leader(1), RegionErrorKind::NotLeader),
        ] {
            cluster.next(Step::Refuse(error));
            let reply = client.execute(&put("a", "1"), PATIENCE).await;
            assert_eq!(not_applied(&reply), Cause::Region(kind));
            assert_eq!(cluster.state().writes_applied, 0);
        }
    }
}

#[tokio::test]
async fn what_may_have_been_applied_is_unknown_and_was_sent_once() {
    for (cluster, client) in both(false).await {
        let mishaps = [
            (
                Step::ApplyAndRefuse(fake::stale_command()),
                Cause::Region(RegionErrorKind::StaleCommand),
            ),
            (
                Step::ApplyAndRefuse(fake::proposal_dropped()),
                Cause::Region(RegionErrorKind::Unnamed),
            ),
            (Step::ApplyAndFail(Code::Unavailable), Cause::Grpc(Code::Unavailable)),
            (Step::ApplyAndFail(Code::Cancelled), Cause::Grpc(Code::Cancelled)),
            (Step::ApplyAndFail(Code::DeadlineExceeded), Cause::Grpc(Code::DeadlineExceeded)),
            (Step::ApplyAndFail(Code::Internal), Cause::Grpc(Code::Internal)),
            (Step::Complain("something"), Cause::StoreMessage),
        ];
        let mut applied = 0;
        for (step, cause) in mishaps {
            applied += usize::from(!matches!(step, Step::Complain(_)));
            cluster.next(step);
            let reply = client.execute(&put("a", "1"), PATIENCE).await;
            assert_eq!(unknown(&reply), cause);
            assert_eq!(cluster.state().writes_applied, applied, "{cause:?}");
        }
        assert_eq!(ok(client.as_ref(), put("a", "2")).await, Response::Done);
    }
}

#[tokio::test]
async fn a_write_without_an_answer_is_unknown_and_a_read_just_failed() {
    for (cluster, client) in both(false).await {
        ok(client.as_ref(), get("a")).await;
        cluster.next(Step::ApplyAndHang);
        let reply = client.execute(&put("a", "1"), SHORT).await;
        assert_eq!(unknown(&reply), Cause::Deadline);
        assert_eq!(reply.attempts.len(), 1);
        assert!(reply.attempts[0].error.is_some());
        assert_eq!(cluster.state().writes_applied, 1);
        cluster.next(Step::ApplyAndHang);
        let reply = client.execute(&get("a"), SHORT).await;
        assert_eq!(not_applied(&reply), Cause::Deadline);
        assert_eq!(ok(client.as_ref(), get("a")).await, Response::Got(Some(b"1".to_vec())));
    }
}

#[tokio::test]
async fn a_frozen_pd_hangs_nobody_and_is_forgiven_when_it_thaws() {
    for (cluster, client) in both(false).await {
        cluster.freeze_pd(true);
        for _ in 0..2 {
            let reply = client.execute(&put("a", "1"), SHORT).await;
            not_applied(&reply);
            assert!(reply.attempts.is_empty(), "{:?}", reply.attempts);
        }
        assert_eq!(cluster.state().requests, 0);
        cluster.freeze_pd(false);
        ok(client.as_ref(), put("a", "2")).await;
    }
}

#[tokio::test]
async fn no_pd_at_all_means_not_applied() {
    let pd = fake::nobody().await.to_string();
    let direct = DirectClient::new(vec![pd.clone()], DirectOptions::default());
    let options = TikvClientOptions { rpc_timeout: PATIENCE, ..TikvClientOptions::default() };
    let tikv = TikvClient::new(vec![pd], options);
    for client in [&direct as &dyn RawKv, &tikv] {
        let reply = client.execute(&put("a", "1"), PATIENCE).await;
        assert_eq!(not_applied(&reply), Cause::NoRoute);
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_applied_and_the_client_finds_the_next_leader() {
    for (cluster, client) in both(false).await {
        let nowhere = fake::nobody().await;
        cluster.state().addresses.insert(1, nowhere);
        let reply = client.execute(&put("a", "1"), PATIENCE).await;
        let cause = not_applied(&reply);
        assert!(matches!(cause, Cause::ConnectionRefused | Cause::NotConnected), "{cause:?}");
        cluster.state().leaders.insert(1, 2);
        ok(client.as_ref(), put("a", "2")).await;
    }
}

#[tokio::test]
async fn a_batch_of_which_one_part_failed_is_unknown() {
    for (cluster, client) in both(false).await {
        ok(client.as_ref(), Request::BatchGet { keys: bytes(&["a", "h"]) }).await;
        cluster.next(Step::Refuse(fake::busy()));
        let pairs = vec![("a".into(), "1".into()), ("h".into(), "2".into())];
        let reply = client.execute(&Request::BatchPut { pairs }, PATIENCE).await;
        unknown(&reply);
        assert_eq!(cluster.state().writes_applied, 1);
    }
}

#[tokio::test]
async fn a_batch_or_range_finds_leaders_that_moved_in_any_of_its_regions() {
    for (cluster, client) in both(false).await {
        let client = client.as_ref();
        let pairs = || vec![("a".into(), "1".into()), ("z".into(), "2".into())];
        let range = || Request::DeleteRange { start: "a".into(), end: None };
        ok(client, Request::BatchPut { pairs: pairs() }).await;
        ok(client, range()).await;
        for (leader, request) in [(1, Request::BatchPut { pairs: pairs() }), (2, range())] {
            cluster.state().leaders.insert(3, leader);
            unknown(&client.execute(&request, PATIENCE).await);
            ok(client, request).await;
        }
    }
}

#[tokio::test]
async fn a_direct_batch_that_every_store_refused_was_not_applied() {
    let cluster = FakeCluster::start().await;
    let client = direct(&cluster, false);
    cluster.next(Step::Refuse(fake::busy()));
    cluster.next(Step::Refuse(fake::busy()));
    let pairs = vec![("a".into(), "1".into()), ("h".into(), "2".into())];
    let reply = client.execute(&Request::BatchPut { pairs }, PATIENCE).await;
    assert_eq!(not_applied(&reply), Cause::Region(RegionErrorKind::ServerIsBusy));
    assert_eq!(reply.attempts.len(), 2);
    assert_eq!(reply.attempts[0].store, Some(1));
}

#[tokio::test]
async fn the_crates_own_retries_apply_a_write_twice_and_call_it_a_success() {
    let cluster = FakeCluster::start().await;
    let client = tikv(&cluster, false, true);
    cluster.next(Step::ApplyAndFail(Code::Unavailable));
    assert_eq!(ok(&client, put("a", "1")).await, Response::Done);
    assert_eq!(cluster.state().writes_applied, 2);
}
