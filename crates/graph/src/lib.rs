//! Nodes, edges and documents under snapshots.
//!
//! ```text
//!            nodes: id -> record -> version (label, key, document)
//! graph  --  out, into: id -> record -> version (sorted, packed edges)
//!            edges: number -> record -> version (document)
//!            keys: hash -> ids      labels, edge types: name -> count, members
//! ```
//!
//! Everything versioned is a record, so one rule of visibility serves nodes,
//! documents, adjacency and counts alike. A transaction stages its changes in
//! [`GraphWrites`]; the engine's commit path validates and installs them through
//! the graph's [`Participant`](selvedge_engine::Participant).
//!
//! Invariants:
//! - An edge of a snapshot has both its ends there: linking requires both ends
//!   alive under the commit lock, deleting a node requires its adjacency
//!   untouched since the start, and removes its edges.
//! - An edge is in the adjacency of both ends, or of neither.
//! - Counts at a snapshot equal what a scan finds there.
//! - Ids are given out once.
//!
//! Reading order: [`graph`], [`view`], [`neighbours`], [`adjacency_view`], [`scan`],
//! [`transaction`], [`edge_staging`], [`rules`], `writes`, `validation`, `install`, `pruning`; beneath them
//! `adjacency` and `block`, `catalog`; on top [`traversal`] and [`path`]; on disk
//! `outside`, `redo`, `checkpoint`, `load`, `check`.
//!
//! This crate knows no files, threads or clocks, and no timestamps but those it
//! hands through.

mod adjacency;
pub mod adjacency_view;
mod block;
mod catalog;
mod catalog_block;
mod changes;
mod check;
mod checkpoint;
mod codec;
pub mod compaction;
pub mod edge_staging;
pub mod edge_type;
pub mod entity;
pub mod error;
pub mod graph;
mod install;
mod leaf_block;
mod load;
pub mod neighbours;
mod new_edges;
mod outside;
pub mod path;
mod places;
mod pruning;
mod reads;
mod redo;
pub mod rules;
pub mod scan;
mod splice;
pub mod transaction;
pub mod traversal;
mod validation;
pub mod view;
mod writer;
mod writes;

pub use adjacency_view::{AdjacencyView, NeighboursOfEach};
pub use changes::GraphChanges;
pub use codec::Misfit;
pub use compaction::CompactionStep;
pub use edge_type::EdgeTypeDef;
pub use entity::{Conflict, ConflictKind, Direction, Edge, Entity, NamedEdge};
pub use error::{GraphError, GraphRefusal};
pub use graph::{Graph, GraphOptions, GraphRecord};
pub use neighbours::{EdgeRef, Edges, Neighbours};
pub use path::{Path, PathSearch};
pub use reads::ReadTracking;
pub use rules::{NodeChanging, Rules};
pub use scan::LabelScan;
pub use transaction::{GraphTransaction, Upserted};
pub use traversal::{Step, Traversal, Uniqueness};
pub use view::{GraphView, Node};
pub use writer::GraphWriter;
pub use writes::{GraphMark, GraphWrites};
