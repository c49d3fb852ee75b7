//! A history in segments is one history, whoever reads it, whatever became of its files.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use histories::jsonl::segments::{compressed_segment_path, segment_path};
use histories::{
    Answer, Event, Header, Operation, Outcome, Process, ReadError, Record, Recorder,
    RecorderOptions, What, jsonl, source,
};

const OPERATIONS: u64 = 300;

/// Records so many operations to segments of a kilobyte, and says what was recorded.
fn record(path: &Path) -> Vec<Event> {
    let mut header = Header::default();
    header.fields.insert("target".into(), "a cluster".into());
    let (listener, heard) = mpsc::channel();
    let options = RecorderOptions { segment_bytes_max: Some(1 << 10), listener: Some(listener) };
    let recorder = Recorder::create(path, &header, options).expect("a new file");
    let handle = recorder.handle();
    for number in 0..OPERATIONS {
        let put = Operation::Put {
            key: b"k".to_vec(),
            value: number.to_string().into_bytes(),
            ttl_s: None,
        };
        let process = Process::Client(0);
        handle.record(Record::new(2 * number, process, What::Invoke(put.clone())));
        let done = What::Complete(put, Outcome::Ok(Answer::Done));
        handle.record(Record::new(2 * number + 1, process, done));
    }
    assert_eq!(recorder.finish().expect("there is room"), OPERATIONS * 2);
    heard.iter().collect()
}

/// The header's target, and all events, read by line and read fast, which is the same.
fn read(path: &Path) -> Result<(String, Vec<Event>), ReadError> {
    let by_line: Vec<Event> = jsonl::open(path)?.collect::<Result<_, _>>()?;
    let opened = source::open(path, histories::ReadOptions::default())?;
    let target = opened.header.fields["target"].as_str().unwrap_or_default().to_owned();
    let (length, position) = (opened.position.length(), opened.position.clone());
    let mut fast = 0;
    opened.visit(|event| {
        assert_eq!(event.index, by_line[fast].index);
        assert_eq!(event.time_ns, by_line[fast].time_ns);
        fast += 1;
        Ok::<(), ReadError>(())
    })?;
    assert_eq!(fast, by_line.len());
    assert_eq!(Some(position.read()), length, "progress ends at the end");
    Ok((target, by_line))
}

#[test]
fn segments_are_compressed_and_read_as_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("history.jsonl");
    let recorded = record(&path);
    assert_eq!(recorded.len() as u64, OPERATIONS * 2, "whoever listens hears all of it");
    assert_eq!(read(&path).expect("whole"), ("a cluster".to_owned(), recorded));
    let count = fs::read_dir(directory.path()).expect("there").count() as u64;
    assert!(count > 10, "{count}");
    for number in 1..count {
        assert!(compressed_segment_path(&path, number).is_file(), "{number} of {count}");
        assert!(!segment_path(&path, number).exists());
    }
    let first = fs::read(compressed_segment_path(&path, 1)).expect("readable");
    let last = fs::metadata(&path).expect("there").len();
    assert!(first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) && last < 2 << 10);
}

#[test]
fn segments_one_behind_the_other_are_a_history() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("history.jsonl");
    let recorded = record(&path);
    let mut whole = Vec::new();
    let mut number = 1;
    while let Ok(bytes) = fs::read(compressed_segment_path(&path, number)) {
        whole.extend(zstd::decode_all(&bytes[..]).expect("compressed whole"));
        number += 1;
    }
    whole.extend(fs::read(&path).expect("readable"));
    let one = directory.path().join("one.jsonl");
    fs::write(&one, whole).expect("written");
    assert_eq!(read(&one).expect("whole").1, recorded);
}

#[test]
fn segment_that_is_not_compressed_yet_is_read_as_well() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("history.jsonl");
    let recorded = record(&path);
    // As after a kill between two steps of the recorder: a plain one, one of both kinds, one half
    // compressed, a next one that nobody has moved.
    let plain = |number| {
        let bytes = fs::read(compressed_segment_path(&path, number)).expect("readable");
        let text = zstd::decode_all(&bytes[..]).expect("compressed whole");
        fs::write(segment_path(&path, number), text).expect("written");
    };
    for number in [1, 2, 4] {
        plain(number);
    }
    for number in [1, 4] {
        fs::remove_file(compressed_segment_path(&path, number)).expect("removed");
    }
    fs::write(directory.path().join("history.jsonl.000004.zst.part"), "half").expect("written");
    fs::write(directory.path().join("history.jsonl.next"), "").expect("written");
    assert_eq!(read(&path).expect("whole").1, recorded);
}

#[test]
fn segment_that_is_missing_or_alone_is_refused_in_words() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("history.jsonl");
    record(&path);
    let third = compressed_segment_path(&path, 3);
    let alone = read(&third).expect_err("a middle one").to_string();
    assert!(alone.contains("later segment"), "{alone}");
    let torn = fs::read(&third).expect("readable");
    fs::write(&third, &torn[..torn.len() / 2]).expect("written");
    assert!(read(&path).is_err(), "what is torn in the middle is no history");
    fs::remove_file(&third).expect("removed");
    let missing = read(&path).expect_err("a hole").to_string();
    assert!(missing.contains("history.jsonl.000003.zst"), "{missing}");
}
