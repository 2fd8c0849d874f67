//! See `selvedge_fuzz::ordered_keys`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selvedge_fuzz::ordered_keys::run(bytes));
