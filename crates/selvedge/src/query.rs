//! Queries: start somewhere, follow edges, keep what fulfils conditions, and ask for
//! what is found.
//!
//! [`Read::query`](crate::Read::query) begins one; [`Query`] has the steps, and the
//! methods that run them. What runs is a chain of iterators that borrow the
//! snapshot: nodes are found as they are asked for, and only `order_by`, `dedup`,
//! groups and repeats hold what they have seen, up to a limit that has a name.
//!
//! ```text
//! builder -> plan: access path, tests left over, steps -> run: one iterator a step
//!              |
//!      ids, key, label scan, range of an index
//! ```
//!
//! Invariants:
//! 1. What a query finds does not depend on the access path, nor does the order, once
//!    it sorts.
//! 2. In a transaction it finds what is there with the transaction's own writes.
//! 3. Of a stream of nodes no step sees how they were found, but those that read
//!    edges, and paths.
//!
//! Reading order: `builder`, `edge_types`, `terminals`, `typed`, `rows`, `page`; `field`,
//! `predicate`, `condition`, `aggregate`; `step`, `plan`, `index_access`;
//! `position`, `run`, `repeat`, `sort`, `group`; `error`.

pub(crate) mod aggregate;
pub(crate) mod builder;
pub(crate) mod condition;
mod edge_types;
pub(crate) mod error;
pub(crate) mod field;
mod group;
pub(crate) mod index_access;
pub(crate) mod page;
mod plan;
pub(crate) mod position;
pub(crate) mod predicate;
mod repeat;
pub(crate) mod rows;
mod run;
mod sort;
mod step;
pub(crate) mod terminals;
mod typed;

pub use aggregate::{Aggregate, avg, count, max, min, sum};
pub use builder::{Query, QueryStart};
pub use condition::{Condition, has};
pub use edge_types::EdgeTypes;
pub use error::QueryError;
pub use field::Field;
pub use page::{Page, PageCursor};
pub use predicate::{
    Predicate, absent, between, contains, eq, exists, gt, gte, lt, lte, ne, not, prefix, substring,
    within,
};
pub use rows::{Row, Rows, Select};
pub use step::Order;
pub use terminals::{FoundEdges, NodeIds, Nodes, Way, Ways};
pub use typed::{EdgesAs, NodesAs};
