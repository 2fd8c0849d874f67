//! Checks: what the caller expects of a key when the transaction commits.

use selvedge_base::Timestamp;
use selvedge_mvcc::Stamp;

/// The version that a key is expected to have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Expected {
    /// There is no such entry.
    Absent,
    /// The entry was last written by the commit with this timestamp, and exists.
    Version(Timestamp),
}

impl Expected {
    /// Whether a record with this stamp, or none, is as expected.
    pub(crate) fn holds(self, stamp: Option<Stamp>) -> bool {
        let version = stamp.filter(|stamp| stamp.is_alive()).map(Stamp::commit);
        match self {
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

/// An expectation of a transaction.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) key: Box<[u8]>,
    pub(crate) expected: Expected,
}
