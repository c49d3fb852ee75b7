//! Any text as each file of settings: nightly.toml, jepsen-tikv.toml, a profile of `fuzz`. The
//! values of a jepsen-tikv.toml live as long as the process, which is meant: run it with
//! `ASAN_OPTIONS=detect_leaks=0`.
#![no_main]

use jepsen_tikv::fuzz_entry_points;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    fuzz_entry_points::nightly(text);
    fuzz_entry_points::profile(text);
    fuzz_entry_points::defaults(text);
});
