//! The keyspace's state behind the commit lock.

use selvedge_index::RetiredParts;
use selvedge_mvcc::Retired;

use crate::entry::Entry;
use crate::entry_names::EntryNames;
use crate::expirations::Expirations;
use crate::leaves::Leaves;

/// State that only the holder of the commit lock touches.
#[derive(Debug, Default)]
pub struct EntryWriter {
    pub(crate) names: EntryNames,
    pub(crate) expirations: Expirations,
    /// How checkpoints cut the keyspace; none in memory.
    pub(crate) leaves: Option<Leaves>,
    /// What left the index in a commit that is not settled yet.
    pub(crate) retired: Vec<RetiredParts<Entry>>,
    /// The old places of values that a compaction has moved, until it is settled.
    pub(crate) moved: Vec<Retired>,
}

impl EntryWriter {
    /// Names of entries that are in use: of those with a retained version.
    #[must_use]
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// Whether an entry expires some time.
    #[must_use]
    pub fn expects(&self) -> bool {
        !self.expirations.is_empty()
    }
}
