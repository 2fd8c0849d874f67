//! Databases on disk: opening, checkpoints, backups, checks, closing.

use std::path::Path;

use selvedge_base::Timestamp;
use selvedge_engine::CheckpointSummary;

use crate::db::Db;
use crate::error::Result;
use crate::options::DbBuilder;
use crate::snapshot::Snapshot;

/// A database on disk is a directory that one process has open at a time.
impl Db {
    /// Opens the database in a directory, or makes one there. Every commit is on
    /// the disk before it returns ([`SyncLevel::Full`](crate::SyncLevel::Full));
    /// [`Db::builder`] has other options.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// # let dir = tempfile::tempdir().expect("a directory");
    /// # let path = dir.path().join("people.selvedge");
    /// let db = Db::open(&path)?;
    /// let alice = db.insert_node("User", "alice", doc! { "age": 31 })?;
    /// db.close()?;
    ///
    /// let db = Db::open(&path)?;
    /// let age = db.snapshot()?.node(alice)?.expect("kept").typed::<i64>("age")?;
    /// assert_eq!(age, Some(31));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage): another handle or process has it open, it is damaged,
    /// it has a newer format, or the system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(path)
    }

    /// Writes what changed since the last checkpoint to a data file, so that the
    /// log before it need not be replayed, and gives its room back. Commits and
    /// readers go on meanwhile. Happens by itself as the log grows, see
    /// [`DbBuilder::checkpoint_bytes`].
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage); nothing is lost then. [`Error::Closed`](crate::Error::Closed) for a database
    /// in memory, or one that is closed or only read.
    pub fn checkpoint(&self) -> Result<CheckpointSummary> {
        Ok(self.engine()?.checkpoint()?)
    }

    /// Copies the database, as of now, into a directory of its own, where
    /// [`Db::open`] finds it. Commits and readers go on meanwhile; a database in
    /// memory can be backed up as well. Gives the timestamp that the copy has.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// # let dir = tempfile::tempdir().expect("a directory");
    /// # let path = dir.path().join("copy.selvedge");
    /// let db = Db::in_memory();
    /// db.insert_node("User", "alice", doc! {})?;
    /// let timestamp = db.backup_to(&path)?;
    /// assert_eq!(Db::open(&path)?.timestamp(), timestamp);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) if there is a database already, a document is found
    /// damaged, or the system refuses; an incomplete copy is no database.
    pub fn backup_to(&self, path: impl AsRef<Path>) -> Result<Timestamp> {
        Ok(self.engine()?.backup_to(path.as_ref())?)
    }

    /// Makes the database `to` out of the backup, or any closed database, `from`.
    /// Everything is read and verified on the way.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) as for [`open`](Self::open) of `from`, and for
    /// [`backup_to`](Self::backup_to) of `to`.
    pub fn restore(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<Timestamp> {
        DbBuilder::default().read_only().open(from)?.backup_to(to)
    }

    /// Verifies everything that is stored: checksums of all blocks and documents,
    /// both ends of every edge, keys, counts. Gives what is wrong, one line each,
    /// the first hundred; nothing, if all is well.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
    /// db.link_nodes(a, "TO", b, doc! { "weight": 3 })?;
    /// assert!(db.check()?.is_empty());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooManySnapshots`](crate::Error::TooManySnapshots).
    pub fn check(&self) -> Result<Vec<String>> {
        Ok(self.engine()?.check()?)
    }

    /// Opens the database again after a failed write ([`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown),
    /// [`ErrorKind::Reopen`](crate::ErrorKind::Reopen)): what is on the disk is
    /// read back, and all handles go on with it. Snapshots and transactions that
    /// are open stay with what they saw, and cannot commit. Does nothing if the
    /// database is well.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reopen(&self) -> Result<()> {
        self.handle().reopen()?;
        // Anything may have changed.
        self.engine()?.participant().keyspace.watchers().ring_all();
        Ok(())
    }

    /// Closes the database for all its handles: writes a checkpoint, so that the
    /// next opening is quick, and makes everything durable, whatever the sync
    /// level. Snapshots that are open can be read on. Dropping the last handle
    /// closes, too, without the checkpoint and without telling of errors.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage). What was acknowledged as durable is so all the same.
    pub fn close(self) -> Result<()> {
        let keyspace = &self.handle().latest().participant().keyspace;
        let watchers = std::sync::Arc::clone(keyspace.watchers());
        let shut = self.handle().shut();
        // Those who wait for changes learn that there will be none.
        watchers.ring_all();
        Ok(shut?)
    }

    /// A snapshot that sees only what is durable: it waits until the newest commit
    /// that it sees is on the disk. Others may see a commit that is still on its
    /// way there.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage) if the log fails; [`Error::TooManySnapshots`](crate::Error::TooManySnapshots).
    pub fn snapshot_durable(&self) -> Result<Snapshot<'static>> {
        let engine = self.owned_engine()?;
        let open = engine.open_durable()?;
        Ok(Snapshot::new(engine, open))
    }
}
