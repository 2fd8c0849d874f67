//! The engine: one commit path, snapshots, background maintenance, statistics.
//!
//! The whole database hangs on [`commit`], which a newcomer reads from the top.
//! What is stored is the business of a [`Participant`]: the graph, the keyspace,
//! or both together. The engine asks it to validate, to install and to prune,
//! and keeps the order in which that happens.
//!
//! ```text
//! prepare .. | lock | validate | stamp | install | publish | settle | unlock | ..
//!            |      one commit after the other, nothing in here may wait      |
//! ```
//!
//! Lock order: the commit lock, then the worker's signal, then the handle
//! labels; none is taken while a later one is held. Reading order: [`commit`],
//! [`participant`], [`engine`], [`settle`], [`worker`], [`statistics`].
//!
//! This crate knows nothing of nodes, documents or keys.

pub mod commit;
pub mod engine;
pub mod participant;
pub mod settle;
pub mod statistics;
pub mod worker;

pub use commit::{CommitError, CommitState};
pub use engine::{Background, Engine, EngineOptions, OpenSnapshot};
pub use participant::Participant;
pub use settle::Settling;
pub use statistics::{OldestSnapshot, Statistics};
