//! This PD as a member of the cluster's PDs (it is the only one), for gRPC and HTTP.

use proto::pdpb;

/// The version of PD that is imitated; tools read it.
pub const VERSION: &str = "v8.5.5";

/// The cluster's version, in stores and settings.
pub const CLUSTER_VERSION: &str = "8.5.5";

/// The identity of this PD.
#[derive(Debug, Clone)]
pub struct Member {
    /// PD's name.
    pub name: String,
    /// PD's id.
    pub id: u64,
    /// The cluster's id.
    pub cluster_id: u64,
    /// The URL for clients.
    pub client_url: String,
    /// The folder of the program.
    pub deploy_path: String,
    /// The data directory.
    pub data_dir: String,
}

impl Member {
    /// The member as a gRPC message.
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
