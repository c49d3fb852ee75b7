//! The flags that name the cluster under test, which several commands share.

use clap::{Args, ValueEnum};
use failure::Failure;
use plan::config::{
    ATTACHED_PREFIX, AttachConfig, BinariesConfig, PlaygroundConfig, SecurityConfig, TargetConfig,
};
use std::path::{Path, PathBuf};

/// The kind of cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetName {
    /// Processes of our own that speak TiKV's protocol, started by the run
    Embedded,
    /// Real pd-server and tikv-server, started by the run
    Binaries,
    /// `tiup playground`, started by the run
    Playground,
    /// A cluster that runs already
    Attach,
}

/// The flags that name the cluster under test (docs/real-tikv.md).
#[derive(Debug, Args)]
#[command(next_help_heading = "What to test")]
pub struct TargetArgs {
    /// Which cluster
    #[arg(long, value_enum, default_value = "embedded")]
    pub target: TargetName,
    /// binaries: the program tikv-server [default: the one on PATH]
    #[arg(long, value_name = "PATH")]
    #[arg(hide_short_help = true)]
    pub tikv_server: Option<PathBuf>,
    /// binaries: the program pd-server [default: the one on PATH]
    #[arg(long, value_name = "PATH")]
    #[arg(hide_short_help = true)]
    pub pd_server: Option<PathBuf>,
    /// binaries, playground: TiKV splits regions larger than this, e.g. 1MB [default: TiKV's own]
    #[arg(long, value_name = "SIZE")]
    #[arg(hide_short_help = true)]
    pub region_split_size: Option<String>,
    /// playground: TiKV's version, e.g. v8.5.4 [default: tiup's latest]
    #[arg(long, value_name = "VERSION")]
    #[arg(hide_short_help = true)]
    pub version: Option<String>,
    /// attach: PD's members, HOST:PORT; one of them is enough
    #[arg(long, value_delimiter = ',', value_name = "HOST:PORT", hide_short_help = true)]
    pub pd: Vec<String>,
    /// attach: how a store's host is reached for signals, as ssh takes it (may be repeated)
    #[arg(long, value_delimiter = ',', value_name = "USER@HOST")]
    #[arg(hide_short_help = true)]
    pub ssh: Vec<String>,
    /// attach: the ssh program with its options
    #[arg(long, default_value = "ssh", value_name = "COMMAND")]
    #[arg(hide_short_help = true)]
    pub ssh_command: String,
    /// attach: the cluster's certificate authority (TLS)
    #[arg(long, value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub ca: Option<PathBuf>,
    /// attach: the client's certificate (TLS)
    #[arg(long, value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub cert: Option<PathBuf>,
    /// attach: the client's private key (TLS)
    #[arg(long, value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub key: Option<PathBuf>,
    /// attach: allow faults without asking; otherwise they need your confirmation at the terminal
    #[arg(long)]
    #[arg(hide_short_help = true)]
    pub allow_faults: bool,
    /// What every key begins with [default: none; attach: jepsen-tikv/]
    #[arg(long)]
    #[arg(hide_short_help = true)]
    pub prefix: Option<String>,
    /// attach: leave the keys there afterwards
    #[arg(long)]
    #[arg(hide_short_help = true)]
    pub keep_keys: bool,
}

impl TargetArgs {
    /// Returns the target. Flags of another kind of target are refused, so that none is silently
    /// ignored.
    pub fn target(&self) -> Result<TargetConfig, Failure> {
        self.refuse_foreign_flags()?;
        match self.target {
            TargetName::Embedded => Ok(TargetConfig::Embedded),
            TargetName::Binaries => Ok(TargetConfig::Binaries(BinariesConfig {
                tikv_server: program(self.tikv_server.as_deref(), "tikv-server", "--tikv-server")?,
                pd_server: program(self.pd_server.as_deref(), "pd-server", "--pd-server")?,
                region_split_size: self.region_split_size.clone(),
            })),
            TargetName::Playground => {
                let tiup = on_path("tiup").ok_or_else(|| {
                    Failure::usage(
                        "--target playground needs tiup, which is not on PATH: install it as https://tiup.io says \
                         (curl --proto '=https' --tlsv1.2 -sSf https://tiup-mirrors.pingcap.com/install.sh | sh), \
                         or use --target binaries",
                    )
                })?;
                Ok(TargetConfig::Playground(PlaygroundConfig {
                    tiup,
                    version: self.version.clone(),
                    region_split_size: self.region_split_size.clone(),
                }))
            }
            TargetName::Attach => self.attach().map(TargetConfig::Attach),
        }
    }

    fn attach(&self) -> Result<AttachConfig, Failure> {
        if self.pd.is_empty() {
            return Err(Failure::usage(
                "--target attach needs to know where PD is: give --pd HOST:PORT",
            ));
        }
        for endpoint in &self.pd {
            let bare = endpoint.rsplit_once("://").map_or(endpoint.as_str(), |(_, bare)| bare);
            let port = bare.trim_end_matches('/').rsplit_once(':').map(|(_, port)| port);
            if port.is_none_or(|port| port.parse::<u16>().is_err()) {
                return Err(Failure::usage(format!(
                    "--pd {endpoint} is no address: give HOST:PORT, e.g. 127.0.0.1:2379"
                )));
            }
        }
        let security = match (&self.ca, &self.cert, &self.key) {
            (None, None, None) => None,
            (Some(ca), Some(cert), Some(key)) => {
                Some(SecurityConfig { ca: ca.clone(), cert: cert.clone(), key: key.clone() })
            }
            _ => {
                return Err(Failure::usage(
                    "TLS needs all three of --ca, --cert and --key: give them all, or none",
                ));
            }
        };
        Ok(AttachConfig {
            pd: self.pd.clone(),
            ssh: self.ssh.clone(),
            ssh_command: self.ssh_command.split_whitespace().map(str::to_owned).collect(),
            allow_faults: self.allow_faults,
            keep_keys: self.keep_keys,
            security,
            found: None,
        })
    }

    /// Returns the prefix of every key.
    pub fn prefix(&self) -> Result<String, Failure> {
        let default = if self.target == TargetName::Attach { ATTACHED_PREFIX } else { "" };
        let prefix = self.prefix.clone().unwrap_or_else(|| default.to_owned());
        if prefix.is_empty() && self.target == TargetName::Attach {
            return Err(Failure::usage(
                "--prefix is empty: on a cluster that others use keys need a prefix of their own",
            ));
        }
        if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(format!(
                "--prefix {prefix:?} is not plain: use letters, digits and signs of ASCII"
            )));
        }
        Ok(prefix)
    }

    fn refuse_foreign_flags(&self) -> Result<(), Failure> {
        let (binaries, playground) = (TargetName::Binaries, TargetName::Playground);
        let attach = TargetName::Attach;
        let given: [(&str, bool, &[TargetName]); 12] = [
            ("--tikv-server", self.tikv_server.is_some(), &[binaries]),
            ("--pd-server", self.pd_server.is_some(), &[binaries]),
            ("--region-split-size", self.region_split_size.is_some(), &[binaries, playground]),
            ("--version", self.version.is_some(), &[playground]),
            ("--pd", !self.pd.is_empty(), &[attach]),
            ("--ssh", !self.ssh.is_empty(), &[attach]),
            ("--ssh-command", self.ssh_command != "ssh", &[attach]),
            ("--ca", self.ca.is_some(), &[attach]),
            ("--cert", self.cert.is_some(), &[attach]),
            ("--key", self.key.is_some(), &[attach]),
            ("--allow-faults", self.allow_faults, &[attach]),
            ("--keep-keys", self.keep_keys, &[attach]),
        ];
        let foreign = given.iter().find(|(_, given, of)| *given && !of.contains(&self.target));
        let Some((flag, _, of)) = foreign else { return Ok(()) };
        let name = |target: &TargetName| {
            target.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned())
        };
        Err(Failure::usage(format!(
            "{flag} is about --target {}, and this is --target {}",
            of.iter().map(name).collect::<Vec<_>>().join(" or "),
            name(&self.target)
        )))
    }
}

/// Returns the given program, or the one on PATH, as an absolute path that is valid in any
/// directory.
pub(super) fn program(given: Option<&Path>, name: &str, flag: &str) -> Result<PathBuf, Failure> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => on_path(name).ok_or_else(|| {
            Failure::usage(format!("{name} is not on PATH: say where it is with {flag} PATH"))
        })?,
    };
    if !path.is_file() {
        return Err(Failure::usage(format!(
            "{flag} {} is no file: give the path of the program {name}",
            path.display()
        )));
    }
    std::path::absolute(&path).map_err(Failure::software)
}

/// Returns the program of that name on PATH.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
