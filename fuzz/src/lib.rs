//! What the fuzz targets do with an input, one file a target. `cargo xtask fuzz` runs
//! them; docs/TESTING.md tells the rest.
//!
//! A target is a function of bytes that returns, or panics: then the input is a
//! finding. The programs in `fuzz_targets/` hand the fuzzer's bytes to them, and any
//! other program may.

pub mod document_decoding;
mod documents;
