//! Reading the graph at a snapshot, own writes included: nodes, keys, counts.
//!
//! Every reading operation exists once, here and in the files beside it
//! ([`scan`](crate::scan), [`neighbours`](crate::neighbours),
//! [`traversal`](crate::traversal), [`path`](crate::path)), for snapshots and
//! transactions alike.
#![expect(unsafe_code, reason = "the snapshot vouches for the candidates of a key")]

use std::sync::Arc;

use selvedge_base::{EdgeTypeId, LabelId, NodeId, Timestamp};
use selvedge_encoding::{DocRef, FromValue, TypeMismatch, ValueRef};
use selvedge_mvcc::{Record, SnapshotRef};

use crate::catalog::{EdgeType, Label};
use crate::edge_type::EdgeTypeDef;
use crate::entity::{Edge, Entity, NamedEdge};
use crate::error::GraphError;
use crate::graph::{Graph, NodeRead, NodeVersion};
use crate::outside::ReadDocument as _;
use crate::reads::{ReadSet, ReadTracking};
use crate::writes::{GraphWrites, KeyName, NodeChange};

/// The graph as one snapshot, or one transaction, sees it.
#[derive(Clone, Copy, Debug)]
pub struct GraphView<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) at: SnapshotRef<'a>,
    pub(crate) writes: Option<&'a GraphWrites>,
    tracking: ReadTracking,
}

/// A node at a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    id: NodeId,
    version: &'a NodeVersion,
    view: GraphView<'a>,
}

impl<'a> Node<'a> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The name of its label.
    #[must_use]
    pub fn label(&self) -> &'a str {
        self.view.label_name(self.version.header().label)
    }

    pub(crate) fn label_id(&self) -> LabelId {
        self.version.header().label
    }

    /// Its key, if it has one.
    #[must_use]
    pub fn key(&self) -> Option<&'a str> {
        // Keys come in as strings, so they are UTF-8.
        self.version.key_bytes().and_then(|key| std::str::from_utf8(key).ok())
    }

    /// The timestamp of the commit that last wrote it; `None` if this very
    /// transaction did.
    #[must_use]
    pub fn version(&self) -> Option<Timestamp> {
        Some(self.version.commit()).filter(|commit| *commit > Timestamp::ZERO)
    }

    /// Verifies its document, if that lies on disk and nobody has: see
    /// [`GraphError::Damaged`]. Documents that are damaged may not be read.
    ///
    /// # Errors
    /// [`GraphError::Damaged`].
    #[inline(always)]
    pub fn verify(&self) -> Result<(), GraphError> {
        if self.version.verify(self.view.graph.salt()).is_ok() { Ok(()) } else { self.damaged() }
    }

    #[cold]
    fn damaged(&self) -> Result<(), GraphError> {
        Err(GraphError::Damaged(Entity::Node(self.id)))
    }

    /// Its document.
    #[must_use]
    #[inline]
    pub fn document(&self) -> DocRef<'a> {
        DocRef::trusted(self.version.document())
    }

    /// A field of its document, without decoding the others.
    // Inlined always: where the name of the field is a constant, as it mostly is,
    // it is found in half the instructions.
    #[must_use]
    #[inline(always)]
    pub fn get(&self, field: &str) -> Option<ValueRef<'a>> {
        self.document().get(field)
    }

    /// A field of its document as a Rust type; `None` if it is absent.
    ///
    /// # Errors
    /// [`TypeMismatch`] if the field has another type.
    #[inline]
    pub fn typed<T: FromValue<'a>>(&self, field: &str) -> Result<Option<T>, TypeMismatch> {
        self.document().typed(field)
    }
}

impl<'a> GraphView<'a> {
    /// The view of a snapshot.
    #[must_use]
    #[inline]
    pub fn new(graph: &'a Graph, at: SnapshotRef<'a>) -> Self {
        Self { graph, at, writes: None, tracking: ReadTracking::Off }
    }

    /// The view of a transaction, own writes included.
    #[must_use]
    #[inline]
    pub fn of_transaction(
        graph: &'a Graph,
        at: SnapshotRef<'a>,
        writes: &'a GraphWrites,
        tracking: ReadTracking,
    ) -> Self {
        Self { graph, at, writes: Some(writes), tracking }
    }

    /// The start timestamp.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.at.start()
    }

    /// Notes a read, if the transaction wants its reads validated.
    #[inline]
    pub(crate) fn track(&self, note: impl FnOnce(&mut ReadSet)) {
        if self.tracking == ReadTracking::All
            && let Some(writes) = self.writes
        {
            let mut reads = writes.reads.borrow_mut();
            reads.used = true;
            note(&mut reads);
        }
    }

    /// The node with this id.
    #[must_use]
    // Inlined always: a node is six words, too many to return in registers.
    #[inline(always)]
    pub fn node(&self, id: NodeId) -> Option<Node<'a>> {
        let version = match self.writes {
            None => self.graph.node_at(id, self.at)?,
            Some(writes) => self.node_or_own(id, writes)?,
        };
        Some(Node { id, version, view: *self })
    }

    /// The version of a node that a transaction sees, its own included.
    #[inline(never)]
    fn node_or_own(&self, id: NodeId, writes: &'a GraphWrites) -> Option<&'a NodeVersion> {
        if let Some(write) = writes.nodes.get(&id) {
            let gone = matches!(write.change, NodeChange::Delete | NodeChange::Nothing);
            return write.version.as_deref().filter(|_| !gone);
        }
        self.track(|reads| {
            reads.nodes.insert(id);
        });
        self.graph.node_at(id, self.at)
    }

    /// Whether the node exists; cheaper than [`GraphView::node`].
    #[must_use]
    #[inline]
    pub fn contains(&self, id: NodeId) -> bool {
        if self.writes.is_some() {
            return self.node(id).is_some();
        }
        self.graph.nodes.get(id.get(), self.at).is_some_and(|record| record.exists(self.at))
    }

    /// The node with this label and key.
    #[must_use]
    pub fn by_key(&self, label: &str, key: &str) -> Option<Node<'a>> {
        let label = self.label(label)?;
        if let Some(writes) = self.writes {
            let name = KeyName::new(label.id, key.as_bytes());
            if let Some(claim) = writes.keys.get(&name) {
                return self.node((*claim)?);
            }
            self.track(|reads| {
                reads.keys.insert(name);
            });
        }
        let hash = self.graph.hash_key(label.id, key.as_bytes());
        // SAFETY: the snapshot is open; old tables of the index are retired
        // through the limbo.
        for candidate in unsafe { self.graph.keys.candidates(hash) } {
            let id = NodeId::new(candidate);
            // At most one of the nodes that had the key exists at a snapshot.
            if let Some(version) = self.graph.node_at(id, self.at)
                && version.header().label == label.id
                && version.key_bytes() == Some(key.as_bytes())
            {
                // Read through `node`, which minds own writes and validation.
                return if self.writes.is_some() {
                    self.node(id)
                } else {
                    Some(Node { id, version, view: *self })
                };
            }
        }
        None
    }

    /// The entry of a label, if the database or this transaction has it.
    pub(crate) fn label(&self, name: &str) -> Option<&'a Arc<Label>> {
        let known = self.graph.labels.table(self.at).by_name(name);
        let reserved = || self.writes?.reserved_labels.iter().find(|label| &*label.name == name);
        let label = known.or_else(reserved);
        if label.is_none() {
            self.track(|reads| {
                reads.unknown_labels.insert(name.to_owned());
            });
        }
        label
    }

    pub(crate) fn label_by_id(&self, id: LabelId) -> Option<&'a Arc<Label>> {
        let known = self.graph.labels.table(self.at).by_number(id.get());
        known.or_else(|| self.writes?.reserved_labels.iter().find(|label| label.id == id))
    }

    /// The name of a label.
    #[must_use]
    pub fn label_name(&self, id: LabelId) -> &'a str {
        self.label_by_id(id).map_or("", |label| &*label.name)
    }

    /// The entry of an edge type, if the database or this transaction has it.
    pub(crate) fn edge_type(&self, name: &str) -> Option<&'a Arc<EdgeType>> {
        let known = self.graph.edge_types.table(self.at).by_name(name);
        let reserved = || self.writes?.reserved_edge_types.iter().find(|kind| &*kind.name == name);
        let edge_type = known.or_else(reserved);
        if edge_type.is_none() {
            self.track(|reads| {
                reads.unknown_edge_types.insert(name.to_owned());
            });
        }
        edge_type
    }

    pub(crate) fn edge_type_by_id(&self, id: EdgeTypeId) -> Option<&'a Arc<EdgeType>> {
        let known = self.graph.edge_types.table(self.at).by_number(id.get());
        known.or_else(|| self.writes?.reserved_edge_types.iter().find(|kind| kind.id == id))
    }

    /// The name of an edge type.
    #[must_use]
    pub fn edge_type_name(&self, id: EdgeTypeId) -> &'a str {
        self.edge_type_by_id(id).map_or("", |edge_type| &*edge_type.name)
    }

    /// An edge with the name of its type.
    #[must_use]
    pub fn named_edge(&self, edge: Edge) -> NamedEdge {
        let edge_type = self.edge_type_by_id(edge.edge_type);
        NamedEdge::new(edge, edge_type.map(|edge_type| &*edge_type.name))
    }

    /// The definition of an edge type, own definitions included.
    #[must_use]
    pub fn edge_type_def(&self, name: &str) -> Option<EdgeTypeDef> {
        let def = self.known_edge_type_def(name);
        if def.is_none() {
            // Perhaps there is such a type by now, newer than the snapshot.
            self.track(|reads| {
                reads.unknown_edge_types.insert(name.to_owned());
            });
        }
        def
    }

    fn known_edge_type_def(&self, name: &str) -> Option<EdgeTypeDef> {
        let edge_type = self.edge_type(name)?;
        let own = self.writes.and_then(|writes| writes.edge_types.get(&edge_type.id));
        if let Some(write) = own {
            return Some(write.def.clone());
        }
        let (created, def) = edge_type.created.get()?;
        let known = *created <= self.start() || self.uses_edge_type(edge_type.id);
        known.then(|| def.clone())
    }

    /// Whether this transaction has defined the type, or links by it: then it
    /// knows one that is newer than its snapshot.
    fn uses_edge_type(&self, id: EdgeTypeId) -> bool {
        self.writes.is_some_and(|writes| {
            let defined = writes.edge_types.get(&id).is_some_and(|write| write.explicit);
            defined || writes.links_by(id)
        })
    }

    /// The names of all labels.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.track(|reads| reads.all_labels = true);
        let old = |created: Option<&Timestamp>| created.is_some_and(|at| *at <= self.start());
        let known = self.graph.labels.table(self.at).iter();
        let mut names: Vec<String> = known
            .filter(|label| old(label.created.get()) || self.inserts_with(label.id))
            .map(|label| label.name.to_string())
            .collect();
        let reserved = self.writes.into_iter().flat_map(|writes| &writes.reserved_labels);
        names.extend(reserved.filter(|l| self.inserts_with(l.id)).map(|l| l.name.to_string()));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn inserts_with(&self, id: LabelId) -> bool {
        self.writes.is_some_and(|writes| writes.inserts_with(id))
    }

    /// The names of all edge types.
    #[must_use]
    pub fn edge_types(&self) -> Vec<String> {
        self.track(|reads| reads.all_edge_types = true);
        let own = |id| self.uses_edge_type(id);
        let known = self.graph.edge_types.table(self.at).iter();
        let reserved = self.writes.into_iter().flat_map(|writes| &writes.reserved_edge_types);
        let mut names: Vec<String> = known
            .filter(|kind| {
                let created = kind.created.get();
                created.is_some_and(|(at, _)| *at <= self.start()) || own(kind.id)
            })
            .chain(reserved.filter(|kind| own(kind.id)))
            .map(|kind| kind.name.to_string())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The number of nodes with a label.
    #[must_use]
    pub fn count(&self, label: &str) -> u64 {
        self.label(label).map_or(0, |label| self.count_of(label))
    }

    fn count_of(&self, label: &Label) -> u64 {
        self.track(|reads| {
            reads.labels.insert(label.id);
        });
        let own = self.writes.and_then(|writes| writes.label_counts.get(&label.id));
        self.counted(&label.count, own)
    }

    fn counted(&self, count: &Record<u64>, own: Option<&i64>) -> u64 {
        let seen = count.read(self.at).map_or(0, |version| *version.header());
        seen.saturating_add_signed(own.copied().unwrap_or(0))
    }

    /// The number of edges of a type.
    #[must_use]
    pub fn count_edges(&self, edge_type: &str) -> u64 {
        self.edge_type(edge_type).map_or(0, |edge_type| self.count_edges_of(edge_type))
    }

    fn count_edges_of(&self, edge_type: &EdgeType) -> u64 {
        self.track(|reads| {
            reads.edge_types.insert(edge_type.id);
        });
        let own = self.writes.and_then(|writes| writes.edge_type_counts.get(&edge_type.id));
        self.counted(&edge_type.count, own)
    }

    /// The number of nodes.
    #[must_use]
    pub fn node_count(&self) -> u64 {
        self.track(|reads| reads.all_labels = true);
        let reserved = self.writes.into_iter().flat_map(|writes| &writes.reserved_labels);
        let known = self.graph.labels.table(self.at);
        let reserved = reserved.filter(|label| known.by_number(label.id.get()).is_none());
        known.iter().chain(reserved).map(|label| self.count_of(label)).sum()
    }

    /// The number of edges.
    #[must_use]
    pub fn edge_count(&self) -> u64 {
        self.track(|reads| reads.all_edge_types = true);
        let reserved = self.writes.into_iter().flat_map(|writes| &writes.reserved_edge_types);
        let known = self.graph.edge_types.table(self.at);
        let reserved = reserved.filter(|kind| known.by_number(kind.id.get()).is_none());
        known.iter().chain(reserved).map(|kind| self.count_edges_of(kind)).sum()
    }
}
