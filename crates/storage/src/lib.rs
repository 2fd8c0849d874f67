//! Bytes on disk that survive: the log, the data files and the manifest.
//!
//! This crate knows bytes, positions and checksums. What a record or a block means,
//! and who may see it, is the business of those above. The formats, and the order
//! in which things are made durable, stand in `docs/design/storage.md`.

pub mod error;
pub mod position;

pub use error::StorageError;
pub use position::{LogPosition, LogStart};
