//! The engine: one commit path, snapshots, background maintenance, statistics.
//!
//! The whole database hangs on [`commit`], which a newcomer reads from the top.
//! What is stored is the business of a [`Participant`]: the graph, the keyspace,
//! or both together. The engine asks it to validate, to install and to prune,
//! and keeps the order in which that happens.
//!
//! ```text
//! prepare | lock | validate | stamp | install | log | publish | settle | unlock | sync
//!         |       one commit after the other, nothing in here may wait        |
//! ```
//!
//! Locks have an order, [`LockRank`](selvedge_base::lock_order::LockRank), which
//! builds with debug assertions check. Outer first, with what may be done under each:
//!
//! | lock | where | under it |
//! |---|---|---|
//! | `Succession` | `succession.rs` | a database is opened again, or ended |
//! | `Checkpoints` | `journal.rs` | a checkpoint is written |
//! | `CheckpointEnded` | `journal.rs` | a commit waits for a checkpoint |
//! | `Leases` | `journal.rs` | leases are logged and synced |
//! | `Commits` | `engine.rs` | nothing waits, and nothing is written |
//! | `DeadFiles` | `engine.rs` | |
//! | `LogSpares` | storage, `segments.rs` | segments are made, named and removed |
//! | `LogTurn` | storage, `log_writer.rs` | who waits for the log does so without it |
//! | `LogTail` | storage, `log.rs` | |
//! | `LogReady` | storage, `segments.rs` | |
//! | `StoreState` | storage, `store.rs` | |
//! | `NameReservations` | graph, `catalog.rs` | |
//! | `WorkerSignal` | `worker.rs` | the worker waits without it |
//! | `WorkerThread` | `worker.rs` | the worker is started |
//! | `SnapshotLabels` | `engine.rs` | |
//!
//! Reading order: [`commit`], [`participant`], [`engine`], [`settle`]; on disk
//! [`durable`], [`journal`], [`recovery`], [`checkpoint`], [`succession`]; [`worker`],
//! [`statistics`].
//!
//! This crate knows nothing of nodes, documents or keys.

#[cfg(test)]
extern crate self as selvedge_engine;
#[cfg(test)]
#[path = "../tests/shelf/mod.rs"]
#[expect(unsafe_code, dead_code, reason = "it is made for the tests of durability")]
mod shelf;

pub mod checkpoint;
pub mod checkpoint_sink;
pub mod commit;
pub mod durable;
pub mod engine;
pub mod journal;
mod lease;
pub mod participant;
pub mod recovery;
pub mod sequence;
pub mod settle;
pub mod snapshot_error;
pub mod statistics;
pub mod succession;
pub mod worker;

pub use checkpoint::CheckpointSummary;
pub use checkpoint_sink::CheckpointSink;
pub use commit::{CommitError, CommitState};
pub use durable::{Durable, Evict};
pub use engine::{Background, Engine, EngineOptions, OpenSnapshot};
pub use journal::SyncLevel;
pub use participant::Participant;
pub use recovery::{OnProgress, Progress, StorageOptions};
pub use sequence::Sequence;
pub use settle::Settling;
pub use snapshot_error::SnapshotError;
pub use statistics::{OldestSnapshot, RecoveryStatistics, Statistics, StorageStatistics};
