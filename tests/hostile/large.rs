//! Histories with as many faults, names, stores and effects as nobody has: whoever reads them does
//! work for each line once. At this size work for each pair of lines would end in no time that
//! anybody waits for.

use super::{assert_ended_well, run};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

const LINES: u64 = 200_000;
/// A page is at most so large.
const PAGE_BYTES_MAX: u64 = 5_000_000;

/// Writes a history with a lost write, in which the nemesis did these steps in turn.
fn write(path: &Path, steps: impl Iterator<Item = (&'static str, &'static str, Value)>) {
    let mut file = BufWriter::new(File::create(path).expect("made"));
    let (mut index, mut time) = (0_u64, 0_u64);
    let mut line = |process: Value, kind: &str, f: &str, key: Value, value: Value| {
        let event = json!({ "index": index, "time": time, "process": process, "type": kind, "f": f,
            "key": key, "value": value });
        writeln!(file, "{event}").expect("written");
        (index, time) = (index + 1, time + 1_000);
    };
    line(json!(0), "invoke", "put", json!("k"), json!("1"));
    line(json!(0), "ok", "put", json!("k"), json!("1"));
    line(json!(1), "invoke", "get", json!("k"), Value::Null);
    for (kind, f, value) in steps {
        line(json!("nemesis"), kind, f, Value::Null, value);
    }
    line(json!(1), "ok", "get", json!("k"), Value::Null);
    file.flush().expect("written");
    let history = fs::read(path).expect("there");
    let header = &b"{\"format\":\"jepsen-tikv history\",\"version\":1}\n"[..];
    fs::write(path, [header, &history].concat()).expect("written");
}

/// Judges and draws it.
fn judged_and_drawn(shape: &str, steps: impl Iterator<Item = (&'static str, &'static str, Value)>) {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("run")).expect("made");
    write(&dir.path().join("run/history.jsonl"), steps);
    // It judges, since nobody has.
    let output = run(dir.path(), &["report", "run"]);
    assert_ended_well(&output, shape);
    assert_eq!(output.status.code(), Some(0), "{shape}: {output:?}");
    let page = fs::metadata(dir.path().join("run/report.html")).expect("a report").len();
    assert!(page <= PAGE_BYTES_MAX, "{shape}: {page} bytes");
}

#[test]
fn as_many_names_as_faults_one_after_the_other() {
    judged_and_drawn(
        "names",
        (0..LINES).map(|line| {
            let fault = line / 2;
            let store = json!([{ "id": 1, "state": "stopped" }]);
            match line % 2 {
                0 => (
                    "invoke",
                    "pause",
                    json!({ "fault": fault, "name": format!("f-{fault}"), "stores": store }),
                ),
                _ => ("info", "pause", json!({ "fault": fault, "stores": store })),
            }
        }),
    );
}

#[test]
fn faults_that_are_all_in_force_at_one_time() {
    judged_and_drawn(
        "overlap",
        (0..LINES).map(|line| {
            let (fault, store) = (line % (LINES / 2), json!([{ "id": 1, "state": "running" }]));
            match line * 2 / LINES {
                0 => (
                    "invoke",
                    "pause",
                    json!({ "fault": fault, "name": "pause-one", "stores": store }),
                ),
                _ => ("info", "resume", json!({ "fault": fault, "stores": store })),
            }
        }),
    );
}

#[test]
fn one_fault_of_many_stores() {
    judged_and_drawn(
        "stores",
        (0..LINES).map(|line| {
            let store = json!([{ "id": line / 2, "state": "stopped" }]);
            let value = json!({ "fault": 0, "name": "pause-one", "stores": store });
            (if line % 2 == 0 { "invoke" } else { "info" }, "pause", value)
        }),
    );
}

#[test]
fn one_fault_of_many_effects_and_errors() {
    judged_and_drawn(
        "effects",
        (0..LINES).map(|line| {
            let (change, error) = (format!("change {line}"), format!("error {line}"));
            let value =
                json!({ "fault": 0, "name": "transfer-leader", "changed": change, "error": error });
            (if line == 0 { "invoke" } else { "info" }, "transfer-leader", value)
        }),
    );
}
