//! A run's row in the list.
//!
//! In: a run's directory. Out: [`Row`], read from the beginning of the run's verdict, its plan, and
//! both ends of its history, never from a whole history. Unknown facts are absent.

use super::{
    tail::{self, Tail},
    verdict_head::{self, VerdictHead},
};
use run_directory::{
    RunDirectory,
    plain_file::{self, PLAN_BYTES_MAX},
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    time::{Duration, SystemTime},
};
use targets::state;

/// The longest header, bytes.
const HEADER_MAX: u64 = 256 << 10;
/// A history that was written to more recently than this belongs to a run in progress.
const RECENT: Duration = Duration::from_secs(5);

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Judged: linearizable.
    Valid,
    /// Judged: not linearizable.
    Invalid,
    /// Judged, and not decided.
    Unknown,
    /// Judged, and the run tested too little.
    Vacuous,
    /// The history breaks the rules of histories.
    Refused,
    /// The run is in progress.
    Running,
    /// The run ended before it was judged.
    Unjudged,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The run's directory, relative to the folder of all runs.
    pub id: String,
    /// The test's name.
    pub name: String,
    /// The time of the beginning: the directory's name, or the file system's time.
    pub began: String,
    /// The run's state.
    pub state: State,
    /// The reason why it is not valid, in a sentence.
    pub says: String,
    /// The system under test.
    pub target: String,
    /// The clients' workload.
    pub workload: String,
    /// The faults that were configured.
    pub nemesis: String,
    /// The seed.
    pub seed: Option<u64>,
    /// The number of operations, if the run was judged.
    pub operations: Option<u64>,
    /// The number of faults seen in force, and of all faults.
    pub faults: Option<[usize; 2]>,
    /// The longest time without a success during a fault, milliseconds.
    pub longest_gap_ms: Option<u64>,
    /// The time of the last event, seconds.
    pub duration_s: Option<f64>,
    /// True if the history's last line is incomplete.
    pub torn: bool,
}

/// Reads a run.
pub fn read(run: &RunDirectory, id: &str) -> Row {
    let header = header(&run.history());
    let plan = plan(&run.plan());
    let tail = tail::read(&run.history());
    let verdict = verdict_head::read(&run.verdict());
    let state = state(run, verdict.as_ref());
    let torn = tail.is_some_and(|tail| tail.torn) && state != State::Running;
    let (name, began) = id.rsplit_once('/').unwrap_or(("", id));
    let text = |field: &str, way: &str| {
        let found = header.get(field).or_else(|| plan.pointer(way));
        found.map(words).unwrap_or_default()
    };
    let target = verdict.as_ref().map(|it| it.target.clone()).filter(|it| !it.is_empty());
    let operations = verdict
        .as_ref()
        .map(|it| it.operations.values().map(|count| count.ok + count.fail + count.info).sum());
    let gap = |it: &VerdictHead| it.faults.iter().map(|fault| fault.longest_gap_ns).max();
    Row {
        id: id.to_owned(),
        name: name.to_owned(),
        began: stamp(began).unwrap_or_else(|| modified(run.path())),
        says: says(state, torn, verdict.as_ref()),
        target: target.unwrap_or_else(|| text("target", "/config/target/kind")),
        workload: text("workload", "/config/workload/name"),
        nemesis: text("nemesis", "/config/nemesis/faults"),
        seed: header.get("seed").or_else(|| plan.pointer("/config/seed")).and_then(Value::as_u64),
        operations,
        faults: verdict
            .as_ref()
            .map(|it| [it.faults.iter().filter(|fault| fault.confirmed).count(), it.faults.len()]),
        longest_gap_ms: verdict.as_ref().and_then(gap).map(|ns| ns / 1_000_000),
        duration_s: tail.and_then(|Tail { last_ns, .. }| last_ns).map(|ns| ns as f64 / 1e9),
        torn,
        state,
    }
}

fn state(run: &RunDirectory, verdict: Option<&VerdictHead>) -> State {
    use checker::Validity;
    match verdict.and_then(|it| Some((it.validity?, it.vacuous))) {
        Some((Validity::Valid, _)) => State::Valid,
        Some((Validity::Invalid, _)) => State::Invalid,
        Some((Validity::Unknown, true)) => State::Vacuous,
        Some((Validity::Unknown, false)) => State::Unknown,
        None if is_plain_file(&run.refusal()) => State::Refused,
        None if is_running(run) => State::Running,
        None => State::Unjudged,
    }
}

/// Returns true if this is a file, and no link to one.
fn is_plain_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|it| it.is_file())
}

/// Returns true if the run's tester lives, by this user's own records. A run without a record
/// counts as in progress if its history was written to a moment ago.
fn is_running(run: &RunDirectory) -> bool {
    if let Some(record) = state::of_directory(run.path()) {
        return record.lives();
    }
    let touched = [run.history(), run.plan()].into_iter().filter_map(|path| {
        let modified = path.metadata().and_then(|it| it.modified()).ok()?;
        SystemTime::now().duration_since(modified).ok()
    });
    touched.min().is_some_and(|ago| ago < RECENT)
}

fn says(state: State, torn: bool, verdict: Option<&VerdictHead>) -> String {
    let torn = if torn { "the history's last line is torn; " } else { "" };
    match state {
        State::Refused => {
            format!("{torn}the history breaks the rules of histories: its report says how")
        }
        State::Unjudged => {
            format!(
                "{torn}it has no verdict.json that can be read: jepsen-tikv check judges its history"
            )
        }
        State::Running => "it goes on, or is being judged".to_owned(),
        _ => verdict.and_then(|it| it.reasons.first().cloned()).unwrap_or_default(),
    }
}

/// Returns the header of a history.
fn header(history: &Path) -> Map<String, Value> {
    let mut line = Vec::new();
    let read = plain_file::open(history)
        .and_then(|file| BufReader::new(file.take(HEADER_MAX)).read_until(b'\n', &mut line));
    let parsed = read.ok().and_then(|_| serde_json::from_slice(&line).ok());
    match parsed {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn plan(path: &Path) -> Value {
    plain_file::json(path, PLAN_BYTES_MAX).unwrap_or_default()
}

/// Formats a value for people.
pub fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(several) if several.is_empty() => "none".to_owned(),
        Value::Array(several) => several.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Formats `20261124T180618.123Z` as `2026-11-24 18:06:18`.
fn stamp(name: &str) -> Option<String> {
    let plain = name.len() >= 15 && name.is_ascii() && name.as_bytes()[8] == b'T';
    let digits = |range: std::ops::Range<usize>| {
        let part = name.get(range)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then_some(part)
    };
    let (date, time) = (digits(0..8).filter(|_| plain)?, digits(9..15)?);
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    Some(format!("{year}-{month}-{day} {}:{}:{}", &time[..2], &time[2..4], &time[4..]))
}

fn modified(path: &Path) -> String {
    let at = path.metadata().and_then(|it| it.modified()).ok();
    let at = at.and_then(|at| jiff::Timestamp::try_from(at).ok());
    at.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_run_s_name_tells_when_it_began() {
        assert_eq!(stamp("20261124T180618.123Z").as_deref(), Some("2026-11-24 18:06:18"));
        for other in ["latest", "20261124", "2026112xT180618.123Z", "20261124T18061é.123Z"] {
            assert_eq!(stamp(other), None, "{other}");
        }
    }

    #[test]
    fn a_torn_run_without_a_verdict_is_listed_as_such() {
        let place = tempfile::tempdir().expect("a directory");
        let run = RunDirectory::at(place.path().to_owned());
        let text = "{\"format\":\"jepsen-tikv history\",\"version\":1,\"seed\":7,\"nemesis\":[\"mix\"]}\n\
                    {\"index\":0,\"time\":2500000000,\"process\":0}\n{\"index\":1,\"ti";
        std::fs::write(run.history(), text).expect("written");
        let long_ago = SystemTime::now() - Duration::from_mins(10);
        File::open(run.history()).expect("open").set_modified(long_ago).expect("set");
        let row = read(&run, "test/20260101T000000.000Z");
        assert_eq!((row.state, row.torn, row.seed), (State::Unjudged, true, Some(7)));
        assert_eq!((row.name.as_str(), row.nemesis.as_str()), ("test", "mix"));
        assert_eq!(row.duration_s, Some(2.5));
        assert!(row.says.contains("torn"), "{}", row.says);
        // A report alone says nothing of the history; the judge's refusal does.
        std::fs::write(run.html(), "").expect("written");
        assert_eq!(read(&run, "test/x").state, State::Unjudged);
        std::fs::write(run.refusal(), "{}").expect("written");
        assert_eq!(read(&run, "test/x").state, State::Refused);
    }
}
