//! `target-check`: tries each capability of a target once; the first thing to run on a real
//! cluster.
//!
//! In: a target. Out: a table of the capabilities that work, are not offered or failed (with the
//! reason), and the exit code: 0 if nothing failed. Judges no history; it only finds out if a test
//! can run here at all. Every change is undone, and all keys begin with the prefix.

use crate::cli::TargetCheckArgs;
use client::{
    DirectClient, DirectOptions, Outcome, RawKv, Request, Response, TikvClient, TikvClientOptions,
};
use failure::{Exit, Failure};
use nemesis::{ProcessState, Region, StoreId, Target};
use plan::{
    Plan,
    config::{Config, TargetConfig},
};
use run::interrupt::{Interrupt, Urgency};
use run_directory::RunDirectory;
use std::time::Duration;
use targets::{consent, heal, survey, under_test::UnderTest};
use tokio::time::Instant;
use workload::Workload;

/// The time that the cluster may take until it is whole.
const WHOLE_WITHIN: Duration = Duration::from_mins(5);
/// The deadline of one operation.
const OP_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of attempts for an operation: an election may be under way.
const TRIES: u32 = 5;
/// The time that PD may take to carry out a request.
const WISH_WITHIN: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(200);

/// The result of trying one capability.
enum Tried {
    /// The capability works; the text says what was observed.
    Works(String),
    /// The target does not offer the capability; the text says why.
    NotOffered(String),
    /// The capability should work and does not; the text says why.
    Failed(String),
}

/// The results so far.
#[derive(Default)]
struct Table {
    rows: Vec<(String, Tried)>,
}

impl Table {
    fn add(&mut self, what: impl Into<String>, tried: Result<Tried, String>) {
        let (what, tried) = (what.into(), tried.unwrap_or_else(Tried::Failed));
        let (word, seen) = match &tried {
            Tried::Works(seen) => ("works", seen),
            Tried::NotOffered(why) => ("not offered", why),
            Tried::Failed(why) => ("FAILED", why),
        };
        terminal::result(format_args!("{what:32} {word:12} {seen}"));
        self.rows.push((what, tried));
    }
}

/// Tries every capability and prints the results.
pub fn command(args: &TargetCheckArgs) -> Result<Exit, Failure> {
    let config = survey::surveyed(args.config()?)?;
    let plan = Plan::draw(config)?;
    consent::ask_for_check(&plan)?;
    let config = plan.config;
    heal::before_a_run()?;
    let run = RunDirectory::create(&args.runs_dir, &config.name)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let table = runtime.block_on(async {
        let interrupt = Interrupt::listen().map_err(Failure::software)?;
        let range = Workload::prefix_range(&config.workload.prefix);
        let target = UnderTest::start(&config, &run, range).await?;
        let mut table = Table::default();
        let checked = tokio::select! {
            checked = check(&config, &target, &mut table) => checked,
            () = interrupt.at_least(Urgency::Early) => {
                Err(Failure::new(Exit::Interrupted, "interrupted; the cluster is as it was"))
            }
        };
        target.stop().await;
        checked.map(|()| table)
    })?;
    let failed: Vec<&str> = table
        .rows
        .iter()
        .filter(|(_, tried)| matches!(tried, Tried::Failed(_)))
        .map(|(what, _)| what.as_str())
        .collect();
    if failed.is_empty() {
        terminal::result("everything that this target offers works");
        return Ok(Exit::Valid);
    }
    Err(Failure::target_or_disk(format!(
        "{} of {} failed: {}; see {}",
        failed.len(),
        table.rows.len(),
        failed.join(", "),
        run.path().display()
    )))
}

async fn check(config: &Config, target: &UnderTest, table: &mut Table) -> Result<(), Failure> {
    target.await_whole(WHOLE_WITHIN).await?;
    let stores = target.stores().await.map_err(Failure::target_or_disk)?;
    let processes = stores.iter().filter(|store| store.pid.is_some()).count();
    table.add(
        "stores",
        Ok(Tried::Works(format!("{} up, {processes} processes known", stores.len()))),
    );
    for direct in [true, false] {
        clients(config, target, direct, table).await;
    }
    table.add("regions and leaders", regions(target).await);
    table.add("split", split(config, target).await);
    table.add("transfer a leader", transfer(target).await);
    table.add("max-replicas up and down", replicas(config, target, stores.len()).await);
    table.add("stop and resume a store", pause(config, target).await);
    table.add("kill and start a store", kill(target).await);
    pages(target, table).await;
    Ok(())
}

/// Tries every operation through one client.
async fn clients(config: &Config, target: &UnderTest, direct: bool, table: &mut Table) {
    let name = if direct { "direct" } else { "tikv-client" };
    let endpoints = target.pd_endpoints().to_vec();
    let library = |atomic: bool| -> Box<dyn RawKv> {
        if direct {
            let options = DirectOptions { atomic, ..DirectOptions::default() };
            let options = options.with_security(target.security());
            Box::new(DirectClient::new(endpoints.clone(), options))
        } else {
            let security = target.security().cloned();
            let options = TikvClientOptions { atomic, security, ..TikvClientOptions::default() };
            Box::new(TikvClient::new(endpoints.clone(), options))
        }
    };
    let key = |end: &str| format!("{}{name}/{end}", config.workload.prefix).into_bytes();
    let (plain, atomic) = (library(false), library(true));
    for (what, is_atomic, request, wanted) in operations(&key) {
        let client = if is_atomic { &atomic } else { &plain };
        let tried = match ask(client.as_ref(), &request).await {
            Ok(got) if got == wanted => Ok(Tried::Works(String::new())),
            Ok(got) => Err(format!("answered {got:?} instead of {wanted:?}")),
            Err(why) if what == "put with TTL" && why.to_lowercase().contains("ttl") => {
                Ok(Tried::NotOffered(why))
            }
            Err(why) => Err(why),
        };
        table.add(format!("{name}: {what}"), tried);
    }
}

type Step = (&'static str, bool, Request, Response);

/// Returns the operations in an order that makes each answer known: name, atomic mode, request,
/// answer.
fn operations(key: &dyn Fn(&str) -> Vec<u8>) -> Vec<Step> {
    let (a, b, c, d) = (key("a"), key("b"), key("c"), key("d"));
    let value = |text: &str| text.as_bytes().to_vec();
    let put = |key: &[u8], text: &str, ttl_s| Request::Put {
        key: key.to_vec(),
        value: value(text),
        ttl_s,
    };
    let scan = |reverse| Request::Scan {
        start: key(""),
        end: Some(key("~")),
        limit: 10,
        reverse,
        key_only: false,
    };
    let three = vec![(a.clone(), value("1")), (b.clone(), value("2")), (c.clone(), value("3"))];
    let reversed = three.iter().rev().cloned().collect();
    let cas = |expected: Option<&str>, new: &str| Request::Cas {
        key: d.clone(),
        expected: expected.map(value),
        new: value(new),
    };
    let got = |pairs: &[(&[u8], Option<&str>)]| {
        Response::GotBatch(pairs.iter().map(|(key, it)| (key.to_vec(), it.map(value))).collect())
    };
    let (two, both) = (three[1..].to_vec(), vec![a.clone(), c.clone()]);
    vec![
        ("put", false, put(&a, "1", None), Response::Done),
        ("get", false, Request::Get { key: a.clone() }, Response::Got(Some(value("1")))),
        ("batch put", false, Request::BatchPut { pairs: two }, Response::Done),
        (
            "batch get",
            false,
            Request::BatchGet { keys: both.clone() },
            got(&[(&a, Some("1")), (&c, Some("3"))]),
        ),
        ("scan", false, scan(false), Response::Scanned(three)),
        ("reverse scan", false, scan(true), Response::Scanned(reversed)),
        ("delete", false, Request::Delete { key: b.clone() }, Response::Done),
        ("get of a deleted key", false, Request::Get { key: b.clone() }, Response::Got(None)),
        ("batch delete", false, Request::BatchDelete { keys: both }, Response::Done),
        ("put with TTL", false, put(&b, "4", Some(600)), Response::Done),
        (
            "delete range",
            false,
            Request::DeleteRange { start: key(""), end: Some(key("~")) },
            Response::Done,
        ),
        ("scan of an empty range", false, scan(false), Response::Scanned(Vec::new())),
        (
            "CAS of an absent key",
            true,
            cas(None, "5"),
            Response::Cas { swapped: true, previous: None },
        ),
        (
            "CAS that must not swap",
            true,
            cas(Some("x"), "6"),
            Response::Cas { swapped: false, previous: Some(value("5")) },
        ),
        ("delete in atomic mode", true, Request::Delete { key: d.clone() }, Response::Done),
    ]
}

/// Repeats a request until it is answered. These are steps of a check, not of a history, so each
/// may be sent twice.
async fn ask(client: &dyn RawKv, request: &Request) -> Result<Response, String> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (error, is_unknown) = match client.execute(request, OP_TIMEOUT).await.outcome {
            Outcome::Ok(response) => return Ok(response),
            Outcome::NotApplied(error) => (error, false),
            Outcome::Unknown(error) => (error, true),
        };
        // A CAS that may have been applied gets another answer the next time.
        let is_over = is_unknown && matches!(request, Request::Cas { .. });
        if is_over || tries == TRIES {
            return Err(error.message);
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn led(target: &UnderTest) -> Result<(Region, StoreId), String> {
    let regions = Target::regions(target).await.map_err(|error| error.to_string())?;
    let region = regions.into_iter().next().ok_or("PD knows no region of the keys")?;
    let leader = region.leader.ok_or_else(|| format!("region {} has no leader", region.id))?;
    Ok((region, leader))
}

async fn regions(target: &UnderTest) -> Result<Tried, String> {
    let (region, leader) = led(target).await?;
    let voters = region.voters.len();
    Ok(Tried::Works(format!("region {} has {voters} voters, led by store-{leader}", region.id)))
}

async fn split(config: &Config, target: &UnderTest) -> Result<Tried, String> {
    if matches!(config.target, TargetConfig::Attach(_)) {
        return Ok(Tried::NotOffered(
            "the new region would stay: --regions of a test does it".into(),
        ));
    }
    let key = format!("{}m", config.workload.prefix).into_bytes();
    target.split(&[key], WISH_WITHIN).await.map_err(|failure| failure.to_string())?;
    target.await_whole(WHOLE_WITHIN).await.map_err(|failure| failure.to_string())?;
    Ok(Tried::Works("one region became two".into()))
}

async fn transfer(target: &UnderTest) -> Result<Tried, String> {
    if !target.offers().faults.schedule {
        return Ok(Tried::NotOffered("PD is not asked on this target".into()));
    }
    let (region, leader) = led(target).await?;
    let Some(to) = region.voters.iter().copied().find(|store| *store != leader) else {
        return Ok(Tried::NotOffered("the region has only one replica".into()));
    };
    target.transfer_leader(region.id, to).await.map_err(|error| error.to_string())?;
    until(|| async { led(target).await.is_ok_and(|(now, by)| now.id != region.id || by == to) })
        .await
        .ok_or_else(|| format!("PD agreed, but store-{to} does not lead region {}", region.id))?;
    Ok(Tried::Works(format!("region {}: from store-{leader} to store-{to}", region.id)))
}

async fn replicas(config: &Config, target: &UnderTest, stores: usize) -> Result<Tried, String> {
    if !target.offers().faults.max_replicas {
        return Ok(Tried::NotOffered("PD's placement rules are customised".into()));
    }
    let (from, to) = (config.cluster.replicas, config.cluster.replicas + 2);
    if (stores as u32) < to {
        return Ok(Tried::NotOffered(format!(
            "{to} replicas need {to} stores, there are {stores}"
        )));
    }
    let begun = Instant::now();
    for wanted in [to, from] {
        target.set_max_replicas(wanted).await.map_err(|error| error.to_string())?;
        let there = || async {
            led(target).await.is_ok_and(|(now, _)| now.voters.len() == wanted as usize)
        };
        let late = || format!("the region does not get to {wanted} voters");
        if until(there).await.is_none() {
            // The number of replicas is put back even if a step failed.
            target.set_max_replicas(from).await.map_err(|error| error.to_string())?;
            return Err(late());
        }
    }
    let took = begun.elapsed().as_secs_f64();
    Ok(Tried::Works(format!("{from}, {to}, {from} voters in {took:.1} s")))
}

async fn pause(config: &Config, target: &UnderTest) -> Result<Tried, String> {
    if !target.offers().faults.pause {
        let TargetConfig::Attach(attach) = &config.target else {
            return Ok(Tried::NotOffered(String::new()));
        };
        let why_not = attach.found.as_ref().and_then(|found| found.why_not.clone());
        return Ok(Tried::NotOffered(why_not.unwrap_or_default()));
    }
    let (region, leader) = led(target).await?;
    let store = region.voters.into_iter().find(|it| *it != leader).unwrap_or(leader);
    let paused = target.pause(vec![store]).await;
    let resumed = target.resume(vec![store]).await.map_err(|error| error.to_string())?;
    let paused = paused.map_err(|error| error.to_string())?;
    match (paused.as_slice(), resumed.as_slice()) {
        ([stopped], [runs])
            if stopped.state == ProcessState::Stopped && runs.state == ProcessState::Running =>
        {
            let pid = runs.pid.unwrap_or_default();
            Ok(Tried::Works(format!("store-{store}: process {pid} seen stopped, then running")))
        }
        seen => Err(format!("store-{store}: seen {seen:?}")),
    }
}

async fn kill(target: &UnderTest) -> Result<Tried, String> {
    if !target.offers().faults.kill {
        return Ok(Tried::NotOffered(
            "whoever started the stores would have to start them again".into(),
        ));
    }
    let (region, leader) = led(target).await?;
    let store = region.voters.into_iter().find(|it| *it != leader).unwrap_or(leader);
    let killed = target.kill(vec![store]).await.map_err(|error| error.to_string())?;
    let started = target.start(vec![store]).await.map_err(|error| error.to_string())?;
    target.await_whole(WHOLE_WITHIN).await.map_err(|failure| failure.to_string())?;
    match (killed.as_slice(), started.as_slice()) {
        ([gone], [runs])
            if gone.state == ProcessState::Gone && runs.state == ProcessState::Running =>
        {
            Ok(Tried::Works(format!("store-{store}: killed, started on its old data, whole again")))
        }
        seen => Err(format!("store-{store}: seen {seen:?}")),
    }
}

/// Reads the pages that dashboards read: a store's status and metrics.
async fn pages(target: &UnderTest, table: &mut Table) {
    if target.security().is_some() {
        let why = "with TLS these pages are not asked for";
        table.add("a store's /status, /metrics", Ok(Tried::NotOffered(why.into())));
        return;
    }
    client::use_ring();
    let http = reqwest::Client::builder().timeout(OP_TIMEOUT).no_proxy().build();
    let stores = target.pd().stores().await.map_err(|error| error.to_string());
    for page in ["status", "metrics"] {
        let tried = async {
            let stores = stores.as_ref().map_err(Clone::clone)?;
            let store = stores.first().ok_or("PD knows no store")?;
            let http = http.as_ref().map_err(ToString::to_string)?;
            let url = format!("http://{}/{page}", store.status_address);
            let answer = http.get(&url).send().await.map_err(|error| format!("{url}: {error}"))?;
            if answer.status().is_success() {
                Ok(Tried::Works(url))
            } else {
                Err(format!("{url}: HTTP {}", answer.status()))
            }
        };
        let tried = tried.await;
        table.add(format!("a store's /{page}"), tried);
    }
}

/// Repeats the question until the answer is true; `None` = too much time has passed.
async fn until<A: Future<Output = bool>>(ask: impl Fn() -> A) -> Option<()> {
    let deadline = Instant::now() + WISH_WITHIN;
    while !ask().await {
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
    Some(())
}
