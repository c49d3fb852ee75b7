//! TLS: the certificates with which clients and PD's admin API speak to a cluster that asks for
//! them.
//!
//! In: paths of PEM files, as TiKV's and PD's own `[security]` has them. Out: what each library
//! wants to have of them. rustls with ring does all of it, so that nothing but a C compiler is
//! needed. Knows nothing of who connects.

use std::path::{Path, PathBuf};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// The certificates for a cluster with TLS.
#[derive(Clone)]
pub struct Security {
    /// The certificate authority that signed the servers' certificates.
    pub ca: PathBuf,
    /// This client's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    grpc: ClientTlsConfig,
    authorities: Vec<reqwest::Certificate>,
    identity: reqwest::Identity,
}

impl std::fmt::Debug for Security {
    /// Where the files are; never what they hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ca, cert, key, .. } = self;
        f.debug_struct("Security").field("ca", ca).field("cert", cert).field("key", key).finish()
    }
}

/// Why the files cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecurityError {
    /// One cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Their contents are not what they should be.
    #[error("the files of --ca, --cert and --key cannot be used: {0}")]
    Unusable(String),
}

impl Security {
    /// Reads the files, and tries whether they are of any use.
    pub fn load(ca: &Path, cert: &Path, key: &Path) -> Result<Self, SecurityError> {
        use_ring();
        let (ca_pem, cert_pem, key_pem) = (read(ca)?, read(cert)?, read(key)?);
        let authorities = reqwest::Certificate::from_pem_bundle(&ca_pem).map_err(unusable)?;
        if authorities.is_empty() {
            return Err(SecurityError::Unusable("there is no certificate in --ca".into()));
        }
        let both = [key_pem.as_slice(), b"\n", &cert_pem].concat();
        let identity = reqwest::Identity::from_pem(&both).map_err(unusable)?;
        let grpc = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&ca_pem))
            .identity(Identity::from_pem(&cert_pem, &key_pem));
        let (ca, cert, key) = (ca.to_owned(), cert.to_owned(), key.to_owned());
        let security = Self { ca, cert, key, grpc, authorities, identity };
        security.http(reqwest::Client::builder()).build().map_err(unusable)?;
        Ok(security)
    }

    /// For gRPC.
    pub(crate) fn grpc(&self) -> ClientTlsConfig {
        self.grpc.clone()
    }

    /// For HTTP: only this authority is trusted, as TiKV does it.
    pub fn http(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder.tls_certs_only(self.authorities.clone()).identity(self.identity.clone())
    }
}

/// Lets every user of rustls in this process use ring, also one that makes an HTTP client of its
/// own; whoever came first has settled it already.
pub fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn read(path: &Path) -> Result<Vec<u8>, SecurityError> {
    std::fs::read(path).map_err(|error| SecurityError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unusable(error: reqwest::Error) -> SecurityError {
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    SecurityError::Unusable(innermost.to_string())
}
