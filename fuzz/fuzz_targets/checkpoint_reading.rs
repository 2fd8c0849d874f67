//! See `selvedge_fuzz::checkpoint_reading`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selvedge_fuzz::checkpoint_reading::run(bytes));
