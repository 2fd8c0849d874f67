//! Errors, grouped by what the caller should do.

use selvedge_base::{NodeId, Timestamp, limits::SNAPSHOTS_MAX};
use selvedge_encoding::SerdeError;
use selvedge_engine::{CommitError, SnapshotError};
use selvedge_graph::{Conflict, ConflictKind, Entity, GraphError, GraphRefusal};
use selvedge_keyspace::Refusal as EntryRefusal;
use selvedge_mvcc::RegistryFull;
use selvedge_storage::StorageError;

use crate::algorithms::error::AlgorithmError;
use crate::kv::error::KvError;
use crate::kv::space::SPACE_BYTES;
use crate::query::error::QueryError;
use crate::schema::error::SchemaError;
use crate::stores::StoreRefusal;
use crate::typed::error::TypedError;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Unless it says otherwise, nothing of the failed operation is
/// applied, and the database stays usable.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another transaction committed first. Run the transaction again: it will
    /// read afresh. [`Db::transaction_retry`](crate::Db::transaction_retry) does.
    #[error("conflict: {0}")]
    Conflict(Box<Conflict>),
    /// A retrying transaction conflicted as often as its policy allows.
    #[error("gave up after {attempts} attempts; the last conflict: {conflict}")]
    RetriesExhausted {
        /// How often it ran.
        attempts: u32,
        /// Why it failed the last time.
        conflict: Box<Conflict>,
    },
    /// A node did not have the version that the transaction expected.
    #[error("node {node} was expected {}, and is {}", version(.expected), version(.found))]
    CheckFailed {
        /// The node.
        node: NodeId,
        /// The expected version; `None`: that it does not exist.
        expected: Option<Timestamp>,
        /// The version found.
        found: Option<Timestamp>,
    },
    /// Checks of keys failed, those with these numbers, counted from 0: nothing was
    /// applied. Read again and decide anew.
    #[error("not committed: {} of the checks failed", .0.len())]
    ChecksFailed(Vec<usize>),
    /// What was asked of a keyspace is wrong.
    #[error(transparent)]
    Kv(Box<KvError>),
    /// A label or edge type cannot be defined so, or changed so.
    #[error(transparent)]
    Schema(Box<SchemaError>),
    /// What is wrong with a query.
    #[error(transparent)]
    Query(Box<QueryError>),
    /// What an algorithm is asked, or what it finds, is wrong.
    #[error(transparent)]
    Algorithm(Box<AlgorithmError>),
    /// A Rust value does not become a document, or a document not a Rust value.
    #[error(transparent)]
    Serde(Box<SerdeError>),
    /// What was asked of a node or edge as a Rust type is wrong.
    #[error(transparent)]
    Typed(Box<TypedError>),
    /// The system refuses what is asked of it, a thread say.
    #[error("{0}")]
    System(String),
    /// The input is wrong: something does not exist, exists already, has the
    /// wrong type or is over a limit.
    #[error(transparent)]
    Input(Box<GraphError>),
    /// An operation of a batch failed; none was applied.
    #[error("operation {index} of the batch: {source}")]
    Batch {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        source: Box<Error>,
    },
    /// `transaction` was called inside a transaction's closure, on the same
    /// database and thread. Use the closure's own argument.
    #[error(
        "a transaction on this database is already running on this thread: \
         use the closure's argument instead of the database"
    )]
    NestedTransaction,
    /// Too many snapshots and transactions are open at once.
    #[error("{SNAPSHOTS_MAX} snapshots and transactions are open, which is the limit")]
    TooManySnapshots,
    /// The database is closed, or open for reading alone.
    #[error("the database is closed, or open for reading alone")]
    Closed,
    /// The files of the database do not give, or take, what they should. Unless
    /// its kind says [`Reopen`](ErrorKind::Reopen), the database goes on.
    #[error(transparent)]
    Storage(Box<StorageError>),
    /// The disk failed after a commit was applied: it may have survived, or not.
    /// Nothing can be written until [`Db::reopen`](crate::Db::reopen), which shows
    /// what there is; until then new snapshots see what is surely there.
    #[error("whether the commit survives is unknown: {0}")]
    OutcomeUnknown(Box<StorageError>),
    /// A bug in the engine made a commit panic half way. What was committed
    /// before can still be read; nothing can be committed any more.
    #[error("the database is poisoned: a commit panicked; it can be read, but not written")]
    Poisoned,
}

fn version(version: &Option<Timestamp>) -> String {
    version.map_or("absent".to_owned(), |version| format!("at version {version}"))
}

/// What to do about an [`Error`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Run the transaction again.
    Retry,
    /// Look at what changed, and decide.
    Expectation,
    /// Fix what was passed in.
    Input,
    /// Fix how the library is called.
    Usage,
    /// Wait until others are done, or do less at once.
    Busy,
    /// Look after the machine: its disk is full, or refuses. What was committed is
    /// untouched, and the database goes on once that is mended.
    System,
    /// Open the database again, with [`Db::reopen`](crate::Db::reopen).
    Reopen,
    /// Restore a backup: files are damaged, or of a newer version.
    Restore,
}

fn storage_kind(error: &StorageError) -> ErrorKind {
    match error {
        StorageError::Poisoned { .. } => ErrorKind::Reopen,
        StorageError::Corrupt { .. } | StorageError::Format { .. } => ErrorKind::Restore,
        StorageError::Locked { .. } => ErrorKind::Busy,
        StorageError::TooLarge { .. } | StorageError::Missing { .. } => ErrorKind::Input,
        StorageError::Closed => ErrorKind::Usage,
        _ => ErrorKind::System,
    }
}

fn serde_kind(error: &SerdeError) -> ErrorKind {
    match error {
        SerdeError::Damaged { .. } => ErrorKind::Restore,
        _ => ErrorKind::Input,
    }
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict(_) => ErrorKind::Retry,
            Self::CheckFailed { .. } | Self::ChecksFailed(_) => ErrorKind::Expectation,
            Self::Serde(error) => serde_kind(error),
            Self::Typed(error) => match &**error {
                TypedError::Read { source, .. } => serde_kind(source),
                _ => ErrorKind::Input,
            },
            Self::Kv(_) | Self::Schema(_) | Self::Query(_) | Self::Algorithm(_) => ErrorKind::Input,
            Self::System(_) => ErrorKind::System,
            Self::Input(input) => match &**input {
                GraphError::Damaged(_) | GraphError::IndexDamaged { .. } => ErrorKind::Restore,
                _ => ErrorKind::Input,
            },
            Self::Storage(error) => storage_kind(error),
            Self::Batch { source, .. } => source.kind(),
            Self::NestedTransaction | Self::Closed => ErrorKind::Usage,
            Self::RetriesExhausted { .. } | Self::TooManySnapshots => ErrorKind::Busy,
            Self::Poisoned | Self::OutcomeUnknown(_) => ErrorKind::Reopen,
        }
    }

    /// Whether running the same transaction again may well succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind() == ErrorKind::Retry
    }

    /// The conflict, if it is one.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict> {
        match self {
            Self::Conflict(conflict) | Self::RetriesExhausted { conflict, .. } => Some(conflict),
            _ => None,
        }
    }

    /// What is wrong with the input, if that is it.
    #[must_use]
    pub fn input(&self) -> Option<&GraphError> {
        match self {
            Self::Input(input) => Some(input),
            Self::Batch { source, .. } => source.input(),
            _ => None,
        }
    }
}

impl From<GraphError> for Error {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Storage(error) => (*error).into(),
            error => Self::Input(Box::new(error)),
        }
    }
}

impl From<SnapshotError> for Error {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Full(full) => full.into(),
            SnapshotError::Storage(error) => error.into(),
        }
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Closed => Self::Closed,
            error => Self::Storage(Box::new(error)),
        }
    }
}

impl From<selvedge_encoding::TypeMismatch> for Error {
    fn from(mismatch: selvedge_encoding::TypeMismatch) -> Self {
        GraphError::TypeMismatch(mismatch).into()
    }
}

impl From<RegistryFull> for Error {
    fn from(_: RegistryFull) -> Self {
        Self::TooManySnapshots
    }
}

impl From<SerdeError> for Error {
    fn from(error: SerdeError) -> Self {
        Self::Serde(Box::new(error))
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Self::Query(Box::new(error))
    }
}

impl From<AlgorithmError> for Error {
    fn from(error: AlgorithmError) -> Self {
        Self::Algorithm(Box::new(error))
    }
}

impl From<TypedError> for Error {
    fn from(error: TypedError) -> Self {
        Self::Typed(Box::new(error))
    }
}

impl From<KvError> for Error {
    fn from(error: KvError) -> Self {
        Self::Kv(Box::new(error))
    }
}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        Self::Schema(Box::new(error))
    }
}

impl From<EntryRefusal> for Error {
    fn from(refusal: EntryRefusal) -> Self {
        match refusal {
            EntryRefusal::Conflict { key, start, committed, read } => {
                let kind = if read { ConflictKind::Read } else { ConflictKind::Write };
                let entity = Entity::Entry(key.get(SPACE_BYTES..).unwrap_or_default().into());
                Self::Conflict(Box::new(Conflict { entity, kind, start, committed }))
            }
            EntryRefusal::ChecksFailed(failed) => Self::ChecksFailed(failed),
            EntryRefusal::Computation(error) => KvError::computing(&error).into(),
            refusal => unreachable!("all refusals are known: {refusal:?}"),
        }
    }
}

impl From<CommitError<StoreRefusal>> for Error {
    fn from(error: CommitError<StoreRefusal>) -> Self {
        match error {
            CommitError::Refused(StoreRefusal::Graph(GraphRefusal::Conflict(conflict))) => {
                Self::Conflict(Box::new(conflict))
            }
            CommitError::Refused(StoreRefusal::Graph(GraphRefusal::CheckFailed {
                node,
                expected,
                found,
            })) => Self::CheckFailed { node, expected, found },
            CommitError::Refused(StoreRefusal::Graph(refusal)) => {
                unreachable!("all refusals are known: {refusal:?}")
            }
            CommitError::Refused(StoreRefusal::Entry(refusal)) => refusal.into(),
            CommitError::Poisoned => Self::Poisoned,
            CommitError::Storage(error) => error.into(),
            CommitError::OutcomeUnknown(error) => Self::OutcomeUnknown(Box::new(error)),
        }
    }
}
