//! `check`: judges recorded histories again, offline.
//!
//! In: run directories or history files, and how to judge them. Out: a report for one, a table for several, or
//! JSON; counterexamples as files; and how the program ends: as the worst of them. A malformed history is refused,
//! and ends it worse than any verdict.

use crate::cli::CheckArgs;
use failure::{Exit, Failure};
use judge::{Judgement, Judging, counterexamples, parts::kept::Kept};
use plan::Plan;
use report::{Around, Told};
use run_directory::RunDirectory;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use terminal::{complain, reading_progress};

/// What was judged, and to be what.
type Judged = Vec<(PathBuf, Judgement)>;

/// Judges each of these.
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
        // Only runs in parts of which nothing is left but what was said of them.
    } else if let ([(path, judgement)], []) = (judgements.as_slice(), refused.as_slice()) {
        let around = around(path);
        report::print(judgement, &around, Told { details: args.details, ..Told::default() });
    } else {
        print_table(&judgements, &refused);
    }
    // The verdict stands whether or not they can be written.
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

/// The paths, with the parts that are kept in place of runs in parts; and what was judged of all parts of each of these.
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

/// Where the files of what was judged are: a run's report and the command that repeats it, or the
/// history file.
fn around(path: &Path) -> Around {
    let shown = path.display().to_string();
    let Some(run) = RunDirectory::open(path) else {
        return Around { history: Some(shown), ..Around::default() };
    };
    let repeat = Plan::read(&run.plan()).and_then(|plan| plan.repeated_by(&run.plan()));
    let report = run.html().is_file().then(|| run.html().display().to_string());
    Around { run: Some(shown), report, repeat: repeat.ok(), ..Around::default() }
}

fn worst(judgements: &[(PathBuf, Judgement)]) -> Exit {
    let exits: Vec<Exit> = judgements.iter().map(|(_, judgement)| judgement.exit()).collect();
    let order = [Exit::Invalid, Exit::Stuck, Exit::Unknown];
    order.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Valid)
}

/// Where the counterexamples of each history go: the folder that was named, a folder of its own in there if there are
/// several histories, a run directory itself if none was named. Nothing is written beside a file unasked.
fn directories<'a>(
    args: &CheckArgs,
    paths: impl Iterator<Item = &'a Path>,
) -> Vec<Option<PathBuf>> {
    let mut taken = BTreeSet::new();
    let mut directory = |path: &Path| {
        let Some(folder) = &args.counterexamples else {
            // A folder of another project is not ours to write to.
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

/// The history that a path names: the file itself, that of a run directory, or a folder of another project.
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
