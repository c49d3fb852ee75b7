//! Small histories whose verdict a person sees at once, through the same door as the binary: file
//! in, verdict out.

use std::fmt::Write as _;

use checker::{Budget, Collector, Engine, Options, Validity, Verdict, check};

/// A history of event lines without `index` and `time`: they count up.
fn verdict(lines: &[&str], engine: Engine) -> Verdict {
    check(&history(lines), &Options { engine, ..Options::default() })
}

fn history(lines: &[&str]) -> checker::History {
    let mut file = "{\"format\":\"jepsen-tikv history\",\"version\":1}\n".to_owned();
    for (index, line) in lines.iter().enumerate() {
        writeln!(file, "{{\"index\":{index},\"time\":{},{line}}}", index * 1000)
            .expect("memory takes everything");
    }
    let mut collector = Collector::new();
    for event in histories::jsonl::Reader::new(file.as_bytes()).expect("a header") {
        collector.push(event.expect("well-formed")).expect("well-formed");
    }
    collector.finish()
}

fn validity(lines: &[&str]) -> Validity {
    let default = verdict(lines, Engine::Auto).validity;
    for engine in [Engine::Porcupine, Engine::Search] {
        assert_eq!(default, verdict(lines, engine).validity, "{engine:?} disagrees");
    }
    default
}

const PUT_X: &str = r#""process":0,"type":"invoke","f":"put","key":"a","value":"x""#;
const PUT_X_OK: &str = r#""process":0,"type":"ok","f":"put","key":"a","value":"x""#;
const PUT_X_INFO: &str = r#""process":0,"type":"info","f":"put","key":"a","value":"x""#;
const PUT_X_FAIL: &str = r#""process":0,"type":"fail","f":"put","key":"a","value":"x""#;
const GET: &str = r#""process":1,"type":"invoke","f":"get","key":"a","value":null"#;
const GOT_X: &str = r#""process":1,"type":"ok","f":"get","key":"a","value":"x""#;
const GOT_NONE: &str = r#""process":1,"type":"ok","f":"get","key":"a","value":null"#;
const DELETE: &str = r#""process":2,"type":"invoke","f":"delete","key":"a","value":null"#;
const DELETE_OK: &str = r#""process":2,"type":"ok","f":"delete","key":"a","value":null"#;
const SCAN: &str = r#""process":3,"type":"invoke","f":"scan","key":null,"value":{"start":"","end":null,"limit":9,"reverse":false,"key_only":true}"#;
const SCANNED_A: &str = r#""process":3,"type":"ok","f":"scan","key":null,"value":["a"]"#;
const SCANNED_NONE: &str = r#""process":3,"type":"ok","f":"scan","key":null,"value":[]"#;

#[test]
fn read_of_the_last_write_is_valid_and_a_stale_read_is_not() {
    assert_eq!(validity(&[PUT_X, PUT_X_OK, GET, GOT_X]), Validity::Valid);
    assert_eq!(validity(&[PUT_X, PUT_X_OK, GET, GOT_NONE]), Validity::Invalid);
    assert_eq!(validity(&[PUT_X, GET, PUT_X_OK, GOT_NONE]), Validity::Valid);
}

#[test]
fn write_of_unknown_outcome_may_be_seen_or_not_but_not_unseen_again() {
    assert_eq!(validity(&[PUT_X, PUT_X_INFO, GET, GOT_X]), Validity::Valid);
    assert_eq!(validity(&[PUT_X, PUT_X_INFO, GET, GOT_NONE]), Validity::Valid);
    assert_eq!(validity(&[PUT_X, PUT_X_INFO, GET, GOT_NONE, GET, GOT_X]), Validity::Valid);
    assert_eq!(validity(&[PUT_X, PUT_X_INFO, GET, GOT_X, GET, GOT_NONE]), Validity::Invalid);
    assert_eq!(validity(&[PUT_X, GET, GOT_X, GET, GOT_NONE]), Validity::Invalid);
}

#[test]
fn failed_write_that_is_read_is_a_violation() {
    assert_eq!(validity(&[PUT_X, PUT_X_FAIL, GET, GOT_NONE]), Validity::Valid);
    assert_eq!(validity(&[PUT_X, PUT_X_FAIL, GET, GOT_X]), Validity::Invalid);
}

#[test]
fn cas_that_contradicts_itself_is_a_violation() {
    let cas =
        r#""process":4,"type":"invoke","f":"cas","key":"a","value":{"expected":"x","new":"y"}"#;
    let missed = r#""process":4,"type":"ok","f":"cas","key":"a","value":{"expected":"x","new":"y","swapped":false,"previous":"x"}"#;
    let swapped = r#""process":4,"type":"ok","f":"cas","key":"a","value":{"expected":"x","new":"y","swapped":true,"previous":"x"}"#;
    assert_eq!(validity(&[PUT_X, PUT_X_OK, cas, swapped]), Validity::Valid);
    let verdict = verdict(&[PUT_X, PUT_X_OK, cas, missed], Engine::Auto);
    assert_eq!(verdict.validity, Validity::Invalid);
    assert_eq!(verdict.contradictions.len(), 1);
}

#[test]
fn scans_read_absence_of_every_key_they_do_not_return() {
    assert_eq!(validity(&[PUT_X, PUT_X_OK, SCAN, SCANNED_A]), Validity::Valid);
    assert_eq!(validity(&[SCAN, SCANNED_NONE, PUT_X, PUT_X_OK]), Validity::Valid);
    assert_eq!(
        validity(&[PUT_X, PUT_X_OK, DELETE, DELETE_OK, SCAN, SCANNED_NONE]),
        Validity::Valid
    );
    assert_eq!(validity(&[PUT_X, PUT_X_OK, DELETE, DELETE_OK, SCAN, SCANNED_A]), Validity::Invalid);
    let lost = verdict(&[PUT_X, PUT_X_OK, SCAN, SCANNED_NONE], Engine::Auto);
    assert_eq!(lost.validity, Validity::Invalid);
    let count = &lost.key_counts[0];
    assert_eq!((count.certainly_present, count.count, count.possibly_present), (1, 0, 1));
    assert_eq!(count.missing[0].to_string(), "a");
}

#[test]
fn value_with_a_ttl_may_be_gone_from_its_expiry_on_and_never_comes_back() {
    let put = r#""process":0,"type":"invoke","f":"put","key":"a","value":{"put":"x","ttl_s":1}"#;
    let put_ok = r#""process":0,"type":"ok","f":"put","key":"a","value":{"put":"x","ttl_s":1}"#;
    assert_eq!(validity(&[put, put_ok, GET, GOT_X]), Validity::Valid);
    assert_eq!(validity(&[put, put_ok, GET, GOT_NONE]), Validity::Valid);
    assert_eq!(validity(&[put, put_ok, GET, GOT_NONE, GET, GOT_X]), Validity::Invalid);
    let longer = [&put.replace(":1}", ":9}"), &put_ok.replace(":1}", ":9}"), GET, GOT_NONE];
    assert_eq!(validity(&longer), Validity::Invalid);
}

#[test]
fn spent_budget_is_unknown_and_says_so() {
    let mut collector = Collector::new();
    for event in histories::jsonl::Reader::new(
        concat!(
            "{\"format\":\"jepsen-tikv history\",\"version\":1}\n",
            r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"put","key":"a","value":"x"}"#,
        )
        .as_bytes(),
    )
    .expect("a header")
    {
        collector.push(event.expect("well-formed")).expect("well-formed");
    }
    let budget = Budget { configurations: 0, bytes: 0 };
    let options = Options { engine: Engine::Porcupine, budget, ..Options::default() };
    let verdict = check(&collector.finish(), &options);
    assert_eq!(verdict.validity, Validity::Unknown);
    assert!(verdict.reasons[0].contains("budget"), "{:?}", verdict.reasons);
}

/// Ten concurrent writes of two values to key a, which reads see in turn: for the search. And key
/// b, which is stale.
fn hard_key_beside_a_bad_one() -> checker::History {
    let line = |process: u32, kind: &str, f: &str, key: &str, value: &str| {
        format!(r#""process":{process},"type":"{kind}","f":"{f}","key":"{key}","value":{value}"#)
    };
    let mut lines = Vec::new();
    let value = |number: u32| if number.is_multiple_of(2) { r#""x""# } else { r#""y""# };
    for kind in ["invoke", "ok"] {
        lines.extend((0..10).map(|process| line(process, kind, "put", "a", value(process))));
        for number in (0..8).filter(|_| kind == "invoke") {
            lines.push(line(10, "invoke", "get", "a", "null"));
            lines.push(line(10, "ok", "get", "a", value(number)));
        }
    }
    for (process, f, value) in [(20, "put", r#""1""#), (21, "put", r#""2""#), (22, "get", r#""1""#)]
    {
        let asked = if f == "get" { "null" } else { value };
        lines.extend([line(process, "invoke", f, "b", asked), line(process, "ok", f, "b", value)]);
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    history(&lines)
}

#[test]
fn key_that_costs_too_much_is_unknown_and_the_others_are_judged() {
    let default = Budget::default();
    for (budget, reason) in [
        (Budget { configurations: 12, ..default }, "after 12 configurations"),
        (Budget { bytes: 160, ..default }, "more than 160 bytes"),
    ] {
        for engine in [Engine::Auto, Engine::Search] {
            let verdict = check(
                &hard_key_beside_a_bad_one(),
                &Options { engine, budget, ..Options::default() },
            );
            let [a, b] = verdict.keys.as_slice() else { panic!("two keys") };
            assert_eq!(a.validity, Validity::Unknown, "{budget:?} {engine:?} {}", a.explored);
            assert!(a.reason.as_ref().is_some_and(|it| it.contains(reason)), "{:?}", a.reason);
            assert_eq!((b.validity, verdict.validity), (Validity::Invalid, Validity::Invalid));
            assert!(a.explored <= budget.configurations);
            assert!(
                verdict.reasons[0].starts_with("key b") && verdict.reasons[1].starts_with("key a")
            );
        }
    }
    let verdict = check(&hard_key_beside_a_bad_one(), &Options::default());
    assert_eq!(verdict.keys[0].validity, Validity::Valid);
}

#[test]
fn verdict_says_which_stretch_was_searched_and_how_hard_it_was() {
    let read = r#""process":9,"type":"ok","f":"get","key":"a","value":"x""#;
    let asked = read.replace("ok", "invoke").replace(r#""x""#, "null");
    let again = |process: u32, kind: &str, value: &str| {
        format!(r#""process":{process},"type":"{kind}","f":"put","key":"a","value":"{value}""#)
    };
    let concurrent = [
        again(5, "invoke", "x"),
        again(6, "invoke", "x"),
        again(7, "invoke", "y"),
        again(7, "ok", "y"),
        again(5, "ok", "x"),
        again(6, "ok", "x"),
    ];
    let mut lines = vec![PUT_X, PUT_X_OK];
    lines.extend(concurrent.iter().map(String::as_str));
    lines.extend([asked.as_str(), read]);
    let verdict = verdict(&lines, Engine::Auto);
    let key = &verdict.keys[0];
    assert_eq!((key.validity, key.calls), (Validity::Valid, 5));
    let searched = key.searched.as_ref().expect("values that time does not tell apart");
    assert_eq!((searched.stretches, searched.calls), (3, 5));
    let hardest = &searched.hardest;
    assert_eq!((hardest.from_ns, hardest.to_ns, hardest.calls), (2_000, 7_000, 3));
    assert!(hardest.explored > 0 && hardest.explored <= key.explored);
    let unique = self::verdict(&[PUT_X, PUT_X_OK, GET, GOT_X], Engine::Auto);
    assert_eq!(unique.keys[0].searched, None);
}
