//! Why work on files that needs a snapshot did not happen.

use selvedge_mvcc::RegistryFull;
use selvedge_storage::StorageError;

/// Why work on files that needs a snapshot did not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Too many snapshots are open.
    #[error("too many snapshots are open")]
    Full(RegistryFull),
    /// The files do not give, or take, what they should.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<RegistryFull> for SnapshotError {
    fn from(full: RegistryFull) -> Self {
        Self::Full(full)
    }
}
