//! What a database stores: a graph and a keyspace, in one commit.
#![expect(unsafe_code, reason = "hands the engine's calls on to the two stores")]

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use selvedge_base::{Timestamp, mutant};
use selvedge_engine::{
    CheckpointSink, CommitError, Durable, Engine, Evict, Participant, Sequence, Settling,
};
use selvedge_graph::{
    Conflict, ConflictKind, Entity, Graph, GraphChanges, GraphOptions, GraphRecord, GraphRefusal,
    GraphView, GraphWriter, GraphWrites,
};
use selvedge_keyspace::{
    EntryChanges, EntryName, EntryView, EntryWriter, EntryWrites, Keyspace, ReadTime,
    Refusal as EntryRefusal,
};
use selvedge_mvcc::{Arena, SnapshotRef};
use selvedge_schema::{Kind, Schema, StoredSchemaError};
use selvedge_storage::codec::{Bytes, misfit, put_bytes};
use selvedge_storage::{BlockKey, Contents, StorageError};

use crate::index::place::indexed_by;
use crate::index::verify::verify as verify_indexes;
use crate::kv::limits::KvLimits;
use crate::kv::queue::Claims;
use crate::kv::reading::KvView;
use crate::kv::space::Space;
use crate::schema::cell::{SchemaCell, schema_key};
use crate::schema::verify::verify;

/// The engine of a database.
pub(crate) type DbEngine = Engine<Stores>;

/// Nodes, edges and keyed entries, committed together.
#[derive(Debug)]
pub(crate) struct Stores {
    pub(crate) graph: Graph,
    pub(crate) keyspace: Keyspace,
    /// What documents hold.
    pub(crate) schemas: SchemaCell,
    /// Messages of queues that somebody works on.
    pub(crate) claims: Arc<Claims>,
    pub(crate) kv_limits: KvLimits,
}

impl Stores {
    pub(crate) fn new(graph: Graph, keyspace: Keyspace, kv_limits: KvLimits) -> Self {
        let (schemas, claims) = Default::default();
        Self { graph, keyspace, schemas, claims, kv_limits }
    }
}

// What a logged commit has: bits of its first byte. With both parts, the graph's
// stands behind its length.
const OF_GRAPH: u8 = 1;
const OF_KEYSPACE: u8 = 2;

/// What changed since the last checkpoint.
#[derive(Debug, Default)]
pub(crate) struct StoreChanges {
    graph: GraphChanges,
    entries: EntryChanges,
}

impl Durable for Stores {
    type Changes = StoreChanges;

    fn fresh(&self) -> Self {
        let (graph, keyspace) = (Graph::new(self.graph.options()), self.keyspace.fresh());
        let claims = Arc::clone(&self.claims);
        Self { claims, ..Self::new(graph, keyspace, self.kv_limits) }
    }

    fn set_salt(&mut self, salt: u32) {
        self.graph = Graph::new(GraphOptions { salt, ..self.graph.options() });
    }

    fn encode(&self, writes: &StoreWrites, out: &mut Vec<u8>) {
        match &writes.entries {
            None => {
                out.push(OF_GRAPH);
                writes.graph.encode(out);
            }
            Some(entries) if entries.changes_nothing() && !writes.graph.is_empty() => {
                out.push(OF_GRAPH);
                writes.graph.encode(out);
            }
            Some(entries) if writes.graph.is_empty() => {
                out.push(OF_KEYSPACE);
                entries.encode(out);
            }
            Some(entries) => {
                let mut graph = Vec::new();
                writes.graph.encode(&mut graph);
                out.push(OF_GRAPH | OF_KEYSPACE);
                put_bytes(out, &graph);
                entries.encode(out);
            }
        }
    }

    unsafe fn decode(
        &self,
        _writer: &mut StoreWriter,
        bytes: &[u8],
        writes: &mut StoreWrites,
    ) -> Result<(), String> {
        let mut bytes = Bytes(bytes);
        let mut read = |bytes: &mut Bytes<'_>| {
            let parts = bytes.byte()?;
            let graph = match parts {
                OF_GRAPH => std::mem::take(&mut bytes.0),
                OF_KEYSPACE => &[],
                parts if parts == OF_GRAPH | OF_KEYSPACE => bytes.bytes()?,
                parts => return misfit(format!("there is no commit of kind {parts}")),
            };
            // SAFETY: the caller's contract.
            unsafe { self.graph.decode_writes(graph, &mut writes.graph)? };
            if parts & OF_KEYSPACE != 0 {
                let entries = writes.entries_mut();
                self.keyspace.decode_writes(bytes.0, entries)?;
                if let Some(schema) = entries.replacement(&schema_key()) {
                    let schema = Schema::decode(schema);
                    let schema = schema.or_else(|error| misfit(error.to_string()))?;
                    writes.schema = Some(Arc::new(schema));
                }
            }
            Ok(())
        };
        read(&mut bytes).map_err(|misfit| misfit.to_string())
    }

    fn clear(&self, writes: &mut StoreWrites) {
        self.graph.release_names(&mut writes.graph);
        writes.graph.clear();
        writes.clear_entries();
    }

    fn track_changes(&self, writer: &mut StoreWriter) {
        writer.graph.track_changes();
        writer.entries.track_changes();
    }

    fn take_changes(&self, writer: &mut StoreWriter) -> StoreChanges {
        let (graph, entries) = (writer.graph.take_changes(), writer.entries.take_changes());
        StoreChanges { graph, entries }
    }

    fn return_changes(&self, writer: &mut StoreWriter, changes: StoreChanges) {
        writer.graph.return_changes(changes.graph);
        writer.entries.return_changes(changes.entries);
    }

    fn add_block(changes: &mut StoreChanges, key: BlockKey) {
        changes.graph.add_block(key);
        changes.entries.add_block(key);
    }

    fn everything(&self, at: SnapshotRef<'_>) -> StoreChanges {
        StoreChanges { graph: self.graph.all_leaves(at), entries: EntryChanges::everything() }
    }

    fn write_checkpoint(
        &self,
        at: SnapshotRef<'_>,
        changes: &StoreChanges,
        sink: &mut CheckpointSink<'_>,
    ) -> Result<(), StorageError> {
        self.graph.write_checkpoint(at, &changes.graph, sink)?;
        self.keyspace.write_checkpoint(at, &changes.entries, sink)
    }

    unsafe fn load(
        &self,
        writer: &mut StoreWriter,
        contents: &Contents,
    ) -> Result<(), StorageError> {
        // SAFETY: the caller's contract, here and below.
        unsafe { self.graph.load(&mut writer.graph, contents)? };
        // SAFETY: as above.
        unsafe { self.keyspace.load(&mut writer.entries, contents)? };
        if let Some((since, bytes)) = self.keyspace.newest(&writer.entries, &schema_key())
            && !mutant::is("schema-not-loaded")
        {
            let schema =
                Schema::decode(&bytes).map_err(|error| not_understood(contents, &error))?;
            self.schemas.install(Arc::new(schema), since);
        }
        Ok(())
    }

    unsafe fn evict(
        &self,
        writer: &mut StoreWriter,
        contents: &Contents,
        key: BlockKey,
        which: Evict,
        arena: &mut Arena,
    ) -> Result<(), StorageError> {
        // SAFETY: the caller's contract.
        unsafe { self.graph.evict(&mut writer.graph, contents, key, which, arena) }.map(drop)
    }

    fn sequences(&self) -> Vec<&Sequence> {
        self.graph.sequences().to_vec()
    }

    fn check(&self, at: SnapshotRef<'_>) -> Vec<String> {
        let mut problems = self.graph.check(at);
        self.keyspace.check(at, &mut problems);
        if let Some(schema) = self.schemas.at(at) {
            let (view, time) = (GraphView::new(&self.graph, at), ReadTime::new());
            let entries = EntryView::new(&self.keyspace, at, None, &time);
            verify(schema, view, entries, &mut problems);
            let entries = KvView::new(entries, Space::SYSTEM, None);
            verify_indexes(schema, view, entries, &mut problems);
        }
        problems
    }
}

impl Stores {
    /// The refusal of a change of entries; those of an index by its name. For the holder
    /// of the commit lock, with the snapshot of the transaction open.
    #[cold]
    fn entry_refused(&self, refusal: EntryRefusal) -> StoreRefusal {
        let EntryRefusal::Conflict { key, start, committed, read } = &refusal else {
            return StoreRefusal::Entry(refusal);
        };
        // SAFETY: the caller's word.
        let schema = unsafe { self.schemas.as_of(*start) };
        let Some(entity) = schema.and_then(|schema| indexed_by(schema, key)) else {
            return StoreRefusal::Entry(refusal);
        };
        let kind = if *read { ConflictKind::Read } else { ConflictKind::Write };
        let conflict = Conflict { entity, kind, start: *start, committed: *committed };
        StoreRefusal::Graph(conflict.into())
    }

    /// What a transaction wrote is defined as it was at its start: or it may break the
    /// definition, or lack entries of an index.
    #[cold]
    fn validate_definitions(
        &self,
        writer: &StoreWriter,
        writes: &StoreWrites,
        start: Timestamp,
        (since, schema): (Timestamp, &Schema),
    ) -> Result<(), StoreRefusal> {
        // SAFETY: the commit lock is held, and the snapshot of the transaction open.
        let before = unsafe { self.schemas.as_of(start) }.cloned().unwrap_or_default();
        let [labels, edge_types] = self.graph.names_written(&writer.graph, &writes.graph);
        let labels = labels.into_iter().map(|name| (Kind::Nodes, name));
        let edge_types = edge_types.into_iter().map(|name| (Kind::Edges, name));
        let mut written = labels.chain(edge_types);
        let changed = |(kind, name): &(Kind, String)| {
            before.revision_of(*kind, name) != schema.revision_of(*kind, name)
        };
        let Some((kind, name)) = written.find(changed) else { return Ok(()) };
        let entity = match kind {
            Kind::Nodes => Entity::Label(name),
            Kind::Edges => Entity::EdgeType(name),
        };
        let kind = ConflictKind::Definition;
        self.graph.count_conflict(kind);
        let conflict = Conflict { entity, kind, start, committed: since };
        Err(StoreRefusal::Graph(conflict.into()))
    }
}

/// A stored schema that this program cannot read.
fn not_understood(contents: &Contents, error: &StoredSchemaError) -> StorageError {
    contents.directory_problem(&error.to_string())
}

/// Compacts the graph, a leaf of nodes at a time between commits, and then the
/// keyspace, some entries at a time; gives the number of edge sets and values moved.
pub(crate) fn compact(engine: &DbEngine) -> Result<usize, CommitError<StoreRefusal>> {
    let (mut moved, mut arena) = (0, Arena::new());
    for step in engine.participant().graph.compaction() {
        moved += engine.maintain(|stores, writer| {
            // SAFETY: `writer` is the proof of holding the commit lock, and
            // nothing is being committed.
            unsafe { stores.graph.compact(&mut writer.graph, &mut arena, step) }
        })?;
    }
    let mut last_key: Option<Vec<u8>> = None;
    // Ends: keys ascend, and each piece is full but the last one. Who keeps adding keys
    // at the end has to be faster than this.
    loop {
        let behind = last_key.take();
        let piece = engine.maintain(|stores, writer| {
            // SAFETY: as above.
            unsafe { stores.keyspace.compact(&mut writer.entries, &mut arena, behind.as_deref()) }
        })?;
        moved += piece.moved;
        match piece.last_key {
            Some(key) => last_key = Some(key),
            None => return Ok(moved),
        }
    }
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub(crate) struct StoreWrites {
    pub(crate) graph: GraphWrites,
    /// Made when the first entry is written, a savepoint set, or what is read has to
    /// be noted.
    pub(crate) entries: Option<Box<EntryWrites>>,
    /// The schema that is among the entries.
    pub(crate) schema: Option<Arc<Schema>>,
    /// Emptied ones, kept for that.
    spare: Option<Box<EntryWrites>>,
}

impl StoreWrites {
    /// The writes of entries.
    #[inline]
    pub(crate) fn entries_mut(&mut self) -> &mut EntryWrites {
        self.parts().1.get()
    }

    /// What is written in the graph, and among the entries.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut GraphWrites, EntrySlot<'_>) {
        let Self { graph, entries, spare, .. } = self;
        (graph, EntrySlot { entries, spare })
    }

    /// Empties the writes of entries, and keeps them for the next time.
    fn clear_entries(&mut self) {
        self.schema = None;
        if let Some(mut entries) = self.entries.take() {
            entries.clear();
            self.spare = Some(entries);
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.graph.is_empty() && self.entries.as_ref().is_none_or(|entries| entries.is_empty())
    }
}

/// Where the writes of entries are, or will be.
#[derive(Debug)]
pub(crate) struct EntrySlot<'w> {
    entries: &'w mut Option<Box<EntryWrites>>,
    spare: &'w mut Option<Box<EntryWrites>>,
}

impl<'w> EntrySlot<'w> {
    /// The writes of entries.
    #[inline]
    pub(crate) fn get(self) -> &'w mut EntryWrites {
        self.entries.get_or_insert_with(|| self.spare.take().unwrap_or_default())
    }

    /// The same slot, for a while.
    pub(crate) fn reborrow(&mut self) -> EntrySlot<'_> {
        EntrySlot { entries: self.entries, spare: self.spare }
    }
}

/// Names of superseded records that room is kept for.
const SUPERSEDED_KEPT: usize = 1024;
/// Emptied writes that a thread keeps for its next transactions.
const WRITES_KEPT: usize = 4;

thread_local! {
    #[expect(clippy::vec_box, reason = "what is kept is handed out as a box")]
    static KEPT: RefCell<Vec<Box<StoreWrites>>> = const { RefCell::new(Vec::new()) };
}

/// Writes that are emptied and kept, when they are dropped, for the next
/// transaction of the thread: their room saves allocations. The names they
/// reserved have been released by then.
#[derive(Debug)]
pub(crate) struct KeptWrites(Option<Box<StoreWrites>>);

impl KeptWrites {
    #[inline]
    pub(crate) fn take() -> Self {
        let kept = KEPT.try_with(|kept| kept.borrow_mut().pop());
        Self(Some(kept.ok().flatten().unwrap_or_default()))
    }
}

/// Emptied writes of entries, those that the thread keeps if there are any.
pub(crate) fn take_entries() -> Box<EntryWrites> {
    let kept = KEPT.try_with(|kept| kept.borrow_mut().last_mut()?.spare.take());
    kept.ok().flatten().unwrap_or_default()
}

impl Deref for KeptWrites {
    type Target = StoreWrites;

    #[inline]
    fn deref(&self) -> &StoreWrites {
        self.0.as_ref().expect("there until dropped")
    }
}

impl DerefMut for KeptWrites {
    #[inline]
    fn deref_mut(&mut self) -> &mut StoreWrites {
        self.0.as_mut().expect("there until dropped")
    }
}

impl Drop for KeptWrites {
    #[inline]
    fn drop(&mut self) {
        let Some(mut writes) = self.0.take().filter(|_| !std::thread::panicking()) else { return };
        writes.graph.clear();
        writes.clear_entries();
        // While the thread ends there may be nowhere to keep them.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < WRITES_KEPT {
                kept.push(writes);
            }
        });
    }
}

/// State behind the commit lock.
#[derive(Debug, Default)]
pub(crate) struct StoreWriter {
    graph: GraphWriter,
    entries: EntryWriter,
    /// Where the graph names what it superseded.
    superseded: Vec<GraphRecord>,
    /// Schemas that are kept, at most.
    schemas: usize,
}

/// Names a record of either store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StoreRecord {
    Graph(GraphRecord),
    Entry(EntryName),
}

/// Why either store refuses a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoreRefusal {
    Graph(GraphRefusal),
    Entry(EntryRefusal),
}

impl Participant for Stores {
    type Writer = StoreWriter;
    type Writes = StoreWrites;
    type Record = StoreRecord;
    type Refusal = StoreRefusal;

    fn prepare(&self, writes: &mut StoreWrites) {
        if !writes.graph.is_empty() {
            self.graph.prepare(&mut writes.graph);
        }
        if let Some(entries) = &mut writes.entries {
            self.keyspace.prepare(entries);
        }
    }

    fn validate(
        &self,
        writer: &mut StoreWriter,
        writes: &mut StoreWrites,
        start: Timestamp,
    ) -> Result<(), StoreRefusal> {
        if !writes.graph.is_empty() || writes.graph.has_reads() {
            self.graph
                .validate(&mut writer.graph, &mut writes.graph, start)
                .map_err(StoreRefusal::Graph)?;
        }
        if let Some(entries) = &mut writes.entries {
            let judged = self.keyspace.validate(&mut writer.entries, entries, start);
            judged.map_err(|refusal| self.entry_refused(refusal))?;
        }
        // SAFETY: the engine validates under the commit lock.
        match unsafe { self.schemas.newer_than(start) } {
            Some((since, schema)) if !mutant::is("definition-unvalidated") => {
                self.validate_definitions(writer, writes, start, (since, schema))
            }
            _ => Ok(()),
        }
    }

    unsafe fn install(
        &self,
        writer: &mut StoreWriter,
        writes: &mut StoreWrites,
        commit: Timestamp,
        superseded: &mut Vec<StoreRecord>,
    ) {
        let StoreWriter { graph, entries: entry_writer, superseded: of_graph, schemas } = writer;
        if !writes.graph.is_empty() {
            // SAFETY: the caller's contract, here and below; both have validated.
            unsafe { self.graph.install(graph, &mut writes.graph, commit, of_graph) };
            superseded.extend(of_graph.drain(..).map(StoreRecord::Graph));
            of_graph.shrink_to(SUPERSEDED_KEPT);
        }
        if let Some(entries) = &mut writes.entries {
            let name = |name| superseded.push(StoreRecord::Entry(name));
            // SAFETY: as above.
            unsafe { self.keyspace.install_entries(entry_writer, entries, commit, name) };
        }
        if let Some(schema) = writes.schema.take() {
            self.schemas.install(schema, commit);
            *schemas += 1;
        }
    }

    unsafe fn prune(
        &self,
        writer: &mut StoreWriter,
        record: StoreRecord,
        settling: &mut Settling<'_, StoreRecord>,
    ) {
        // SAFETY: the caller's contract.
        unsafe {
            match record {
                StoreRecord::Graph(name) => {
                    self.graph.prune_record(&mut writer.graph, name, record, settling);
                }
                StoreRecord::Entry(name) => {
                    self.keyspace.prune_entry(&mut writer.entries, name, record, settling);
                }
            }
        }
    }

    fn owes(writer: &StoreWriter) -> bool {
        Graph::owes(&writer.graph) || writer.schemas > 1
    }

    unsafe fn settle(&self, writer: &mut StoreWriter, settling: &mut Settling<'_, StoreRecord>) {
        if writer.schemas > 1 {
            let (active, mut retired) = (settling.active(), Vec::new());
            // SAFETY: the caller's contract.
            writer.schemas = unsafe { self.schemas.prune(active, |old| retired.push(old)) };
            retired.into_iter().for_each(|old| settling.retire(old));
        }
        // SAFETY: the caller's contract.
        unsafe { self.graph.settle_writer(&mut writer.graph, settling) };
        self.keyspace.settle_writer(&mut writer.entries, settling);
    }

    fn committed(&self, writes: &mut StoreWrites) {
        if let Some(entries) = &mut writes.entries {
            self.keyspace.committed(entries);
        }
    }

    fn due(&self, writer: &mut StoreWriter) -> Option<StoreWrites> {
        let expired = self.keyspace.expired(&writer.entries)?;
        Some(StoreWrites { entries: Some(Box::new(expired)), ..StoreWrites::default() })
    }

    fn expects(writer: &StoreWriter) -> bool {
        writer.entries.expects()
    }
}

/// What all handles of a database share: when the last of them is dropped, the
/// database is closed, there and then. Threads in the background may keep the engine
/// itself a little longer.
#[derive(Debug)]
pub(crate) struct Handles {
    engine: Arc<DbEngine>,
    /// Of a database in memory, once somebody asks.
    id: OnceLock<u128>,
}

impl Handles {
    /// The handles of an engine, of which there is one now.
    pub(crate) fn of(engine: &Arc<DbEngine>) -> Arc<Self> {
        Arc::new(Self { engine: Arc::clone(engine), id: OnceLock::new() })
    }

    /// The number of the database among all that there are.
    pub(crate) fn database_id(&self) -> u128 {
        let env = self.engine.env();
        let half = || u128::from(env.random_up_to(u64::MAX));
        let stored = self.engine.database_id();
        stored.unwrap_or_else(|| *self.id.get_or_init(|| half() << 64 | half()))
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        // Who wants to know of errors calls `Db::close`.
        let _ = self.engine.end();
    }
}

/// An engine, borrowed for the length of a closure, or owned by a handle that
/// may outlive the database it came from.
#[derive(Debug)]
pub(crate) enum EngineRef<'db> {
    Borrowed(&'db DbEngine),
    Owned {
        engine: Arc<DbEngine>,
        #[expect(dead_code, reason = "keeps the database open")]
        handles: Arc<Handles>,
    },
}

impl Deref for EngineRef<'_> {
    type Target = DbEngine;

    #[inline]
    fn deref(&self) -> &DbEngine {
        match self {
            Self::Borrowed(engine) => engine,
            Self::Owned { engine, .. } => engine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvedge_encoding::doc;
    use selvedge_engine::{EngineOptions, OpenSnapshot};
    use selvedge_graph::{GraphOptions, GraphTransaction, ReadTracking};
    use selvedge_keyspace::{Expected, Mutation};

    fn engine() -> Arc<DbEngine> {
        let keyspace = Keyspace::new(selvedge_env::Env::real());
        let stores =
            Stores::new(Graph::new(GraphOptions::default()), keyspace, KvLimits::default());
        Engine::new(stores, EngineOptions::default())
    }

    /// Inserts a node with this key and adds one to the entry `nodes`.
    fn stage(engine: &DbEngine, open: &OpenSnapshot, key: &str) -> StoreWrites {
        let mut writes = StoreWrites::default();
        let graph = &engine.participant().graph;
        GraphTransaction::new(graph, engine.at(open), &mut writes.graph, ReadTracking::Off)
            .insert("User", Some(key), &doc! {})
            .unwrap();
        let entries = writes.entries.insert(Box::default());
        entries.mutate(b"nodes", Mutation::Sum(1)).unwrap();
        writes
    }

    /// The number of nodes, and the entry `nodes`, at one snapshot.
    fn both(engine: &DbEngine) -> (u64, Option<u64>) {
        let open = engine.open().unwrap();
        let Stores { graph, keyspace, .. } = engine.participant();
        let nodes = GraphView::new(graph, engine.at(&open)).count("User");
        let time = ReadTime::new();
        let view = EntryView::new(keyspace, engine.at(&open), None, &time);
        let entry = view.get(b"nodes").unwrap();
        let both = (nodes, entry.and_then(|entry| entry.number()));
        engine.close(open);
        both
    }

    #[test]
    fn nodes_and_entries_commit_together_or_not_at_all() {
        let engine = engine();
        let open = engine.open().unwrap();
        let mut writes = stage(&engine, &open, "alice");
        let first = engine.commit(open, &mut writes, None).unwrap();
        assert_eq!(both(&engine), (1, Some(1)));

        // A conflict in the graph refuses the entry as well ..
        let (open, late) = (engine.open().unwrap(), engine.open().unwrap());
        let (mut writes, mut twice) = (stage(&engine, &open, "bob"), stage(&engine, &late, "bob"));
        let second = engine.commit(open, &mut writes, None).unwrap();
        assert!(second > first);
        let refused = engine.commit(late, &mut twice, None);
        assert!(matches!(refused, Err(CommitError::Refused(StoreRefusal::Graph(_)))));
        assert_eq!(both(&engine), (2, Some(2)));

        // .. and a failed check of an entry refuses the node.
        let open = engine.open().unwrap();
        let mut writes = stage(&engine, &open, "carol");
        let entries = writes.entries.as_mut().unwrap();
        entries.check(b"nodes", Expected::Version(first)).unwrap();
        let refused = engine.commit(open, &mut writes, None);
        assert!(matches!(refused, Err(CommitError::Refused(StoreRefusal::Entry(_)))));
        assert_eq!(both(&engine), (2, Some(2)));
        engine.participant().graph.release_names(&mut writes.graph);
        // What the late transaction held back goes with the next look.
        engine.step(100);
        assert_eq!(engine.statistics().versions_retained, 0);
    }
}
