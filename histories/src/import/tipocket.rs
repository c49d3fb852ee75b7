//! Histories of tipocket: one JSON object a line, `{"action":…,"proc":…,"time":…,"data":…}`.
//!
//! In: text. Out: events. Its two models of a register are known, and told apart by the shape of `data`:
//!
//! | model | `data` of a `call` | `data` of a `return` |
//! |---|---|---|
//! | register | `{"Op":false}` reads, `{"Op":true,"Value":n}` writes | `{"Unknown":bool,"Value":n}` |
//! | CAS register | `{"Op":0}` reads, `{"Op":1,"Arg1":n}` writes, `{"Op":2,"Arg1":from,"Arg2":to}` | `{"Ok":bool,"Exists":bool,"Value":n,"Unknown":bool}` |
//!
//! The state that a `dump` before the first call holds, 0 without one, is a register's first value; a CAS register
//! begins absent. Later dumps say nothing about when they were read, and are left out. Other actions are faults. As with other
//! imports time is the order of the lines.

use super::{Importer, RawEvent, Reading, edn::Edn};
use crate::error::{MalformedReason, ReadError};
use crate::event::Event;
use rustc_hash::FxBuildHasher;
use serde::Deserialize;
use std::collections::HashMap;

/// The client that puts the first value.
const SETTER: u64 = u64::MAX >> 1;

#[derive(Debug, Deserialize)]
struct Line {
    action: String,
    proc: i64,
    data: serde_json::Value,
}

/// Reads a history of tipocket.
pub fn read_tipocket(text: &str) -> impl Iterator<Item = Result<Event, ReadError>> {
    let mut import = Tipocket {
        importer: Importer::new(Reading { nil_is_absence: true, failed_cas_observes: true }),
        model: None,
        first: None,
        operations: HashMap::default(),
    };
    let mut events = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if line.trim().is_empty() {
            continue;
        }
        if let Err(error) = import.line(number, line, &mut events) {
            events.push(Err(error));
            break;
        }
    }
    events.into_iter()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Register,
    CasRegister,
}

struct Tipocket {
    importer: Importer,
    model: Option<Model>,
    /// What a dump before the first call said.
    first: Option<serde_json::Value>,
    /// What each process has open: `f` and its value.
    operations: HashMap<i64, (String, Edn), FxBuildHasher>,
}

impl Tipocket {
    fn line(
        &mut self,
        number: u64,
        text: &str,
        events: &mut Vec<Result<Event, ReadError>>,
    ) -> Result<(), ReadError> {
        let wrong = |reason: String| {
            if text.ends_with('\n') {
                ReadError::Malformed { line: number, reason: MalformedReason::Shape(reason) }
            } else {
                ReadError::TornTail { line: number }
            }
        };
        let line: Line = serde_json::from_str(text)
            .map_err(|error| wrong(format!("not a line of tipocket: {error}")))?;
        match line.action.as_str() {
            "call" => {
                let (model, f, value) = request(&line.data)
                    .ok_or_else(|| wrong(format!("no request of a register: {}", line.data)))?;
                if self.model.is_none() {
                    self.model = Some(model);
                    self.set_first(number, model, events)?;
                }
                self.operations.insert(line.proc, (f.clone(), value.clone()));
                events.push(Ok(self.event(number, line.proc, "invoke", f, value)?));
            }
            "return" => {
                // A return without a call: whatever it says, the rules of order refuse it.
                let nothing = || ("read".to_owned(), Edn::Nil);
                let (f, value) = self.operations.remove(&line.proc).unwrap_or_else(nothing);
                let (kind, value) = response(&f, value, &line.data, self.model)
                    .ok_or_else(|| wrong(format!("no response of a register: {}", line.data)))?;
                events.push(Ok(self.event(number, line.proc, kind, f, value)?));
            }
            "dump" if self.model.is_none() => self.first = Some(line.data),
            "dump" => {}
            fault => events.push(Ok(self.event(number, -1, "info", fault.to_owned(), Edn::Nil)?)),
        }
        Ok(())
    }

    /// A write of what the register holds at first.
    fn set_first(
        &mut self,
        number: u64,
        model: Model,
        events: &mut Vec<Result<Event, ReadError>>,
    ) -> Result<(), ReadError> {
        let first = match (self.first.take(), model) {
            (Some(first), _) => number_of(&first).filter(|first| first != "-1"),
            (None, Model::Register) => Some("0".to_owned()),
            (None, Model::CasRegister) => None,
        };
        let Some(first) = first else { return Ok(()) };
        for kind in ["invoke", "ok"] {
            let value = Edn::Symbol(first.clone());
            events.push(Ok(self.event(
                number,
                SETTER.cast_signed(),
                kind,
                "write".into(),
                value,
            )?));
        }
        Ok(())
    }

    fn event(
        &mut self,
        line: u64,
        process: i64,
        kind: &str,
        f: String,
        value: Edn,
    ) -> Result<Event, ReadError> {
        let client = u64::try_from(process).ok();
        self.importer.event(RawEvent { line, client, kind: kind.to_owned(), f, key: None, value })
    }
}

fn number_of(value: &serde_json::Value) -> Option<String> {
    value.as_i64().map(|number| number.to_string())
}

/// Which model a request belongs to, and what it asks.
fn request(data: &serde_json::Value) -> Option<(Model, String, Edn)> {
    let number = |name: &str| number_of(data.get(name)?).map(Edn::Symbol);
    let op = data.get("Op")?;
    if let Some(writes) = op.as_bool() {
        return Some(if writes {
            (Model::Register, "write".into(), number("Value")?)
        } else {
            (Model::Register, "read".into(), Edn::Nil)
        });
    }
    let (f, value) = match op.as_i64()? {
        0 => ("read", Edn::Nil),
        1 => ("write", number("Arg1")?),
        2 => ("cas", Edn::Sequence(vec![number("Arg1")?, number("Arg2")?])),
        _ => return None,
    };
    Some((Model::CasRegister, f.into(), value))
}

/// What a response says of the operation.
fn response(
    f: &str,
    asked: Edn,
    data: &serde_json::Value,
    model: Option<Model>,
) -> Option<(&'static str, Edn)> {
    let is = |name: &str| data.get(name).and_then(serde_json::Value::as_bool);
    if is("Unknown")? {
        return Some(("info", asked));
    }
    Some(match (f, model) {
        ("read", Some(Model::CasRegister)) if !is("Exists")? => ("ok", Edn::Nil),
        ("read", _) => ("ok", Edn::Symbol(number_of(data.get("Value")?)?)),
        ("cas", _) if !is("Ok")? => ("fail", asked),
        _ => ("ok", asked),
    })
}
