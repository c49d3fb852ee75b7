//! PD without its socket: requests, gRPC or HTTP, are handed to it directly. For fuzz targets.
//!
//! In: requests. Out: answers. Its time passes only as its own clock does; its patrols are not
//! driven.

use super::{Disk, Member, PdError, Shell, routes};
use crate::profile::Profile;
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use std::{net::Ipv4Addr, path::Path};
use tower_service::Service;

/// A PD without a socket.
#[derive(Debug, Clone)]
pub struct Unserved {
    router: Router,
    cluster_id: u64,
}

impl Unserved {
    /// Creates a new PD of a new cluster; its data goes to this directory.
    pub fn open(data_dir: &Path) -> Result<Self, PdError> {
        let shell = Shell::open(Disk::open(data_dir)?, Profile::Fast.timing(), 3)?;
        let member = shell.view(|core, _| Member {
            name: "pd1".into(),
            id: core.member_id(),
            cluster_id: core.cluster_id(),
            deploy_path: String::new(),
            client_url: "http://127.0.0.1:2379".into(),
            data_dir: data_dir.display().to_string(),
        });
        let cluster_id = member.cluster_id;
        let router =
            std::mem::take(routes(&shell, member, Ipv4Addr::LOCALHOST.into()).axum_router_mut());
        Ok(Self { router, cluster_id })
    }

    /// The id of the cluster that requests must name.
    pub fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    /// Answers a request. Returns the status and the number of bytes that follow. Streams are read
    /// to their end.
    pub async fn ask(&mut self, request: Request<Vec<u8>>) -> (StatusCode, usize) {
        let Ok(response) = self.router.call(request.map(Body::from)).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        (status, body.map_or(0, |bytes| bytes.len()))
    }
}
