//! The yardstick for reading: what a bare parse of the same file costs with the JSON crates there
//! are.
//!
//! In: a history file's bytes. Out: seconds for each crate, on one thread, from bytes in memory to
//! one borrowed struct a line, which is dropped. Nothing is checked, ordered or kept: whoever
//! judges a history has to do at least this.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::engine::processor_seconds;

/// A line with its value unparsed.
#[derive(Deserialize)]
#[allow(dead_code)]
struct RawLine<'a> {
    index: u64,
    time: u64,
    process: u64,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    f: Cow<'a, str>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// A line whose value is a string or null.
#[derive(Deserialize)]
#[allow(dead_code)]
struct PlainLine<'a> {
    index: u64,
    time: u64,
    process: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    f: &'a str,
    key: Option<&'a str>,
    value: Option<&'a str>,
}

/// A crate's name, and how it parses a line.
pub type Parser = (&'static str, fn(&mut [u8]) -> bool);

/// The parsers that are compared.
pub const PARSERS: [Parser; 4] = [
    ("serde_json, borrowed struct", |line| {
        black_box(serde_json::from_slice::<PlainLine<'_>>(line)).is_ok()
    }),
    ("serde_json, borrowed struct and RawValue", |line| {
        black_box(serde_json::from_slice::<RawLine<'_>>(line)).is_ok()
    }),
    ("simd-json, borrowed struct", |line| {
        black_box(simd_json::serde::from_slice::<PlainLine<'_>>(line)).is_ok()
    }),
    ("sonic-rs, borrowed struct", |line| {
        black_box(sonic_rs::from_slice::<PlainLine<'_>>(line)).is_ok()
    }),
];

/// Seconds on the wall and on the processor that a parser takes for all lines behind the first, and
/// how many it took.
pub fn parse(file: &[u8], parser: Parser) -> (f64, f64, u64) {
    // simd-json changes the bytes that it parses, so all parsers get a copy of their own, which is
    // not timed.
    let mut bytes = file.to_vec();
    let header = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |newline| newline + 1);
    let mut lines = 0;
    let (begun, used) = (Instant::now(), processor_seconds());
    let mut rest = &mut bytes[header..];
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, behind) = rest.split_at_mut(end);
        lines += u64::from((parser.1)(line));
        rest = behind.get_mut(1..).unwrap_or_default();
    }
    (begun.elapsed().as_secs_f64(), processor_seconds() - used, lines)
}
