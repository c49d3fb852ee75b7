//! `check`: judges recorded histories again, offline.
//!
//! In: run directories or history files, and the options for judging them. Out: a report for one, a
//! table for several, or JSON; counterexamples as files; and the exit code of the worst verdict. A
//! malformed history is refused, and its exit code outranks every verdict.

use crate::cli::CheckArgs;
use failure::{Exit, Failure};
use judge::{Judgement, Judging, counterexamples, parts::kept::Kept};
use plan::Plan;
use report::{Output, RunContext};
use run_directory::RunDirectory;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use terminal::{complain, reading_progress};

/// Each judged path with its judgement.
type Judged = Vec<(PathBuf, Judgement)>;

/// Judges each of the paths that were named.
pub fn command(args: &CheckArgs) -> Result<Exit, Failure> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads.map_or(0, usize::from))
        .build()
        .map_err(Failure::software)?;
    let mut judgements = Vec::new();
    let mut refused = Vec::new();
    let (paths, mut recorded) = opened(&args.paths)?;
    for path in &paths {
        let judged = history(path).and_then(|history| {
            let judging = Judging { named: !path.is_dir(), ..args.judging() };
            reading_progress::during(path, |watch| {
                pool.install(|| judge::judge_watched(&history, &judging, watch))
            })
        });
        match judged {
            Ok(judgement) => judgements.push((path.clone(), judgement)),
            Err(failure) if paths.len() > 1 => refused.push((path.clone(), failure)),
            Err(failure) => return Err(failure),
        }
    }
    let directories = directories(args, judgements.iter().map(|(path, _)| path.as_path()));
    let judged_here = judgements.len();
    if args.json {
        judgements.append(&mut recorded);
        print_json(&judgements)?;
    } else if let ([], []) = (judgements.as_slice(), refused.as_slice()) {
        // All paths are runs in parts of which only the recorded verdicts are left.
    } else if let ([(path, judgement)], []) = (judgements.as_slice(), refused.as_slice()) {
        let around = around(path);
        report::print(judgement, &around, Output { details: args.details, ..Output::default() });
    } else {
        print_table(&judgements, &refused);
    }
    // The verdict stands even if the counterexamples cannot be written.
    for ((_, judgement), directory) in judgements.iter().take(judged_here).zip(directories) {
        if let Some(directory) = directory {
            complain(counterexamples::write(judgement, &directory));
        }
    }
    if let Some((_, failure)) = refused.into_iter().next() {
        return Err(failure);
    }
    judgements.append(&mut recorded);
    Ok(worst(&judgements))
}

/// Returns the paths, with each run in parts replaced by the parts that it kept; and, for each run
/// in parts, the judgement over all its parts.
fn opened(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Judged), Failure> {
    let (mut opened, mut recorded) = (Vec::new(), Vec::new());
    for path in paths {
        let Some(Kept { parts, verdict }) = Kept::of(path) else {
            opened.push(path.clone());
            continue;
        };
        let said = match &verdict {
            Some(verdict) => report::verdict(verdict).concat(),
            None => "it did not come to its end, so nothing is said of all of it".into(),
        };
        let (run, kept) = (path.display(), parts.len());
        terminal::note(format_args!(
            "{run} is a run in parts, each judged when it was over. {said} Kept, and judged again: {kept}."
        ));
        if verdict.is_none() && parts.is_empty() {
            let sentence = format!("{run}: no part is kept, and there is no verdict");
            return Err(Failure::new(Exit::NoInput, sentence));
        }
        opened.extend(parts);
        recorded.extend(verdict.map(|verdict| (path.clone(), verdict)));
    }
    Ok((opened, recorded))
}

/// Returns the files that belong to a judged path: a run's report and the command that repeats it,
/// or the history file.
fn around(path: &Path) -> RunContext {
    let shown = path.display().to_string();
    let Some(run) = RunDirectory::open(path) else {
        return RunContext { history: Some(shown), ..RunContext::default() };
    };
    let repeat = Plan::read(&run.plan()).and_then(|plan| plan.repeated_by(&run.plan()));
    let report = run.html().is_file().then(|| run.html().display().to_string());
    RunContext { run: Some(shown), report, repeat: repeat.ok(), ..RunContext::default() }
}

fn worst(judgements: &[(PathBuf, Judgement)]) -> Exit {
    let exits: Vec<Exit> = judgements.iter().map(|(_, judgement)| judgement.exit()).collect();
    let order = [Exit::Invalid, Exit::Stuck, Exit::Unknown];
    order.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Valid)
}

/// Returns the folder for the counterexamples of each history. It is the folder that was named, or
/// a subfolder of it for each history if there are several. If none was named, it is the run
/// directory itself, and nothing is written beside a history file.
fn directories<'a>(
    args: &CheckArgs,
    paths: impl Iterator<Item = &'a Path>,
) -> Vec<Option<PathBuf>> {
    let mut taken = BTreeSet::new();
    let mut directory = |path: &Path| {
        let Some(folder) = &args.counterexamples else {
            // Nothing is written into a folder of another project.
            return RunDirectory::open(path).map(|run| run.path().to_owned());
        };
        if let ([only], true) = (args.paths.as_slice(), taken.is_empty())
            && only == path
        {
            return Some(folder.clone());
        }
        let stem = path.file_stem().filter(|stem| *stem != "-");
        let stem = stem.map_or("history".into(), |stem| stem.to_string_lossy().into_owned());
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let mut names = std::iter::once(stem.clone()).chain(numbered);
        let name = names.find(|name| taken.insert(name.clone()))?;
        Some(folder.join(name))
    };
    paths.map(&mut directory).collect()
}

fn print_json(judgements: &[(PathBuf, Judgement)]) -> Result<(), Failure> {
    let json = match judgements {
        [(_, judgement)] => serde_json::to_string_pretty(judgement),
        several => {
            let judgements: serde_json::Map<String, serde_json::Value> = several
                .iter()
                .map(|(path, judgement)| {
                    Ok((path.display().to_string(), serde_json::to_value(judgement)?))
                })
                .collect::<Result<_, serde_json::Error>>()
                .map_err(Failure::software)?;
            serde_json::to_string_pretty(&judgements)
        }
    };
    terminal::data(json.map_err(Failure::software)?);
    Ok(())
}

fn print_table(judgements: &[(PathBuf, Judgement)], refused: &[(PathBuf, Failure)]) {
    terminal::result(format_args!(
        "{:8} {:>10} {:>7} {:>11}  {:21} history",
        "verdict", "operations", "keys", "explored", "decided by"
    ));
    for (path, judgement) in judgements {
        let checked = &judgement.checked;
        let operations = checked.operations;
        let engines: BTreeSet<String> =
            checked.keys.iter().map(|key| key.decided_by.to_string()).collect();
        terminal::result(format_args!(
            "{:8} {:>10} {:>7} {:>11}  {:21} {}",
            judgement.validity.to_string(),
            operations.ok + operations.fail + operations.info,
            checked.keys.len(),
            checked.explored,
            engines.into_iter().collect::<Vec<_>>().join(", "),
            path.display()
        ));
    }
    for (_, failure) in refused {
        terminal::result(format_args!("{:8} {failure}", "refused"));
    }
}

/// Returns the history that a path names: the file itself, or the history of a run directory or of
/// another project's folder.
pub fn history(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    if let Some(run) = RunDirectory::open(path) {
        return Ok(run.history());
    }
    if histories::source::is_history_folder(path) {
        return Ok(path.to_owned());
    }
    Err(Failure::new(
        Exit::NoInput,
        format!(
            "{} holds no history: name a run directory, a history file, a folder of Jepsen (history.edn in it) or a \
             report folder of etcd (client-*/operations.json in it)",
            path.display()
        ),
    ))
}
