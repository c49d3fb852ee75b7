//! Any bytes as an answer of PD's HTTP API, as our client reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| client::pd_http::doors::answers(text));
