//! Stand-ins for real PD and TiKV: this binary, called by the name `pd-server` or `tikv-server`,
//! takes their flags and configuration files and serves as the embedded PD or store.
//! In: the command lines of the real programs. Out: a process that serves until it is terminated,
//! or a refusal of anything that the real one would refuse. The stand-ins test `--target binaries`
//! and `playground` without TiKV. They honour addresses, directories, the log file, `max-replicas`,
//! and, as far as the two profiles go, the length of a tick.

use clap::Parser;
use cluster::{defects::Defects, pd::PdConfig, profile::Profile, store::StoreConfig};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The known keys of TiKV's configuration; any other is taken for a mistake.
const TIKV_KEYS: [&str; 18] = [
    "memory-usage-limit",
    "server.graceful-shutdown-timeout",
    "storage.enable-ttl",
    "storage.reserve-space",
    "storage.reserve-raft-space",
    "storage.block-cache.capacity",
    "rocksdb.max-open-files",
    "raftdb.max-open-files",
    "raftstore.capacity",
    "raftstore.raft-base-tick-interval",
    "raftstore.raft-election-timeout-ticks",
    "raftstore.raft-heartbeat-ticks",
    "raftstore.raft-store-max-leader-lease",
    "raftstore.hibernate-regions",
    "raftstore.pd-heartbeat-tick-interval",
    "raftstore.pd-store-heartbeat-tick-interval",
    "coprocessor.region-split-size",
    "coprocessor.region-max-size",
];
const PD_KEYS: [&str; 1] = ["replication.max-replicas"];

/// The flags of pd-server that are used.
#[derive(Debug, Parser)]
#[command(name = "pd-server")]
struct PdFlags {
    #[arg(long)]
    name: String,
    #[arg(long)]
    data_dir: PathBuf,
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long)]
    client_urls: String,
    #[arg(long)]
    advertise_client_urls: Option<String>,
    #[arg(long)]
    peer_urls: Option<String>,
    #[arg(long)]
    advertise_peer_urls: Option<String>,
    #[arg(long)]
    initial_cluster: Option<String>,
    #[arg(long)]
    log_file: Option<PathBuf>,
}

/// The flags of tikv-server that are used.
#[derive(Debug, Parser)]
#[command(name = "tikv-server")]
struct TikvFlags {
    #[arg(long, alias = "pd")]
    pd_endpoints: String,
    #[arg(long)]
    addr: SocketAddr,
    #[arg(long)]
    advertise_addr: Option<String>,
    #[arg(long)]
    status_addr: SocketAddr,
    #[arg(long)]
    data_dir: PathBuf,
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long)]
    log_file: Option<PathBuf>,
}

/// Serves, if this binary was called by one of those names; `None` = it was not. A process of the
/// embedded cluster has such a name too, but a hidden command gives its role.
pub fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let program = arguments.next()?;
    if arguments.next().is_some_and(|first| first == "internal-pd" || first == "internal-store") {
        return None;
    }
    let ended = match Path::new(&program).file_name().and_then(OsStr::to_str)? {
        "pd-server" => PdFlags::try_parse().map_err(|it| it.to_string()).and_then(serve_pd),
        "tikv-server" => TikvFlags::try_parse().map_err(|it| it.to_string()).and_then(serve_store),
        _ => return None,
    };
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            terminal::note(format_args!("{reason}"));
            ExitCode::FAILURE
        }
    })
}

fn serve_pd(flags: PdFlags) -> Result<(), String> {
    let settings = settings(flags.config.as_deref(), &PD_KEYS)?;
    log_to(flags.log_file.as_deref())?;
    let address = flags.client_urls.trim_start_matches("http://");
    let replicas = settings.get("replication.max-replicas").and_then(toml::Value::as_integer);
    let config = PdConfig {
        name: flags.name,
        data_dir: flags.data_dir,
        client_addr: address
            .parse()
            .map_err(|error| format!("--client-urls {address}: {error}"))?,
        // A real PD has no ticks to configure: it waits only for messages of the stores.
        profile: Profile::Fast,
        max_replicas: replicas.and_then(|replicas| u32::try_from(replicas).ok()).unwrap_or(3),
    };
    cluster::pd::run(config).map_err(|error| error.to_string())
}

fn serve_store(flags: TikvFlags) -> Result<(), String> {
    let settings = settings(flags.config.as_deref(), &TIKV_KEYS)?;
    log_to(flags.log_file.as_deref())?;
    let tick = settings.get("raftstore.raft-base-tick-interval").and_then(toml::Value::as_str);
    let config = StoreConfig {
        store_id: None,
        pd_endpoint: flags.pd_endpoints.split(',').next().unwrap_or_default().to_owned(),
        addr: flags.addr,
        status_addr: flags.status_addr,
        data_dir: flags.data_dir,
        profile: if tick.is_some_and(|tick| tick.ends_with("ms")) {
            Profile::Fast
        } else {
            Profile::Tikv
        },
        defects: Defects::default(),
        region_max_keys: None,
        enable_ttl: settings.get("storage.enable-ttl").and_then(toml::Value::as_bool) == Some(true),
        // Real stores have leases; these confirm every read, and no client can see the difference.
        read: cluster::read_mode::ReadMode::default(),
    };
    cluster::store::run(config).map_err(|error| error.to_string())
}

/// Reads a configuration file by dotted keys.
fn settings(path: Option<&Path>, known: &[&str]) -> Result<toml::Table, String> {
    let mut flat = toml::Table::new();
    let Some(path) = path else { return Ok(flat) };
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let table: toml::Table =
        text.parse().map_err(|error| format!("invalid configuration file: {error}"))?;
    flatten("", table, &mut flat);
    match flat.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(format!("unknown configuration options: {unknown}")),
        None => Ok(flat),
    }
}

fn flatten(prefix: &str, table: toml::Table, flat: &mut toml::Table) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, flat),
            value => _ = flat.insert(key, value),
        }
    }
}

fn log_to(path: Option<&Path>) -> Result<(), String> {
    let open = |path: &Path| -> std::io::Result<File> {
        OpenOptions::new().create(true).append(true).open(path)
    };
    let Some(path) = path else { return Ok(()) };
    let file = open(path).map_err(|error| format!("--log-file {}: {error}", path.display()))?;
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::sync::Mutex::new(file)).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_real_ones_would_refuse_is_refused() {
        let flags = ["pd-server", "--name=pd1", "--data-dir=d", "--client-urls=http://127.0.0.1:1"];
        assert!(PdFlags::try_parse_from(flags).is_ok());
        assert!(PdFlags::try_parse_from(flags.iter().chain(&["--no-such"])).is_err());
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "[raftstore]\nraft-base-tick-intervall = \"1s\"\n")
            .expect("written");
        let error = settings(Some(file.path()), &TIKV_KEYS).expect_err("refused");
        assert!(error.contains("raftstore.raft-base-tick-intervall"), "{error}");
    }
}
