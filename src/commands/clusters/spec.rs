//! `spec.json` in a cluster's directory: the options that it was started with.
//!
//! Version 1 is a [`Spec`] as JSON: `{"format":"jepsen-tikv cluster
//! spec","version":1,"tag":…,"keep-data":…,"shape":…,"host":…,
//! "started-at":…,"pd":"HOST:PORT","dashboard":"http://…"}`. `pd` and `dashboard` are absent until
//! the cluster serves. The processes and addresses are in `cluster.json` beside it
//! (`targets/src/embedded/cluster_file.rs`). The cluster's life and its supervisor are recorded
//! only in the user's state directory ([`targets::state`]), because a directory may come from
//! somebody else.

use super::directory::ClusterDirectory;
use failure::Failure;
use plan::config::ClusterShape;
use run_directory::{
    plain_file::{self, CLUSTER_BYTES_MAX},
    write_whole,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use targets::state::{self, LeftRecord};

const FORMAT: &str = "jepsen-tikv cluster spec";
const VERSION: u32 = 1;

/// The options that a cluster was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spec {
    format: String,
    version: u32,
    /// The cluster's tag.
    pub tag: String,
    /// True if the data outlives the cluster.
    pub keep_data: bool,
    /// The cluster's shape; its ports are in `cluster.json`.
    pub shape: ClusterShape,
    /// The address that every process listens on.
    pub host: IpAddr,
    /// The time of the last start, UTC.
    pub started_at: String,
    /// PD's address, once the cluster serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pd: Option<String>,
    /// The dashboard's address, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<String>,
}

/// The life of a cluster: running or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// The supervisor runs.
    Up,
    /// The cluster was ended in order.
    Down,
    /// The supervisor was killed, and its processes with it.
    SupervisorGone,
    /// Somebody else started the cluster.
    Foreign,
}

impl Spec {
    /// The options of a cluster that starts now.
    pub fn new(tag: String, keep_data: bool, shape: ClusterShape, host: IpAddr) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            tag,
            keep_data,
            shape,
            host,
            started_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            pd: None,
            dashboard: None,
        }
    }

    /// Reads the options of a directory; `None` if there are none.
    pub fn read(directory: &ClusterDirectory) -> Result<Option<Self>, Failure> {
        let path = directory.spec();
        let text = match plain_file::read(&path, CLUSTER_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let sentence = format!("cannot read {}: {error}", path.display());
                return Err(Failure::target_or_disk(sentence));
            }
        };
        let foreign = |why: String| {
            Failure::target_or_disk(format!(
                "{} is not a cluster's of this version ({why}); use the version that made it, or remove {}",
                path.display(),
                directory.path().display()
            ))
        };
        let spec: Self =
            serde_json::from_slice(&text).map_err(|error| foreign(error.to_string()))?;
        if spec.format != FORMAT || spec.version != VERSION {
            return Err(foreign(format!("{:?}, version {}", spec.format, spec.version)));
        }
        Ok(Some(spec))
    }

    /// Writes the whole file.
    pub fn write(&self, directory: &ClusterDirectory) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self).map_err(Failure::software)?;
        write_whole(&directory.spec(), &text)
    }
}

impl Life {
    /// Returns the life of the cluster in a directory, and its record. A cluster without a record
    /// in this user's state directory is somebody else's.
    pub fn of(directory: &ClusterDirectory) -> (Self, Option<LeftRecord>) {
        let record = state::of_directory(directory.path());
        let life = match &record {
            Some(record) if record.lives() => Self::Up,
            Some(record) if record.record.is_settled() => Self::Down,
            Some(_) => Self::SupervisorGone,
            None if directory.spec().exists() => Self::Foreign,
            None => Self::Down,
        };
        (life, record)
    }

    /// Returns the word for this life.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::SupervisorGone => "supervisor-gone",
            Self::Foreign => "foreign",
        }
    }
}
