//! What a report needs of a history, gathered in one reading.
//!
//! In: a history file, and which operations and keys are wanted in full. Out: [`Facts`]: all
//! operations, thinned, the wanted ones whole, and when which store's process was stopped, killed,
//! resumed or started. A torn end is reported and what stands before it is used. It judges nothing.

use super::thinned::Thinned;
use histories::{
    Answer, AnswerRef, EventRef, Header, Operation, OutcomeRef, Process, ReadError, WhatRef,
    cluster_sample::ProcessWord, jsonl::Text,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// It took effect and was answered.
    Ok,
    /// It certainly took no effect.
    Fail,
    /// Unknown; also if it never completed.
    Info,
}

/// One operation of any kind.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Its kind: a history's `f`.
    pub kind: &'static str,
    /// How it ended.
    pub ended: Ended,
    /// When it was invoked, nanoseconds.
    pub invoked_ns: u64,
    /// When it completed, nanoseconds.
    pub completed_ns: u64,
}

impl Done {
    /// It changes nothing.
    pub fn is_read(&self) -> bool {
        matches!(self.kind, "get" | "batch-get" | "scan")
    }

    /// How long it took, nanoseconds.
    pub fn took_ns(&self) -> u64 {
        self.completed_ns.saturating_sub(self.invoked_ns)
    }
}

/// One operation in full.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who.
    pub client: u64,
    /// What, in a few words: `get → "v41"`, `put "v42"`.
    pub words: String,
    /// The value read or written, as shown.
    pub value: String,
    /// It changes nothing.
    pub is_read: bool,
    /// When it was invoked.
    pub invoked_ns: u64,
    /// When it completed; `None` = never, or the outcome is unknown.
    pub completed_ns: Option<u64>,
}

/// A change of a store's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessChange {
    /// When the signal was sent; in histories that do not hold it, when it was about to be.
    pub at_ns: u64,
    /// When it was seen to have acted.
    pub confirmed_ns: u64,
    /// Which store.
    pub store: u64,
    /// What its process does from then on.
    pub state: ProcessWord,
}

/// What was last known of a key.
#[derive(Debug, Clone, Default)]
pub struct KeyLast {
    /// The last acknowledged write: client, what, when.
    pub written: Option<(u64, String, u64)>,
    /// The last time that anybody saw it: client, when.
    pub seen: Option<(u64, u64)>,
}

/// What a report needs of a history.
#[derive(Debug, Default)]
pub struct Facts {
    /// What the history says of itself.
    pub header: Header,
    /// Every completed operation.
    pub done: Thinned,
    /// Operations that never completed.
    pub never_completed: u64,
    /// Those that were wanted, by the index of the event that invoked them.
    pub wanted: BTreeMap<u64, Wanted>,
    /// The keys that were wanted.
    pub keys: BTreeMap<Vec<u8>, KeyLast>,
    /// Changes of processes, in time.
    pub processes: Vec<ProcessChange>,
    /// The last event's time.
    pub end_ns: u64,
    /// Why the file could not be read to its end.
    pub torn: Option<String>,
    /// Steps of faults that were begun, by fault and step: when.
    pub(super) begun: HashMap<(Option<u64>, String), u64>,
    /// What each client has open: kind, when invoked, by which event.
    pub(super) open: HashMap<u64, (&'static str, u64, u64)>,
}

/// Longer values are cut.
const SHOWN_MAX: usize = 18;

/// Bytes as a report shows them.
pub fn shown(bytes: &[u8]) -> String {
    let text = Text(bytes.to_vec()).to_string();
    // What workloads pad their values with says nothing.
    let told = text.trim_end_matches('.');
    let cut: String = told.chars().take(SHOWN_MAX).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

impl Facts {
    /// Reads a history.
    pub fn read(
        path: &Path,
        wanted: &BTreeSet<u64>,
        keys: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, ReadError> {
        let source = histories::source::open_found(path, histories::ReadOptions::default())?;
        let mut facts = Self { header: source.header.clone(), ..Self::default() };
        facts.keys.extend(keys.into_iter().map(|key| (key, KeyLast::default())));
        let heard = source.visit(|event| {
            facts.observe(event, wanted);
            Ok::<(), ReadError>(())
        });
        if let Err(error) = heard {
            facts.torn = Some(error.to_string());
        }
        facts.never_completed = facts.open.len() as u64;
        facts.processes.sort_by_key(|change| change.at_ns);
        Ok(facts)
    }

    fn observe(&mut self, event: EventRef<'_>, wanted: &BTreeSet<u64>) {
        self.end_ns = self.end_ns.max(event.time_ns);
        match (event.process, event.what) {
            (Process::Client(client), WhatRef::Invoke(operation)) => {
                self.open.insert(client, (operation.name(), event.time_ns, event.index));
                if wanted.contains(&event.index) {
                    let operation = operation.to_operation();
                    let value = written(&operation);
                    let is_read = value.is_none();
                    let words = words(&operation, value.as_deref());
                    let value = value.unwrap_or_default();
                    let (invoked_ns, completed_ns) = (event.time_ns, None);
                    let seen = Wanted { client, words, value, is_read, invoked_ns, completed_ns };
                    self.wanted.insert(event.index, seen);
                }
            }
            (Process::Client(client), WhatRef::Complete(operation, outcome)) => {
                let Some((kind, invoked_ns, index)) = self.open.remove(&client) else { return };
                let ended = match outcome {
                    OutcomeRef::Ok(_) => Ended::Ok,
                    OutcomeRef::Fail => Ended::Fail,
                    OutcomeRef::Info => Ended::Info,
                };
                self.done.push(Done { kind, ended, invoked_ns, completed_ns: event.time_ns });
                let OutcomeRef::Ok(answer) = outcome else { return };
                if let Some(wanted) = self.wanted.get_mut(&index) {
                    wanted.completed_ns = Some(event.time_ns);
                    if let AnswerRef::Got(value) = answer {
                        wanted.value = value.map_or_else(|| "nothing".to_owned(), shown);
                        wanted.words = format!("get → {}", wanted.value);
                    }
                }
                if !self.keys.is_empty() {
                    self.note_key(client, &operation.to_operation(), answer, event.time_ns);
                }
            }
            (Process::Nemesis, WhatRef::FaultInvoke(f, value)) => {
                self.begun.insert((value["fault"].as_u64(), f.to_owned()), event.time_ns);
            }
            (Process::Nemesis, WhatRef::FaultComplete(f, value)) => {
                self.note_processes(f, value, event.time_ns);
            }
            _ => {}
        }
    }

    fn note_key(&mut self, client: u64, operation: &Operation, answer: AnswerRef<'_>, at_ns: u64) {
        match operation {
            Operation::Put { key, .. } | Operation::Cas { key, .. } | Operation::Delete { key } => {
                let Some(last) = self.keys.get_mut(key) else { return };
                if !matches!(answer, AnswerRef::Cas { swapped: false, .. }) {
                    last.written =
                        Some((client, words(operation, written(operation).as_deref()), at_ns));
                }
            }
            Operation::Get { key } => {
                if let (Some(last), AnswerRef::Got(Some(_))) = (self.keys.get_mut(key), answer) {
                    last.seen = Some((client, at_ns));
                }
            }
            _ => self.note_seen(client, answer, at_ns),
        }
    }

    /// What a scan or a batch returned was seen.
    fn note_seen(&mut self, client: u64, answer: AnswerRef<'_>, at_ns: u64) {
        let mut see = |key: &[u8]| {
            if let Some(last) = self.keys.get_mut(key) {
                last.seen = Some((client, at_ns));
            }
        };
        match answer {
            AnswerRef::Other(Answer::ScannedKeys(keys)) => keys.iter().for_each(|key| see(key)),
            AnswerRef::Other(Answer::Scanned(pairs)) => pairs.iter().for_each(|(key, _)| see(key)),
            AnswerRef::Other(Answer::GotBatch(pairs)) => {
                pairs.iter().filter(|(_, value)| value.is_some()).for_each(|(key, _)| see(key));
            }
            _ => {}
        }
    }

    /// A step of a fault tells what was seen of each process.
    fn note_processes(&mut self, f: &str, value: &serde_json::Value, confirmed_ns: u64) {
        let begun_ns = self.begun.remove(&(value["fault"].as_u64(), f.to_owned()));
        if !matches!(f, "pause" | "resume" | "kill" | "start" | "disk-error") {
            return;
        }
        for store in value["stores"].as_array().into_iter().flatten() {
            let id = store["id"].as_u64().or_else(|| store["store"].as_u64());
            let state = match store["state"].as_str() {
                Some("stopped") => ProcessWord::Stopped,
                Some("gone") => ProcessWord::Gone,
                Some("running") => ProcessWord::Running,
                _ => continue,
            };
            let at_ns = store["signalled_ns"].as_u64().or(begun_ns).unwrap_or(confirmed_ns);
            let at_ns = at_ns.min(confirmed_ns);
            if let Some(store) = id {
                self.processes.push(ProcessChange { at_ns, confirmed_ns, store, state });
            }
        }
    }

    /// The last operation's time in seconds, at least a thousandth.
    pub fn end_s(&self) -> f64 {
        (self.end_ns as f64 / 1e9).max(0.001)
    }
}

/// What an operation writes; `None` if it changes nothing.
fn written(operation: &Operation) -> Option<String> {
    match operation {
        Operation::Put { value, .. } => Some(shown(value)),
        Operation::Cas { new, .. } => Some(shown(new)),
        Operation::Delete { .. }
        | Operation::BatchDelete { .. }
        | Operation::DeleteRange { .. } => Some("nothing".to_owned()),
        Operation::BatchPut { pairs } => Some(format!("{} values", pairs.len())),
        Operation::Get { .. } | Operation::BatchGet { .. } | Operation::Scan { .. } => None,
    }
}

fn words(operation: &Operation, value: Option<&str>) -> String {
    let name = operation.name();
    match (operation, value) {
        (Operation::Cas { expected, new, .. }, _) => {
            let expected = expected.as_deref().map_or_else(|| "nothing".to_owned(), shown);
            format!("cas {expected} → {}", shown(new))
        }
        (Operation::Put { .. } | Operation::BatchPut { .. }, Some(value)) => {
            format!("{name} {value}")
        }
        _ => name.to_owned(),
    }
}
