//! Judging a transaction's writes, checks and reads against the latest state.
//!
//! Runs under the commit lock and changes nothing.
#![expect(unsafe_code, reason = "the commit lock vouches for what is read")]

use std::sync::Arc;

use selvedge_base::sync::atomic::Ordering;
use selvedge_base::{EdgeTypeId, LabelId, NodeId, Timestamp, mutant};
use selvedge_mvcc::{Record, Stamp, check_read, check_write};

use crate::catalog::{EdgeType, NameTable};
use crate::entity::{Conflict, ConflictKind, Direction, Edge, Entity, NamedEdge};
use crate::error::GraphRefusal;
use crate::graph::{Graph, NodeRead};
use crate::new_edges::NewEdges;
use crate::reads::ReadSet;
use crate::writer::GraphWriter;
use crate::writes::{EdgeTypeWrite, GraphWrites, KeyName, NodeChange};

impl Graph {
    /// The names of the labels of all nodes that a transaction writes, and of the types
    /// of the edges that it makes or changes. `writer` proves that the commit lock is
    /// held.
    #[must_use]
    pub fn names_written(&self, _writer: &GraphWriter, writes: &GraphWrites) -> [Vec<String>; 2] {
        // SAFETY: the commit lock is held, here and below.
        let labels = unsafe { self.labels.current() };
        // SAFETY: as above.
        let edge_types = unsafe { self.edge_types.current() };
        let label = |id: LabelId| {
            let reserved = writes.reserved_labels.iter().find(|label| label.id == id);
            reserved.or_else(|| labels.by_number(id.get())).map(|label| label.name.to_string())
        };
        let edge_type = |id: EdgeTypeId| {
            edge_type_with(edge_types, writes, id).map(|kind| kind.name.to_string())
        };
        [
            writes.labels_written().into_iter().filter_map(label).collect(),
            writes.edge_types_linked().into_iter().filter_map(edge_type).collect(),
        ]
    }
}

/// The edge type with a number, which a transaction may be about to make known.
fn edge_type_with<'t>(
    known: &'t NameTable<EdgeType>,
    writes: &'t GraphWrites,
    id: EdgeTypeId,
) -> Option<&'t Arc<EdgeType>> {
    let reserved = writes.reserved_edge_types.iter().find(|kind| kind.id == id);
    reserved.or_else(|| known.by_number(id.get()))
}

/// One validation: the graph under the commit lock, and the transaction's start.
pub(crate) struct Validation<'v> {
    graph: &'v Graph,
    writer: &'v GraphWriter,
    writes: &'v GraphWrites,
    start: Timestamp,
}

/// Says whether what was read at this timestamp is still the newest.
type Fresh<'f> = dyn Fn(&dyn Fn() -> Entity, Timestamp) -> Result<(), GraphRefusal> + 'f;

fn stamp<H>(record: Option<&Record<H>>) -> Option<Stamp> {
    record.map(Record::stamp)
}

impl<'v> Validation<'v> {
    /// # Safety
    /// The commit lock is held for `'v`.
    pub(crate) unsafe fn new(
        graph: &'v Graph,
        writer: &'v GraphWriter,
        writes: &'v GraphWrites,
        start: Timestamp,
    ) -> Self {
        Self { graph, writer, writes, start }
    }

    /// Judges everything.
    pub(crate) fn run(&self) -> Result<(), GraphRefusal> {
        self.checks()?;
        self.edge_types()?;
        self.nodes()?;
        self.keys()?;
        self.edges()?;
        let reads = self.writes.reads.borrow();
        if reads.used { self.reads(&reads) } else { Ok(()) }
    }

    fn conflict(&self, entity: Entity, kind: ConflictKind, committed: Timestamp) -> GraphRefusal {
        Conflict { entity, kind, start: self.start, committed }.into()
    }

    fn node_stamp(&self, node: NodeId) -> Option<Stamp> {
        // SAFETY: the commit lock is held (`new`).
        stamp(unsafe { self.graph.nodes.slot(node.get()) })
    }

    fn adjacency_stamp(&self, node: NodeId, direction: Direction) -> Option<Stamp> {
        // SAFETY: the commit lock is held (`new`).
        stamp(unsafe { self.graph.adjacency(direction).slot(node.get()) })
    }

    /// Expected versions, against the state before this commit.
    fn checks(&self) -> Result<(), GraphRefusal> {
        for check in &self.writes.checks {
            let alive = self.node_stamp(check.node).filter(|stamp| stamp.is_alive());
            let found = alive.map(Stamp::commit);
            if found != check.expected {
                let (node, expected) = (check.node, check.expected);
                return Err(GraphRefusal::CheckFailed { node, expected, found });
            }
        }
        Ok(())
    }

    /// A type that was new to this transaction, and is in the database now, must
    /// be defined the same way.
    fn edge_types(&self) -> Result<(), GraphRefusal> {
        for (id, EdgeTypeWrite { def, .. }) in self.writes.edge_types.iter() {
            // SAFETY: the commit lock is held (`new`).
            let known = unsafe { self.graph.edge_types.current() }.by_number(id.get());
            if let Some(known) = known
                && let Some((created, existing)) = known.created.get()
                && existing != def
            {
                let entity = Entity::EdgeType(known.name.to_string());
                return Err(self.conflict(entity, ConflictKind::Write, *created));
            }
        }
        Ok(())
    }

    /// First committer wins. A deletion also ends the node's edges, so nobody
    /// may have linked it meanwhile.
    fn nodes(&self) -> Result<(), GraphRefusal> {
        for (id, write) in self.writes.nodes.iter() {
            let dangling = match write.change {
                NodeChange::Insert | NodeChange::Nothing => continue,
                NodeChange::Update => false,
                NodeChange::Delete => !mutant::is("endpoint-unchecked"),
            };
            if let Some(stamp) = self.node_stamp(*id) {
                check_write(stamp, self.start).map_err(|overtaken| {
                    self.conflict(Entity::Node(*id), ConflictKind::Write, overtaken.by)
                })?;
            }
            for direction in [Direction::Out, Direction::In] {
                if let Some(stamp) = self.adjacency_stamp(*id, direction).filter(|_| dangling) {
                    check_write(stamp, self.start).map_err(|overtaken| {
                        self.conflict(Entity::Node(*id), ConflictKind::Dangling, overtaken.by)
                    })?;
                }
            }
        }
        Ok(())
    }

    /// A key that is claimed must be free, and untouched since the start.
    fn keys(&self) -> Result<(), GraphRefusal> {
        for (name, claim) in self.writes.keys.iter() {
            let Some(claimant) = claim else { continue };
            if let Some(newer) = self.key_changed(name, Some(*claimant)) {
                return Err(self.conflict(self.key_entity(name), ConflictKind::Write, newer));
            }
        }
        Ok(())
    }

    fn key_entity(&self, name: &KeyName) -> Entity {
        // SAFETY: the commit lock is held (`new`).
        let known = unsafe { self.graph.labels.current() }.by_number(name.label.get());
        // Whose key somebody else has changed is a label that a commit has used.
        let label = known.map_or("", |label| &*label.name).to_owned();
        Entity::Key { label, key: String::from_utf8_lossy(&name.key).into_owned() }
    }

    fn edge_entity(&self, edge: Edge) -> Entity {
        // SAFETY: the commit lock is held (`new`).
        let known = unsafe { self.graph.edge_types.current() };
        let edge_type = edge_type_with(known, self.writes, edge.edge_type);
        Entity::Edge(NamedEdge::new(edge, edge_type.map(|edge_type| &*edge_type.name)))
    }

    /// The newest commit after the start that gave or took the key; for a
    /// claimant also one before that still holds it.
    fn key_changed(&self, name: &KeyName, claimant: Option<NodeId>) -> Option<Timestamp> {
        let hash = self.graph.hash_key(name.label, &name.key);
        let mut newest = None;
        // SAFETY: the commit lock is held (`new`): nobody retires a table.
        for candidate in unsafe { self.graph.keys.candidates(hash) } {
            // SAFETY: as above.
            let Some(record) = (unsafe { self.graph.nodes.slot(candidate) }) else { continue };
            // SAFETY: as above: what is newest stays linked.
            let Some(version) = (unsafe { record.newest() }) else { continue };
            if version.header().label != name.label || version.key_bytes() != Some(&name.key) {
                continue;
            }
            let stamp = record.stamp();
            let own = self.writes.nodes.get(&NodeId::new(candidate));
            let deleted = own.is_some_and(|write| write.change == NodeChange::Delete);
            let held = claimant.is_some() && stamp.is_alive() && !deleted;
            let changed = match claimant {
                Some(_) => check_write(stamp, self.start),
                None => check_read(stamp.commit(), self.start),
            };
            if held && !mutant::is("validation-off") || changed.is_err() {
                newest = newest.max(Some(stamp.commit()));
            }
        }
        newest
    }

    /// First committer wins for edges, and both ends of a new edge must exist.
    fn edges(&self) -> Result<(), GraphRefusal> {
        for (edge, write) in self.writes.edges.iter() {
            if write.existed.is_none() && write.now.is_none() {
                continue;
            }
            self.unwritten(edge)?;
            if write.existed.is_none() && !mutant::is("endpoint-unchecked") {
                self.endpoint(edge.source)?;
                self.endpoint(edge.target)?;
            }
        }
        self.writes.new_edges.as_ref().map_or(Ok(()), |new| self.new_edges(new))
    }

    /// The same for edges that come together.
    fn new_edges(&self, new: &NewEdges) -> Result<(), GraphRefusal> {
        if self.writer.remembers_edges() {
            for edge in new.iter() {
                self.unwritten(&edge)?;
            }
        }
        let nodes = new.outgoing().each().chain(new.incoming().each()).map(|(node, _)| node);
        for node in nodes.filter(|_| !mutant::is("endpoint-unchecked")) {
            self.endpoint(node)?;
        }
        Ok(())
    }

    /// Nobody has written the edge since the start.
    fn unwritten(&self, edge: &Edge) -> Result<(), GraphRefusal> {
        let Some(written) = self.writer.last_written(edge) else { return Ok(()) };
        check_write(Stamp::of(written), self.start).map_err(|overtaken| {
            self.conflict(self.edge_entity(*edge), ConflictKind::Write, overtaken.by)
        })
    }

    /// The end of a new edge, which existed at the start, must still exist.
    fn endpoint(&self, node: NodeId) -> Result<(), GraphRefusal> {
        let own = self.writes.nodes.get(&node);
        if own.is_some_and(|write| write.change == NodeChange::Insert) {
            return Ok(());
        }
        match self.node_stamp(node) {
            Some(stamp) if stamp.is_alive() || mutant::is("validation-off") => Ok(()),
            stamp => {
                let committed = stamp.map_or(Timestamp::ZERO, Stamp::commit);
                Err(self.conflict(Entity::Node(node), ConflictKind::Dangling, committed))
            }
        }
    }

    /// What was read must still be the newest.
    fn reads(&self, reads: &ReadSet) -> Result<(), GraphRefusal> {
        let fresh = |entity: &dyn Fn() -> Entity, newest: Timestamp| {
            check_read(newest, self.start)
                .map_err(|overtaken| self.conflict(entity(), ConflictKind::Read, overtaken.by))
        };
        for node in &reads.nodes {
            let newest = self.node_stamp(*node).map_or(Timestamp::ZERO, Stamp::commit);
            fresh(&|| Entity::Node(*node), newest)?;
        }
        for node in &reads.existing {
            let own = self.writes.nodes.get(node);
            if own.is_none() && self.node_stamp(*node).is_none_or(|stamp| !stamp.is_alive()) {
                let newest = self.node_stamp(*node).map_or(Timestamp::ZERO, Stamp::commit);
                fresh(&|| Entity::Node(*node), newest)?;
            }
        }
        for edge in &reads.edge_names {
            let newest = self.writer.last_written(edge).unwrap_or_default();
            fresh(&|| self.edge_entity(*edge), newest)?;
        }
        for name in &reads.keys {
            let newest = self.key_changed(name, None).unwrap_or_default();
            fresh(&|| self.key_entity(name), newest)?;
        }
        for (node, direction) in &reads.neighbourhoods {
            let stamp = self.adjacency_stamp(*node, *direction);
            let newest = stamp.map_or(Timestamp::ZERO, Stamp::commit);
            fresh(&|| Entity::Neighbourhood(*node), newest)?;
        }
        for (number, source) in &reads.edges {
            // SAFETY: the commit lock is held (`new`).
            let stamp = stamp(unsafe { self.graph.edges.slot(*number) });
            let newest = stamp.map_or(Timestamp::ZERO, Stamp::commit);
            fresh(&|| Entity::Neighbourhood(*source), newest)?;
        }
        self.read_names(reads, &fresh)
    }

    fn read_names(&self, reads: &ReadSet, fresh: &Fresh<'_>) -> Result<(), GraphRefusal> {
        // SAFETY: the commit lock is held (`new`).
        let labels = unsafe { self.graph.labels.current() };
        // SAFETY: as above.
        let edge_types = unsafe { self.graph.edge_types.current() };
        for label in labels.iter() {
            let entity = || Entity::Label(label.name.to_string());
            if reads.labels.contains(&label.id) {
                fresh(&entity, Timestamp::new(label.changed.load(Ordering::Relaxed)))?;
            }
            if reads.all_labels || reads.unknown_labels.contains(&*label.name) {
                fresh(&entity, label.created.get().copied().unwrap_or_default())?;
            }
        }
        for kind in edge_types.iter() {
            let entity = || Entity::EdgeType(kind.name.to_string());
            if reads.edge_types.contains(&kind.id) {
                fresh(&entity, kind.count.stamp().commit())?;
            }
            if reads.all_edge_types || reads.unknown_edge_types.contains(&*kind.name) {
                fresh(&entity, kind.created.get().map_or(Timestamp::ZERO, |(at, _)| *at))?;
            }
        }
        Ok(())
    }
}

impl Edge {
    /// Whether the edge is told apart from others between its ends by an id.
    #[must_use]
    pub fn is_multi(&self) -> bool {
        self.id.is_some()
    }
}
