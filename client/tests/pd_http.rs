//! PD's admin API against a server that answers what a real PD answered, word for word.

use client::{PdHttp, PdHttpError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

/// Answers one request with this status and body; the task's result is the request.
async fn answering(status: &'static str, body: &'static str) -> (PdHttp, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.expect("a request");
            request.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&request);
            let is_whole = |(head, body): (&str, &str)| {
                !head.starts_with("POST") || body.ends_with(['}', ']'])
            };
            if read == 0 || text.split_once("\r\n\r\n").is_some_and(is_whole) {
                break;
            }
        }
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await.expect("an answer");
        String::from_utf8_lossy(&request).into_owned()
    });
    (PdHttp::new(&format!("http://{address}/"), PATIENCE).expect("a client"), server)
}

async fn request(server: JoinHandle<String>) -> String {
    server.await.expect("the server does not panic")
}

#[tokio::test]
async fn a_transfer_is_asked_for_in_pds_words() {
    let (pd, server) = answering("200 OK", "\"The operator is created.\"").await;
    pd.transfer_leader(15, 2).await.expect("PD agrees");
    let request = request(server).await;
    assert!(request.starts_with("POST /pd/api/v1/operators "), "{request}");
    let body = r#"{"name":"transfer-leader","region_id":15,"to_store_id":2}"#;
    assert!(request.ends_with(body), "{request}");
}

#[tokio::test]
async fn a_split_names_its_keys_in_hexadecimal() {
    let (pd, server) = answering("200 OK", "\"The operator is created.\"").await;
    pd.split_region(15, &[b"user".to_vec()]).await.expect("PD agrees");
    let body = r#"{"name":"split-region","region_id":15,"policy":"usekey","keys":["75736572"]}"#;
    assert!(request(server).await.ends_with(body));
}

#[tokio::test]
async fn a_refusal_has_pds_words_and_status() {
    let words = "\"region has no voter in store 4242\"\n";
    let (pd, _server) = answering("500 Internal Server Error", words).await;
    let error = pd.transfer_leader(15, 4242).await.expect_err("PD refuses");
    let PdHttpError::Refused { status, message, .. } = error else { panic!("{error}") };
    assert_eq!((status, &message[..]), (500, "region has no voter in store 4242"));
}

#[tokio::test]
async fn max_replicas_are_set_by_config() {
    let (pd, server) = answering("200 OK", "\"The config is updated.\"").await;
    pd.set_max_replicas(5).await.expect("PD agrees");
    let request = request(server).await;
    assert!(request.starts_with("POST /pd/api/v1/config "), "{request}");
    assert!(request.ends_with(r#"{"max-replicas":5}"#), "{request}");
}

#[tokio::test]
async fn a_region_that_pd_does_not_know_is_none() {
    let unknown = r#"{"id":0,"start_key":"","end_key":"","leader":{"role_name":""}}"#;
    let (pd, server) = answering("200 OK", unknown).await;
    assert_eq!(pd.region_of_key(b"a:b").await.expect("an answer"), None);
    assert!(request(server).await.starts_with("GET /pd/api/v1/region/key/a%3Ab "));
}

#[tokio::test]
async fn an_answer_that_is_not_pds_cannot_be_read() {
    let (pd, _server) = answering("200 OK", "<html>").await;
    assert!(matches!(pd.stores().await, Err(PdHttpError::Unreadable { .. })));
}

#[tokio::test]
async fn a_pd_that_is_not_there_or_does_not_answer_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    let silent = PdHttp::new(&address, SHORT).expect("a client");
    let error = silent.stores().await.expect_err("nobody accepts");
    assert!(error.to_string().ends_with("no answer in time"), "{error}");
    drop(listener);
    let error = silent.health().await.expect_err("nobody listens");
    assert!(error.to_string().contains("refused"), "{error}");
}

/// Answers every request in the same way.
async fn always(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn the_next_member_is_asked_when_one_is_gone_or_has_no_leader() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        listener.local_addr().expect("a bound socket has an address").to_string()
    };
    let leaderless = always("503 Service Unavailable", "no leader").await;
    let well = always("200 OK", r#"{"max-replicas":3}"#).await;
    let all = [gone.clone(), leaderless.clone(), well];
    let pd = PdHttp::of_members(&all, PATIENCE, None).expect("a client");
    for _ in 0..2 {
        assert_eq!(pd.max_replicas().await.expect("one of them serves"), 3);
    }
    let none = PdHttp::of_members(&[gone, leaderless], PATIENCE, None).expect("a client");
    let error = none.max_replicas().await.expect_err("none of them serves");
    assert!(error.to_string().contains("no leader"), "{error}");
    let nobody = PdHttp::of_members(&[], PATIENCE, None);
    assert!(nobody.expect_err("no address").to_string().contains("no address"));
}

#[tokio::test]
async fn what_a_member_refuses_for_good_is_not_asked_of_the_next() {
    let words = "\"cannot update: placement rules are customised\"";
    let refusing = always("400 Bad Request", words).await;
    let other = always("200 OK", "\"The config is updated.\"").await;
    let pd = PdHttp::of_members(&[refusing, other], PATIENCE, None).expect("a client");
    let error = pd.set_max_replicas(5).await.expect_err("PD refuses");
    assert!(error.to_string().contains("placement rules are customised"), "{error}");
}
