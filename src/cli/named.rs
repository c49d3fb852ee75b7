//! The flags for values that a plan may not choose: programs, ssh commands and hosts, and the
//! permission for faults.
//!
//! In: a plan, which may come from somebody else, and flags. Out: the same plan with the flags'
//! values, or one sentence that names the missing flag. At a terminal the user is asked instead.
//! Starts nothing, and contacts nobody.

use super::target::{on_path, program};
use clap::Args;
use failure::Failure;
use plan::{
    Plan,
    config::{AttachConfig, BinariesConfig, SecurityConfig, TargetConfig, shell_word},
};
use std::path::{Path, PathBuf};
use targets::consent;

/// The flags that name what a plan may not choose.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "What a plan may not choose")]
pub struct NamedArgs {
    /// binaries: the program tikv-server [default: the plan's, if it is the one on PATH]
    #[arg(long, value_name = "PATH")]
    pub tikv_server: Option<PathBuf>,
    /// binaries: the program pd-server [default: the plan's, if it is the one on PATH]
    #[arg(long, value_name = "PATH")]
    pub pd_server: Option<PathBuf>,
    /// attach: PD's members, HOST:PORT; one of them is enough
    #[arg(long, value_delimiter = ',', value_name = "HOST:PORT")]
    pub pd: Vec<String>,
    /// attach: how a store's host is reached for signals, as ssh takes it (may be repeated)
    #[arg(long, value_delimiter = ',', value_name = "USER@HOST")]
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
    pub allow_faults: bool,
}

/// The values that only the plan names, as flags, one string each.
type Missing = Vec<String>;

impl NamedArgs {
    /// Puts the flags' values into a plan.
    pub fn name_in(&self, plan: &mut Plan) -> Result<(), Failure> {
        let kind = plan.config.target.name();
        self.refuse_foreign_flags(kind)?;
        let missing = match &mut plan.config.target {
            TargetConfig::Embedded | TargetConfig::Simulated => Vec::new(),
            TargetConfig::Binaries(binaries) => self.programs(binaries)?,
            TargetConfig::Playground(playground) => {
                playground.tiup = on_path("tiup").ok_or_else(|| {
                    Failure::usage("the plan's target is a playground, and tiup is not on PATH")
                })?;
                Vec::new()
            }
            TargetConfig::Attach(attach) => self.attached(attach)?,
        };
        if missing.is_empty() {
            return Ok(());
        }
        let flags = missing.join(" ");
        let question = format!("the plan names what a plan may not choose by itself: {flags:?}");
        if consent::is_given(&question, "to use it")? {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "the plan names programs or hosts, which a file may not choose: if you trust them, name them yourself: {flags}"
        )))
    }

    fn programs(&self, binaries: &mut BinariesConfig) -> Result<Missing, Failure> {
        let mut missing = Vec::new();
        let named = [
            (&mut binaries.tikv_server, &self.tikv_server, "tikv-server"),
            (&mut binaries.pd_server, &self.pd_server, "pd-server"),
        ];
        for (planned, given, name) in named {
            match given {
                Some(given) => *planned = program(Some(given), name, &format!("--{name}"))?,
                None if is_on_path(planned, name) => {}
                None => {
                    missing
                        .push(format!("--{name} {}", shell_word(&planned.display().to_string())));
                }
            }
        }
        Ok(missing)
    }

    fn attached(&self, attach: &mut AttachConfig) -> Result<Missing, Failure> {
        let mut missing = Vec::new();
        if self.pd.is_empty() {
            missing.push(format!("--pd {}", shell_word(&attach.pd.join(","))));
        } else {
            attach.pd.clone_from(&self.pd);
        }
        if self.ssh.is_empty() && !attach.ssh.is_empty() {
            missing.push(format!("--ssh {}", shell_word(&attach.ssh.join(","))));
        } else {
            attach.ssh.clone_from(&self.ssh);
        }
        let ssh: Vec<String> = self.ssh_command.split_whitespace().map(str::to_owned).collect();
        if self.ssh_command == "ssh" && attach.ssh_command != ssh && !attach.ssh.is_empty() {
            missing.push(format!("--ssh-command {}", shell_word(&attach.ssh_command.join(" "))));
        } else {
            attach.ssh_command = ssh;
        }
        match (&self.ca, &self.cert, &self.key, &attach.security) {
            (Some(ca), Some(cert), Some(key), _) => {
                let (ca, cert, key) = (ca.clone(), cert.clone(), key.clone());
                attach.security = Some(SecurityConfig { ca, cert, key });
            }
            (None, None, None, None) => {}
            (None, None, None, Some(it)) => missing.push(format!(
                "--ca {} --cert {} --key {}",
                shell_word(&it.ca.display().to_string()),
                shell_word(&it.cert.display().to_string()),
                shell_word(&it.key.display().to_string())
            )),
            _ => {
                return Err(Failure::usage(
                    "TLS needs all three of --ca, --cert and --key: give them all, or none",
                ));
            }
        }
        attach.allow_faults = self.allow_faults;
        Ok(missing)
    }

    fn refuse_foreign_flags(&self, kind: &str) -> Result<(), Failure> {
        let given = [
            ("--tikv-server", self.tikv_server.is_some(), "binaries"),
            ("--pd-server", self.pd_server.is_some(), "binaries"),
            ("--pd", !self.pd.is_empty(), "attach"),
            ("--ssh", !self.ssh.is_empty(), "attach"),
            ("--ssh-command", self.ssh_command != "ssh", "attach"),
            ("--ca", self.ca.is_some(), "attach"),
            ("--cert", self.cert.is_some(), "attach"),
            ("--key", self.key.is_some(), "attach"),
            ("--allow-faults", self.allow_faults, "attach"),
        ];
        match given.into_iter().find(|(_, given, of)| *given && *of != kind) {
            None => Ok(()),
            Some((flag, _, of)) => Err(Failure::usage(format!(
                "{flag} is about a plan of --target {of}, and this one's target is {kind}"
            ))),
        }
    }
}

fn is_on_path(planned: &Path, name: &str) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let on_path = on_path(name).and_then(|path| real(&path));
    on_path.is_some()
        && planned.file_name().is_some_and(|it| it == name)
        && real(planned) == on_path
}
