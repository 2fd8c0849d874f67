//! See `selvedge_fuzz::log_recovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selvedge_fuzz::log_recovery::run(bytes));
