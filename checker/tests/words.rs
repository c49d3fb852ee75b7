//! What a verdict says beside its verdict: numbers, times, names and sentences, down to the last
//! nanosecond and word.

use std::fmt::Write as _;

use checker::{Collector, FindingKind, Options, Validity, Verdict, check};

/// A line of a history: its time, who, what kind, and the rest.
fn line(time: u64, process: &str, kind: &str, rest: &str) -> String {
    format!(r#""time":{time},"process":{process},"type":"{kind}",{rest}"#)
}

/// An operation that is answered as `answer` says, or as it was asked for.
fn operation(process: u32, times: [u64; 2], asked: &str, kind: &str, answer: &str) -> [String; 2] {
    let process = process.to_string();
    [line(times[0], &process, "invoke", asked), line(times[1], &process, kind, answer)]
}

fn put(process: u32, times: [u64; 2], key: &str, value: &str, kind: &str) -> [String; 2] {
    let put = format!(r#""f":"put","key":"{key}","value":"{value}""#);
    operation(process, times, &put, kind, &put)
}

fn get(process: u32, times: [u64; 2], key: &str, value: &str) -> [String; 2] {
    let asked = format!(r#""f":"get","key":"{key}","value":null"#);
    let answer = format!(r#""f":"get","key":"{key}","value":{value}"#);
    operation(process, times, &asked, "ok", &answer)
}

fn scan(process: u32, times: [u64; 2], limit: u32, keys: &str) -> [String; 2] {
    let asked = format!(
        r#""f":"scan","key":null,"value":{{"start":"","end":null,"limit":{limit},"reverse":false,"key_only":true}}"#
    );
    let answer = format!(r#""f":"scan","key":null,"value":{keys}"#);
    operation(process, times, &asked, "ok", &answer)
}

fn history(mut collector: Collector, operations: &[[String; 2]]) -> checker::History {
    let mut lines: Vec<&String> = operations.iter().flatten().collect();
    let time = |line: &String| {
        let digits = line.trim_start_matches("\"time\":").split(',').next().unwrap_or_default();
        digits.parse::<u64>().expect("a time")
    };
    lines.sort_by_key(|line| time(line));
    let mut file = "{\"format\":\"jepsen-tikv history\",\"version\":1}\n".to_owned();
    for (index, line) in lines.into_iter().enumerate() {
        writeln!(file, "{{\"index\":{index},{line}}}").expect("memory takes everything");
    }
    for event in histories::jsonl::Reader::new(file.as_bytes()).expect("a header") {
        collector.push(event.expect("well-formed")).expect("well-formed");
    }
    collector.finish()
}

fn verdict(operations: &[[String; 2]]) -> Verdict {
    check(&history(Collector::new(), operations), &Options::default())
}

#[test]
fn operations_are_counted_by_outcome() {
    let verdict = verdict(&[
        put(0, [1, 2], "a", "1", "ok"),
        put(1, [3, 4], "a", "2", "fail"),
        put(2, [5, 6], "a", "3", "fail"),
        put(3, [7, 8], "b", "4", "info"),
        put(4, [9, 10], "b", "5", "info"),
        put(5, [11, 12], "b", "6", "info"),
    ]);
    let counted = verdict.operations;
    assert_eq!((counted.ok, counted.fail, counted.info), (1, 2, 3));
    assert_eq!(verdict.validity.to_string(), "valid");
    assert_eq!(verdict.keys[0].decided_by.to_string(), "near-linear");
    assert_eq!(history(Collector::new(), &[put(0, [1, 2], "a", "1", "ok")]).key_count(), 1);
    assert_eq!(history(Collector::new(), &[]).key_count(), 0);
}

#[test]
fn a_first_value_is_there_before_everything() {
    let read = [get(0, [1, 2], "a", r#""0""#)];
    let judged = |collector| check(&history(collector, &read), &Options::default()).validity;
    assert_eq!(judged(Collector::with_initial(b"0".to_vec())), Validity::Valid);
    assert_eq!(judged(Collector::with_initial(b"1".to_vec())), Validity::Invalid);
    assert_eq!(judged(Collector::new()), Validity::Invalid);
}

#[test]
fn a_count_says_when_it_was_and_names_three_keys_of_many() {
    let named = (0..).zip(["a", "b", "c", "d"]);
    let mut operations: Vec<_> =
        named.map(|(at, key)| put(at, [10 * u64::from(at), 35], key, "1", "ok")).collect();
    operations.push(scan(9, [100, 200], 9, "[]"));
    let all = verdict(&operations);
    let count = &all.key_counts[0];
    assert_eq!((count.event, count.invoke_ns, count.finish_ns), (8, 100, 200));
    let reason =
        "scan at event 8: 0 keys, of which 4 must be there and 4 may be: 4 missing (a, b, c, …)";
    assert!(all.reasons.iter().any(|it| it == reason), "{:?}", all.reasons);
    // Three are named without dots.
    let three = verdict(&operations[1..]);
    let reason =
        "scan at event 6: 0 keys, of which 3 must be there and 3 may be: 3 missing (b, c, d)";
    assert!(three.reasons.iter().any(|it| it == reason), "{:?}", three.reasons);
    let surplus = verdict(&[scan(9, [100, 200], 9, r#"["z"]"#)]);
    let reason = "scan at event 0: 1 keys, of which 0 must be there and 0 may be: 1 unexpected (z)";
    assert!(surplus.reasons.iter().any(|it| it == reason), "{:?}", surplus.reasons);
    assert_eq!(surplus.key_counts[0].unexpected.len(), 1);
}

#[test]
fn a_count_that_is_right_at_its_limit_is_no_contradiction() {
    let puts = [put(0, [1, 2], "a", "1", "ok"), put(1, [3, 4], "b", "1", "ok")];
    let both = [puts.as_slice(), &[scan(9, [10, 20], 2, r#"["a","b"]"#)]].concat();
    assert_eq!(verdict(&both).validity, Validity::Valid);
    let more = [puts.as_slice(), &[scan(9, [10, 20], 1, r#"["a","b"]"#)]].concat();
    let judged = verdict(&more);
    assert_eq!(judged.validity, Validity::Invalid);
    let contradiction = &judged.contradictions[0];
    assert_eq!((contradiction.event, contradiction.client, contradiction.finish_ns), (4, 9, 20));
    let reason = "event 4 by client 9: a scan with limit 1 returned 2 keys";
    assert_eq!(judged.reasons, [reason]);
}

#[test]
fn a_read_of_what_failed_names_the_write_however_it_was_written() {
    let ttl = r#""f":"put","key":"a","value":{"put":"1","ttl_s":9}"#;
    let batch = r#""f":"batch-put","key":null,"value":[["a","1"],["b","1"]]"#;
    for write in [r#""f":"put","key":"a","value":"1""#, ttl, batch] {
        let failed = operation(0, [1, 2], write, "fail", write);
        let judged = verdict(&[failed, get(1, [3, 4], "a", r#""1""#)]);
        let kinds: Vec<FindingKind> = judged.findings.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [FindingKind::Dirty], "{write}");
        assert_eq!(judged.findings[0].operations, [0, 2]);
    }
}

#[test]
fn a_stale_read_says_by_how_much_and_under_which_fault() {
    let fault = r#""f":"pause","value":{"fault":0,"name":"pause-one","stores":[]}"#;
    let faults = [line(15, "\"nemesis\"", "info", fault), line(60, "\"nemesis\"", "info", fault)];
    let judged = verdict(&[
        put(0, [1, 2], "a", "1", "ok"),
        put(1, [10, 20], "a", "2", "ok"),
        faults,
        get(2, [50, 55], "a", r#""1""#),
        get(3, [70, 71], "a", r#""2""#),
    ]);
    let [finding] = judged.findings.as_slice() else { panic!("{:?}", judged.findings) };
    assert_eq!(
        (finding.kind, finding.kind.to_string().as_str()),
        (FindingKind::StaleRead, "stale read")
    );
    assert_eq!((finding.invoke_ns, finding.stale_by_ns), (50, Some(30)));
    assert_eq!(finding.faults, ["pause-one"]);
}

#[test]
fn a_read_just_as_the_value_is_replaced_is_not_stale() {
    let touching = [
        put(0, [1, 2], "a", "1", "ok"),
        put(1, [10, 20], "a", "2", "ok"),
        get(2, [20, 25], "a", r#""1""#),
    ];
    assert_eq!(verdict(&touching).validity, Validity::Valid);
    let later = [
        put(0, [1, 2], "a", "1", "ok"),
        put(1, [10, 20], "a", "2", "ok"),
        get(2, [21, 25], "a", r#""1""#),
    ];
    let judged = verdict(&later);
    assert_eq!(judged.findings[0].stale_by_ns, Some(1));
    assert_eq!(judged.findings[0].kind, FindingKind::StaleRead);
}

#[test]
fn a_client_that_reads_backwards_is_told_of_only_if_it_read_one_after_the_other() {
    let puts = [put(0, [1, 2], "a", "1", "ok"), put(1, [10, 90], "a", "2", "ok")];
    let reads = |first: [u64; 2], second: [u64; 2], client: u32| {
        let reads = [get(5, first, "a", r#""2""#), get(client, second, "a", r#""1""#)];
        let judged = verdict(&[puts.as_slice(), &reads].concat());
        judged.findings.iter().any(|it| it.kind == FindingKind::NonMonotonicRead)
    };
    assert!(reads([20, 30], [40, 50], 5));
    assert!(!reads([20, 30], [40, 50], 6), "two clients");
    assert!(!reads([20, 45], [40, 50], 6), "at the same time");
}

#[test]
fn what_only_touches_a_scan_may_have_come_before_it_or_after() {
    let delete = |times| {
        let delete = r#""f":"delete","key":"a","value":null"#;
        operation(7, times, delete, "ok", delete)
    };
    let judged = |before: &[[String; 2]], times, keys| {
        let judged = verdict(&[before, &[scan(9, times, 9, keys)]].concat());
        (judged.validity, judged.key_counts[0].certainly_present)
    };
    let written = put(0, [1, 10], "a", "1", "ok");
    assert_eq!(judged(std::slice::from_ref(&written), [10, 20], "[]"), (Validity::Valid, 0));
    assert_eq!(judged(&[written], [11, 20], "[]"), (Validity::Invalid, 1));
    let removed = [put(0, [1, 2], "a", "1", "ok"), delete([5, 10])];
    assert_eq!(judged(&removed, [10, 20], r#"["a"]"#), (Validity::Valid, 0));
    assert_eq!(judged(&removed, [11, 20], r#"["a"]"#), (Validity::Invalid, 0));
    let touching = [delete([5, 10]), put(0, [10, 12], "a", "1", "ok")];
    assert_eq!(judged(&touching, [20, 30], "[]"), (Validity::Valid, 0));
    let written_again = [delete([5, 9]), put(0, [10, 12], "a", "1", "ok")];
    assert_eq!(judged(&written_again, [20, 30], "[]"), (Validity::Invalid, 1));
}

#[test]
fn a_scan_cut_by_its_limit_counts_through_its_last_key() {
    let puts = ["a", "b", "c"].map(|key| put(0, [1, 2], key, "1", "ok"));
    let puts = (0..).zip(puts).map(|(at, [invoke, ok])| {
        let client = |line: String| line.replace(r#""process":0"#, &format!(r#""process":{at}"#));
        [client(invoke), client(ok)]
    });
    let mut operations: Vec<_> = puts.collect();
    operations.push(scan(9, [10, 20], 2, r#"["a","b"]"#));
    let judged = verdict(&operations);
    assert_eq!(judged.validity, Validity::Valid);
    assert_eq!(judged.key_counts[0].certainly_present, 2);
}

#[test]
fn a_time_to_live_of_zero_is_none() {
    let put = r#""f":"put","key":"a","value":{"put":"1","ttl_s":0}"#;
    let put = operation(0, [1, 2], put, "ok", put);
    assert_eq!(verdict(&[put, get(1, [3, 4], "a", "null")]).validity, Validity::Invalid);
}

#[test]
fn a_key_that_a_scan_names_after_its_removal_points_at_the_last_removal() {
    let delete = |client, times| {
        let delete = r#""f":"delete","key":"a","value":null"#;
        operation(client, times, delete, "ok", delete)
    };
    let judged = verdict(&[
        put(0, [1, 2], "a", "1", "ok"),
        delete(1, [3, 4]),
        delete(2, [5, 6]),
        scan(3, [10, 20], 9, r#"["a"]"#),
    ]);
    let [finding] = judged.findings.as_slice() else { panic!("{:?}", judged.findings) };
    assert_eq!((finding.kind, &finding.operations[..]), (FindingKind::StaleRead, &[4, 6][..]));
    assert!(finding.sentence.contains("client 2"), "{}", finding.sentence);
}

#[test]
fn a_key_that_a_batch_does_not_answer_was_absent() {
    use histories::{Answer, Event, Operation, Outcome, Process, What};
    let batch = Operation::BatchGet { keys: vec![b"a".to_vec(), b"b".to_vec()] };
    let put = |key: &[u8]| Operation::Put { key: key.to_vec(), value: b"1".to_vec(), ttl_s: None };
    let judged = |put_key: &[u8]| {
        let answer = Answer::GotBatch(vec![(b"a".to_vec(), Some(b"1".to_vec()))]);
        let whats = [
            What::Invoke(put(b"a")),
            What::Complete(put(b"a"), Outcome::Ok(Answer::Done)),
            What::Invoke(put(put_key)),
            What::Complete(put(put_key), Outcome::Ok(Answer::Done)),
            What::Invoke(batch.clone()),
            What::Complete(batch.clone(), Outcome::Ok(answer)),
        ];
        let mut collector = Collector::new();
        for (index, what) in (0..).zip(whats) {
            let (process, attempts) = (Process::Client(0), Vec::new());
            let event = Event { index, time_ns: 10 * index, process, what, error: None, attempts };
            collector.push(event).expect("well-formed");
        }
        check(&collector.finish(), &Options::default()).validity
    };
    assert_eq!(judged(b"c"), Validity::Valid);
    assert_eq!(judged(b"b"), Validity::Invalid);
}
