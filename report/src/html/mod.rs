//! `report.html`: a run as a person understands it, in one file that can be mailed.
//!
//! In: a run directory's files, `verdict.json` and on from there: the history, the looks at the
//! cluster, the plan. Out: one self-contained page, beside them. It decides nothing: every number
//! and sentence about right and wrong is the judgement's. Data is thinned, evidence is not; see
//! `panels`.

mod body;
mod cluster_panels;
mod errors;
mod explanation;
mod facts;
mod panels;
mod process_lanes;
mod scale;
mod sentences;
mod spacetime;
mod thinned;
mod violations;

use facts::Facts;
use failure::{Exit, Failure};
use judge::Judgement;
use pages::{Page, visible_data};
use plan::Plan;
use run_directory::{RunDirectory, write_whole};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// So many keys that a scan missed are looked up.
const KEYS_LOOKED_UP_MAX: usize = 200;

/// Writes the page of a run; of a refused one too, as far as it goes.
pub fn write(run: &RunDirectory, judged: Result<&Judgement, &Failure>) -> Result<PathBuf, Failure> {
    write_whole(&run.html(), html(run, judged)?.as_bytes())?;
    Ok(run.html())
}

/// The page of a run that has none, drawn from what there is; nothing is written.
pub fn drawn(run: &RunDirectory) -> Result<String, Failure> {
    html(run, judged(run).as_ref())
}

/// What the panels of a run show, as `panels.js` understands it.
pub fn panels_of(run: &RunDirectory) -> Result<serde_json::Value, Failure> {
    let judged = judged(run);
    let nothing = Judgement::of_nothing("");
    let judgement = judged.as_ref().unwrap_or(&nothing);
    let facts =
        Facts::read(&run.history(), &BTreeSet::new(), []).map_err(|error| cannot(run, &error))?;
    Ok(panels_data(run, judgement, &facts))
}

/// What it was judged to be, or is, if nobody judged it yet.
pub fn judged(run: &RunDirectory) -> Result<Judgement, Failure> {
    match judge::read_verdict(run) {
        Some(judgement) => Ok(judgement),
        None => judge::judge(&run.history(), &judge::Judging::default()),
    }
}

fn html(run: &RunDirectory, judged: Result<&Judgement, &Failure>) -> Result<String, Failure> {
    let refused = judged.err().map(|failure| failure.sentence.clone());
    let nothing = Judgement::of_nothing(refused.as_deref().unwrap_or_default());
    page(run, judged.unwrap_or(&nothing), refused.as_deref())
}

fn page(
    run: &RunDirectory,
    judgement: &Judgement,
    refused: Option<&str>,
) -> Result<String, Failure> {
    let counts = judgement.checked.key_counts.iter();
    let keys = counts.flat_map(|count| count.missing.iter().chain(&count.unexpected));
    let keys = keys.take(KEYS_LOOKED_UP_MAX).map(|key| key.0.clone());
    let facts = match Facts::read(&run.history(), &wanted(judgement), keys) {
        Err(error) if refused.is_none() && judgement.parts.is_none() => {
            return Err(cannot(run, &error));
        }
        // It is refused already, and the page says why; or its parts had histories of their own.
        facts => facts.unwrap_or_default(),
    };
    let data = panels_data(run, judgement, &facts);
    let errors = errors::by_kind(&run.history());
    let title = title(run);
    let repeat = Plan::read(&run.plan()).ok().and_then(|plan| plan.command_line().ok());
    let body = body::body(&body::PageContent {
        title: &title,
        judgement,
        refused,
        facts: &facts,
        errors: &errors,
        repeat: repeat.as_deref(),
        files: &files(run.path()),
    });
    let data = data.to_string();
    let script = include_str!("report.js");
    Ok(Page { title: &title, body: &body, draws: true, script, data: Some(&data) }.html())
}

fn panels_data(run: &RunDirectory, judgement: &Judgement, facts: &Facts) -> serde_json::Value {
    let samples = cluster_panels::read(&run.samples());
    let stores = cluster_panels::stores(&samples);
    let mut drawn: Vec<serde_json::Value> = panels::faults(judgement).into_iter().collect();
    drawn.push(panels::throughput(facts));
    drawn.push(panels::latency(facts));
    drawn.extend(panels::processes(facts, &stores));
    drawn.extend(cluster_panels::panels(&samples));
    drawn.extend(panels::key_counts(judgement));
    visible_data(serde_json::json!({
        "panels": drawn, "bands": panels::bands(judgement), "end": facts.end_s()
    }))
}

fn cannot(run: &RunDirectory, error: &histories::ReadError) -> Failure {
    Failure::new(Exit::NoInput, format!("{}: {error}", run.history().display()))
}

/// The operations that the page shows in full, by the index of the event that invoked them.
fn wanted(judgement: &Judgement) -> BTreeSet<u64> {
    let checked = &judgement.checked;
    let shown = checked.keys.iter().filter_map(|key| key.counterexample.as_ref());
    let shown = shown.flat_map(|found| found.operations.iter().copied());
    let findings = checked.findings.iter().flat_map(|finding| finding.operations.iter().copied());
    shown.chain(findings).collect()
}

/// The test's name and when it ran, from the directory's own names.
fn title(run: &RunDirectory) -> String {
    let path = run.path().canonicalize().unwrap_or_else(|_| run.path().to_owned());
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    format!("{} {}", name(path.parent()), name(Some(&path)))
}

/// Plain files beside the page.
fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let plain = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let mut names: Vec<String> =
        plain.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| {
        name != "report.html" && Path::new(name).extension().is_none_or(|it| it != "part")
    });
    names.sort();
    names
}
