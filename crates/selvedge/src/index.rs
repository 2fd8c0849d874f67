//! Property indexes: entries in the store of keyspaces that follow the documents of
//! nodes.
//!
//! ```text
//! stage a node's document --> maintenance: entries that go and come, same transaction
//!                               |
//!            place: where an entry stands, in the order of the values
//!                               |
//!       view, scan: reading a range of entries, own writes included
//! ```
//!
//! Invariants:
//! - I1: from the commit on that defines an index, every commit that changes a document
//!   of its label changes its entries with it: who began before is refused.
//! - I2: an index that is *ready* has exactly the entries that the documents of its
//!   label give, at every snapshot from then on.
//! - I3: of two nodes with the same values in a unique index at most one commits.
//!
//! As entries are keyed entries, everything else holds of itself: snapshots, first
//! committer wins, validated ranges, log, checkpoints, pruning.

pub(crate) mod access;
pub(crate) mod build;
pub(crate) mod candidate;
pub(crate) mod maintenance;
pub(crate) mod place;
pub(crate) mod scan;
pub(crate) mod verify;
pub(crate) mod view;

use selvedge_graph::GraphError;
use selvedge_schema::IndexDef;

use crate::error::Error;

/// An entry that leads to no node.
pub(crate) fn damaged(index: &IndexDef) -> Error {
    GraphError::IndexDamaged { index: index.name().to_owned() }.into()
}
