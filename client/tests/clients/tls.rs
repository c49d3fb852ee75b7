//! Both clients and PD's admin API over TLS, where server and client show certificates of one
//! authority.

use crate::{PATIENCE, bytes, fake::FakeCluster, get, ok, put};
use client::{
    DirectClient, DirectOptions, Outcome, PdHttp, RawKv, Response, Security, SecurityError,
    TikvClient, TikvClientOptions,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;
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
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// An authority, and a certificate for 127.0.0.1 that it signed, as files and for servers.
struct Certificates {
    folder: TempDir,
    ca: rcgen::Certificate,
    leaf: rcgen::Certificate,
    key: KeyPair,
}

impl Certificates {
    fn make() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().expect("a key");
        let ca = authority.self_signed(&ca_key).expect("an authority");
        let issuer = Issuer::new(authority, ca_key);
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["127.0.0.1".into()]).expect("a name");
        let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let files = [("ca", ca.pem()), ("cert", leaf.pem()), ("key", key.serialize_pem())];
        for (name, pem) in files {
            std::fs::write(folder.path().join(name), pem).expect("written");
        }
        Self { folder, ca, leaf, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn security(&self) -> Security {
        Security::load(&self.path("ca"), &self.path("cert"), &self.path("key")).expect("usable")
    }

    fn grpc_server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(Identity::from_pem(self.leaf.pem(), self.key.serialize_pem()))
            .client_ca_root(Certificate::from_pem(self.ca.pem()))
    }

    fn http_server(&self) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).expect("an authority");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("a verifier");
        let chain: Vec<CertificateDer<'static>> = vec![self.leaf.der().clone()];
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key");
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("a server");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn tikv(cluster: &FakeCluster, security: Option<Security>) -> TikvClient {
    let options =
        TikvClientOptions { rpc_timeout: PATIENCE, security, ..TikvClientOptions::default() };
    TikvClient::new(vec![cluster.pd.clone()], options)
}

fn direct(cluster: &FakeCluster, security: Option<&Security>) -> DirectClient {
    let options = DirectOptions::default().with_security(security);
    DirectClient::new(vec![cluster.pd.clone()], options)
}

#[tokio::test]
async fn both_clients_reach_a_cluster_over_tls_and_not_without() {
    let certificates = Certificates::make();
    let security = certificates.security();
    let cluster = FakeCluster::start_over(Some(certificates.grpc_server())).await;
    let clients: [Box<dyn RawKv>; 2] = [
        Box::new(direct(&cluster, Some(&security))),
        Box::new(tikv(&cluster, Some(security.clone()))),
    ];
    for (client, key) in clients.into_iter().zip(["a", "k"]) {
        ok(client.as_ref(), put(key, "over tls")).await;
        let got = ok(client.as_ref(), get(key)).await;
        assert_eq!(got, Response::Got(bytes(&["over tls"]).pop()));
    }
    let without = direct(&cluster, None).execute(&get("a"), PATIENCE).await;
    assert!(!matches!(without.outcome, Outcome::Ok(_)), "{without:?}");
    let other_authority = Certificates::make().security();
    let foreign = direct(&cluster, Some(&other_authority)).execute(&get("a"), PATIENCE).await;
    assert!(!matches!(foreign.outcome, Outcome::Ok(_)), "{foreign:?}");
}

#[tokio::test]
async fn pds_admin_api_is_asked_over_tls() {
    let certificates = Certificates::make();
    let security = certificates.security();
    let acceptor = certificates.http_server();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            // A client without the right certificates is refused here, and the next one served.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let body = r#"{"max-replicas":3}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
            let answer = format!("{head}connection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let over_tls = PdHttp::of_members(std::slice::from_ref(&address), PATIENCE, Some(&security));
    assert_eq!(over_tls.expect("a client").max_replicas().await.expect("an answer"), 3);
    let other = Certificates::make().security();
    let foreign = PdHttp::of_members(std::slice::from_ref(&address), PATIENCE, Some(&other))
        .expect("a client");
    assert!(foreign.max_replicas().await.is_err());
    let plain = PdHttp::new(&address, PATIENCE).expect("a client");
    assert!(plain.max_replicas().await.is_err());
}

#[test]
fn files_that_are_absent_or_no_certificates_are_refused() {
    let certificates = Certificates::make();
    let (ca, cert, key) =
        (certificates.path("ca"), certificates.path("cert"), certificates.path("key"));
    let absent = certificates.path("absent");
    let error = Security::load(&absent, &cert, &key).expect_err("refused");
    assert!(matches!(&error, SecurityError::Unreadable { path, .. } if *path == absent), "{error}");
    let error = Security::load(&key, &cert, &key).expect_err("refused");
    assert!(error.to_string().contains("no certificate in --ca"), "{error}");
    assert!(matches!(Security::load(&ca, &ca, &ca), Err(SecurityError::Unusable(_))));
}
