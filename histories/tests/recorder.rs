//! The recorder: what many threads record is a well-formed history, and a disk that refuses is said
//! to.

use std::thread;

use histories::{
    Answer, Event, Header, Operation, Outcome, Process, Record, RecordError, Recorder,
    RecorderOptions, What, jsonl,
};

#[test]
fn what_many_threads_record_is_read_back_whole_and_in_order() {
    const CLIENTS: u64 = 8;
    const OPERATIONS: u64 = 500;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.jsonl");
    let recorder = Recorder::create(&path, &Header::default(), RecorderOptions::default())
        .expect("a new file");
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let handle = recorder.handle();
            scope.spawn(move || {
                for number in 0..OPERATIONS {
                    let put = Operation::Put {
                        key: b"k".to_vec(),
                        value: format!("{client}-{number}").into_bytes(),
                        ttl_s: None,
                    };
                    let process = Process::Client(client);
                    handle.record(Record::new(2 * number, process, What::Invoke(put.clone())));
                    let done = What::Complete(put, Outcome::Ok(Answer::Done));
                    handle.record(Record::new(2 * number + 1, process, done));
                }
            });
        }
    });
    let events = recorder.finish().expect("the disk takes everything");
    assert_eq!(events, CLIENTS * OPERATIONS * 2);
    let read: Vec<Event> = jsonl::open(&path)
        .expect("the file is there")
        .collect::<Result<_, _>>()
        .expect("the file is well-formed");
    assert_eq!(read.len() as u64, events);
}

#[test]
fn existing_history_is_never_overwritten() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.jsonl");
    std::fs::write(&path, "precious").expect("writable");
    let refused = Recorder::create(&path, &Header::default(), RecorderOptions::default());
    assert!(matches!(refused, Err(RecordError::Create { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("readable"), "precious");
}

#[test]
fn missing_directory_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("no/such/directory/history.jsonl");
    let refused = Recorder::create(&path, &Header::default(), RecorderOptions::default())
        .expect_err("there is no directory");
    assert!(refused.to_string().contains("no/such/directory"), "{refused}");
}
