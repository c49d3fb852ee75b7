//! The history of one register in Jepsen's EDN: a vector of maps, as `knossos.core/analysis` takes
//! it.
//!
//! In: the calls on one key. Out: text. An event is
//! `{:process 0, :type :invoke, :f :write, :value "a", :time 12, :index 0}`, with `:read`, `:write`
//! and `:cas` (`[expected new]`). Values are strings; bytes that are no text are keywords,
//! `:hex-00ff`.
//!
//! Absence is [`ABSENT`], because Knossos takes a read of `nil` for one that says nothing. So the
//! model is `(knossos.model/cas-register :absent)`, and a delete writes `:absent`. Where times are
//! equal, beginnings come first, as our intervals are closed. A process has one open call; a call
//! that overlaps another one of its client gets a process of its own.

use super::{Fate, KeyCall, KeyOperation};
use crate::operation::Value;
use rustc_hash::FxBuildHasher;
use std::{collections::HashMap, fmt::Write as _};

/// The value of an absent key.
pub const ABSENT: &str = ":absent";

/// The text of the whole file. The calls are in the order of invocation.
pub fn text(key: &str, calls: &[KeyCall]) -> String {
    let title = format!("the key {key}, exported by jepsen-tikv {}", env!("CARGO_PKG_VERSION"));
    // A comment ends with its line, so the title must not hold a line break.
    let title = title.replace(['\n', '\r'], " ");
    let mut text = format!("; {title}; model: (knossos.model/cas-register {ABSENT})\n[");
    let mut first = true;
    for (index, half) in halves(calls).into_iter().enumerate() {
        if !std::mem::take(&mut first) {
            text.push_str("\n ");
        }
        let Half { process, kind, f, value, time_ns } = half;
        let _ = write!(
            text,
            "{{:process {process}, :type :{kind}, :f :{f}, :value {value}, :time {time_ns}, :index {index}}}"
        );
    }
    text.push_str("]\n");
    text
}

struct Half {
    process: u64,
    kind: &'static str,
    f: &'static str,
    value: String,
    time_ns: u64,
}

fn halves(calls: &[KeyCall]) -> Vec<Half> {
    let mut next =
        calls.iter().map(|call| call.client).max().map_or(0, |max| max.saturating_add(1));
    let mut last: HashMap<u64, u64, FxBuildHasher> = HashMap::default();
    let mut halves = Vec::with_capacity(calls.len() * 2);
    for call in calls {
        let fits = last.get(&call.client).is_none_or(|&finish_ns| finish_ns < call.invoke_ns);
        let process = if fits {
            call.client
        } else {
            next += 1;
            next - 1
        };
        last.insert(process, call.finish_ns);
        let (f, asked, answered) = words(&call.operation);
        let half = |kind, value, time_ns| Half { process, kind, f, value, time_ns };
        halves.push((false, half("invoke", asked.clone(), call.invoke_ns)));
        halves.push(match call.fate {
            Fate::Ok => (true, half("ok", answered, call.finish_ns)),
            Fate::Fail => (true, half("fail", asked, call.finish_ns)),
            Fate::Info => (true, half("info", asked, u64::MAX)),
        });
    }
    halves.sort_by_key(|(is_end, half)| (half.time_ns, *is_end));
    // The end of a call of unknown outcome is unknown: placed after everything else, it constrains
    // nothing.
    let is_known = |half: &&(bool, Half)| half.1.time_ns < u64::MAX;
    let last_ns = halves.iter().rfind(is_known).map_or(0, |(_, half)| half.time_ns);
    let timed = |half: Half| Half { time_ns: half.time_ns.min(last_ns + 1), ..half };
    halves.into_iter().map(|(_, half)| timed(half)).collect()
}

/// The call's name, and its value at invoke and at ok.
fn words(operation: &KeyOperation) -> (&'static str, String, String) {
    match operation {
        KeyOperation::Read(seen) => ("read", "nil".into(), shown(seen.as_ref())),
        KeyOperation::Write(value) => {
            let value = shown(value.as_ref());
            ("write", value.clone(), value)
        }
        KeyOperation::Cas(expected, new) => {
            let pair = format!("[{} {}]", shown(expected.as_ref()), shown(Some(new)));
            ("cas", pair.clone(), pair)
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(bytes) = value else { return ABSENT.to_owned() };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return bytes.iter().fold(":hex-".to_owned(), |hex, byte| format!("{hex}{byte:02x}"));
    };
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => shown.extend(['\\', character]),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            other => shown.push(other),
        }
    }
    shown.push('"');
    shown
}
