//! Snapshots: the database as of one moment, for reading.
#![expect(unsafe_code, reason = "a snapshot closes what it opened when it is dropped")]

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use selvedge_engine::OpenSnapshot;
use selvedge_graph::GraphView;
use selvedge_keyspace::{EntryView, ReadTime};
use selvedge_schema::Schema;

use crate::error::Result;
use crate::kv::handle::Kv;
use crate::kv::reading::KvView;
use crate::kv::space::Space;
use crate::query::index_access::Indexes;
use crate::read::{Read, Sealed};
use crate::stores::{DbEngine, EngineRef};

/// The database as of one moment. It never changes, never blocks anybody and
/// never conflicts; while it is open, versions that it sees are kept.
///
/// Threads may share it: it is `Send` and `Sync`. One from
/// [`Db::snapshot`](crate::Db::snapshot) keeps what it needs alive, even after
/// the last [`Db`](crate::Db) is gone.
///
/// ```
/// use selvedge::prelude::*;
///
/// let db = Db::in_memory();
/// let node = db.insert_node("Counter", "hits", doc! { "n": 1 })?;
/// let before = db.snapshot()?;
/// db.set(node, "n", 2)?;
/// drop(db);
/// let n = before.node(node)?.expect("it was there").typed::<i64>("n")?;
/// assert_eq!(n, Some(1));
/// # Ok::<(), Error>(())
/// ```
pub struct Snapshot<'db> {
    engine: EngineRef<'db>,
    /// Taken by the drop, and by nothing else.
    open: ManuallyDrop<OpenSnapshot>,
    /// By which entries of keyspaces have expired.
    time: ReadTime,
}

impl<'db> Snapshot<'db> {
    #[inline]
    pub(crate) fn new(engine: EngineRef<'db>, open: OpenSnapshot) -> Self {
        Self { engine, open: ManuallyDrop::new(open), time: ReadTime::new() }
    }

    pub(crate) fn engine(&self) -> &DbEngine {
        &self.engine
    }

    #[inline]
    pub(crate) fn entry_view(&self) -> EntryView<'_> {
        let keyspace = &self.engine.participant().keyspace;
        EntryView::new(keyspace, self.engine.at(&self.open), None, &self.time)
    }

    /// The keyspace without a name.
    #[must_use]
    pub fn kv(&self) -> KvView<'_> {
        self.kv_view()
    }

    /// A keyspace.
    ///
    /// # Errors
    /// As [`Read::keyspace_view`].
    pub fn keyspace(&self, kv: &Kv) -> Result<KvView<'_>> {
        self.keyspace_view(kv)
    }
}

impl Sealed for Snapshot<'_> {
    #[inline]
    fn view(&self) -> GraphView<'_> {
        GraphView::new(&self.engine.participant().graph, self.engine.at(&self.open))
    }

    fn shared_schema(&self) -> Option<&Arc<Schema>> {
        self.engine.participant().schemas.at(self.engine.at(&self.open))
    }

    fn indexes(&self) -> Option<&dyn Indexes> {
        self.definitions().is_some().then_some(self)
    }

    #[inline]
    fn kv_in(&self, space: Space) -> KvView<'_> {
        KvView::new(self.entry_view(), space, None)
    }

    fn has(&self, kv: &Kv) -> Result<bool> {
        let mine = &self.engine.participant().keyspace;
        kv.with_keyspace(|keyspace| keyspace.is_same_database(mine))
    }
}

impl Read for Snapshot<'_> {}

impl Drop for Snapshot<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: taken once, and not used after: this is the drop.
        let open = unsafe { ManuallyDrop::take(&mut self.open) };
        self.engine.close(open);
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("timestamp", &self.timestamp()).finish_non_exhaustive()
    }
}
