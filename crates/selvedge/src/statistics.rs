//! Statistics of a database.

use selvedge_engine::{OldestSnapshot, StorageStatistics};

use crate::db::Db;

/// A reading of a database's counters. The numbers are read one by one while
/// others commit, so they need not fit together exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Commits that wrote something.
    pub commits: u64,
    /// Commits refused because another transaction wrote the same first.
    pub conflicts_write: u64,
    /// Commits refused because an edge met the deletion of one of its ends.
    pub conflicts_dangling: u64,
    /// Commits refused because something read had changed.
    pub conflicts_read: u64,
    /// Commits refused because what they wrote was defined anew meanwhile, or indexed.
    pub conflicts_definition: u64,
    /// Commits refused because a node or an entry did not have the version that
    /// was expected.
    pub checks_failed: u64,
    /// Times a record got a version chain: an older version had to stay because
    /// an open snapshot needed it.
    pub chains_created: u64,
    /// Records that have a version chain now.
    pub chains_retained: u64,
    /// Versions that ever had to stay after they were superseded.
    pub versions_created: u64,
    /// Versions that stay now although they are superseded.
    pub versions_retained: u64,
    /// Bytes of memory that these versions take.
    pub bytes_retained: u64,
    /// Snapshots and transactions open now.
    pub snapshots_open: u64,
    /// The open snapshot with the oldest start timestamp.
    pub oldest_snapshot: Option<OldestSnapshot>,
    /// Names of labels and edge types that open transactions use and no commit
    /// has used yet.
    pub names_reserved: u64,
    /// Entries of all keyspaces, those included that only open snapshots see.
    pub entries: u64,
    /// Watches of keys.
    pub watchers: u64,
    /// Log and checkpoints, of a database on disk.
    pub storage: Option<StorageStatistics>,
}

impl Db {
    /// A reading of the counters.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let node = db.insert_node("Page", None, doc! { "hits": 0 })?;
    /// db.set(node, "hits", 1)?;
    /// // One after the other: no version ever had to stay.
    /// assert_eq!(db.statistics().versions_created, 0);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let engine = self.engine().unwrap_or(self.handle().latest());
        let (graph, keyspace) = (&engine.participant().graph, &engine.participant().keyspace);
        let engine = engine.statistics();
        let [conflicts_write, conflicts_dangling, conflicts_read, conflicts_definition] =
            graph.conflicts();
        let [entries_written, entries_read, checks_failed] = keyspace.refused();
        Statistics {
            commits: engine.commits,
            conflicts_write: conflicts_write + entries_written,
            conflicts_dangling,
            conflicts_read: conflicts_read + entries_read,
            conflicts_definition,
            checks_failed: graph.checks_failed() + checks_failed,
            chains_created: engine.chains_created,
            chains_retained: engine.chains_retained,
            versions_created: engine.versions_created,
            versions_retained: engine.versions_retained,
            bytes_retained: engine.bytes_retained,
            snapshots_open: engine.snapshots_open,
            oldest_snapshot: engine.oldest_snapshot,
            names_reserved: graph.reserved_names() as u64,
            entries: keyspace.len() as u64,
            watchers: keyspace.watchers().count() as u64,
            storage: engine.storage,
        }
    }
}
