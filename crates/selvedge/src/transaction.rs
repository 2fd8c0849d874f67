//! Transactions: reading at a snapshot, staging changes, committing them.

use std::fmt;
use std::sync::Arc;

use selvedge_base::{NodeId, Timestamp};
use selvedge_encoding::{Document, Value};
use selvedge_engine::{OpenSnapshot, SyncLevel};
use selvedge_graph::{
    Edge, EdgeTypeDef, GraphError, GraphTransaction, GraphView, Node, ReadTracking, Upserted,
};

use selvedge_keyspace::{EntryView, EntryWrites, Keyspace, ReadTime};
use selvedge_schema::Schema;

use crate::error::{Error, Result};
use crate::kv::error::KvError;
use crate::kv::handle::Kv;
use crate::kv::limits::KvLimits;
use crate::kv::reading::KvView;
use crate::kv::space::Space;
use crate::kv::writing::KvTransaction;
use crate::options::{Isolation, TransactionOptions};
use crate::query::index_access::Indexes;
use crate::read::{Read, Sealed};
use crate::savepoint::{Savepoint, Savepoints};
use crate::schema::rules::SchemaRules;
use crate::stores::{EngineRef, KeptWrites};

/// A transaction: it sees the database as of its start, and its own changes,
/// which nobody else sees until it commits.
///
/// A closure passed to [`Db::transaction`](crate::Db::transaction) gets one, and
/// commits by returning `Ok`; one from [`Db::begin`](crate::Db::begin) is
/// committed by [`Transaction::commit`], and rolled back when it is dropped.
///
/// An operation that fails stages nothing, and the transaction goes on.
pub struct Transaction<'db> {
    engine: EngineRef<'db>,
    /// Open until the end.
    open: Option<OpenSnapshot>,
    writes: KeptWrites,
    isolation: Isolation,
    sync: Option<SyncLevel>,
    savepoints: Savepoints,
    /// By which entries of keyspaces have expired.
    time: ReadTime,
}

impl<'db> Transaction<'db> {
    pub(crate) fn new(
        engine: EngineRef<'db>,
        open: OpenSnapshot,
        options: &TransactionOptions,
    ) -> Self {
        let mut writes = KeptWrites::take();
        writes.graph.limit_writes(options.writes_max);
        if options.isolation == Isolation::Serializable {
            // Where reads of entries are noted.
            writes.entries_mut();
        }
        Self {
            engine,
            open: Some(open),
            writes,
            isolation: options.isolation,
            sync: options.sync,
            savepoints: Savepoints::default(),
            time: ReadTime::new(),
        }
    }

    #[inline]
    pub(crate) fn entries(&mut self) -> &mut EntryWrites {
        self.writes.entries_mut()
    }

    #[inline]
    pub(crate) fn entry_view(&self) -> EntryView<'_> {
        let open = self.open.as_ref().expect("open until the end");
        let at = self.engine.at(open);
        EntryView::new(self.keyspace_store(), at, self.writes.entries.as_deref(), &self.time)
    }

    pub(crate) fn kv_limits(&self) -> KvLimits {
        self.engine.participant().kv_limits
    }

    pub(crate) fn keyspace_store(&self) -> &Keyspace {
        &self.engine.participant().keyspace
    }

    pub(crate) fn kv_of(&mut self, space: Space) -> KvTransaction<'_, 'db> {
        KvTransaction::new(self, space)
    }

    /// The keyspace without a name, as part of this transaction.
    pub fn kv(&mut self) -> KvTransaction<'_, 'db> {
        self.kv_of(Space::DEFAULT)
    }

    /// A keyspace, as part of this transaction.
    ///
    /// # Errors
    /// [`KvError::OtherDatabase`].
    pub fn keyspace(&mut self, kv: &Kv) -> Result<KvTransaction<'_, 'db>> {
        if !self.has(kv)? {
            return Err(KvError::OtherDatabase.into());
        }
        Ok(self.kv_of(kv.space))
    }

    fn tracking(&self) -> ReadTracking {
        match self.isolation {
            Isolation::Snapshot => ReadTracking::Off,
            Isolation::Serializable => ReadTracking::All,
        }
    }

    /// Stages something in the graph, by the rules of the schema if there is one.
    #[inline]
    fn stage<T>(
        &mut self,
        work: impl FnOnce(&mut GraphTransaction<'_>) -> Result<T, GraphError>,
    ) -> Result<T> {
        let tracking = self.tracking();
        let open = self.open.as_ref().expect("open until the end");
        let (stores, at) = (self.engine.participant(), self.engine.at(open));
        let (writes, entries) = self.writes.parts();
        let mut staging = GraphTransaction::new(&stores.graph, at, writes, tracking);
        match stores.schemas.at(at) {
            None => Ok(work(&mut staging)?),
            Some(schema) => {
                let (keyspace, time) = (&stores.keyspace, &self.time);
                let is_serializable = self.isolation == Isolation::Serializable;
                let mut rules =
                    SchemaRules { schema, entries, keyspace, at, time, is_serializable };
                Ok(work(&mut staging.with_rules(&mut rules))?)
            }
        }
    }

    /// From its commit on the database has this schema.
    pub(crate) fn set_schema(&mut self, schema: Schema) {
        self.writes.schema = Some(Arc::new(schema));
    }

    /// Commits: all changes become visible at once, or none. Gives the commit
    /// timestamp; that of the snapshot, if nothing was staged.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another transaction came first;
    /// [`Error::CheckFailed`] if an expected version was not found. Nothing is
    /// applied then.
    pub fn commit(mut self) -> Result<Timestamp> {
        if self.writes.is_empty() {
            // A snapshot is consistent in itself: there is nothing to validate.
            return Ok(self.timestamp());
        }
        let open = self.open.take().expect("open until the end");
        Ok(self.engine.commit(open, &mut self.writes, self.sync)?)
    }

    /// Rolls back: nothing of this transaction stays. Dropping it does the same.
    pub fn rollback(self) {
        drop(self);
    }

    /// The isolation of this transaction.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Inserts a node with a label, a key (`"alice"`) or none (`None`), and a
    /// document.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// db.transaction(|ctx| {
    ///     let alice = ctx.insert_node("User", "alice", doc! { "age": 31 })?;
    ///     let login = ctx.insert_node("Event", None, doc! { "what": "login" })?;
    ///     ctx.link_nodes(alice, "DID", login, doc! {})?;
    ///     Ok::<_, Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] if the key is taken, the document cannot be stored, or a
    /// limit is exceeded (see [`limits`](crate::limits)).
    pub fn insert_node<'k>(
        &mut self,
        label: &str,
        key: impl Into<Option<&'k str>>,
        document: impl Into<Document>,
    ) -> Result<NodeId> {
        self.stage(|graph| graph.insert(label, key.into(), &document.into()))
    }

    /// Inserts a node, or replaces the document of the one with this key.
    ///
    /// # Errors
    /// [`Error::Input`] as for [`insert_node`](Self::insert_node), but for a taken key.
    pub fn upsert_node(
        &mut self,
        label: &str,
        key: &str,
        document: impl Into<Document>,
    ) -> Result<Upserted> {
        self.stage(|graph| graph.upsert(label, key, &document.into()))
    }

    /// Sets one field of a node's document; the others stay. The field is named as it
    /// stands in the document: `set(node, "a.b", 1)` sets a field whose name has a dot in
    /// it, and [`set_path`](Self::set_path) sets `b` in the map `a`. Paths do not reach
    /// names with dots or brackets, so queries and indexes do not either, and a definition
    /// names no such field.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such node, or the document cannot be
    /// stored.
    pub fn set(&mut self, node: NodeId, field: &str, value: impl Into<Value>) -> Result<()> {
        self.stage(|graph| graph.set(node, &[(field, &value.into())]))
    }

    /// Sets several fields of a node's document, all or none; the others stay.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let node = db.insert_node("User", None, doc! { "name": "Alice", "age": 31 })?;
    /// db.transaction(|ctx| ctx.set_many(node, doc! { "age": 32, "city": "Oslo" }))?;
    /// let all = db.snapshot()?.node(node)?.expect("inserted").document().to_document();
    /// assert_eq!(all, doc! { "name": "Alice", "age": 32, "city": "Oslo" });
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_many(&mut self, node: NodeId, fields: impl Into<Document>) -> Result<()> {
        let fields = fields.into();
        let fields: Vec<_> = fields.iter().collect();
        self.stage(|graph| graph.set(node, &fields))
    }

    /// Sets a field inside nested maps, `address.city`; maps that are missing on
    /// the way are made.
    ///
    /// # Errors
    /// As [`set`](Self::set); also if something on the way is not a map, if the path leads
    /// into a list, or if it is none: names have dots between them, and none is empty.
    pub fn set_path(&mut self, node: NodeId, path: &str, value: impl Into<Value>) -> Result<()> {
        self.stage(|graph| graph.set_path(node, path, &value.into()))
    }

    /// Removes a field of a node's document; whether it was there.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such node.
    pub fn unset(&mut self, node: NodeId, field: &str) -> Result<bool> {
        self.stage(|graph| graph.unset(node, field))
    }

    /// Replaces a node's whole document.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn replace(&mut self, node: NodeId, document: impl Into<Document>) -> Result<()> {
        self.stage(|graph| graph.replace(node, &document.into()))
    }

    /// Deletes a node and all its edges; gives the number of edges.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such node.
    pub fn delete_node(&mut self, node: NodeId) -> Result<u64> {
        self.stage(|graph| graph.delete(node))
    }

    /// Defines an edge type; defining it again the same way is fine. Without a
    /// definition, the first link makes a type unique and open to all labels.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// db.transaction(|ctx| {
    ///     ctx.define_edge_type("PAID", EdgeTypeDef::multi().from("User").to("User"))?;
    ///     let (a, b) = (ctx.insert_node("User", "a", doc! {})?, ctx.insert_node("User", "b", doc! {})?);
    ///     let first = ctx.link_nodes(a, "PAID", b, doc! { "amount": 10 })?;
    ///     let second = ctx.link_nodes(a, "PAID", b, doc! { "amount": 20 })?;
    ///     assert_ne!(first.id, second.id);
    ///     assert_eq!(ctx.edges_between(a, "PAID", b)?.len(), 2);
    ///     Ok::<_, Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] if it is defined otherwise, or the name is empty or too
    /// long.
    pub fn define_edge_type(&mut self, name: &str, def: EdgeTypeDef) -> Result<()> {
        self.stage(|graph| graph.define_edge_type(name, &def))
    }

    /// Links `source` to `target` by an edge with a document. For a unique type
    /// whose edge is there already, its document is replaced.
    ///
    /// # Errors
    /// [`Error::Input`] if an end does not exist or has a label that the type
    /// does not allow, or the document cannot be stored.
    pub fn link_nodes(
        &mut self,
        source: NodeId,
        edge_type: &str,
        target: NodeId,
        document: impl Into<Document>,
    ) -> Result<Edge> {
        self.stage(|graph| graph.link(source, edge_type, target, &document.into()))
    }

    /// For [`Db::link_many`](crate::Db::link_many); to be committed next.
    pub(crate) fn link_many(&mut self, edge_type: &str, ends: &[(NodeId, NodeId)]) -> Result<u64> {
        self.stage(|graph| graph.link_many(edge_type, ends))
    }

    /// Removes every edge of a type from `source` to `target`; gives their
    /// number.
    ///
    /// # Errors
    /// [`Error::Input`] if the transaction writes too much.
    pub fn unlink_nodes(&mut self, source: NodeId, edge_type: &str, target: NodeId) -> Result<u64> {
        self.stage(|graph| graph.unlink(source, edge_type, target))
    }

    /// Removes one edge.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such edge.
    pub fn unlink_edge(&mut self, edge: Edge) -> Result<()> {
        self.stage(|graph| graph.unlink_edge(edge))
    }

    /// Sets fields of an edge's document, all or none; the others stay.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such edge, or the document cannot be
    /// stored.
    pub fn set_edge(&mut self, edge: Edge, fields: impl Into<Document>) -> Result<()> {
        let fields = fields.into();
        let fields: Vec<_> = fields.iter().collect();
        self.stage(|graph| graph.set_edge(edge, &fields))
    }

    /// Removes a field of an edge's document; whether it was there.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such edge.
    pub fn unset_edge(&mut self, edge: Edge, field: &str) -> Result<bool> {
        self.stage(|graph| graph.unset_edge(edge, field))
    }

    /// Replaces an edge's whole document.
    ///
    /// # Errors
    /// As [`set_edge`](Self::set_edge).
    pub fn replace_edge(&mut self, edge: Edge, document: impl Into<Document>) -> Result<()> {
        self.stage(|graph| graph.replace_edge(edge, &document.into()))
    }

    /// Reads a node and demands that it is unchanged when this transaction
    /// commits, even if this transaction never writes it: a way out of write
    /// skew without serializable isolation.
    ///
    /// # Errors
    /// None in memory; the demand may fail the commit, if it writes anything.
    pub fn get_for_update(&mut self, node: NodeId) -> Result<Option<Node<'_>>> {
        self.stage(|graph| {
            graph.note_for_update(node);
            Ok(())
        })?;
        self.node(node)
    }

    /// Expects a node to have this version when the transaction commits (see
    /// [`Node::version`]), or not to exist (`None`); judged against the latest
    /// state, not the snapshot. If not, the commit fails with
    /// [`Error::CheckFailed`], which is not retried: running the same closure
    /// again would expect the same version. Take the version from a snapshot, or
    /// before this transaction writes the node: its own writes have none yet.
    pub fn check(&mut self, node: NodeId, expected: Option<Timestamp>) {
        self.writes.graph.expect(node, expected);
    }

    /// A position to roll back to. Rolling back undoes what was staged after it,
    /// and ends later savepoints; what was read stays read.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// db.transaction(|ctx| {
    ///     ctx.insert_node("User", "alice", doc! {})?;
    ///     let before = ctx.savepoint()?;
    ///     ctx.insert_node("User", "mallory", doc! {})?;
    ///     ctx.rollback_to(before)?;
    ///     Ok::<_, Error>(())
    /// })?;
    /// assert_eq!(db.snapshot()?.count("User")?, 1);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] beyond [`SAVEPOINTS_MAX`](crate::limits::SAVEPOINTS_MAX).
    pub fn savepoint(&mut self) -> Result<Savepoint> {
        Ok(self.savepoints.add(&mut self.writes)?)
    }

    /// Undoes what was staged since the savepoint, which stays usable.
    ///
    /// # Errors
    /// [`Error::Input`] if the savepoint has ended or is another transaction's.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        Ok(self.savepoints.roll_back(savepoint, &mut self.writes)?)
    }

    /// Ends a savepoint, and those after it, without undoing anything.
    ///
    /// # Errors
    /// As [`rollback_to`](Self::rollback_to).
    pub fn release(&mut self, savepoint: Savepoint) -> Result<()> {
        Ok(self.savepoints.release(savepoint, &mut self.writes)?)
    }
}

impl Sealed for Transaction<'_> {
    #[inline]
    fn view(&self) -> GraphView<'_> {
        let open = self.open.as_ref().expect("open until the end");
        let (graph, at) = (&self.engine.participant().graph, self.engine.at(open));
        GraphView::of_transaction(graph, at, &self.writes.graph, self.tracking())
    }

    fn shared_schema(&self) -> Option<&Arc<Schema>> {
        let open = self.open.as_ref().expect("open until the end");
        self.engine.participant().schemas.at(self.engine.at(open))
    }

    fn indexes(&self) -> Option<&dyn Indexes> {
        self.definitions().is_some().then_some(self)
    }

    #[inline]
    fn kv_in(&self, space: Space) -> KvView<'_> {
        let noted = match self.isolation {
            Isolation::Snapshot => None,
            Isolation::Serializable => self.writes.entries.as_deref(),
        };
        KvView::new(self.entry_view(), space, noted)
    }

    fn has(&self, kv: &Kv) -> Result<bool> {
        let mine = self.keyspace_store();
        kv.with_keyspace(|keyspace| keyspace.is_same_database(mine))
    }
}

impl Read for Transaction<'_> {}

impl Drop for Transaction<'_> {
    #[inline]
    fn drop(&mut self) {
        self.engine.participant().graph.release_names(&mut self.writes.graph);
        if let Some(open) = self.open.take() {
            self.engine.close(open);
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("timestamp", &self.timestamp())
            .field("isolation", &self.isolation)
            .field("writes", &self.writes.graph.len())
            .finish_non_exhaustive()
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    const fn is_sync<T: Sync>() {}
    is_send::<Transaction<'static>>();
    is_send::<crate::Snapshot<'static>>();
    is_sync::<crate::Snapshot<'static>>();
    is_send::<crate::Db>();
    is_sync::<crate::Db>();
    is_send::<Error>();
};
