//! Any text as a history of another project: every importer ends without a panic, and what it gives
//! is well-formed.
#![no_main]

use histories::{
    Event, ReadError,
    import::{read_edn, read_etcd, read_text_log, read_tipocket},
    order::Order,
};
use libfuzzer_sys::fuzz_target;

fn is_well_formed(events: impl IntoIterator<Item = Result<Event, ReadError>>) {
    let mut order = Order::new();
    for event in events.into_iter().map_while(Result::ok) {
        order.event(&event).expect("an importer obeys the rules");
    }
}

fuzz_target!(|text: &str| {
    for independent in [None, Some(true), Some(false)] {
        is_well_formed(read_edn(text, independent).events);
        is_well_formed(read_text_log(text, independent).events);
    }
    is_well_formed(read_tipocket(text).events);
    is_well_formed(read_etcd(text).events);
});
