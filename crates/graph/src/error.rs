//! What can go wrong in the graph: input to be fixed, and refused commits.

use selvedge_base::{NodeId, Timestamp};
use selvedge_encoding::{EncodeError, TypeMismatch};
use selvedge_schema::{IndexKeyError, Violation};
use selvedge_storage::StorageError;

use crate::entity::{Conflict, Entity};

/// An operation that was refused. Nothing of it is applied; the transaction
/// stays usable.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// There is no such entity at this snapshot.
    #[error("{0} does not exist at this snapshot")]
    NotFound(Entity),
    /// The end of an edge does not exist.
    #[error(
        "cannot link {source_node} to {target}: node {missing} does not exist at this snapshot"
    )]
    MissingEndpoint {
        /// Where the edge should start.
        source_node: NodeId,
        /// Where it should end.
        target: NodeId,
        /// The one that is missing.
        missing: NodeId,
    },
    /// A node with this label and key exists.
    #[error("a node with label {label:?} and key {key:?} exists already: {existing}")]
    KeyExists {
        /// The label.
        label: String,
        /// The key.
        key: String,
        /// The node that has it.
        existing: NodeId,
    },
    /// An edge type is used or defined against its definition.
    #[error("edge type {name:?} is defined as {defined}; {wanted}")]
    EdgeType {
        /// The edge type.
        name: String,
        /// How it is defined.
        defined: String,
        /// What was asked of it.
        wanted: String,
    },
    /// The files of the database do not give, or take, what they should.
    #[error(transparent)]
    Storage(Box<StorageError>),
    /// The document of an entity is not what was written: its file is damaged.
    #[error("the document of {0} is damaged on disk: restore the database from a backup")]
    Damaged(Entity),
    /// A named limit is exceeded.
    #[error("{what} is {actual}, the limit is {limit}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// What was given.
        actual: u64,
        /// The limit.
        limit: u64,
    },
    /// The name of a label or edge type is empty.
    #[error("the name of {what} may not be empty")]
    EmptyName {
        /// What was to be named.
        what: &'static str,
    },
    /// A document cannot be stored.
    #[error("the document of {entity} cannot be stored: {source}")]
    Document {
        /// Whose document.
        entity: String,
        /// Why.
        source: EncodeError,
    },
    /// Another node of the label has the same values, which a unique index forbids.
    #[error("{holder} has {values} in the unique index {index:?} of {label:?} already")]
    UniqueViolation {
        /// The label.
        label: String,
        /// The index.
        index: String,
        /// The values, in the order of its paths.
        values: String,
        /// The node that has them.
        holder: NodeId,
    },
    /// A migration under way brings a default to a field of a unique index, and keeps its
    /// place there for the nodes that are to get it.
    #[error(
        "the node would have, in the unique index {index:?} of {label:?}, the default of a \
         migration that is under way: give it another value, or wait until that has ended"
    )]
    DefaultKept {
        /// The label.
        label: String,
        /// The index.
        index: String,
    },
    /// Two nodes have the same values, so that an index of them cannot be unique.
    #[error(
        "index {index:?} of {label:?} cannot be unique: {} and {} both have {values}; \
         make them differ, then define it again",
        .nodes[0], .nodes[1]
    )]
    Duplicate {
        /// The label.
        label: String,
        /// The index.
        index: String,
        /// The values, in the order of its paths.
        values: String,
        /// The two nodes.
        nodes: [NodeId; 2],
    },
    /// An index cannot hold a document.
    #[error("the document does not fit index {index:?} of {label:?}: {source}")]
    IndexKey {
        /// The label.
        label: String,
        /// The index.
        index: String,
        /// Why.
        source: IndexKeyError,
    },
    /// There is no such index.
    #[error("there is no index {index:?} of {label:?} at this snapshot: define it first")]
    NoIndex {
        /// The label.
        label: String,
        /// The index.
        index: String,
    },
    /// An index is still being built.
    #[error("index {index:?} of {label:?} is being built: scan the label until it is ready")]
    IndexBuilding {
        /// The label.
        label: String,
        /// The index.
        index: String,
    },
    /// An index is asked for what it cannot give.
    #[error("index {index:?} cannot be read so: {reason}")]
    IndexUse {
        /// The index.
        index: String,
        /// Why.
        reason: &'static str,
    },
    /// An index holds what it cannot hold.
    #[error("index {index:?} is damaged: an entry of it leads to no node")]
    IndexDamaged {
        /// The index.
        index: String,
    },
    /// A document breaks the definition of its label or edge type.
    #[error(transparent)]
    Violation(Box<Violation>),
    /// A field has another type than asked for.
    #[error(transparent)]
    TypeMismatch(#[from] TypeMismatch),
    /// A batch refers to a node that none of its earlier operations inserted.
    #[error("operation {place} of the batch did not insert a node before this one")]
    NoInsert {
        /// The place referred to, counted from 0.
        place: usize,
    },
    /// The savepoint was rolled back over, or released.
    #[error("the savepoint has ended: a rollback to an earlier one removed it")]
    SavepointEnded,
}

impl From<Violation> for GraphError {
    fn from(violation: Violation) -> Self {
        Self::Violation(Box::new(violation))
    }
}

/// Why a commit is refused. Nothing of it is applied.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GraphRefusal {
    /// Another transaction came first.
    Conflict(Conflict),
    /// A node does not have the version that the transaction expected.
    CheckFailed {
        /// The node.
        node: NodeId,
        /// The version that was expected; `None`: that it does not exist.
        expected: Option<Timestamp>,
        /// The version found.
        found: Option<Timestamp>,
    },
}

impl From<Conflict> for GraphRefusal {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}
