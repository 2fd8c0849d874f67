//! See `selvedge_fuzz::document_decoding`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| selvedge_fuzz::document_decoding::run(bytes));
