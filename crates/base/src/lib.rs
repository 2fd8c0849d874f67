//! What every layer shares: identifiers, timestamps, named limits, and the one
//! door to atomics, locks and threads.
//!
//! This crate knows nothing of versions, bytes on disk or graphs. Reading order:
//! [`timestamp`], [`id`], [`limits`], [`hash`], [`sync`],
//! [`lock_order`], [`mutant`].

pub mod hash;
pub mod id;
pub mod limits;
pub mod lock_order;
pub mod mutant;
pub mod prefetch;
pub mod sync;
pub mod timestamp;

pub use id::{EdgeId, EdgeTypeId, LabelId, NodeId};
pub use timestamp::Timestamp;
