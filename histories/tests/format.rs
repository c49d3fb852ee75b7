//! The file format: the golden file is what version 1 looks like, byte for byte; everything
//! malformed is refused with its line and a reason.

use histories::jsonl::{Reader, Writer};
use histories::{Answer, Event, MalformedReason, Operation, Outcome, ReadError, What};

const GOLDEN: &str = include_str!("golden.jsonl");
const HEADER: &str = "{\"format\":\"jepsen-tikv history\",\"version\":1}\n";

fn read(text: &str) -> Result<Vec<Event>, ReadError> {
    Reader::new(text.as_bytes())?.collect()
}

/// The reason why the events, put under a header, are refused, and at which line.
fn refused(events: &str) -> (u64, MalformedReason) {
    match read(&format!("{HEADER}{events}")) {
        Err(ReadError::Malformed { line, reason }) => (line, reason),
        other => panic!("expected a malformed history, got {other:?}"),
    }
}

#[test]
fn golden_file_is_read_and_written_back_byte_for_byte() {
    let mut reader = Reader::new(GOLDEN.as_bytes()).expect("the golden file has a header");
    let header = reader.header().clone();
    assert_eq!(header.fields["target"], "embedded");
    let events: Vec<Event> =
        reader.by_ref().collect::<Result<_, _>>().expect("the golden file is well-formed");
    assert_eq!(events.len(), 28);
    let mut writer = Writer::new(Vec::new(), &header).expect("memory takes everything");
    for event in &events {
        writer.write(event).expect("memory takes everything");
    }
    let written = writer.finish().expect("memory takes everything");
    assert_eq!(String::from_utf8(written).expect("a history is UTF-8"), GOLDEN);
}

#[test]
fn golden_events_mean_what_they_say() {
    let events = read(GOLDEN).expect("the golden file is well-formed");
    let cas = Answer::Cas { swapped: false, previous: Some(b"0-0".to_vec()) };
    assert!(matches!(&events[8].what, What::Complete(_, Outcome::Ok(answer)) if *answer == cas));
    let put = Operation::Put { key: vec![0xff, 0], value: vec![0xfe], ttl_s: None };
    assert_eq!(events[12].what, What::Complete(put, Outcome::Info));
    assert_eq!(events[10].attempts[0].store, Some(1));
    assert!(matches!(&events[13].what, What::FaultComplete { f, .. } if f == "pause"));
}

#[test]
fn every_cut_of_a_file_gives_its_whole_lines_and_then_a_torn_tail() {
    let header_bytes = GOLDEN.find('\n').expect("lines") + 1;
    for cut in header_bytes..GOLDEN.len() {
        let whole_lines = GOLDEN[..cut].matches('\n').count() - 1;
        let mut events = 0;
        let mut torn = false;
        for event in Reader::new(&GOLDEN.as_bytes()[..cut]).expect("the header is whole") {
            match event {
                Ok(_) => events += 1,
                Err(ReadError::TornTail { line }) => {
                    assert_eq!(line as usize, whole_lines + 2, "cut at byte {cut}");
                    torn = true;
                }
                Err(other) => panic!("cut at byte {cut}: {other}"),
            }
        }
        // A cut just before a newline leaves the line whole.
        let whole = GOLDEN.as_bytes()[cut] == b'\n';
        let at_line_start = GOLDEN.as_bytes()[cut - 1] == b'\n';
        assert_eq!(events, whole_lines + usize::from(whole), "cut at byte {cut}");
        assert_eq!(torn, !whole && !at_line_start, "cut at byte {cut}");
    }
}

#[test]
fn torn_compressed_file_is_a_torn_tail() {
    let packed = zstd::encode_all(GOLDEN.as_bytes(), 3).expect("memory takes everything");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.jsonl.zst");
    std::fs::write(&path, &packed).expect("the temporary directory is writable");
    let whole: Result<Vec<Event>, ReadError> =
        histories::jsonl::open(&path).expect("readable").collect();
    assert_eq!(whole.expect("whole").len(), 28);

    std::fs::write(&path, &packed[..packed.len() - 9]).expect("writable");
    let last = match histories::jsonl::open(&path) {
        Ok(reader) => reader.last().expect("an end"),
        Err(error) => Err(error),
    };
    assert!(matches!(last, Err(ReadError::TornTail { .. })), "got {last:?}");
}

#[test]
fn foreign_files_are_refused_in_words() {
    for text in ["", "hello\n", "[1,2]\n", "{\"format\":\"other\",\"version\":1}\n"] {
        assert!(matches!(read(text), Err(ReadError::Foreign { .. })), "{text:?}");
    }
    let newer = "{\"format\":\"jepsen-tikv history\",\"version\":2}\n";
    assert!(matches!(read(newer), Err(ReadError::Version { found: 2 })));
}

#[test]
fn unknown_fields_are_tolerated() {
    let event =
        r#"{"zone":[1],"index":0,"time":1,"process":3,"type":"invoke","f":"get","key":"a"}"#;
    assert_eq!(read(&format!("{HEADER}{event}\n")).expect("well-formed").len(), 1);
}

#[test]
fn return_without_invoke_is_refused() {
    let events = r#"{"index":0,"time":1,"process":3,"type":"ok","f":"get","key":"a","value":"x"}"#;
    assert_eq!(refused(events), (2, MalformedReason::ReturnWithoutInvoke(3)));
}

#[test]
fn two_open_operations_of_one_client_are_refused() {
    let events = r#"{"index":0,"time":1,"process":3,"type":"invoke","f":"get","key":"a"}
{"index":1,"time":2,"process":3,"type":"invoke","f":"get","key":"b"}
"#;
    assert_eq!(refused(events), (3, MalformedReason::TwoOpenOperations(3)));
}

#[test]
fn time_running_backwards_within_a_client_is_refused_and_across_clients_is_not() {
    let events = r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"get","key":"a"}
{"index":1,"time":4,"process":4,"type":"invoke","f":"get","key":"a"}
{"index":2,"time":4,"process":3,"type":"ok","f":"get","key":"a","value":null}
"#;
    let backwards = MalformedReason::TimeBackwards { client: 3, before_ns: 5, now_ns: 4 };
    assert_eq!(refused(events), (4, backwards));
}

#[test]
fn gap_in_the_indexes_is_refused() {
    let events = r#"{"index":1,"time":5,"process":3,"type":"invoke","f":"get","key":"a"}"#;
    assert_eq!(refused(events), (2, MalformedReason::Index { expected: 0, found: 1 }));
}

#[test]
fn unknown_type_and_operation_are_refused() {
    let events = r#"{"index":0,"time":5,"process":3,"type":"begin","f":"get","key":"a"}"#;
    assert_eq!(refused(events), (2, MalformedReason::UnknownType("begin".to_owned())));
    let events = r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"append","key":"a"}"#;
    assert_eq!(refused(events), (2, MalformedReason::UnknownOperation("append".to_owned())));
}

#[test]
fn completion_of_another_operation_is_refused() {
    let invoke =
        r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"put","key":"a","value":"x"}"#;
    for completion in [
        r#"{"index":1,"time":6,"process":3,"type":"ok","f":"get","key":"a","value":"x"}"#,
        r#"{"index":1,"time":6,"process":3,"type":"ok","f":"put","key":"b","value":"x"}"#,
        r#"{"index":1,"time":6,"process":3,"type":"ok","f":"put","key":"a","value":"y"}"#,
        r#"{"index":1,"time":6,"process":3,"type":"info","f":"put","key":"a","value":"y"}"#,
    ] {
        let (line, reason) = refused(&format!("{invoke}\n{completion}\n"));
        assert_eq!(line, 3);
        assert!(matches!(reason, MalformedReason::OtherOperation { client: 3, .. }), "{reason}");
    }
}

#[test]
fn wrong_shapes_are_refused_with_the_field_named() {
    for (event, named) in [
        (r#""f":"put","key":"a","value":7"#, "value of a put"),
        (r#""f":"put","key":7,"value":"a""#, "key of a put"),
        (r#""f":"put","key":"a","value":{"hex":"f"}"#, "value of a put"),
        (r#""f":"cas","key":"a","value":{"expected":null}"#, "value of a cas"),
        (r#""f":"scan","value":{"start":"a","end":null,"limit":-1}"#, "value of a scan"),
        (r#""f":"batch-put","value":[["a"]]"#, "value of a batch-put"),
    ] {
        let line =
            format!("{{\"index\":0,\"time\":5,\"process\":3,\"type\":\"invoke\",{event}}}\n");
        let (number, reason) = refused(&line);
        assert_eq!(number, 2);
        assert!(reason.to_string().contains(named), "{reason} should name the {named}");
    }
}
