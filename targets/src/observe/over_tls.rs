//! Test: a cluster with TLS is observed with its certificates, and not without.

use super::Sampler;
use client::Security;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer},
        server::WebPkiClientVerifier,
    },
};

/// The server's side, which requires a certificate of the same authority, and the client's.
fn certificates() -> (TlsAcceptor, Security) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key");
    let ca = authority.self_signed(&ca_key).expect("an authority");
    let issuer = Issuer::new(authority, ca_key);
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec!["127.0.0.1".into()]).expect("a name");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["ca", "cert", "key"].map(|name| folder.path().join(name));
    for (path, pem) in paths.iter().zip([ca.pem(), leaf.pem(), key.serialize_pem()]) {
        std::fs::write(path, pem).expect("written");
    }
    let security = Security::load(&paths[0], &paths[1], &paths[2]).expect("usable");
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).expect("an authority");
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
    let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone()];
    let server = ServerConfig::builder().with_client_cert_verifier(verifier);
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let server = server.with_single_cert(chain, private).expect("a server");
    (TlsAcceptor::from(Arc::new(server)), security)
}

/// Serves PD and the status port of its only store, at one address.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    let addr = listener.local_addr().expect("bound");
    let stores = format!(
        r#"{{"count":1,"stores":[{{"store":{{"id":4,"address":"s:1","status_address":"{addr}","state_name":"Up"}},"status":{{"leader_count":2,"region_count":3}}}}]}}"#
    );
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (acceptor, stores) = (acceptor.clone(), stores.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).await.unwrap_or(0);
            let asked = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let body = match asked.split(' ').nth(1).unwrap_or_default() {
                "/pd/api/v1/stores" => stores,
                "/metrics" => "tikv_raftstore_region_count 3\n".to_owned(),
                _ => r#"{"count":0,"regions":[]}"#.to_owned(),
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
            let answer = format!("{head}connection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        });
    }
}

#[tokio::test]
async fn a_cluster_with_tls_is_looked_at_with_its_certificates() {
    let (acceptor, security) = certificates();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let pd = [listener.local_addr().expect("bound").to_string()];
    tokio::spawn(serve(listener, acceptor));
    let mut sampler = Sampler::new(&pd, Some(&security), None).expect("a sampler");
    let mut sample = sampler.look().await;
    // A busy machine may take longer than the deadline of one look.
    for _ in 0..20 {
        if sample.stores.iter().any(|store| store.answers) {
            break;
        }
        sample = sampler.look().await;
    }
    assert_eq!(sample.pd_error, None);
    assert_eq!((sample.stores[0].id, sample.stores[0].leaders), (4, 2));
    assert!(sample.stores[0].answers, "its status port is asked over TLS, too");
    let without = Sampler::new(&pd, None, None).expect("a sampler").look().await;
    assert!(without.pd_error.is_some(), "{without:?}");
}
