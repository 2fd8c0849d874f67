//! Waiting for the disk apart from the commit or the read that has to.
//!
//! A server has many commits and reads under way, and few threads. It applies a commit
//! at once, and waits for the disk for many of them together, before it tells anybody.

use std::fmt;
use std::sync::Arc;

use selvedge_storage::LogPosition;

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::stores::DbEngine;

/// Something that was committed, or read, and is not on the disk yet: a crash of the
/// machine may still undo it. From [`Snapshot::pending_sync`],
/// [`Atomic::commit_unsynced`](crate::Atomic::commit_unsynced) and
/// [`KvWatch::pending_sync`](crate::KvWatch::pending_sync).
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::key;
///
/// # let dir = tempfile::tempdir().expect("a directory");
/// let db = Db::open(dir.path().join("visits.selvedge"))?;
/// let kv = db.kv();
/// let mut pending = Vec::new();
/// for page in 0..100 {
///     let (outcome, sync) = kv.atomic().sum(&key!["visits", page], 1).commit_unsynced()?;
///     assert!(outcome.is_committed());
///     pending.extend(sync);
/// }
/// // One sync for all of them.
/// pending.into_iter().try_for_each(|sync| sync.wait())?;
/// # Ok::<(), Error>(())
/// ```
#[must_use = "nothing waits for the disk"]
pub struct PendingSync {
    engine: Arc<DbEngine>,
    end: LogPosition,
}

impl PendingSync {
    /// What an engine owes the disk now.
    pub(crate) fn of(engine: &DbEngine) -> Option<Self> {
        let end = engine.owes_sync()?;
        Some(Self { engine: engine.shared(), end })
    }

    /// Waits until it is on the disk. Others that wait share the write.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`]: nobody knows whether it is.
    pub fn wait(&self) -> Result<()> {
        let synced = self.engine.sync_through(self.end);
        synced.map_err(|error| Error::OutcomeUnknown(Box::new(error)))
    }
}

impl fmt::Debug for PendingSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSync").field("end", &self.end).finish_non_exhaustive()
    }
}

impl Snapshot<'_> {
    /// What this snapshot sees and is not on the disk yet; `None` if all of it is.
    #[must_use]
    pub fn pending_sync(&self) -> Option<PendingSync> {
        PendingSync::of(self.engine())
    }
}
