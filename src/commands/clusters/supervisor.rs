//! A cluster's supervisor: the parent of all its processes, from their start to their end.
//!
//! In: the checked options, and requests through the control socket. Out: a cluster that serves, in
//! a directory that says so. The supervisor ends in order on Ctrl-C, SIGTERM and SIGHUP, and at
//! once on a second one. However it ends, the kernel ends its processes with it. Data is kept if
//! the cluster has a tag, otherwise removed at the end, as `tiup playground` does.

use super::{
    announcement::Announcer,
    control,
    directory::{ClusterDirectory, Lock},
    options::ClusterOptions,
    ports,
    processes::Processes,
    spec::Spec,
};
use crate::watch::live::{self, Live, Source};
use client::pd_http::PdHttp;
use failure::{Exit, Failure};
use nemesis::PausedProcesses;
use plan::config::ClusterShape;
use run::interrupt::{Interrupt, Urgency};
use std::{fs, sync::Arc, time::Duration};
use targets::{
    embedded::{ClusterFile, EmbeddedCluster, ProcessEntry},
    splitting,
    state::OwnRecord,
    wholeness,
};
use tokio::{task::spawn_blocking, time::Instant};

/// The time that the cluster may take until it is whole.
const WHOLE_WITHIN: Duration = Duration::from_mins(5);
/// The time that PD may take to answer.
const PD_PATIENCE: Duration = Duration::from_secs(5);
/// The interval at which a cluster that is becoming whole is checked.
const POLL: Duration = Duration::from_millis(50);
/// The interval at which the supervisor checks for processes that ended by themselves.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A new cluster has TiKV's five regions.
const NEW_CLUSTER_REGIONS: usize = 5;
/// The number of times that other ports are chosen because some were taken meanwhile.
const PORT_TRIES_MAX: u32 = 5;
/// The longest pause before other ports are chosen. Its length is random, since the process that
/// took the ports may be another starting cluster.
const PORT_PAUSE_MS_MAX: u64 = 1_000;

/// Starts a cluster, and keeps it until it is asked to end.
pub fn in_the_terminal(options: &ClusterOptions) -> Result<Exit, Failure> {
    targets::heal::before_a_run()?;
    run(options, &Arc::new(Announcer::Terminal))
}

/// Starts a cluster in its directory, and keeps it until it is asked to end.
pub fn run(options: &ClusterOptions, announcer: &Arc<Announcer>) -> Result<Exit, Failure> {
    // A search for `tikv` among the processes finds stores only.
    cluster::process::take_name(c"jepsen-cluster").map_err(Failure::software)?;
    let directory = options.directory()?;
    directory.make()?;
    let tag = directory.tag();
    let Some(lock) = directory.lock()? else {
        return Err(Failure::usage(format!(
            "a cluster tagged {tag} is running already: end it with jepsen-tikv cluster down --tag {tag}, or use \
             another --tag"
        )));
    };
    let earlier = Spec::read(&directory)?;
    if earlier.is_none() && directory.data().exists() {
        return Err(Failure::usage(format!(
            "{} holds something that is no cluster's: use another --tag",
            directory.path().display()
        )));
    }
    let ended = options.shape(earlier.as_ref().map(|spec| &spec.shape)).and_then(|shape| {
        let supervisor = Supervisor {
            options,
            directory: &directory,
            is_new: earlier.is_none(),
            shape,
            announcer,
        };
        supervisor.run()
    });
    settle(options, &directory, &lock, announcer, ended)
}

/// Leaves the directory in the state that the cluster's end requires.
fn settle(
    options: &ClusterOptions,
    directory: &ClusterDirectory,
    lock: &Lock,
    announcer: &Announcer,
    ended: Result<(), Failure>,
) -> Result<Exit, Failure> {
    let _ = fs::remove_file(directory.path().join("control.sock"));
    // The message of a failed start names its logs; a start that did not even begin left none.
    let nothing_there = !directory.data().exists();
    let removed = if nothing_there || (ended.is_ok() && !options.keep_data) {
        directory.remove(lock)
    } else {
        Ok(())
    };
    // The reason of the end comes first, failures to tidy up after it.
    ended.and(removed)?;
    if options.keep_data {
        let tag = directory.tag();
        announcer.line(format_args!(
            "The data of {tag} is kept: jepsen-tikv cluster up --tag {tag} starts it again, cluster clean --tag \
             {tag} removes it."
        ));
    } else {
        announcer.line("Its data is removed; a cluster with a --tag keeps it.");
    }
    Ok(Exit::Valid)
}

struct Supervisor<'a> {
    options: &'a ClusterOptions,
    directory: &'a ClusterDirectory,
    is_new: bool,
    shape: ClusterShape,
    announcer: &'a Arc<Announcer>,
}

impl Supervisor<'_> {
    fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
        let ended = runtime.block_on(self.live());
        // After a second signal nothing is waited for; the processes end with this one.
        runtime.shutdown_background();
        ended
    }

    async fn live(&self) -> Result<(), Failure> {
        let interrupt = Interrupt::listen().map_err(Failure::software)?;
        let cluster = tokio::select! {
            cluster = self.start() => cluster?,
            () = interrupt.at_least(Urgency::Now) => return Err(interrupted()),
        };
        let processes = Arc::new(cluster);
        let listener = control::listen(self.directory)?;
        let answering = tokio::spawn(control::serve(listener, Arc::clone(&processes)));
        let lived = tokio::select! {
            lived = self.serve(&processes) => lived,
            () = interrupt.at_least(Urgency::Early) => Ok(()),
        };
        answering.abort();
        let count = processes.running().len();
        self.announcer
            .line(format_args!("Ending {count} processes of {} ...", self.directory.tag()));
        let stopped = spawn_blocking(move || processes.stop());
        tokio::select! {
            stopped = stopped => stopped.map_err(Failure::software)?,
            () = interrupt.at_least(Urgency::Now) => return Err(interrupted()),
        }
        self.announcer.line("All of them have ended.");
        lived
    }

    /// Starts every process; if a port is taken meanwhile, starts again with other ports.
    async fn start(&self) -> Result<Processes, Failure> {
        let shape = &self.shape;
        let wrong = match shape.defects.as_slice() {
            [] => String::new(),
            defects => format!(", wrong on purpose: {}", defects.join(", ")),
        };
        self.announcer.line(format_args!(
            "Starting the embedded cluster {}: {} stores, {} replicas, profile {}{wrong}",
            self.directory.tag(),
            shape.stores,
            shape.replicas,
            shape.profile
        ));
        if let Some(version) = &self.options.version {
            self.announcer.line(format_args!(
                "Not TiKV {version}: the embedded cluster is this program's own, whatever the version; \
                 --target binaries and --target playground test real TiKV"
            ));
        }
        let earlier = self.earlier();
        let mut tries = 0;
        loop {
            tries += 1;
            let (options, stores) = (self.options, shape.stores);
            let chosen = ports::choose(options.host, options.ports, stores, earlier.as_ref())?;
            self.announcer.lines(&chosen.taken);
            let (keep, tag) = (options.keep_data, self.directory.tag().name().to_owned());
            Spec::new(tag, keep, shape.clone(), options.host).write(self.directory)?;
            let started = self.start_at(chosen).await;
            match started {
                Err(failure) if tries < PORT_TRIES_MAX && lost_a_port(&failure) => {
                    self.announcer.line(format_args!("{failure}; trying again"));
                    let pause_ms = rand::random_range(0..PORT_PAUSE_MS_MAX);
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                    if self.is_new {
                        // The remains of the first try only contain the addresses that are taken.
                        let _ = fs::remove_dir_all(self.directory.data());
                    }
                }
                started => return started,
            }
        }
    }

    async fn start_at(&self, chosen: ports::Chosen) -> Result<Processes, Failure> {
        let record = OwnRecord::of_cluster(self.directory.path())?;
        let paused = PausedProcesses::create(&record.journal()).map_err(Failure::target_or_disk)?;
        let (shape, path) = (self.shape.clone(), self.directory.path().to_owned());
        let announcer = Arc::clone(self.announcer);
        let cluster = spawn_blocking(move || {
            let serves = |entry: &ProcessEntry| announcer.line(started(entry));
            EmbeddedCluster::start_at(&shape, (&path, record), &chosen.addresses, &serves)
        })
        .await
        .map_err(Failure::software)??;
        Ok(Processes::new(cluster, paused, Arc::clone(self.announcer)))
    }

    /// Returns the processes and addresses of an earlier life.
    fn earlier(&self) -> Option<ClusterFile> {
        ClusterFile::read(&self.directory.cluster())
    }

    /// Waits until the cluster is whole, says so, and watches its processes forever.
    async fn serve(&self, processes: &Processes) -> Result<(), Failure> {
        let pd_endpoint = processes.describe().pd.addr.to_string();
        let pd = PdHttp::new(&pd_endpoint, PD_PATIENCE).map_err(Failure::target_or_disk)?;
        self.await_whole(processes, &pd, 0).await?;
        if self.is_new && self.shape.regions > 1 {
            let keys = workload::split_keys_of_table(self.shape.regions);
            self.announcer
                .line(format_args!("Splitting the table's keys into {} regions", keys.len() + 1));
            splitting::split(&pd, &keys, WHOLE_WITHIN).await?;
            self.await_whole(processes, &pd, keys.len()).await?;
        }
        // The dashboard is served as long as this value lives.
        let live = self.dashboard(processes, &pd_endpoint).await?;
        let dashboard = live.as_ref().map(Live::url);
        if let Some(mut spec) = Spec::read(self.directory)? {
            spec.pd = Some(pd_endpoint.clone());
            spec.dashboard.clone_from(&dashboard);
            spec.write(self.directory)?;
        }
        self.welcome(&pd_endpoint, dashboard.as_deref());
        self.announcer.serving()?;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            processes.look_for_ended();
        }
    }

    async fn dashboard(
        &self,
        processes: &Processes,
        pd_endpoint: &str,
    ) -> Result<Option<Live>, Failure> {
        if !self.options.monitor {
            return Ok(None);
        }
        let source = Source {
            title: format!("cluster {}, {} stores", self.directory.tag(), self.shape.stores),
            pd_endpoints: vec![pd_endpoint.to_owned()],
            security: None,
            processes: Some(Arc::new(processes.clone())),
            tester: None,
        };
        live::serve(source, ports::choose_dashboard(self.options.ports.dashboard)?).await.map(Some)
    }

    async fn await_whole(
        &self,
        processes: &Processes,
        pd: &PdHttp,
        splits: usize,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + WHOLE_WITHIN;
        let stores_wanted = self.shape.stores as usize;
        loop {
            let missing = async {
                let (stores, regions) = (pd.stores().await?, pd.regions().await?);
                let replicas = pd.max_replicas().await?;
                let regions_min = NEW_CLUSTER_REGIONS + splits;
                Ok(wholeness::missing(&stores, &regions, stores_wanted, regions_min, replicas))
            };
            let missing = match missing.await {
                Ok(None) => return Ok(()),
                Ok(Some(missing)) => missing,
                Err::<_, client::pd_http::PdHttpError>(error) => error.to_string(),
            };
            if let Some(ended) = processes.look_for_ended().first() {
                return Err(Failure::target_or_disk(ended));
            }
            if Instant::now() >= deadline {
                return Err(Failure::target_or_disk(format!(
                    "the cluster is not whole after {} s: {missing}; its logs are in {}",
                    WHOLE_WITHIN.as_secs(),
                    self.directory.logs().display()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Prints how to connect to the cluster, and how to end it.
    fn welcome(&self, pd_endpoint: &str, dashboard: Option<&str>) {
        let tag = self.directory.tag();
        let runs_dir = match self.options.runs_dir_flag() {
            Some(path) => format!(" --runs-dir {}", path.display()),
            None => String::new(),
        };
        let end = match **self.announcer {
            Announcer::Terminal => "Ctrl-C, or ",
            Announcer::Pipe(_) => "",
        };
        let dashboard = dashboard.unwrap_or("none (--without-monitor)");
        self.announcer.lines(&[
            String::new(),
            format!("The cluster {tag} is started, enjoy."),
            String::new(),
            format!("PD client endpoints: [{pd_endpoint}]"),
            format!("Dashboard:           {dashboard}"),
            format!("Look at it:          jepsen-tikv cluster status --tag {tag}{runs_dir}"),
            format!("End it:              {end}jepsen-tikv cluster down --tag {tag}{runs_dir}"),
            format!("Everything else:     {}", self.directory.path().display()),
        ]);
    }
}

fn started(entry: &ProcessEntry) -> String {
    let pid = entry.process.as_ref().map_or(0, |process| process.pid);
    let kind = if entry.store_id.is_some() { "tikv" } else { "pd" };
    let status = entry.status_addr.map_or_else(String::new, |addr| format!(" (status {addr})"));
    format!("Start {kind} instance: {} at {}{status}, PID {pid}", entry.name, entry.addr)
}

/// Returns true if a start failed because another process took the port between our choice and our
/// listening.
fn lost_a_port(failure: &Failure) -> bool {
    failure.sentence.contains(nix::errno::Errno::EADDRINUSE.desc())
}

fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, "interrupted twice: every process is killed")
}
