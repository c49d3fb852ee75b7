//! Histories of other projects, on the built binary: each file of `histories/imported` by its path
//! and through a pipe, folders of Jepsen and etcd, and what is said of them.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const MALFORMED: i32 = 65;
const NO_INPUT: i32 = 66;

fn imported() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("histories/imported")
}

fn expected() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(imported().join("EXPECTED.toml")).expect("an EXPECTED.toml");
    toml::from_str(&text).expect("file = verdict")
}

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jepsen-tikv"));
    command.args(arguments).current_dir(dir);
    command
}

fn jepsen_tikv(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().expect("the binary runs")
}

/// Runs it on a pipe whose first packets are a few bytes.
fn piped(dir: &Path, arguments: &[&str], bytes: &[u8]) -> Output {
    let mut child = command(dir, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let (first, rest) = bytes.split_at(bytes.len().min(5));
    // Whoever refuses the beginning need not read the rest.
    let _ = first.chunks(1).chain([rest]).try_for_each(|packet| stdin.write_all(packet));
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn code_of(verdict: &str) -> i32 {
    match verdict {
        "valid" => 0,
        "invalid" => 1,
        "unknown" => 2,
        _ => MALFORMED,
    }
}

fn assert_said(output: &Output, verdict: &str, of: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code_of(verdict)), "{of} ({verdict}): {said}");
    if let Some(words) = verdict.strip_prefix("refused: ") {
        assert!(said.contains(words), "{of}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{of}: {said}");
    }
}

#[test]
fn every_file_has_its_verdict_by_its_path_and_on_a_pipe() {
    let dir = tempfile::tempdir().expect("a directory");
    let judge = ["check", "--counterexamples", "."];
    for (name, verdict) in expected() {
        let path = imported().join(&name);
        let by_path = [judge.as_slice(), &[path.to_str().expect("UTF-8")]].concat();
        assert_said(&jepsen_tikv(dir.path(), &by_path), &verdict, &name);
        let bytes = std::fs::read(&path).expect("readable");
        let by_pipe = [judge.as_slice(), &["-"]].concat();
        assert_said(&piped(dir.path(), &by_pipe, &bytes), &verdict, &name);
    }
    let bytes = std::fs::read(imported().join("jsonl/pretty-stale.json")).expect("readable");
    let compressed = zstd::encode_all(bytes.as_slice(), 1).expect("memory");
    let by_pipe = [judge.as_slice(), &["-"]].concat();
    assert_said(&piped(dir.path(), &by_pipe, &compressed), "invalid", "a compressed pipe");
}

#[test]
fn folders_of_others_are_read_as_what_they_hold() {
    let dir = tempfile::tempdir().expect("a directory");
    let copy = |from: &str, to: &str| {
        let to = dir.path().join(to);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        std::fs::copy(imported().join(from), to).expect("copied");
    };
    copy("edn/tagged.edn", "store/history.edn");
    copy("jepsen-text/stale.txt", "store/history.txt");
    copy("jepsen-text/stale.txt", "text/history.txt");
    let check = |arguments: &[&str]| jepsen_tikv(dir.path(), &[&["check"], arguments].concat());
    assert_eq!(check(&["store"]).status.code(), Some(0), "history.edn comes first");
    assert_eq!(check(&["--counterexamples", ".", "text"]).status.code(), Some(1));

    // What one client wrote another one reads: each file alone accuses a correct system.
    let text = std::fs::read_to_string(imported().join("etcd/limit.json")).expect("readable");
    let lines: Vec<&str> = text.lines().collect();
    for (client, line) in [(1, lines[0]), (2, lines[1]), (10, lines[2])] {
        let folder = dir.path().join(format!("report/client-{client}"));
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join("operations.json"), line).expect("written");
        std::fs::write(folder.join("watch.json"), "{}").expect("written");
    }
    let whole = check(&["report"]);
    let said = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert_eq!(whole.status.code(), Some(0), "{said}");
    assert!(said.contains("report"), "{said}");
    let one = check(&["report/client-10/operations.json"]);
    let said = String::from_utf8_lossy(&one.stderr).into_owned();
    assert_eq!(one.status.code(), Some(MALFORMED), "{said}");
    assert!(said.contains("one of several clients") && said.contains("report"), "{said}");

    std::fs::create_dir(dir.path().join("nothing")).expect("made");
    let nothing = check(&["nothing"]);
    let said = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert_eq!(nothing.status.code(), Some(NO_INPUT), "{said}");
    assert!(said.contains("holds no history"), "{said}");
}

#[test]
fn flags_settle_what_a_file_leaves_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let write =
        |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    // As pairs of a key and a value it is right, as one register it is stale.
    write(
        "open.edn",
        "{:process 0 :type :invoke :f :write :value [0 5]}\n{:process 0 :type :ok :f :write :value [0 5]}\n\
         {:process 0 :type :invoke :f :write :value [1 6]}\n{:process 0 :type :ok :f :write :value [1 6]}\n\
         {:process 0 :type :invoke :f :read :value [0 5]}\n{:process 0 :type :ok :f :read :value [0 5]}\n",
    );
    let run = |arguments: &[&str]| jepsen_tikv(dir.path(), arguments);
    let open = run(&["check", "open.edn"]);
    assert_eq!(open.status.code(), Some(MALFORMED));
    assert!(String::from_utf8_lossy(&open.stderr).contains("--independent=false"));
    assert_eq!(run(&["check", "--independent", "open.edn"]).status.code(), Some(0));
    assert_eq!(run(&["check", "open.edn", "--independent"]).status.code(), Some(0));
    let plain = ["--independent=false", "open.edn"];
    let judged = run(&[["check", "--counterexamples"].as_slice(), &["."], &plain].concat());
    assert_eq!(judged.status.code(), Some(1));
    assert_eq!(run(&[["minimize"].as_slice(), &plain].concat()).status.code(), Some(1));
    let exported = run(&["export", "--independent", "--key", "1", "open.edn"]);
    let text = String::from_utf8_lossy(&exported.stdout).into_owned();
    assert_eq!(exported.status.code(), Some(0), "{text}");
    assert!(text.contains("\"6\"") && !text.contains("\"5\""), "{text}");
}

#[test]
fn a_counterexample_is_found_again_in_its_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("stale.edn");
    let event = |index: u32, process: u32, kind: &str, f: &str, value: &str| {
        let time = 1000 * (index + 1);
        format!(
            "{{:index {}, :time {time}, :type :{kind}, :process {process}, :f :{f}, :value {value}}}\n\n",
            index + 40
        )
    };
    let text = [
        event(0, 0, "invoke", "write", "1"),
        event(1, 0, "ok", "write", "1"),
        event(2, 1, "info", "crash", "nil"),
        event(3, 0, "invoke", "write", "2"),
        event(4, 0, "ok", "write", "2"),
        event(5, 2, "invoke", "read", "nil"),
        event(6, 2, "ok", "read", "1"),
    ]
    .concat();
    std::fs::write(&path, text).expect("written");
    let output = jepsen_tikv(dir.path(), &["check", "--counterexamples", ".", "stale.edn"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("line 1 (:index 40)"), "{said}");
    assert!(said.contains("line 7 (:index 43)") && said.contains("line 11 (:index 45)"), "{said}");
    assert!(said.contains("0.000006 s"), "its own times are told: {said}");
    assert!(said.contains("stale.edn"), "{said}");
    let minimal = jepsen_tikv(dir.path(), &["minimize", "stale.edn", "-o", "minimal.jsonl"]);
    let said = String::from_utf8_lossy(&minimal.stdout).into_owned();
    assert!(said.contains("line 11 (:index 45)"), "{said}");
    let text = std::fs::read_to_string(dir.path().join("minimal.jsonl")).expect("written");
    let header: serde_json::Value =
        serde_json::from_str(text.lines().next().expect("a header")).expect("JSON");
    assert_eq!(header["original-places"][2]["line"], 11, "{header}");
    assert_eq!(header["original-places"][2]["time"], "6000", "{header}");
}

#[test]
fn damaged_archives_are_malformed_and_large_times_are_no_verdict() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = std::fs::read(imported().join("jsonl/large-times.jsonl")).expect("readable");
    let mut damaged = zstd::encode_all(text.as_slice(), 1).expect("memory");
    damaged[6..10].fill(0xff);
    std::fs::write(dir.path().join("damaged.zst"), damaged).expect("written");
    let output = jepsen_tikv(dir.path(), &["check", "damaged.zst"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(MALFORMED), "{said}");
    assert!(said.contains("zstd and damaged"), "{said}");
    let path = imported().join("jsonl/time-2-63.jsonl");
    for engine in ["auto", "search", "near-linear", "porcupine"] {
        let path = path.to_str().expect("UTF-8");
        let output = jepsen_tikv(dir.path(), &["check", "--engine", engine, path]);
        assert_eq!(output.status.code(), Some(MALFORMED), "{engine}");
    }
    let path = imported().join("jsonl/large-times.jsonl");
    let path = path.to_str().expect("UTF-8");
    for engine in ["auto", "search", "near-linear", "porcupine"] {
        let arguments = ["check", "--engine", engine, "--counterexamples", ".", path];
        let output = jepsen_tikv(dir.path(), &arguments);
        assert_eq!(output.status.code(), Some(1), "{engine}");
    }
}

#[test]
fn what_tested_nothing_is_unknown_in_every_format() {
    let header = "{\"format\":\"jepsen-tikv history\",\"version\":1}\n";
    let put = |kind: &str, index: u32| {
        format!(
            "{{\"index\":{index},\"time\":{index},\"process\":0,\"type\":\"{kind}\",\"f\":\"put\",\"key\":\"k\",\"value\":\"1\"}}\n"
        )
    };
    let edn = |kind: &str| {
        let operation =
            |kind: &str| format!("{{:type :{kind}, :f :write, :value 1, :process 0}}\n");
        [operation("invoke"), operation(kind)].concat()
    };
    let log =
        "INFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:fail\t:write\t1\n";
    let none = "vacuous: the history has no operation";
    let failed = "vacuous: no operation succeeded";
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text, why) in [
        ("empty.jsonl", header.to_owned(), none),
        ("failed.jsonl", [header, &put("invoke", 0), &put("fail", 1)].concat(), failed),
        ("unknown.jsonl", [header, &put("invoke", 0), &put("info", 1)].concat(), failed),
        ("open.jsonl", [header, &put("invoke", 0)].concat(), failed),
        ("empty.edn", "[]\n".to_owned(), none),
        ("failed.edn", edn("fail"), failed),
        ("unknown.edn", edn("info"), failed),
        ("failed.log", log.to_owned(), failed),
        ("operations.json", "[]\n".to_owned(), none),
    ] {
        std::fs::write(dir.path().join(name), &text).expect("written");
        let packed = zstd::encode_all(text.as_bytes(), 1).expect("memory");
        std::fs::write(dir.path().join(format!("{name}.zst")), packed).expect("written");
        for name in [name.to_owned(), format!("{name}.zst")] {
            let output = jepsen_tikv(dir.path(), &["check", &name]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(code_of("unknown")), "{name}: {said}");
            assert!(said.contains(why) && !said.contains("\nVALID"), "{name}: {said}");
        }
    }
    std::fs::write(dir.path().join("nothing"), "").expect("written");
    let output = jepsen_tikv(dir.path(), &["check", "nothing"]);
    assert_eq!(output.status.code(), Some(MALFORMED), "{output:?}");
}
