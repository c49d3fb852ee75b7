//! This PD as one of the cluster's PDs (it is the only one), as gRPC and HTTP say it.

use proto::pdpb;

/// The version of PD whose behaviour is followed; tools read it.
pub const VERSION: &str = "v8.5.5";

/// The cluster's version, as stores and settings have it.
pub const CLUSTER_VERSION: &str = "8.5.5";

/// Who this PD is.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u64,
    /// The cluster's id.
    pub cluster_id: u64,
    /// Where it serves.
    pub client_url: String,
    /// Where its program lies.
    pub deploy_path: String,
    /// Where it keeps its data.
    pub data_dir: String,
}

impl Member {
    /// As gRPC says it.
    pub fn wire(&self) -> pdpb::Member {
        pdpb::Member {
            name: self.name.clone(),
            member_id: self.id,
            peer_urls: vec![self.client_url.clone()],
            client_urls: vec![self.client_url.clone()],
            binary_version: VERSION.into(),
            git_hash: "None".into(),
            deploy_path: self.deploy_path.clone(),
            ..Default::default()
        }
    }
}
