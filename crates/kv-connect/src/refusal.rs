//! Why a request is refused: a status, and a text that reaches the user.
//!
//! A client gives up on 4xx, and tries 5xx again, for ever: 5xx is for what passes.

use hyper::StatusCode;
use selvedge::{Error, ErrorKind, KvError};

use crate::limits::{
    CHECKS_MAX, ENQUEUE_BACKOFF_MS_MAX, ENQUEUE_BACKOFFS_MAX, ENQUEUE_UNDELIVERED_KEYS_MAX,
    KEY_BYTES_MAX, MUTATION_BYTES_MAX, MUTATIONS_MAX, READ_ENTRIES_MAX, READ_KEY_BYTES_MAX,
    READ_RANGES_MAX, VALUE_BYTES_MAX, WATCHED_KEYS_MAX, WRITE_KEY_BYTES_MAX,
};

/// Why a request is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Resource not found.")]
    NotFound,
    #[error("The method is not allowed: use POST.")]
    MethodNotAllowed,
    #[error("Malformed authorization header.")]
    MalformedAuthorization,
    #[error("Invalid access token.")]
    InvalidToken,
    #[error("There is no database {0:?} here.")]
    NoSuchDatabase(String),
    #[error("Invalid database id.")]
    InvalidDatabaseId,
    #[error("Expected protocol version 2 or 3.")]
    InvalidProtocolVersion,
    #[error("The server requires at least protocol version 2. Use Deno 1.38.0 or newer.")]
    MinimumProtocolVersion,
    #[error(
        "The server could not negotiate a protocol version. The server requires protocol \
         version 2 or 3."
    )]
    NoMatchingProtocolVersion,
    #[error("The metadata request is invalid: {0}.")]
    InvalidMetadataRequest(String),
    #[error("Request protobuf is invalid: {0}.")]
    InvalidProtobuf(String),
    #[error("The request body is too large (max {0} bytes)")]
    BodyTooLarge(usize),
    #[error("The request body did not arrive in time.")]
    BodyTooSlow,
    #[error("The request body could not be read.")]
    BodyUnreadable,

    #[error("Key cannot be empty")]
    KeyEmpty,
    #[error("Key too large for write (max {WRITE_KEY_BYTES_MAX} bytes)")]
    WriteKeyTooLarge,
    #[error("Key too large for read (max {READ_KEY_BYTES_MAX} bytes)")]
    ReadKeyTooLarge,
    #[error("Value too large (max {VALUE_BYTES_MAX} bytes)")]
    ValueTooLarge,
    #[error("Too many ranges (max {READ_RANGES_MAX})")]
    TooManyRanges,
    #[error("Too many entries (max {READ_ENTRIES_MAX})")]
    TooManyEntries,
    #[error("The read range limit of the snapshot read request is invalid.")]
    InvalidReadLimit,
    #[error("Too many checks (max {CHECKS_MAX})")]
    TooManyChecks,
    #[error("Too many mutations (max {MUTATIONS_MAX})")]
    TooManyMutations,
    #[error("Total mutation size too large (max {MUTATION_BYTES_MAX} bytes)")]
    MutationsTooLarge,
    #[error("Total key size too large (max {KEY_BYTES_MAX} bytes)")]
    KeysTooLarge,
    #[error("Too many keys (max {WATCHED_KEYS_MAX})")]
    TooManyWatchedKeys,
    #[error("Invalid versionstamp.")]
    InvalidVersionstamp,
    #[error("Invalid mutation kind or arguments.")]
    InvalidMutation,
    #[error("Invalid mutation expire at.")]
    InvalidExpireAt,
    #[error("The value encoding {0} is unknown.")]
    UnknownEncoding(i32),
    #[error("A U64 value must have 8 bytes, not {0}.")]
    NotEightBytes(usize),
    #[error("Failed to perform '{0}' mutation on a non-U64 operand")]
    OperandType(&'static str),
    #[error("Failed to perform '{0}' mutation on a non-U64 value in the database")]
    ValueType(String),
    #[error("The result of a Sum operation would exceed its range limit")]
    SumOutOfRange,
    #[error("Invalid mutation enqueue deadline.")]
    InvalidDeadline,
    #[error("Too many backoff intervals (max {ENQUEUE_BACKOFFS_MAX})")]
    TooManyBackoffs,
    #[error("Backoff interval too large (max {ENQUEUE_BACKOFF_MS_MAX} ms)")]
    BackoffTooLarge,
    #[error("Too many keys if undelivered (max {ENQUEUE_UNDELIVERED_KEYS_MAX})")]
    TooManyUndeliveredKeys,
    /// Anything else that the database refuses.
    #[error("{0}")]
    Input(String),

    /// It may have been applied, or not. Trying again could apply it twice, so the
    /// client must not do that by itself.
    #[error("Whether the write survives is unknown: {0}")]
    OutcomeUnknown(String),
    #[error("The server is temporarily unavailable, try again later: {0}")]
    Unavailable(String),
    #[error("An internal server error occurred.")]
    Internal,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoSuchDatabase(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::MalformedAuthorization | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::OutcomeUnknown(_) => StatusCode::CONFLICT,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl Refusal {
    /// What was read may not survive: reading again shows what does.
    pub(crate) fn of_read(self) -> Self {
        match self {
            Self::OutcomeUnknown(cause) => Self::Unavailable(cause),
            other => other,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match &error {
            Error::Kv(kv) => kv_refusal(kv),
            Error::OutcomeUnknown(cause) => {
                tracing::error!(%error, "the disk failed under a write");
                Self::OutcomeUnknown(cause.to_string())
            }
            Error::Closed => Self::Unavailable("the database is closed".to_owned()),
            _ => match error.kind() {
                ErrorKind::Input => Self::Input(error.to_string()),
                ErrorKind::Busy | ErrorKind::Retry => Self::Unavailable(error.to_string()),
                _ => {
                    tracing::error!(%error, "the database failed");
                    Self::Unavailable(error.to_string())
                }
            },
        }
    }
}

fn kv_refusal(error: &KvError) -> Refusal {
    match error {
        KvError::NotANumber { operation, .. } => Refusal::ValueType(operation.to_string()),
        KvError::OutOfRange { .. } => Refusal::SumOutOfRange,
        KvError::KeyEmpty => Refusal::KeyEmpty,
        other => Refusal::Input(other.to_string()),
    }
}
