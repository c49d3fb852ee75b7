//! Any bytes as a plan.json: refused with a reason, or the same plan again when it is written and
//! read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| jepsen_tikv::fuzz_entry_points::plan(text));
