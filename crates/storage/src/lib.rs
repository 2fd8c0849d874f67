//! Bytes on disk that survive: the log, the data files and the manifest.
//!
//! This crate knows bytes, positions and checksums. What a record or a block means,
//! and who may see it, is the business of those above. The formats, and the order
//! in which things are made durable, stand in `docs/design/storage.md`.

mod block;
pub mod blocks;
pub mod check;
pub mod checkpoint;
pub mod checksum;
pub mod codec;
pub mod contents;
pub mod data_file;
mod data_writer;
mod database_dir;
pub mod error;
mod fields;
mod header;
mod leaving;
pub mod log;
pub mod log_batch;
mod log_buffer;
pub mod log_reader;
mod log_search;
pub mod log_statistics;
mod log_tail;
mod log_waiter;
mod log_walk;
mod log_writer;
pub mod manifest;
pub mod payload;
pub mod place;
pub mod position;
pub mod record;
pub mod segment;
mod segment_reader;
mod segments;
pub mod store;

pub use blocks::{BlockEntry, Blocks, DocumentBytes};
pub use check::{Check, FileReport, Report};
pub use checkpoint::{
    CheckpointFacts, CheckpointStatistics, CheckpointWriter, Finished, Published,
};
pub use checksum::document_checksum;
pub use contents::Contents;
pub use data_file::DataFile;
pub use error::StorageError;
pub use log::{Log, LogOptions, Reservation};
pub use log_batch::{Batch, LogRecord};
pub use log_reader::{LogEnd, LogReader, ReadMode};
pub use log_statistics::LogStatistics;
pub use manifest::{Identity, LiveFile, Manifest};
pub use payload::Payload;
pub use place::{BlockKey, FileNumber, Place};
pub use position::{LogPosition, LogStart};
pub use record::{COMMIT_BYTES_MAX, RecordKind};
pub use segment::log_corrupt;
pub use store::Store;
