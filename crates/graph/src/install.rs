//! Installing a transaction's writes as versions of one commit.
//!
//! Runs under the commit lock, after everything that may fail; replaying a log
//! runs the same steps.
#![expect(unsafe_code, reason = "the commit lock vouches for what is installed")]

use std::sync::Arc;

use selvedge_base::sync::atomic::Ordering;
use selvedge_base::{EdgeTypeId, NodeId, Timestamp};
use selvedge_mvcc::{Record, Table, VersionBox};

use crate::adjacency::{Adjacency, AdjacencyVersion, BLOCK_EDGES_MAX, Change, changed, of_edges};
use crate::block::HalfEdge;
use crate::catalog::{EdgeType, Label, MEMBERS_PER_WORD};
use crate::changes::GraphTable;
use crate::entity::Direction;
use crate::graph::{EdgeHeader, Graph, GraphRecord, NodeHeader, NodeRead, leaf_of};
use crate::new_edges::{Half, Halves};
use crate::writer::GraphWriter;
use crate::writes::{EdgeTypeWrite, EdgeWrite, GraphWrites, NodeChange, NodeWrite};

/// Edges that the writer's scratch keeps room for: those of a full block.
const SCRATCH_EDGES_KEPT: usize = 2 * BLOCK_EDGES_MAX;

/// Installs `version` in the record of `id`; whether there was an older one.
///
/// # Safety
/// The commit lock is held, and `commit` is published afterwards, or never.
pub(crate) unsafe fn install<H, const LEAF: usize>(
    table: &Table<Record<H>, LEAF>,
    id: u64,
    version: VersionBox<H>,
    commit: Timestamp,
) -> bool {
    // SAFETY: the caller's contract.
    unsafe {
        let record = table.slot_or_new(id);
        let superseded = !record.stamp().is_empty();
        if !superseded {
            table.count_live(id, 1);
        }
        record.install(version, commit);
        superseded
    }
}

/// One installation.
pub(crate) struct Installation<'i> {
    graph: &'i Graph,
    writer: &'i mut GraphWriter,
    commit: Timestamp,
    superseded: &'i mut Vec<GraphRecord>,
}

impl<'i> Installation<'i> {
    /// # Safety
    /// The commit lock is held for `'i`; `commit` is published afterwards, or
    /// never.
    pub(crate) unsafe fn new(
        graph: &'i Graph,
        writer: &'i mut GraphWriter,
        commit: Timestamp,
        superseded: &'i mut Vec<GraphRecord>,
    ) -> Self {
        Self { graph, writer, commit, superseded }
    }

    /// Installs everything. Names come first, since the rest hangs on them.
    pub(crate) fn run(&mut self, writes: &mut GraphWrites) {
        self.names(writes);
        for (id, write) in writes.nodes.iter_mut() {
            self.node(*id, write);
        }
        for (edge, write) in writes.edges.iter_mut() {
            if write.existed.is_some() || write.now.is_some() {
                self.writer.note_written(*edge);
                self.edge(write);
            }
        }
        self.adjacency(writes);
        if let Some(new) = writes.new_edges.take() {
            self.new_edges(new.edge_type(), Direction::Out, new.outgoing());
            self.new_edges(new.edge_type(), Direction::In, new.incoming());
            self.writer.note_written_together(new);
        }
        self.writer.scratch.shrink_to(SCRATCH_EDGES_KEPT);
        self.counts(writes);
    }

    fn names(&mut self, writes: &GraphWrites) {
        if writes.reserved_labels.is_empty() && writes.edge_types.is_empty() {
            return;
        }
        let (inserted, linked) = (writes.labels_inserted(), writes.edge_types_linked());
        let used =
            |label: &&Arc<Label>| label.created.get().is_none() && inserted.contains(&label.id);
        let labels: Vec<_> = writes.reserved_labels.iter().filter(used).cloned().collect();
        for label in &labels {
            label.created.set(self.commit).expect("only the holder of the commit lock sets it");
        }
        let mut edge_types = Vec::<Arc<EdgeType>>::new();
        for (id, EdgeTypeWrite { def, explicit }) in writes.edge_types.iter() {
            let reserved = writes.reserved_edge_types.iter().find(|kind| kind.id == *id);
            let new = reserved
                .filter(|kind| kind.created.get().is_none() && (*explicit || linked.contains(id)));
            if let Some(kind) = new {
                kind.created
                    .set((self.commit, def.clone()))
                    .expect("only the holder of the commit lock sets it");
                edge_types.push(Arc::clone(kind));
            }
        }
        // SAFETY: the commit lock is held (`new`); settling moves what is
        // retired to the limbo.
        unsafe {
            if !labels.is_empty() {
                self.writer.retired.push(self.graph.labels.publish(&labels));
            }
            if !edge_types.is_empty() {
                self.writer.retired.push(self.graph.edge_types.publish(&edge_types));
            }
        }
    }

    fn node(&mut self, id: NodeId, write: &mut NodeWrite) {
        let Some(version) = write.version.take() else { return };
        if write.change == NodeChange::Insert {
            // SAFETY: the commit lock is held (`new`); names are installed first.
            unsafe { self.graph.enter_node(self.writer, id, &version) };
        }
        if write.change != NodeChange::Update
            && let Some(label) = self.label(write)
        {
            label.changed.store(self.commit.get(), Ordering::Relaxed);
        }
        self.changed(GraphTable::Nodes, id.get());
        // SAFETY: the commit lock is held (`new`).
        if unsafe { install(&self.graph.nodes, id.get(), version, self.commit) } {
            self.superseded.push(GraphRecord::Node(id));
        }
    }

    /// Notes what the next checkpoint has to write.
    #[inline]
    fn changed(&mut self, table: GraphTable, id: u64) {
        if let Some(changes) = &mut self.writer.changes {
            changes.add(table, leaf_of(id));
        }
    }

    fn label(&self, write: &NodeWrite) -> Option<&'i Arc<Label>> {
        // SAFETY: the commit lock is held (`new`).
        unsafe { self.graph.labels.current() }.by_number(write.label.get())
    }

    /// Installs an edge's document, and ends a record it no longer uses.
    fn edge(&mut self, write: &mut EdgeWrite) {
        let now = write.now.filter(|number| *number != 0);
        if let (Some(number), Some(version)) = (now, write.version.take()) {
            self.edge_record(number, version);
        }
        if let Some(old) = write.existed.filter(|old| *old != 0 && Some(*old) != now) {
            // SAFETY: the commit lock is held (`new`).
            let record = unsafe { self.graph.edges.slot(old) };
            // An edge of a multi type has a record only if it has a document.
            if record.is_some_and(|record| record.stamp().is_alive()) {
                self.edge_record(old, VersionBox::tombstone(EdgeHeader::INSIDE, &[]));
            }
        }
    }

    fn edge_record(&mut self, number: u64, version: VersionBox<EdgeHeader>) {
        self.changed(GraphTable::Edges, number);
        // SAFETY: the commit lock is held (`new`).
        if unsafe { install(&self.graph.edges, number, version, self.commit) } {
            self.superseded.push(GraphRecord::Edge(number));
        }
    }

    /// Installs new versions of the adjacency that changed.
    fn adjacency(&mut self, writes: &GraphWrites) {
        for changes in &writes.changed_nodes {
            let (node, direction) = (changes.node, changes.direction);
            let changes = &writes.changes[changes.from..changes.until];
            self.adjacency_of(node, direction, |base, scratch| changed(base, changes, scratch));
        }
    }

    /// Installs new versions of the adjacency of nodes that get edges of one type.
    fn new_edges(&mut self, edge_type: EdgeTypeId, direction: Direction, halves: &Halves) {
        let mut changes = Vec::new();
        for (node, halves) in halves.each() {
            self.adjacency_of(node, direction, |base, scratch| {
                let Some(base) = base else {
                    scratch.clear();
                    let edge = |&(neighbour, id): &Half| HalfEdge { edge_type, neighbour, id };
                    scratch.extend(halves.iter().map(edge));
                    return of_edges(scratch);
                };
                let change = |&(neighbour, id): &Half| Change {
                    edge_type,
                    neighbour,
                    identity: id,
                    put: Some(id),
                };
                changes.clear();
                changes.extend(halves.iter().map(change));
                changed(Some(base), &changes, scratch)
            });
        }
    }

    /// Installs what `make` makes of the newest edges at a node.
    fn adjacency_of(
        &mut self,
        node: NodeId,
        direction: Direction,
        make: impl FnOnce(Option<&AdjacencyVersion>, &mut Vec<HalfEdge>) -> VersionBox<Adjacency>,
    ) {
        let table = self.graph.adjacency(direction);
        let number = if direction == Direction::In { GraphTable::In } else { GraphTable::Out };
        self.changed(number, node.get());
        // SAFETY: the commit lock is held (`new`), so the newest version
        // stays, and nobody else installs.
        unsafe {
            let record = table.slot(node.get());
            let base = record.and_then(|record| record.newest());
            let base = base.filter(|base| !base.is_tombstone());
            let version = make(base, &mut self.writer.scratch);
            if install(table, node.get(), version, self.commit) {
                self.superseded.push(match direction {
                    Direction::In => GraphRecord::In(node),
                    Direction::Out | Direction::Both => GraphRecord::Out(node),
                });
            }
        }
    }

    fn counts(&mut self, writes: &GraphWrites) {
        for (id, change) in writes.label_counts.iter() {
            // SAFETY: the commit lock is held (`new`).
            let label = unsafe { self.graph.labels.current() }.by_number(id.get());
            if let Some(label) = label {
                self.count(&label.count, *change, GraphRecord::LabelCount(*id));
            }
        }
        for (id, change) in writes.edge_type_counts.iter() {
            // SAFETY: as above.
            let kind = unsafe { self.graph.edge_types.current() }.by_number(id.get());
            if let Some(kind) = kind {
                self.count(&kind.count, *change, GraphRecord::EdgeTypeCount(*id));
            }
        }
    }

    fn count(&mut self, record: &Record<u64>, change: i64, name: GraphRecord) {
        if change == 0 {
            return;
        }
        // SAFETY: the commit lock is held (`new`).
        unsafe {
            let old = record.newest();
            let now = old.map_or(0, |old| *old.header()).checked_add_signed(change);
            let now = now.expect("no more entities end than began");
            record.install(VersionBox::new(now, &[]), self.commit);
            if old.is_some() {
                self.superseded.push(name);
            }
        }
    }
}

impl Graph {
    /// Enters a new node under its label, which has a name, and its key.
    ///
    /// # Safety
    /// The commit lock is held.
    pub(crate) unsafe fn enter_node(
        &self,
        writer: &mut GraphWriter,
        id: NodeId,
        version: &VersionBox<NodeHeader>,
    ) {
        let label = version.header().label;
        // SAFETY: the caller's contract.
        let known = unsafe { self.labels.current() }.by_number(label.get());
        let members = &known.expect("names are installed first").members;
        let word = id.get() / MEMBERS_PER_WORD;
        // SAFETY: as above.
        unsafe {
            // Readers load the word after they began; the commit is published
            // with Release after this store.
            members
                .slot_or_new(word)
                .fetch_or(1 << (id.get() % MEMBERS_PER_WORD), Ordering::Release);
            members.count_live(word, 1);
            if let Some(key) = version.key_bytes() {
                let hash = self.hash_key(label, key);
                let old = self.keys.insert(hash, id.get());
                writer.retired.extend(old.map(selvedge_mvcc::Retired::new));
            }
        }
    }
}
