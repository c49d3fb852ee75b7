//! Runs of hours and days, in parts: one part after another on the same cluster, each with keys of
//! its own, each judged at its end.
//!
//! In: a plan for the whole time, and the length of a part. Out: `parts.jsonl` in the run
//! directory, a line for each part, and `parts/NUMBER/`, a run directory, for each part that was
//! not valid. At the end of a part the history of its keys is complete: no call on them is open,
//! the cluster was whole, the keys were counted. So the part is judged like any run, and its
//! history and keys are dropped. Memory and disk are bounded by one part, however long the whole
//! run. An invalid part ends the run, and a broken promise ends its part (`fail_fast`). Events
//! between two parts are not seen, nor is a key that changes after its part is over.
//!
//! `verdict.json` covers all parts together (`merged`).
//!
//! `parts.jsonl`, format version 1: the header
//! `{"format":"jepsen-tikv parts","version":1,"part-ms":…}`, then `Part`s.

mod tally;

use checker::Validity;
use client::{DirectClient, DirectOptions, Outcome, RawKv, Request};
use failure::{Exit, Failure};
use judge::{Judgement, Judging};
use plan::{
    Plan,
    config::{Config, TargetConfig},
};
use run::{
    HISTORY_SEGMENT_MIB, Options, Purpose,
    audience::Nobody,
    interrupt::{Interrupt, Urgency},
    interrupted,
    pace::{self, Free},
    stage::Stage,
};
use run_directory::{RunDirectory, plain_file, shown, write_whole};
use serde::Serialize;
use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tally::{Part, Tally};
use targets::{heal, under_test::UnderTest};
use terminal::progress::Progress;
use workload::Workload;

/// The prefix of all parts' keys, unless the user names one.
const PREFIX: &str = "parts/";
/// The number of undecided parts whose files stay; those of an invalid part always stay.
const UNKNOWN_KEPT: usize = 5;
/// The shortest part; a shorter one would be all loading and counting.
const PART_MIN_MS: u64 = 5_000;
/// The time that deleting the keys of a part may take.
const DELETE_WITHIN: Duration = Duration::from_secs(30);

/// Refuses a configuration that cannot run in parts, and sets the common prefix of all parts.
pub fn prepare(config: &mut Config, part_ms: u64) -> Result<(), Failure> {
    if part_ms < PART_MIN_MS || part_ms > config.time_ms {
        return Err(Failure::usage(format!(
            "--rotate-keys takes from 5 seconds to the whole --time, e.g. 5m: this is {} ms of {} ms",
            part_ms, config.time_ms
        )));
    }
    if config.cluster.regions > 1 {
        return Err(Failure::usage(
            "--rotate-keys takes new keys each time, whose regions nobody merges: leave --regions out",
        ));
    }
    if config.target == TargetConfig::Simulated {
        return Err(Failure::usage("--rotate-keys is about real processes: leave it out"));
    }
    if config.workload.prefix.is_empty() {
        config.workload.prefix = PREFIX.into();
    }
    Ok(())
}

/// Runs all parts.
pub fn test(plan: &Plan, part_ms: u64, runs_dir: &Path, free: Free) -> Result<Exit, Failure> {
    heal::before_a_run()?;
    let run = RunDirectory::create(runs_dir, &plan.config.name)?;
    write_whole(&run.plan(), &plan.to_json()?)?;
    terminal::note(format_args!(
        "seed {}, run directory {}, parts of {} s",
        plan.config.seed,
        shown(&run),
        part_ms / 1000
    ));
    let progress = Progress::new();
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let parts = Parts { plan, part_ms, run: &run, progress: &progress };
    let ended = runtime.block_on(parts.carry_out(free));
    runtime.shutdown_timeout(Duration::from_secs(5));
    progress.finish();
    let tally = ended.map_err(|failure| run::explained(failure, &run))?;
    tally.tell(&run)
}

struct Parts<'a> {
    plan: &'a Plan,
    part_ms: u64,
    run: &'a RunDirectory,
    progress: &'a Progress,
}

impl Parts<'_> {
    async fn carry_out(&self, free: Free) -> Result<Tally, Failure> {
        let interrupt = Interrupt::listen().map_err(Failure::software)?;
        self.progress.phase(self.plan.config.target.beginning(), None);
        let range = Workload::prefix_range(&self.plan.config.workload.prefix);
        let target = tokio::select! {
            target = UnderTest::start(&self.plan.config, self.run, range) => Arc::new(target?),
            () = interrupt.at_least(Urgency::Early) => return Err(interrupted()),
        };
        let all = async {
            let paced = pace::paced(self.plan, free, &target, self.progress).await?;
            if let Some(paced) = &paced {
                write_whole(&self.run.plan(), &paced.to_json()?)?;
            }
            let parts = Parts { plan: paced.as_ref().unwrap_or(self.plan), ..*self };
            parts.one_after_another(&target, &interrupt).await
        };
        let tally = tokio::select! {
            tally = all => tally,
            () = interrupt.at_least(Urgency::Now) => Err(interrupted()),
        };
        let troubles: Vec<String> = target.newly_ended().iter().map(ToString::to_string).collect();
        self.progress.phase(self.plan.config.target.ending(), None);
        target.stop().await;
        let mut tally = tally?;
        tally.troubles.extend(troubles);
        Ok(tally)
    }

    async fn one_after_another(
        &self,
        target: &Arc<UnderTest>,
        interrupt: &Interrupt,
    ) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        self.append(&serde_json::json!({
            "format": "jepsen-tikv parts", "version": 1, "part-ms": self.part_ms
        }))?;
        for number in 1..=self.count() {
            if interrupt.urgency() != Urgency::None {
                break;
            }
            let plan = self.part(number)?;
            if self.one(number, &plan, target, interrupt, &mut tally).await? {
                break;
            }
        }
        if interrupt.urgency() != Urgency::None {
            tally.merged.interrupted(self.plan.config.time_ms / self.count() * self.count());
        }
        Ok(tally)
    }

    /// Returns the number of parts; they are equally long, since a short last one would test too
    /// little.
    fn count(&self) -> u64 {
        (self.plan.config.time_ms / self.part_ms).max(1)
    }

    /// Returns the plan of a part.
    fn part(&self, number: u64) -> Result<Plan, Failure> {
        let mut config = self.plan.config.clone();
        config.time_ms /= self.count();
        config.seed = config.seed.wrapping_add(number - 1);
        config.workload.prefix = format!("{}{number:06}/", config.workload.prefix);
        Plan::draw(config)
    }

    /// Runs one part, judges it and deletes it. Returns true if it was the last.
    async fn one(
        &self,
        number: u64,
        plan: &Plan,
        target: &Arc<UnderTest>,
        interrupt: &Interrupt,
        tally: &mut Tally,
    ) -> Result<bool, Failure> {
        let run = RunDirectory::at(self.run.path().join("parts").join(format!("{number:06}")));
        std::fs::create_dir_all(run.path()).map_err(Failure::target_or_disk)?;
        let plan_json = plan.to_json()?;
        write_whole(&run.plan(), &plan_json)?;
        let began = Instant::now();
        let stage = Stage {
            plan,
            plan_hash: &plan::hash(&plan_json),
            run: &run,
            progress: self.progress,
            workload: Workload::new(&plan.config.workload, plan.config.seed),
            target: Arc::clone(target),
            options: Options {
                fail_fast: true,
                history_segment_bytes: Some(HISTORY_SEGMENT_MIB << 20),
                free: Free::default(),
            },
            audience: &Nobody,
        };
        let troubles = stage.perform(Purpose::Test, interrupt).await?;
        let seconds = began.elapsed().as_secs_f64();
        let (judgement, judged_seconds) = judged(&run).await?;
        let history_bytes =
            histories::source::open_found(&run.history(), histories::ReadOptions::default())
                .ok()
                .and_then(|source| source.position.length())
                .unwrap_or(0);
        let took = (seconds, judged_seconds);
        let part = Part::of(number, plan, &judgement, took, history_bytes);
        self.append(&part)?;
        self.progress.result_line(&part.in_words());
        tally.merged.take(number, &judgement, seconds, plan.config.time_ms);
        tally.operations += part.operations;
        tally.target = judgement.target;
        tally.troubles.extend(troubles.iter().cloned());
        let is_kept = match part.validity {
            Validity::Valid => {
                tally.valid += 1;
                false
            }
            Validity::Unknown => {
                tally.unknown.push(number);
                tally.unknown.len() <= UNKNOWN_KEPT
            }
            Validity::Invalid => {
                tally.invalid = Some((run, troubles));
                return Ok(true);
            }
        };
        if !is_kept {
            std::fs::remove_dir_all(run.path()).map_err(Failure::target_or_disk)?;
        }
        self.delete_keys(&plan.config.workload.prefix, target).await;
        Ok(false)
    }

    /// Deletes the keys of a part. A failure is only reported, since no other part uses these keys.
    async fn delete_keys(&self, prefix: &str, target: &UnderTest) {
        let (start, end) = Workload::prefix_range(prefix);
        let options = DirectOptions::default().with_security(target.security());
        let client = DirectClient::new(target.pd_endpoints().to_vec(), options);
        let delete = Request::DeleteRange { start, end: Some(end) };
        let deleted = client.execute(&delete, DELETE_WITHIN).await.outcome;
        if !matches!(deleted, Outcome::Ok(_)) {
            self.progress.line(&format!("the keys under {prefix} stay: {deleted:?}"));
        }
    }

    fn append(&self, line: &impl Serialize) -> Result<(), Failure> {
        let path = self.run.path().join("parts.jsonl");
        let text = serde_json::to_string(line).map_err(Failure::software)?;
        let file = plain_file::open_with(&path, OpenOptions::new().create(true).append(true));
        file.and_then(|mut file| file.write_all(format!("{text}\n").as_bytes())).map_err(|error| {
            Failure::target_or_disk(format!("cannot write {}: {error}", path.display()))
        })
    }
}

/// Judges on a thread outside the runtime, and returns the judgement and its duration in seconds.
async fn judged(run: &RunDirectory) -> Result<(Judgement, f64), Failure> {
    let history = run.history();
    let judge = move || {
        let began = Instant::now();
        let judgement = judge::judge(&history, &Judging::default())?;
        Ok((judgement, began.elapsed().as_secs_f64()))
    };
    tokio::task::spawn_blocking(judge).await.map_err(Failure::software)?
}
