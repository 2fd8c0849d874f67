//! What can go wrong, by what the caller should do about it.

use selvedge_base::Timestamp;
use selvedge_base::limits::{ENTRY_KEY_BYTES_MAX, ENTRY_VALUE_BYTES_MAX, TRANSACTION_WRITES_MAX};
use thiserror::Error;

use crate::mutation::Operation;
use crate::number::NoNumber;
use crate::number_steps::Failed;

/// Fix the input: nothing was staged, the transaction goes on.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum InputError {
    /// The key is longer than [`ENTRY_KEY_BYTES_MAX`].
    #[error("a key of {bytes} bytes: the limit is {ENTRY_KEY_BYTES_MAX}")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The value is longer than [`ENTRY_VALUE_BYTES_MAX`].
    #[error("a value of {bytes} bytes: the limit is {ENTRY_VALUE_BYTES_MAX}")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A value in the encoding LE64 does not have 8 bytes.
    #[error("an LE64 value of {bytes} bytes: it must have 8")]
    NotEightBytes {
        /// Its length.
        bytes: usize,
    },
    /// The transaction stages more than [`TRANSACTION_WRITES_MAX`] of something.
    #[error("a transaction with more than {TRANSACTION_WRITES_MAX} writes, checks or reads")]
    TooMuch,
}

/// A `sum`, `min` or `max` has no result on what is stored.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("cannot perform '{operation}' on \"{}\": {reason}", .key.escape_ascii())]
pub struct ComputationError {
    /// The key of the entry.
    pub key: Box<[u8]>,
    /// The operation.
    pub operation: Operation,
    /// Why there is no result.
    pub reason: NoNumber,
}

impl ComputationError {
    pub(crate) fn new(key: &[u8], (operation, reason): Failed) -> Self {
        Self { key: key.into(), operation, reason }
    }
}

/// Why a commit was refused. Nothing of it was applied.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Somebody else committed first: try again from a fresh snapshot.
    #[error(
        "conflict on \"{}\", {}: began at {start}, changed at {committed}",
        .key.escape_ascii(),
        if *.read { "read" } else { "written" }
    )]
    Conflict {
        /// The key of the entry.
        key: Box<[u8]>,
        /// The start timestamp of the transaction.
        start: Timestamp,
        /// The commit timestamp of the newer version.
        committed: Timestamp,
        /// The transaction read the entry, with validation, and did not write it.
        read: bool,
    },
    /// Expectations did not hold: the indexes of the failed checks, ascending, as
    /// [`EntryWrites::check`](crate::EntryWrites::check) gave them. Read again and
    /// decide anew.
    #[error("not committed: {} of the checks failed", .0.len())]
    ChecksFailed(Vec<usize>),
    /// A blind mutation does not fit the stored value: fix the input.
    #[error(transparent)]
    Computation(#[from] ComputationError),
}
