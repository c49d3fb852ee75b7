//! Histories of tipocket: JSON objects `{"action":…,"proc":…,"time":…,"data":…}`, usually one a
//! line.
//!
//! In: text. Out: events. Its three models of registers are known, and told apart by the shape of
//! `data`:
//!
//! | model | `data` of a `call` | `data` of a `return` |
//! |---|---|---|
//! | register | `{"Op":false}` reads, `{"Op":true,"Value":n}` writes | `{"Unknown":bool,"Value":n}` |
//! | CAS register | `{"Op":0}` reads, `{"Op":1,"Arg1":n}` writes, `{"Op":2,"Arg1":from,"Arg2":to}` | `{"Ok":bool,"Exists":bool,"Value":n,"Unknown":bool}` |
//! | rawkv-linearizability | `{"Op":0,"Key":k}` reads, `{"Op":1,"Key":k,"Val":n}` writes, `{"Op":2,"Key":k}` deletes; 0 is absence | `{"Val":n,"Unknown":bool}` |
//!
//! A `dump` before the first call holds the first value, or that of each key (`[{"K":k,"V":n}]`).
//! Without one a register holds 0, and the keys of other models are absent. Later dumps do not
//! state the time at which they were read, and are left out. Other actions are faults. As with
//! other imports, time is the order of the lines.

use super::raw::{self, RawEvent, Reading};
use super::{Imported, edn::Edn};
use crate::error::{MalformedReason, ReadError};
use crate::json_values::{JsonValue, json_values};
use rustc_hash::FxBuildHasher;
use serde::Deserialize;
use std::collections::HashMap;

/// The client that puts the first values.
const SETTER: i128 = (1 << 63) - 1;

#[derive(Debug, Deserialize)]
struct Line {
    action: String,
    proc: i64,
    #[serde(default)]
    time: serde_json::Value,
    data: serde_json::Value,
}

/// Reads a history of tipocket.
pub fn read_tipocket(text: &str) -> Imported {
    let reading = Reading { nil_is_absence: true, failed_cas_observes: true };
    let mut import = Tipocket::default();
    let (values, mut wrong) = json_values(text);
    for value in values {
        if let Err(error) = import.take(value) {
            wrong = Some(error);
            break;
        }
    }
    raw::imported(import.raws, reading, wrong)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    Register,
    CasRegister,
    RawKv,
}

/// The operation of a request.
#[derive(Debug, Clone)]
struct Request {
    model: Model,
    f: &'static str,
    key: Option<String>,
    value: Edn,
}

#[derive(Debug, Default)]
struct Tipocket {
    raws: Vec<RawEvent>,
    model: Option<Model>,
    /// The data of a dump before the first call.
    first: Option<serde_json::Value>,
    /// The open request of each process.
    open: HashMap<i64, Request, FxBuildHasher>,
}

impl Tipocket {
    fn take(&mut self, value: JsonValue<'_>) -> Result<(), ReadError> {
        let number = value.line;
        let line: Line = value.parse("not a line of tipocket")?;
        let wrong = |reason: String| ReadError::Malformed {
            line: number,
            reason: MalformedReason::Shape(reason),
        };
        let time = line.time.as_str().map(str::to_owned);
        let event = |process: i64, kind: &str, request: Request| RawEvent {
            line: number,
            process: Some(process.into()),
            kind: kind.to_owned(),
            f: request.f.to_owned(),
            key: request.key.map(String::into_bytes),
            value: request.value,
            time: time.clone(),
            ..RawEvent::default()
        };
        match line.action.as_str() {
            "call" => {
                let request = request(&line.data)
                    .ok_or_else(|| wrong(format!("no request of a register: {}", line.data)))?;
                match self.model {
                    None => {
                        self.model = Some(request.model);
                        self.set_first(number, request.model).map_err(wrong)?;
                    }
                    Some(model) if model != request.model => {
                        return Err(wrong(format!("a request of another model: {}", line.data)));
                    }
                    Some(_) => {}
                }
                self.open.insert(line.proc, request.clone());
                self.raws.push(event(line.proc, "invoke", request));
            }
            "return" => {
                // A return without a call: the rules of order refuse it in any case.
                let model = self.model.unwrap_or(Model::Register);
                let nothing = || Request { model, f: "read", key: None, value: Edn::Nil };
                let mut request = self.open.remove(&line.proc).unwrap_or_else(nothing);
                let kind = response(&mut request, &line.data)
                    .ok_or_else(|| wrong(format!("no response of a register: {}", line.data)))?;
                self.raws.push(event(line.proc, kind, request));
            }
            "dump" if self.model.is_none() => self.first = Some(line.data),
            "dump" => {}
            fault => self.raws.push(RawEvent {
                line: number,
                kind: "info".to_owned(),
                f: fault.to_owned(),
                ..RawEvent::default()
            }),
        }
        Ok(())
    }

    /// Adds writes of the registers' first values.
    fn set_first(&mut self, line: u64, model: Model) -> Result<(), String> {
        let first = self.first.take();
        let shape = |first: &serde_json::Value| format!("no first state of a register: {first}");
        let values: Vec<(Option<String>, String)> = match (first, model) {
            (None | Some(serde_json::Value::Null), Model::Register) => vec![(None, "0".into())],
            (None | Some(serde_json::Value::Null), _) => Vec::new(),
            (Some(first), Model::RawKv) => {
                let pair = |pair: &serde_json::Value| {
                    Some((number_of(pair.get("K")?), number_of(pair.get("V")?)?))
                };
                let pairs = first.as_array().map(|pairs| pairs.iter().map(pair).collect());
                pairs.flatten().ok_or_else(|| shape(&first))?
            }
            (Some(first), _) => {
                let first = number_of(&first).ok_or_else(|| shape(&first))?;
                if first == "-1" { Vec::new() } else { vec![(None, first)] }
            }
        };
        for (key, value) in values {
            for kind in ["invoke", "ok"] {
                self.raws.push(RawEvent {
                    line,
                    process: Some(SETTER),
                    kind: kind.to_owned(),
                    f: "write".to_owned(),
                    key: key.clone().map(String::into_bytes),
                    value: Edn::Symbol(value.clone()),
                    ..RawEvent::default()
                });
            }
        }
        Ok(())
    }
}

fn number_of(value: &serde_json::Value) -> Option<String> {
    value.as_i64().map(|number| number.to_string())
}

/// A value of rawkv-linearizability.
fn value_or_absence(number: String) -> Edn {
    if number == "0" { Edn::Nil } else { Edn::Symbol(number) }
}

fn request(data: &serde_json::Value) -> Option<Request> {
    let number = |name: &str| number_of(data.get(name)?);
    let value = |name: &str| number(name).map(Edn::Symbol);
    let op = data.get("Op")?;
    if let Some(writes) = op.as_bool() {
        let (f, value) = if writes { ("write", value("Value")?) } else { ("read", Edn::Nil) };
        return Some(Request { model: Model::Register, f, key: None, value });
    }
    if data.get("Key").is_some() {
        let (f, value) = match op.as_i64()? {
            0 => ("read", Edn::Nil),
            1 => ("write", value_or_absence(number("Val")?)),
            2 => ("delete", Edn::Nil),
            _ => return None,
        };
        return Some(Request { model: Model::RawKv, f, key: Some(number("Key")?), value });
    }
    let (f, value) = match op.as_i64()? {
        0 => ("read", Edn::Nil),
        1 => ("write", value("Arg1")?),
        2 => ("cas", Edn::Sequence(vec![value("Arg1")?, value("Arg2")?])),
        _ => return None,
    };
    Some(Request { model: Model::CasRegister, f, key: None, value })
}

/// The type of a response to a request; the request's value becomes the value read.
fn response(request: &mut Request, data: &serde_json::Value) -> Option<&'static str> {
    let is = |name: &str| data.get(name).and_then(serde_json::Value::as_bool);
    if is("Unknown")? {
        return Some("info");
    }
    match (request.f, request.model) {
        ("read", Model::RawKv) => request.value = value_or_absence(number_of(data.get("Val")?)?),
        ("read", Model::CasRegister) if !is("Exists")? => request.value = Edn::Nil,
        ("read", _) => request.value = Edn::Symbol(number_of(data.get("Value")?)?),
        ("cas", _) if !is("Ok")? => return Some("fail"),
        _ => {}
    }
    Some("ok")
}
