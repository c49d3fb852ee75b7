//! A cluster that `tiup playground` starts, and which ends with it.
//!
//! In: the shape, and tiup. Out: PD's address, read from tiup's output, and the stores as on any
//! cluster that others started: named by PD, their processes found by their ports. At the end tiup
//! gets SIGINT, like Ctrl-C, and ends them all. Remaining processes are killed, tiup's data is
//! removed, and the logs are kept.

use super::{
    attached::AttachedCluster,
    cluster_processes::{ClusterProcesses, EndedProcess, StorePlace},
    configuration_files, listening,
};
use crate::state::{OwnRecord, Started};
use client::PdHttp;
use failure::Failure;
use nemesis::{ProcessIdentity, ProcessState, StoreId};
use nix::sys::signal::Signal;
use plan::config::{AttachConfig, ClusterShape, PlaygroundConfig};
use run_directory::write_whole;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// The time for tiup to start the cluster, with downloads.
const UP_WITHIN: Duration = Duration::from_mins(10);
/// The time for tiup to end its processes.
const END_WITHIN: Duration = Duration::from_secs(30);
const GONE_WITHIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(300);
const PD_PATIENCE: Duration = Duration::from_secs(2);

/// A running playground.
#[derive(Debug)]
pub struct Playground {
    tiup: PathBuf,
    tag: String,
    child: Option<Child>,
    cluster: AttachedCluster,
    pd: Vec<ProcessIdentity>,
    logs: PathBuf,
    output: PathBuf,
    record: Arc<OwnRecord>,
}

/// Ends tiup if the start fails.
struct Starting {
    child: Option<Child>,
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }
}

impl Playground {
    /// Starts tiup, and waits until PD knows all stores and each one's process is found.
    pub async fn start(
        config: &PlaygroundConfig,
        shape: &ClusterShape,
        run_path: &Path,
        record: Arc<OwnRecord>,
    ) -> Result<Self, Failure> {
        let folder = run_path.join("config");
        fs::create_dir_all(&folder).map_err(Failure::target_or_disk)?;
        let (pd, kv) = (folder.join("pd.toml"), folder.join("tikv.toml"));
        write_whole(&pd, configuration_files::pd(shape.replicas).as_bytes())?;
        let size = config.region_split_size.as_deref();
        write_whole(
            &kv,
            configuration_files::tikv(&shape.profile, size, shape.enable_ttl).as_bytes(),
        )?;
        let tag = format!("jepsen-tikv-{}", std::process::id());
        let output = run_path.join("logs").join("tiup.log");
        let mut command = Command::new(std::env::current_exe().map_err(Failure::software)?);
        command.arg("internal-exec").arg(format!("--parent-pid={}", std::process::id()));
        command.arg("--").args(arguments(config, shape, &tag, (&absolute(&pd)?, &absolute(&kv)?)));
        let file = File::create(&output).map_err(Failure::target_or_disk)?;
        command.stdin(Stdio::null()).stdout(file.try_clone().map_err(Failure::target_or_disk)?);
        command.stderr(file).process_group(0);
        let child = command.spawn().map_err(Failure::target_or_disk)?;
        let tiup = ProcessIdentity::of(child.id())
            .map(|process| Started { leads_group: true, ..Started::new("tiup".into(), process) });
        let mut starting = Starting { child: Some(child) };
        // tiup ends with this process, but the processes that it started do not.
        record.note_started(tiup.iter().cloned().collect())?;
        let (endpoint, cluster) = await_up(&mut starting, shape, &output).await?;
        let pd = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let pd = pd.and_then(|port| listening::process(port).ok()).into_iter().collect();
        let started = Self {
            tiup: config.tiup.clone(),
            tag,
            child: starting.child.take(),
            cluster,
            pd,
            logs: run_path.join("logs"),
            output,
            record,
        };
        let noted = started.processes().into_iter().map(named).chain(tiup);
        started.record.note_started(noted.collect())?;
        Ok(started)
    }

    fn processes(&self) -> Vec<ProcessIdentity> {
        let stores = self.cluster.stores().into_values().filter_map(|place| place.process);
        stores.chain(self.pd.iter().cloned()).collect()
    }
}

/// The record of a process that tiup started.
fn named(process: ProcessIdentity) -> Started {
    Started::new(process.command.clone(), process)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::software)
}

/// tiup's command line.
fn arguments(
    config: &PlaygroundConfig,
    shape: &ClusterShape,
    tag: &str,
    (pd_config, kv_config): (&Path, &Path),
) -> Vec<String> {
    let mut arguments = vec![config.tiup.display().to_string(), "playground".into()];
    arguments.extend(config.version.clone());
    arguments.extend(["--mode", "tikv-slim", "--without-monitor"].map(str::to_owned));
    arguments.extend(["--tag".into(), tag.to_owned(), "--host".into(), "127.0.0.1".into()]);
    arguments.extend(["--pd".into(), "1".into(), "--kv".into(), shape.stores.to_string()]);
    arguments.extend(["--pd.config".into(), pd_config.display().to_string()]);
    arguments.extend(["--kv.config".into(), kv_config.display().to_string()]);
    if shape.pd_port != 0 {
        let offset = i32::from(shape.pd_port) - 2379;
        arguments.extend(["--port-offset".into(), offset.to_string()]);
    }
    arguments
}

async fn await_up(
    starting: &mut Starting,
    shape: &ClusterShape,
    output: &Path,
) -> Result<(String, AttachedCluster), Failure> {
    let deadline = Instant::now() + UP_WITHIN;
    let said = || fs::read_to_string(output).unwrap_or_default();
    loop {
        let text = said();
        if let Some(endpoint) = endpoint(&text)
            && let Ok(pd) = PdHttp::new(&endpoint, PD_PATIENCE)
            && pd.stores().await.is_ok_and(|stores| stores.len() >= shape.stores as usize)
        {
            let attach = AttachConfig::local(&endpoint);
            let cluster = AttachedCluster::find(&attach, None).await?;
            if cluster.unknown.is_empty() {
                return Ok((endpoint, cluster));
            }
        }
        let ended = starting
            .child
            .as_mut()
            .is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()));
        if ended || Instant::now() >= deadline {
            let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
            let why = if ended { "ended" } else { "did not start a cluster in time" };
            let place = output.display();
            return Err(Failure::target_or_disk(format!(
                "tiup {why}; it said last: {last} ({place})"
            )));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// PD's address in tiup's output: `PD client endpoints: [127.0.0.1:2379]`, or in newer versions `PD
/// Endpoints: …`.
fn endpoint(text: &str) -> Option<String> {
    let line = text.lines().find(|line| {
        let lower = line.to_lowercase();
        lower.contains("pd") && lower.contains("endpoints:")
    })?;
    let (_, list) = line.rsplit_once("ndpoints:")?;
    let list = without_colours(list);
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-".contains(c);
    // The address stands in brackets.
    let candidates = list.split(|c| !plain(c)).map(|it| it.trim_start_matches("http://"));
    candidates
        .filter(|it| {
            it.rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        })
        .map(str::to_owned)
        .next()
}

/// The text without terminal sequences, which begin with ESC and here end with `m`.
fn without_colours(text: &str) -> String {
    let mut is_sequence = false;
    let mut shown = |c: &char| {
        let was_sequence = is_sequence;
        is_sequence = *c == '\u{1b}' || (is_sequence && *c != 'm');
        !was_sequence && !is_sequence
    };
    text.chars().filter(|c| shown(c)).collect()
}

/// Sends SIGINT to tiup, waits, and kills it if needed.
fn end(child: &mut Child) {
    let Some(process) = ProcessIdentity::of(child.id()) else { return };
    if let Err(error) = process.signal(Signal::SIGINT) {
        tracing::debug!(%error, "tiup could not be asked to end");
    }
    let deadline = Instant::now() + END_WITHIN;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(POLL);
    }
}

impl ClusterProcesses for Playground {
    fn pd_endpoints(&self) -> Vec<String> {
        self.cluster.pd_endpoints()
    }

    fn stores(&self) -> BTreeMap<StoreId, StorePlace> {
        self.cluster.stores()
    }

    fn kill_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure> {
        self.cluster.kill_stores(stores)
    }

    fn start_killed_stores(&mut self, stores: &[StoreId]) -> Result<(), Failure> {
        self.cluster.start_killed_stores(stores)
    }

    fn ended_by_themselves(&mut self) -> Vec<EndedProcess> {
        let mut ended = self.cluster.ended_by_themselves();
        let mut say = |name: &str, status| {
            let (name, log) = (name.to_owned(), Some(self.output.clone()));
            ended.push(EndedProcess { name, store: None, status, log });
        };
        self.pd.retain(|pd| {
            let is_gone = pd.state() == ProcessState::Gone;
            if is_gone {
                say("pd", format!("{pd} is gone"));
            }
            !is_gone
        });
        if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
            self.child = None;
            say("tiup", status.to_string());
        }
        ended
    }

    fn stop(&mut self) {
        let processes = self.processes();
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
        for process in processes.iter().filter(|it| it.state() != ProcessState::Gone) {
            // Our tiup started it and is gone: no other process will end it.
            if process.signal(Signal::SIGKILL).is_err() {
                tracing::error!(%process, "could not be ended");
            }
            process.await_state(|state| state == ProcessState::Gone, GONE_WITHIN);
        }
        let left = processes.into_iter().filter(|it| it.state() != ProcessState::Gone);
        if let Err(failure) = self.record.note_started(left.map(named).collect()) {
            tracing::warn!(%failure, "what was ended is still noted as running");
        }
        keep_logs(&self.tag, &self.logs);
        let cleaned = Command::new(&self.tiup).args(["clean", &self.tag]).output();
        if let Err(error) = cleaned {
            tracing::warn!(%error, tag = self.tag, "tiup clean");
        }
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
    }
}

/// Copies the logs out of tiup's data before it is removed.
fn keep_logs(tag: &str, logs: &Path) {
    let home = std::env::var_os("TIUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".tiup")));
    let Some(data) = home.map(|home| home.join("data").join(tag)) else { return };
    for instance in fs::read_dir(&data).into_iter().flatten().flatten() {
        let files = fs::read_dir(instance.path()).into_iter().flatten().flatten();
        for log in files.filter(|it| it.path().extension().is_some_and(|end| end == "log")) {
            let name = format!("{}.log", instance.file_name().to_string_lossy());
            if let Err(error) = fs::copy(log.path(), logs.join(name)) {
                tracing::warn!(%error, "a log was not kept");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pds_address_is_read_from_what_tiup_prints() {
        for (text, address) in [
            ("PD client endpoints: [127.0.0.1:2379]\n", Some("127.0.0.1:2379")),
            ("x\nPD Endpoints:   \u{1b}[96;1m127.0.0.1:12379\u{1b}[0m\n", Some("127.0.0.1:12379")),
            ("Start pd instance:v8.5.4\n", None),
            ("PD client endpoints: []\n", None),
        ] {
            assert_eq!(endpoint(text).as_deref(), address, "{text:?}");
        }
    }

    #[test]
    fn tiup_is_called_with_its_own_flags() {
        let config = PlaygroundConfig {
            tiup: "/bin/tiup".into(),
            version: Some("v8.5.4".into()),
            region_split_size: None,
        };
        let shape = ClusterShape { pd_port: 12_379, ..ClusterShape::default() };
        let line = arguments(&config, &shape, "t", (Path::new("/p"), Path::new("/k"))).join(" ");
        assert_eq!(
            line,
            "/bin/tiup playground v8.5.4 --mode tikv-slim --without-monitor --tag t --host 127.0.0.1 --pd 1 --kv 6 \
             --pd.config /p --kv.config /k --port-offset 10000"
        );
    }
}
