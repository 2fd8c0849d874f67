//! What the fuzz targets do with an input, one file a target. `cargo xtask fuzz` runs
//! them; docs/TESTING.md tells the rest.
//!
//! A target is a function of bytes that returns, or panics: then the input is a
//! finding. The programs in `fuzz_targets/` hand the fuzzer's bytes to them, and any
//! other program may.

mod checkpoint_format;
pub mod checkpoint_reading;
mod database;
pub mod document_decoding;
mod documents;
mod image;
mod kv_connect_model;
pub mod kv_connect_requests;
mod log_edit;
mod log_format;
pub mod log_recovery;
pub mod ordered_keys;
mod reading;
mod seeds;
pub mod transactions;

/// A target: its name, what it does with an input, and inputs for the start.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets.
pub const TARGETS: [Target; 6] = [
    ("checkpoint_reading", checkpoint_reading::run, checkpoint_reading::seeds),
    ("document_decoding", document_decoding::run, document_decoding::seeds),
    ("kv_connect_requests", kv_connect_requests::run, kv_connect_requests::seeds),
    ("log_recovery", log_recovery::run, log_recovery::seeds),
    ("ordered_keys", ordered_keys::run, ordered_keys::seeds),
    ("transactions", transactions::run, transactions::seeds),
];
