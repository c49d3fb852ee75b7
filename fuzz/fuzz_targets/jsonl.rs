//! Any bytes as a history.jsonl: both ways of reading it end, agree about how many events there
//! are, and neither panics.
#![no_main]

use histories::{ReadError, jsonl::Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(reader) = Reader::new(bytes) else { return };
    let one_by_one: Vec<_> = reader.map(|event| event.is_ok()).collect();
    let mut heard = 0;
    let reader = Reader::new(std::io::Cursor::new(bytes.to_vec())).expect("it was read before");
    let ended = reader.visit(|_| {
        heard += 1;
        Ok::<(), ReadError>(())
    });
    assert_eq!(heard, one_by_one.iter().filter(|ok| **ok).count());
    assert_eq!(ended.is_ok(), one_by_one.iter().all(|ok| *ok));
});
