//! The results of a long run's parts: a line for each, and all of them together.
//!
//! In: judgements. Out: lines of `parts.jsonl`, lines on stdout, the exit code. Decides nothing but
//! the worst.

use checker::Validity;
use failure::{Exit, Failure};
use judge::{Judgement, Judging, KeysListed, parts::Merged};
use plan::Plan;
use report::{Output, RunContext, conclude, html};
use run_directory::{RunDirectory, shown, shown_path};
use serde::Serialize;
use terminal::complain;

/// One part and its result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    #[serde(rename = "part")]
    number: u64,
    seed: u64,
    /// The part's verdict.
    pub validity: Validity,
    reasons: Vec<String>,
    /// The number of operations of all outcomes.
    pub operations: u64,
    ok: u64,
    longest_gap_ms: u64,
    seconds: f64,
    judged_seconds: f64,
    history_bytes: u64,
    /// The memory of this process when the part was judged, and its peak so far, MiB.
    memory_mib: Option<u64>,
    memory_max_mib: Option<u64>,
}

/// The results of all parts.
#[derive(Debug, Default)]
pub struct Tally {
    /// The number of valid parts.
    pub valid: u64,
    /// The numbers of the undecided parts.
    pub unknown: Vec<u64>,
    /// The merged verdicts of all parts.
    pub merged: Merged,
    /// The number of operations of all parts.
    pub operations: u64,
    /// The system under test.
    pub target: String,
    /// The invalid part, with sentences about faults that could not be healed.
    pub invalid: Option<(RunDirectory, Vec<String>)>,
    /// The target's own troubles, in sentences.
    pub troubles: Vec<String>,
}

impl Part {
    /// The result of a judged part. The seconds are the part's duration and that of judging it.
    pub fn of(
        number: u64,
        plan: &Plan,
        judgement: &Judgement,
        (seconds, judged_seconds): (f64, f64),
        history_bytes: u64,
    ) -> Self {
        let counts = judgement.operations.values();
        let gap =
            judgement.faults.iter().map(|fault| fault.longest_gap_ns).max().unwrap_or_default();
        Self {
            number,
            seed: plan.config.seed,
            validity: judgement.validity,
            reasons: judgement.reasons.iter().take(3).cloned().collect(),
            operations: counts.clone().map(|it| it.ok + it.fail + it.info).sum(),
            ok: counts.map(|it| it.ok).sum(),
            longest_gap_ms: gap / 1_000_000,
            seconds,
            judged_seconds,
            history_bytes,
            memory_mib: memory_mib("VmRSS:"),
            memory_max_mib: memory_mib("VmHWM:"),
        }
    }

    /// Formats the part as a line.
    pub fn in_words(&self) -> String {
        let memory = self.memory_mib.map_or_else(|| "unknown".into(), |mib| format!("{mib} MiB"));
        format!(
            "part {}: {}, {} operations in {:.0} s, longest gap {} ms, judged in {:.1} s, memory {memory} {}",
            self.number,
            self.validity,
            self.operations,
            self.seconds,
            self.longest_gap_ms,
            self.judged_seconds,
            self.reasons.first().map_or("", String::as_str)
        )
    }
}

/// Returns a value of this process' memory from `/proc`, MiB.
fn memory_mib(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
}

impl Tally {
    /// Writes and prints the result of all parts, and returns the exit code.
    pub fn tell(mut self, run: &RunDirectory) -> Result<Exit, Failure> {
        let mut merged = std::mem::take(&mut self.merged).judgement();
        let write = |merged: &mut Judgement| {
            complain(merged.write(&run.verdict(), KeysListed::Remarkable));
            complain(html::write(run, Ok(merged)));
        };
        if let Some((part, troubles)) = self.invalid {
            let repeat = format!("jepsen-tikv replay {}", shown(&part));
            let exit = conclude(
                &part,
                judge::of_run(&part, &Judging::default()),
                &troubles,
                &repeat,
                Output::default(),
            );
            write(&mut merged);
            return exit;
        }
        let around = RunContext {
            run: Some(shown(run)),
            report: Some(shown_path(&run.html())),
            troubles: self.troubles.clone(),
            ..RunContext::default()
        };
        report::print(&merged, &around, Output::default());
        write(&mut merged);
        let exit = merged.exit();
        match (exit, self.troubles.first()) {
            (Exit::Valid, Some(trouble)) => Err(Failure::target_or_disk(trouble)),
            (exit, _) => Ok(exit),
        }
    }
}
