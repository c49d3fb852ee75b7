//! Any history.jsonl, exported for Knossos: what is written can be read again.
#![no_main]

use histories::{
    export::{Splitter, edn},
    import::read_edn,
    jsonl::Reader,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(reader) = Reader::new(bytes) else { return };
    let mut splitter = Splitter::default();
    for event in reader.map_while(Result::ok) {
        splitter.observe(event.borrowed());
    }
    for (key, calls) in splitter.finish().calls {
        let text = edn::text(&String::from_utf8_lossy(&key), &calls);
        for event in read_edn(&text, Some(false)).events {
            event.expect("what we write we can read");
        }
    }
});
