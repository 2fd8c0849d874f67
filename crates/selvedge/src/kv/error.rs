//! What can be wrong with what is asked of a keyspace.

use selvedge_encoding::Key;
use selvedge_keyspace::{ComputationError, InputError as EntryInput, NoNumber, Operation};

use crate::kv::space::SPACE_BYTES;

/// Fix the input: nothing was applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// The key has no parts.
    #[error("an empty key: a key has at least one part")]
    KeyEmpty,
    /// The key is too long.
    #[error("a key of {bytes} bytes: the limit is {limit}")]
    KeyTooLong {
        /// Its length, as it is stored.
        bytes: usize,
        /// What it may be.
        limit: usize,
    },
    /// The value is too long.
    #[error("a value of {bytes} bytes: the limit is {limit}")]
    ValueTooLong {
        /// Its length, as it is stored.
        bytes: usize,
        /// What it may be.
        limit: usize,
    },
    /// More of something than one operation may have.
    #[error("{count} {what} in one operation: the limit is {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// `sum`, `min` or `max` met a value that is no number of the operand's kind.
    #[error("'{operation}' on {key:?}: its value is not a number of that kind")]
    NotANumber {
        /// The key.
        key: Key,
        /// What was to be computed first.
        operation: Operation,
    },
    /// A sum would leave its range.
    #[error("the sum at {key:?} would leave its range")]
    OutOfRange {
        /// The key.
        key: Key,
    },
    /// The value is in another encoding than it was asked for in, or damaged.
    #[error("the value is {found}, not {expected}")]
    WrongEncoding {
        /// What it was asked for as.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The value cannot be stored.
    #[error("the value cannot be stored: {0}")]
    Unencodable(selvedge_encoding::EncodeError),
    /// A value of 64-bit numbers does not have 8 bytes.
    #[error("a 64-bit number of {bytes} bytes: it must have 8")]
    NotEightBytes {
        /// Its length.
        bytes: usize,
    },
    /// A start or end does not lie in the prefix, or both are given beside it.
    #[error("a selection cannot have {what}")]
    Selection {
        /// What is wrong.
        what: &'static str,
    },
    /// A cursor that is of another selection, or of none.
    #[error("the cursor does not belong to this selection")]
    Cursor,
    /// The text is not that of a versionstamp.
    #[error(
        "not a versionstamp: it has 20 hexadecimal digits, the last four of them 0, and the first no more than 3"
    )]
    NotAVersionstamp,
    /// The name of a keyspace is empty or too long.
    #[error("the name of a keyspace of {bytes} bytes: it has 1 to {limit}")]
    Name {
        /// Its length.
        bytes: usize,
        /// What it may be.
        limit: usize,
    },
    /// The database is only read, and has no such keyspace.
    #[error("there is no keyspace {name:?}")]
    NoSuchKeyspace {
        /// Its name.
        name: String,
    },
    /// The keyspace is one of another database.
    #[error("the keyspace is one of another database")]
    OtherDatabase,
    /// An expiry without a value to expire: `expire_in` follows a `set`.
    #[error("nothing expires: expire_in and expire_at belong behind a set")]
    NothingExpires,
    /// A message of a queue asks for what there is not.
    #[error("a message with {what}")]
    Message {
        /// What is wrong.
        what: String,
    },
}

impl KvError {
    /// An error of what is staged, under the key as the user has it.
    pub(crate) fn staging(error: &EntryInput) -> Self {
        match *error {
            EntryInput::KeyTooLong { bytes } => Self::KeyTooLong {
                bytes: bytes - SPACE_BYTES,
                limit: selvedge_base::limits::ENTRY_KEY_BYTES_MAX - SPACE_BYTES,
            },
            EntryInput::ValueTooLong { bytes } => {
                Self::ValueTooLong { bytes, limit: selvedge_base::limits::ENTRY_VALUE_BYTES_MAX }
            }
            EntryInput::NotEightBytes { bytes } => Self::NotEightBytes { bytes },
            _ => {
                let limit = selvedge_base::limits::TRANSACTION_WRITES_MAX;
                Self::TooMany { what: "writes, checks or reads", count: limit + 1, limit }
            }
        }
    }

    pub(crate) fn computing(error: &ComputationError) -> Self {
        let key = Key::from_bytes(error.key.get(SPACE_BYTES..).unwrap_or_default());
        match error.reason {
            NoNumber::WrongType => Self::NotANumber { key, operation: error.operation },
            NoNumber::OutOfRange => Self::OutOfRange { key },
        }
    }
}
