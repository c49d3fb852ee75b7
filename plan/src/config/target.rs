//! The kinds of target, and the faults that each supports.
//!
//! In: values as the command line gives them. Out: a [`TargetConfig`], part of the plan, and its
//! [`Offers`], against which a plan is checked before anything starts.

use super::flags::shell_word;
use failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The default prefix of keys on a cluster that somebody else uses too.
pub const ATTACHED_PREFIX: &str = "jepsen-tikv/";

/// Which cluster is under test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetConfig {
    /// The embedded cluster: processes of our own, started by the run.
    #[default]
    Embedded,
    /// The embedded cluster's logic in virtual time: no processes, and everything decided by the seed.
    Simulated,
    /// Real PD and TiKV, started by the run.
    Binaries(BinariesConfig),
    /// Real PD and TiKV, started by `tiup playground`, which the run starts.
    Playground(PlaygroundConfig),
    /// A cluster that somebody else started.
    Attach(AttachConfig),
}

/// Real PD and TiKV from their binaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BinariesConfig {
    /// The program `tikv-server`.
    pub tikv_server: PathBuf,
    /// The program `pd-server`.
    pub pd_server: PathBuf,
    /// TiKV splits regions that are larger (`coprocessor.region-split-size`); `None` = TiKV's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_split_size: Option<String>,
}

/// `tiup playground`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlaygroundConfig {
    /// The program `tiup`.
    pub tiup: PathBuf,
    /// Which TiKV; `None` = what tiup takes for the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// TiKV splits regions that are larger (`coprocessor.region-split-size`); `None` = TiKV's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_split_size: Option<String>,
}

/// A cluster that somebody else started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AttachConfig {
    /// PD's members, `host:port`; one of them is enough.
    pub pd: Vec<String>,
    /// How hosts are reached for signals: `user@host`, as ssh takes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh: Vec<String>,
    /// The ssh program and its options.
    pub ssh_command: Vec<String>,
    /// Faults were allowed on the command line; never by a file.
    #[serde(default, skip_serializing, deserialize_with = "not_allowed")]
    pub allow_faults: bool,
    /// Leave the keys there afterwards.
    pub keep_keys: bool,
    /// The certificates of a cluster with TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<SecurityConfig>,
    /// What was found of it; absent until it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// Reads `allow-faults` as false, since a file must not give this permission.
fn not_allowed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    bool::deserialize(deserializer).map(|_| false)
}

/// The files for a cluster with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecurityConfig {
    /// The certificate authority.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What a cluster that somebody else started lets us do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Found {
    /// Every store's process can be stopped and resumed.
    pub pause: bool,
    /// Why not, in words.
    pub why_not: Option<String>,
    /// `max-replicas` decides about the replicas: the placement rules are PD's own.
    pub max_replicas: bool,
}

/// The faults and defects that a target supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// The capabilities for its nemesis.
    pub faults: nemesis::Capabilities,
    /// True if its stores can have defects.
    pub defects: bool,
}

impl AttachConfig {
    /// A cluster on this machine that is only observed.
    pub fn local(pd: &str) -> Self {
        Self {
            pd: vec![pd.to_owned()],
            ssh: Vec::new(),
            ssh_command: vec!["ssh".into()],
            allow_faults: false,
            keep_keys: false,
            security: None,
            found: None,
        }
    }
}

impl TargetConfig {
    /// The progress text while the target is prepared.
    pub fn beginning(&self) -> &'static str {
        match self {
            Self::Attach(_) => "attaching to the cluster",
            _ => "starting the cluster",
        }
    }

    /// The progress text while the target is terminated.
    pub fn ending(&self) -> &'static str {
        match self {
            Self::Attach(_) => "detaching from the cluster",
            _ => "stopping the cluster",
        }
    }

    /// The target's name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Simulated => "simulated",
            Self::Binaries(_) => "binaries",
            Self::Playground(_) => "playground",
            Self::Attach(_) => "attach",
        }
    }

    /// The faults and defects that the target supports.
    pub fn offers(&self) -> Offers {
        let all = nemesis::Capabilities {
            pause: true,
            kill: true,
            schedule: true,
            max_replicas: true,
            simulated: false,
        };
        match self {
            Self::Embedded => Offers { faults: all, defects: true },
            Self::Simulated => {
                Offers { faults: nemesis::Capabilities { simulated: true, ..all }, defects: true }
            }
            Self::Binaries(_) => Offers { faults: all, defects: false },
            // A store that tiup started could be started again only by tiup.
            Self::Playground(_) => {
                Offers { faults: nemesis::Capabilities { kill: false, ..all }, defects: false }
            }
            Self::Attach(attach) => {
                let found = attach.found.as_ref();
                let faults = nemesis::Capabilities {
                    pause: found.is_none_or(|found| found.pause),
                    kill: false,
                    schedule: true,
                    max_replicas: found.is_none_or(|found| found.max_replicas),
                    simulated: false,
                };
                Offers { faults, defects: false }
            }
        }
    }

    /// The target's place and origin, for people: "embedded cluster", "attached cluster at …".
    pub fn described(&self) -> String {
        match self {
            Self::Embedded => "embedded cluster".into(),
            Self::Simulated => "simulated cluster".into(),
            Self::Binaries(it) => format!("cluster of {}", it.tikv_server.display()),
            Self::Playground(it) => {
                format!("tiup playground {}", it.version.as_deref().unwrap_or("(latest)"))
            }
            Self::Attach(it) => format!("attached cluster at {}", it.pd.join(",")),
        }
    }

    /// Refuses values that would be read as more than a value where they are used.
    pub fn check(&self) -> Result<(), Failure> {
        let (size, version) = match self {
            Self::Embedded | Self::Simulated => (None, None),
            Self::Attach(it) => {
                // ssh would take such a host for an option.
                let strange = |host: &&String| {
                    host.starts_with('-')
                        || host.contains(|c: char| c.is_whitespace() || c.is_control())
                };
                if let Some(host) = it.ssh.iter().find(strange) {
                    return Err(Failure::usage(format!(
                        "--ssh {host:?} is no host: give it as user@host"
                    )));
                }
                (None, None)
            }
            Self::Binaries(it) => (it.region_split_size.as_ref(), None),
            Self::Playground(it) => (it.region_split_size.as_ref(), it.version.as_ref()),
        };
        let is_plain = |text: &String| {
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
            text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
        };
        for (flag, value, example) in
            [("--region-split-size", size, "1MB"), ("--version", version, "v8.5.4")]
        {
            if let Some(value) = value.filter(|it| !is_plain(it)) {
                return Err(Failure::usage(format!(
                    "{flag} {value:?} is none: give one such as {example}"
                )));
            }
        }
        Ok(())
    }

    /// The flags with a value that name programs, hosts and certificates.
    fn names(&self) -> Vec<(&'static str, String)> {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Self::Embedded | Self::Simulated | Self::Playground(_) => Vec::new(),
            Self::Binaries(it) => {
                vec![("tikv-server", shown(&it.tikv_server)), ("pd-server", shown(&it.pd_server))]
            }
            Self::Attach(it) => {
                let mut names = vec![("pd", it.pd.join(","))];
                names.extend(it.ssh.iter().map(|host| ("ssh", host.clone())));
                if it.ssh_command != ["ssh"] {
                    names.push(("ssh-command", it.ssh_command.join(" ")));
                }
                if let Some(SecurityConfig { ca, cert, key }) = &it.security {
                    names.extend([("ca", shown(ca)), ("cert", shown(cert)), ("key", shown(key))]);
                }
                names
            }
        }
    }

    /// The flag that allows faults without asking, if it was given.
    fn allows_faults(&self) -> Option<String> {
        matches!(self, Self::Attach(it) if it.allow_faults).then(|| "--allow-faults".to_owned())
    }

    /// The target's flags that `replay` and `shrink` need again, as words.
    pub fn named_words(&self) -> Vec<String> {
        let names = self.names().into_iter();
        let words = names.flat_map(|(name, value)| [format!("--{name}"), value]);
        words.chain(self.allows_faults()).collect()
    }

    /// The flags that name the target again, one string each.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if !matches!(self, Self::Embedded | Self::Simulated) {
            flags.push(format!("--target {}", self.name()));
        }
        let names = self.names().into_iter();
        flags.extend(names.map(|(name, value)| format!("--{name} {}", shell_word(&value))));
        let size = match self {
            Self::Embedded | Self::Simulated => None,
            Self::Binaries(it) => it.region_split_size.as_ref(),
            Self::Playground(it) => {
                let version = it.version.as_ref();
                flags.extend(version.map(|version| format!("--version {}", shell_word(version))));
                it.region_split_size.as_ref()
            }
            Self::Attach(it) => {
                flags.extend(self.allows_faults());
                flags.extend(it.keep_keys.then(|| "--keep-keys".to_owned()));
                None
            }
        };
        flags.extend(size.map(|size| format!("--region-split-size {size}")));
        flags
    }
}
