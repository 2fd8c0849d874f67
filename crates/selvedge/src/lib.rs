//! Selvedge: an embedded graph and document database with snapshot isolation.
//!
//! Many threads, one consistent cloth: a transaction reads the database exactly
//! as of its start, writers never block readers, and of two transactions that
//! write the same thing the first to commit wins.
//!
//! ```
//! use selvedge::prelude::*;
//!
//! let db = Db::in_memory();
//! let (alice, bob) = db.transaction(|ctx| {
//!     let alice = ctx.insert_node("User", "alice", doc! { "name": "Alice", "age": 31 })?;
//!     let bob = ctx.insert_node("User", "bob", doc! { "name": "Bob" })?;
//!     ctx.link_nodes(alice, "KNOWS", bob, doc! { "since": 2020 })?;
//!     Ok::<_, Error>((alice, bob))
//! })?;
//!
//! let snapshot = db.snapshot()?;
//! db.delete_node(bob)?;
//! // The snapshot still sees what it saw.
//! let friends: Vec<_> = snapshot.neighbours(alice, Direction::Out, "KNOWS")?.collect();
//! assert_eq!(friends, [bob]);
//! assert_eq!(snapshot.count("User")?, 2);
//! assert_eq!(db.snapshot()?.count("User")?, 1);
//! # Ok::<(), Error>(())
//! ```
//!
//! # What holds
//! - A transaction sees the state of its start and its own writes, everywhere:
//!   nodes, keys, scans, counts, neighbours, traversals, paths.
//! - First committer wins: [`Error::Conflict`] names the entity and both
//!   timestamps. Read-only transactions never conflict. Documents conflict as a
//!   whole: two transactions that set different fields of one node conflict.
//! - Edges at the same node do not conflict; an edge to a node that another
//!   transaction deletes does, whichever commits first. No edge ever dangles.
//! - Snapshot isolation permits write skew. [`Isolation::Serializable`] does
//!   not: what the transaction read is validated when it commits.
//!
//! # Finding the way
//! [`Db`] opens transactions ([`Transaction`]) and snapshots ([`Snapshot`]); both
//! read through [`Read`]. Structs are nodes and edges by `#[derive(Node)]` and
//! `#[derive(Edge)]`: [`NodeType`], [`EdgeType`], [`Locate`], [`Stored`]. [`Db::define`] says
//! what documents hold, and what is indexed. [`query`] asks questions of the graph,
//! [`algorithms`] has paths, components and ranks. [`Kv`] is a keyspace: values under
//! ordered keys, atomic operations ([`Atomic`]), watches, queues. [`Op`] is for batches,
//! [`RetryPolicy`] for conflicts,
//! [`Error`] tells what to do about a failure, [`limits`] names every limit.
#![deny(missing_docs)]

pub mod algorithms;
mod auto_commit;
mod batch;
mod database_id;
mod db;
mod error;
mod hex;
mod index;
mod kv;
mod nested;
mod options;
mod pending_sync;
pub mod query;
mod read;
mod retry;
mod savepoint;
mod schema;
mod snapshot;
mod statistics;
mod storage;
mod stores;
mod transaction;
mod typed;

pub use batch::{Op, OpResult, Target};
pub use database_id::DatabaseId;
pub use db::Db;
pub use error::{Error, ErrorKind, Result};
pub use index::scan::{IndexIds, IndexScan};
pub use index::view::IndexView;
pub use kv::atomic::{Atomic, AtomicOutcome, KvCommit};
pub use kv::entry::KvEntry;
pub use kv::error::KvError;
pub use kv::handle::Kv;
pub use kv::limits::{KvLimits, WATCHED_KEYS_MAX};
pub use kv::queue::{
    Delivery, MESSAGE_BACKOFF_MAX, MESSAGE_DELAY_MAX, MESSAGE_RETRIES_MAX,
    MESSAGE_UNDELIVERED_KEYS_MAX, Message,
};
pub use kv::reading::{KvRange, KvView};
pub use kv::selection::{Cursor, Selection};
pub use kv::value::KvValue;
pub use kv::versionstamp::Versionstamp;
pub use kv::watch::{KvChanges, KvWatch, Watched};
pub use kv::writing::KvTransaction;
pub use options::{DbBuilder, Isolation, TransactionOptions};
pub use pending_sync::PendingSync;
pub use read::Read;
pub use retry::RetryPolicy;
pub use savepoint::Savepoint;
pub use schema::change::{MigrationProgress, MigrationStage};
pub use schema::define::Define;
pub use schema::error::SchemaError;
pub use schema::migrate::Migration;
pub use snapshot::Snapshot;
pub use statistics::Statistics;
pub use transaction::Transaction;
#[doc(hidden)]
pub use typed::derived;
pub use typed::edge_type::{AnyNode, EdgeType, EndType};
pub use typed::error::TypedError;
pub use typed::field_type::field_type;
pub use typed::locate::{Locate, Place};
pub use typed::node_type::{NoKey, NodeKey, NodeType};
pub use typed::reading::{TypedEdges, TypedNodes};
pub use typed::stored::{Stored, StoredEdge};
pub use typed::update::{EdgeUpdate, InBatch, NodeUpdate};

pub use selvedge_derive::{Edge, Node};

pub use selvedge_base::{EdgeId, EdgeTypeId, LabelId, NodeId, Timestamp, limits};
pub use selvedge_encoding::{
    BigInt, DateTime, DocRef, Document, EncodeError, FieldPath, FromValue, Key, KeyError, KeyPart,
    ListRef, ParseDateTimeError, PathError, SerdeError, TypeMismatch, Value, ValueRef, Vector,
    VectorRef, doc, from_document, from_value, key, to_document, to_value,
};
pub use selvedge_engine::{
    Background, CheckpointSummary, OldestSnapshot, Progress, RecoveryStatistics, StorageStatistics,
    SyncLevel,
};
pub use selvedge_env as env;
pub use selvedge_graph::{
    AdjacencyView, Conflict, ConflictKind, Direction, Edge, EdgeRef, EdgeTypeDef, Edges, Entity,
    GraphError as InputError, LabelScan, NamedEdge, Neighbours, NeighboursOfEach, Node, Path,
    PathSearch, Step, Traversal, Uniqueness, Upserted,
};

pub use selvedge_keyspace::{Encoding as KvEncoding, Operation as KvOperation, V8Number, V8Sum};
pub use selvedge_schema::{
    Change, Definition, DefinitionError, DocumentDef, EdgeDef, FieldDef, FieldType, IndexDef,
    IndexNumber, IndexPath, IndexState, Kind, NodeDef, Owner, Phase, Presence, Schema,
    SchemaDifference, Step as MigrationStep, Violation, ViolationKind,
};
pub use selvedge_storage::StorageError;

/// The guide to queries: its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/queries.md")]
pub struct QueriesGuide;

/// What most programs need: `use selvedge::prelude::*`.
pub mod prelude {
    pub use crate::{
        Db, Define, Direction, Document, Edge, EdgeType, EdgeTypeDef, Error, Isolation, NodeId,
        NodeType, Op, Read, RetryPolicy, Snapshot, Step, Stored, StoredEdge, Timestamp,
        Transaction, TransactionOptions, Uniqueness, Value, doc,
    };
    // The macro alone: a node that was read is seldom named.
    pub use selvedge_derive::Node;
}

/// The examples of the guide compile, and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/typed.md")]
struct TypedGuide;
