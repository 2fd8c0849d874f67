//! See `selvedge_fuzz::kv_connect_requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selvedge_fuzz::kv_connect_requests::run(bytes));
