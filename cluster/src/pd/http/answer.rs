//! Answers in PD's form: indented or compact JSON, texts as JSON strings, refusals with PD's status
//! codes.

use crate::pd::core::Refusal;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};

/// Indented JSON with a newline at its end.
pub fn pretty(status: StatusCode, value: &Value) -> Response {
    json(status, format!("{value:#}\n"))
}

/// JSON on one line.
pub fn compact(value: &Value) -> Response {
    compact_with(StatusCode::OK, value)
}

/// JSON on one line, with another code.
pub fn compact_with(status: StatusCode, value: &Value) -> Response {
    json(status, value.to_string())
}

/// A sentence, as a JSON string.
pub fn text(status: StatusCode, text: impl Into<String>) -> Response {
    pretty(status, &Value::String(text.into()))
}

/// A sentence that reports success.
pub fn done(said: &str) -> Response {
    text(StatusCode::OK, said)
}

/// A refusal, with PD's code for it.
pub fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Setting(_) => StatusCode::BAD_REQUEST,
        Refusal::StoreNotFound(_) => StatusCode::NOT_FOUND,
        Refusal::StoreTombstone => StatusCode::GONE,
        Refusal::NotBootstrapped
        | Refusal::AlreadyBootstrapped
        | Refusal::InvalidBootstrap(_)
        | Refusal::DuplicateAddress { .. }
        | Refusal::RegionStale { .. }
        | Refusal::RegionNotFound(_)
        | Refusal::RangesNotCovered
        | Refusal::InvalidCount(_)
        | Refusal::Operator(_)
        | Refusal::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let said = match refusal {
        Refusal::NotBootstrapped => {
            "[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first"
                .to_owned()
        }
        Refusal::StoreNotFound(id) => format!("[PD:core:ErrStoreNotFound]store {id} not found"),
        other => other.to_string(),
    };
    text(status, said)
}

/// A report of success, or the refusal.
pub fn outcome<T>(result: Result<T, Refusal>, said: &str) -> Response {
    match result {
        Ok(_) => done(said),
        Err(refusal) => refused(&refusal),
    }
}

/// Parses the JSON object in a request's body, or returns the answer that there is none.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, Box<Response>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => {
            let said = "json: cannot unmarshal into Go value of type map[string]interface {}";
            Err(Box::new(text(StatusCode::BAD_REQUEST, said)))
        }
        Err(error) => Err(Box::new(text(StatusCode::BAD_REQUEST, error.to_string()))),
    }
}

/// Removes the members that Go leaves out when they are empty.
pub fn without_empty(value: Value, names: &[&str]) -> Value {
    let Value::Object(mut map) = value else { return value };
    map.retain(|name, value| {
        let empty = match value {
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::Bool(yes) => !*yes,
            Value::Null => true,
            Value::Object(_) => false,
        };
        !(empty && names.contains(&name.as_str()))
    });
    Value::Object(map)
}

/// A number as Go writes it: without a fraction if it has none.
pub fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], body).into_response()
}
