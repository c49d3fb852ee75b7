//! The checked options of `cluster up`, which can be handed to a detached supervisor.
//!
//! In: the flags. Out: a [`ClusterOptions`], and the cluster's shape, which the data of an earlier
//! life may decide.

use super::{directory::ClusterDirectory, ports::Wanted, tag::Tag};
use crate::cli::{ProfileName, ReadName, UpArgs};
use failure::Failure;
use plan::config::ClusterShape;
use serde::{Deserialize, Serialize};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

/// The default ports of PD, a store and its status, as TiKV's; the dashboard's is the playground's
/// for Grafana.
const DEFAULT_PORTS: (u16, u16, u16, u16) = (2379, 20160, 20180, 3000);
const DEFAULT_STORES: u32 = 6;
const DEFAULT_REPLICAS: u32 = 3;

/// The checked options of `cluster up`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that was given or not")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterOptions {
    runs_dir: PathBuf,
    /// True if the runs directory is not the default one.
    runs_dir_asked: bool,
    tag: String,
    /// True if the data outlives the cluster.
    pub keep_data: bool,
    /// The address that every process listens on.
    pub host: IpAddr,
    /// The ports to begin with.
    pub ports: Wanted,
    /// The version that was asked for, which is ignored.
    pub version: Option<String>,
    /// True if a dashboard is served.
    pub monitor: bool,
    kv: Option<u32>,
    replicas: Option<u32>,
    regions: Option<u32>,
    region_max_keys: Option<u64>,
    enable_ttl: bool,
    profile: Option<String>,
    read: Option<String>,
    defects: Vec<String>,
}

impl ClusterOptions {
    /// Checks the flags; an error is one sentence that names the flag to change.
    pub fn checked(args: &UpArgs) -> Result<Self, Failure> {
        if args.pd != 1 {
            return Err(Failure::usage(format!(
                "--pd {}: the embedded cluster has exactly one PD; leave --pd out",
                args.pd
            )));
        }
        for (flag, count) in args.components.asked() {
            if count != 0 {
                return Err(Failure::usage(format!(
                    "{flag} {count}: the embedded cluster is PD and TiKV only; leave {flag} out, or give 0"
                )));
            }
        }
        if let Some(mode) = args.mode.as_deref().filter(|mode| *mode != "tikv-slim") {
            return Err(Failure::usage(format!(
                "--mode {mode}: the embedded cluster is PD and TiKV only; leave --mode out, or give tikv-slim"
            )));
        }
        if let Some(version) = args.version.as_deref().filter(|version| !is_version(version)) {
            return Err(Failure::usage(format!(
                "{version:?} is neither a flag nor a version such as v8.5.4"
            )));
        }
        if args.host.is_unspecified() {
            return Err(Failure::usage(format!(
                "--host {} is no address that a client can connect to: give one of this machine's own",
                args.host
            )));
        }
        let shifted = |flag: Option<u16>, default: u16| match flag.unwrap_or(default) {
            0 => Err(Failure::usage(
                "a port cannot be 0: leave the flag out, or name the first port to try",
            )),
            port => port.checked_add(args.port_offset).ok_or_else(|| {
                Failure::usage(format!(
                    "--port-offset {} leaves no room above port {port}: ports end at 65535",
                    args.port_offset
                ))
            }),
        };
        let (pd, kv, status, dashboard) = DEFAULT_PORTS;
        let ports = Wanted {
            pd: shifted(args.pd_port, pd)?,
            kv: shifted(args.kv_port, kv)?,
            status: shifted(None, status)?,
            dashboard: shifted(None, dashboard)?,
            asked: args.pd_port.is_some() || args.kv_port.is_some() || args.port_offset != 0,
        };
        let tag = args.tag.as_deref().map_or_else(|| Ok(Tag::drawn()), Tag::checked)?;
        let options = Self {
            runs_dir: std::path::absolute(&args.runs_dir).map_err(Failure::usage)?,
            runs_dir_asked: args.runs_dir != Path::new("runs"),
            tag: tag.name().to_owned(),
            keep_data: args.tag.is_some(),
            host: args.host,
            ports,
            version: args.version.clone(),
            monitor: !args.without_monitor,
            kv: args.kv,
            replicas: args.replicas,
            regions: args.regions,
            region_max_keys: args.region_max_keys,
            enable_ttl: args.enable_ttl,
            profile: args.profile.map(|profile| ProfileName::name(profile).to_owned()),
            read: args.read.map(|read| ReadName::name(read).to_owned()),
            defects: args.defect.clone(),
        };
        options.new_shape()?;
        Ok(options)
    }

    /// The cluster's directory.
    pub fn directory(&self) -> Result<ClusterDirectory, Failure> {
        ClusterDirectory::of(&self.runs_dir, Tag::checked(&self.tag)?)
    }

    /// Returns the runs directory if commands need a flag for it, or `None` for the default one.
    pub fn runs_dir_flag(&self) -> Option<&Path> {
        self.runs_dir_asked.then_some(&*self.runs_dir)
    }

    /// Returns the cluster's shape: a new one's, or that of the existing data, which can grow but
    /// not shrink.
    pub fn shape(&self, earlier: Option<&ClusterShape>) -> Result<ClusterShape, Failure> {
        let Some(earlier) = earlier else { return self.new_shape() };
        let refuse = |flag: &str, asked: u32, there: u32, what: &str| {
            Err(Failure::usage(format!(
                "{flag} {asked}: the data of the tag {} is that of a cluster with {there}, and {what}; leave {flag} \
                 out, use another --tag, or remove the data: jepsen-tikv cluster clean --tag {}",
                self.tag, self.tag
            )))
        };
        let stores = self.kv.unwrap_or(earlier.stores);
        if stores < earlier.stores {
            return refuse(
                "--kv",
                stores,
                earlier.stores,
                "a store that is left out takes its data along",
            );
        }
        match self.replicas {
            Some(asked) if asked != earlier.replicas => {
                return refuse("--replicas", asked, earlier.replicas, "PD keeps its own setting");
            }
            _ => {}
        }
        match self.regions {
            Some(asked) if asked != earlier.regions => {
                return refuse(
                    "--regions",
                    asked,
                    earlier.regions,
                    "its regions are split already",
                );
            }
            _ => {}
        }
        let shape = ClusterShape {
            stores,
            region_max_keys: self.region_max_keys.or(earlier.region_max_keys),
            enable_ttl: self.enable_ttl || earlier.enable_ttl,
            profile: self.profile.clone().unwrap_or_else(|| earlier.profile.clone()),
            read: self.read.clone().unwrap_or_else(|| earlier.read.clone()),
            defects: self.defects.clone(),
            ..earlier.clone()
        };
        checked(shape)
    }

    fn new_shape(&self) -> Result<ClusterShape, Failure> {
        let stores = self.kv.unwrap_or(DEFAULT_STORES);
        checked(ClusterShape {
            stores,
            replicas: self.replicas.unwrap_or_else(|| DEFAULT_REPLICAS.min(stores)),
            regions: self.regions.unwrap_or(1),
            region_max_keys: self.region_max_keys,
            enable_ttl: self.enable_ttl,
            profile: self.profile.clone().unwrap_or_else(|| "fast".into()),
            pd_port: 0,
            store_port: 0,
            read: self.read.clone().unwrap_or_else(plan::config::default_read),
            defects: self.defects.clone(),
        })
    }
}

/// Returns true for the forms of `tiup playground`'s versions: `v8.5.4`, `8.5`, `v9.0.0-beta.2`,
/// `nightly`.
fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').unwrap_or(text);
    text == "nightly"
        || text == "latest"
        || number.starts_with(|first: char| first.is_ascii_digit())
            && number.chars().all(|it| it.is_ascii_alphanumeric() || ".-+".contains(it))
}

/// Returns the shape, if it can be started; the flag for its stores is called `--kv` here.
fn checked(shape: ClusterShape) -> Result<ClusterShape, Failure> {
    shape.check().map_err(|failure| {
        Failure::new(failure.exit, failure.sentence.replace("--stores", "--kv"))
    })?;
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{ClusterCommand, Command};

    fn options(flags: &[&str]) -> Result<ClusterOptions, Failure> {
        let all = ["jepsen-tikv", "cluster", "up"].iter().chain(flags).copied();
        match crate::cli::parse_from(all).expect("parses").command {
            Command::Cluster(args) => match args.command {
                ClusterCommand::Up(args) => ClusterOptions::checked(&args),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_started_is_refused_with_its_flag_named() {
        for (flags, named) in [
            (vec!["--pd", "0"], "--pd 0"),
            (vec!["--db", "1"], "--db 1"),
            (vec!["--tiflash", "2", "--db", "0"], "--tiflash 2"),
            (vec!["--ticdc", "1"], "--ticdc 1"),
            (vec!["--mode", "tidb"], "--mode tidb"),
            (vec!["walk"], "walk"),
            (vec!["version"], "version"),
            (vec!["--kv", "0"], "--kv is 0"),
            (vec!["--kv", "2", "--replicas", "3"], "--replicas 3 is more than --kv 2"),
            (vec!["--host", "0.0.0.0"], "--host"),
            (vec!["--port-offset", "60000"], "--port-offset 60000"),
            (vec!["--pd.port", "0"], "a port cannot be 0"),
            (vec!["--tag", "../x"], "--tag"),
            (vec!["--defect", "nonsense"], "nonsense"),
            (vec!["--region-max-keys", "1"], "--region-max-keys"),
        ] {
            let failure = options(&flags).expect_err(named);
            assert_eq!(failure.exit, failure::Exit::Usage);
            assert!(failure.sentence.contains(named), "{named}: {failure}");
        }
    }

    #[test]
    fn a_playgrounds_command_line_is_taken_as_it_is_typed() {
        let typed =
            "v8.5.4 --mode tikv-slim --tag walk --db 0 --tiflash 0 --kv 6 --pd 1 --host 127.0.0.1";
        let asked = options(&typed.split(' ').collect::<Vec<_>>()).expect("usable");
        assert_eq!(asked.shape(None).expect("usable").stores, 6);
        assert_eq!((asked.tag.as_str(), asked.version.as_deref()), ("walk", Some("v8.5.4")));
        for version in ["nightly", "8.5", "v9.0.0-beta.2", "v8.5.0-alpha-nightly"] {
            assert!(options(&[version]).is_ok(), "{version}");
        }
    }

    #[test]
    fn ttl_is_off_until_asked_for_and_stays_on() {
        let plain = options(&[]).and_then(|options| options.shape(None)).expect("usable");
        let with =
            options(&["--enable-ttl"]).and_then(|options| options.shape(None)).expect("usable");
        assert!(!plain.enable_ttl && with.enable_ttl);
        let again = options(&[]).and_then(|options| options.shape(Some(&with))).expect("usable");
        assert!(again.enable_ttl, "its data has values with a time to live");
    }

    #[test]
    fn a_small_cluster_has_as_many_replicas_as_stores() {
        let shape = |flags: &[&str]| {
            options(flags).and_then(|options| options.shape(None)).expect("usable")
        };
        assert_eq!((shape(&[]).stores, shape(&[]).replicas), (6, 3));
        assert_eq!((shape(&["--kv", "1"]).stores, shape(&["--kv", "1"]).replicas), (1, 1));
    }

    #[test]
    fn data_that_is_there_decides_and_can_only_grow() {
        let earlier =
            options(&["--kv", "3"]).and_then(|options| options.shape(None)).expect("usable");
        let again =
            |flags: &[&str]| options(flags).and_then(|options| options.shape(Some(&earlier)));
        assert_eq!(again(&[]).expect("usable"), earlier);
        assert_eq!(again(&["--kv", "4"]).expect("usable").stores, 4);
        for flags in [["--kv", "2"], ["--replicas", "1"], ["--regions", "2"]] {
            let failure = again(&flags).expect_err(flags[0]);
            assert!(failure.sentence.contains("cluster clean --tag"), "{failure}");
        }
    }
}
