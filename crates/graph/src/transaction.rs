//! Staging changes: what a transaction adds to its write set. Every writing
//! operation exists once, here and in [`edge_staging`](crate::edge_staging).

use std::sync::Arc;

use selvedge_base::limits::{
    DOCUMENT_BYTES_MAX, NAME_BYTES_MAX, NODE_KEY_BYTES_MAX, TRANSACTION_WRITES_MAX,
};
use selvedge_base::{LabelId, NodeId, Timestamp, mutant};
use selvedge_encoding::{
    Document, EncodeError, Value, encode_into, set_fields, set_path, unset_field,
};
use selvedge_mvcc::{SnapshotRef, VersionBox};

use crate::catalog::Label;
use crate::entity::{Direction, Edge, Entity};
use crate::error::GraphError;
use crate::graph::{Graph, NodeHeader};
use crate::reads::ReadTracking;
use crate::rules::{NodeChanging, Rules};
use crate::view::{GraphView, Node};
use crate::writes::{EdgeWrite, GraphWrites, KeyName, NodeChange, NodeWrite};

/// A transaction's hands on the graph: it reads at its snapshot, and stages
/// changes in its writes. An operation that fails stages nothing.
#[derive(Debug)]
pub struct GraphTransaction<'t> {
    pub(crate) graph: &'t Graph,
    pub(crate) at: SnapshotRef<'t>,
    pub(crate) writes: &'t mut GraphWrites,
    pub(crate) tracking: ReadTracking,
    pub(crate) rules: Option<&'t mut dyn Rules>,
}

/// What an upsert did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upserted {
    /// The node.
    pub id: NodeId,
    /// Whether it is new.
    pub created: bool,
}

pub(crate) fn check_limit(
    what: &'static str,
    actual: usize,
    limit: usize,
) -> Result<(), GraphError> {
    if actual > limit {
        let (actual, limit) = (actual as u64, limit as u64);
        return Err(GraphError::Limit { what, actual, limit });
    }
    Ok(())
}

pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), GraphError> {
    if name.is_empty() {
        return Err(GraphError::EmptyName { what });
    }
    check_limit("the length of a name in bytes", name.len(), NAME_BYTES_MAX)
}

impl<'t> GraphTransaction<'t> {
    /// The hands of a transaction that reads at `at` and stages in `writes`.
    #[must_use]
    pub fn new(
        graph: &'t Graph,
        at: SnapshotRef<'t>,
        writes: &'t mut GraphWrites,
        tracking: ReadTracking,
    ) -> Self {
        Self { graph, at, writes, tracking, rules: None }
    }

    /// The same, with rules that every document has to keep.
    #[must_use]
    pub fn with_rules(self, rules: &'t mut dyn Rules) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// What this transaction sees.
    #[must_use]
    pub fn view(&self) -> GraphView<'_> {
        GraphView::of_transaction(self.graph, self.at, self.writes, self.tracking)
    }

    /// Inserts a node.
    ///
    /// # Errors
    /// [`GraphError::KeyExists`]; [`GraphError::Violation`]; limits; a document that
    /// cannot be stored.
    pub fn insert(
        &mut self,
        label: &str,
        key: Option<&str>,
        document: &Document,
    ) -> Result<NodeId, GraphError> {
        check_name("a label", label)?;
        check_limit("the length of a key in bytes", key.map_or(0, str::len), NODE_KEY_BYTES_MAX)?;
        self.check_room(1)?;
        if let Some(key) = key
            && let Some(existing) = self.view().by_key(label, key)
        {
            let (label, key) = (label.to_owned(), key.to_owned());
            return Err(GraphError::KeyExists { label, key, existing: existing.id() });
        }
        let entity = || format!("a new node with label {label:?}");
        self.encode(entity, |out| encode_into(document, out))?;
        let id = self.graph.new_node_id()?;
        let label_id = self.reserve_label(label)?;
        if let Some(rules) = &mut self.rules {
            let new = Some(&mut self.writes.scratch);
            rules.node_changes(NodeChanging { id, label, key, old: None, new })?;
        }
        let (label, key) = (label_id, key.map(str::as_bytes));
        let header = NodeHeader::new(label, key);
        let version = VersionBox::new(header, &[key.unwrap_or_default(), &self.writes.scratch]);
        let change = NodeChange::Insert;
        self.writes.nodes.put(id, NodeWrite { change, label, version: Some(version) });
        if let Some(key) = key {
            self.writes.keys.put(KeyName::new(label, key), Some(id));
        }
        self.writes.count_label(label, 1);
        Ok(id)
    }

    /// Sets fields of a node's document; the others stay.
    ///
    /// # Errors
    /// [`GraphError::NotFound`]; a document that cannot be stored.
    pub fn set(&mut self, id: NodeId, fields: &[(&str, &Value)]) -> Result<(), GraphError> {
        self.rewrite(id, |old, out| set_fields(old, fields, out))
    }

    /// Sets a field inside nested maps: `address.city`. Maps on the way that are
    /// missing are made.
    ///
    /// # Errors
    /// As [`GraphTransaction::set`]; a type mismatch if something on the way is
    /// not a map.
    pub fn set_path(&mut self, id: NodeId, path: &str, value: &Value) -> Result<(), GraphError> {
        self.rewrite(id, |old, out| set_path(old, path, value, out))
    }

    /// Removes a field of a node's document; whether it was there.
    ///
    /// # Errors
    /// [`GraphError::NotFound`].
    pub fn unset(&mut self, id: NodeId, field: &str) -> Result<bool, GraphError> {
        let mut found = false;
        self.rewrite(id, |old, out| {
            found = unset_field(old, field, out);
            Ok(())
        })?;
        Ok(found)
    }

    /// Replaces a node's document.
    ///
    /// # Errors
    /// As [`GraphTransaction::set`].
    pub fn replace(&mut self, id: NodeId, document: &Document) -> Result<(), GraphError> {
        self.rewrite(id, |_, out| encode_into(document, out))
    }

    /// Inserts a node, or replaces the document of the one that has the key.
    ///
    /// # Errors
    /// As [`GraphTransaction::insert`], but for an existing key.
    pub fn upsert(
        &mut self,
        label: &str,
        key: &str,
        document: &Document,
    ) -> Result<Upserted, GraphError> {
        let found = self.view().by_key(label, key).map(|node| node.id());
        match found {
            Some(id) => {
                self.replace(id, document)?;
                Ok(Upserted { id, created: false })
            }
            None => {
                let id = self.insert(label, Some(key), document)?;
                Ok(Upserted { id, created: true })
            }
        }
    }

    /// Deletes a node with all its edges; gives the number of edges.
    ///
    /// # Errors
    /// [`GraphError::NotFound`].
    pub fn delete(&mut self, id: NodeId) -> Result<u64, GraphError> {
        let (label, key) = {
            let node = self.existing(id)?;
            (self.label_of(id, &node), node.key().map(|key| key.as_bytes().to_vec()))
        };
        let edges = self.edges_of(id);
        self.check_room(
            self.new_among(&edges) + usize::from(self.writes.nodes.get(&id).is_none()),
        )?;
        if let Some(rules) = self.rules.take() {
            let judged = self.judge_deletion(id, rules);
            self.rules = Some(rules);
            judged?;
        }
        for (edge, number) in &edges {
            self.stage_unlink(*edge, *number);
        }
        let (change, version) = match self.writes.nodes.get(&id) {
            Some(NodeWrite { change: NodeChange::Insert, .. }) => (NodeChange::Nothing, None),
            _ => {
                let header = NodeHeader::new(label, key.as_deref());
                let tombstone = VersionBox::tombstone(header, key.as_deref().unwrap_or_default());
                (NodeChange::Delete, Some(tombstone))
            }
        };
        self.writes.nodes.put(id, NodeWrite { change, label, version });
        if let Some(key) = key {
            self.writes.keys.put(KeyName::new(label, &key), None);
        }
        self.writes.count_label(label, -1);
        Ok(edges.len() as u64)
    }

    fn judge_deletion(&self, id: NodeId, rules: &mut dyn Rules) -> Result<(), GraphError> {
        let node = self.existing(id)?;
        node.verify()?;
        let (label, key, old) = (node.label(), node.key(), Some(node.document()));
        rules.node_changes(NodeChanging { id, label, key, old, new: None })
    }

    /// The edges at a node, each once, with the numbers of their records.
    fn edges_of(&self, id: NodeId) -> Vec<(Edge, u64)> {
        let view = self.view();
        // How many edges went with the node is told.
        view.track_neighbourhood(id, Direction::Both);
        let half = |direction| view.half_edges(id, direction).into_iter();
        let out = half(Direction::Out).map(|half| (Direction::Out, half));
        // A loop was found among those out.
        let into = half(Direction::In)
            .filter(|half| half.neighbour != id || mutant::is("loop-found-twice"));
        let all = out.chain(into.map(|half| (Direction::In, half)));
        all.map(|(direction, half)| (view.edge_ref(id, direction, half).edge(), half.id)).collect()
    }

    /// Expects a node to have this version, or not to exist (`None`), when the
    /// transaction commits, whatever its snapshot says.
    pub fn check(&mut self, node: NodeId, expected: Option<Timestamp>) {
        self.writes.expect(node, expected);
    }

    /// Demands that a node is unchanged when the transaction commits, even if
    /// it is never written.
    pub fn note_for_update(&mut self, id: NodeId) {
        let reads = self.writes.reads.get_mut();
        reads.used = true;
        reads.nodes.insert(id);
    }

    /// The label of a node that exists.
    fn label_of(&self, id: NodeId, node: &Node<'_>) -> LabelId {
        match self.writes.nodes.get(&id) {
            Some(write) => write.label,
            None => node.label_id(),
        }
    }

    fn existing(&self, id: NodeId) -> Result<Node<'_>, GraphError> {
        self.view().node(id).ok_or(GraphError::NotFound(Entity::Node(id)))
    }

    /// Stages a node's new document, made from the old one.
    fn rewrite(
        &mut self,
        id: NodeId,
        edit: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), GraphError> {
        self.check_room(usize::from(self.writes.nodes.get(&id).is_none()))?;
        let mut scratch = std::mem::take(&mut self.writes.scratch);
        scratch.clear();
        let mut rules = self.rules.take();
        let staged = self.existing(id).and_then(|node| {
            node.verify()?;
            let upgraded = match &mut rules {
                None => None,
                Some(rules) => upgraded(*rules, &node)?,
            };
            let base = upgraded.as_deref().unwrap_or(node.document().as_bytes());
            edit(base, &mut scratch)
                .map_err(|source| document_error(Entity::Node(id).to_string(), source))?;
            check_document(&scratch)?;
            if let Some(rules) = &mut rules {
                let (label, key, old) = (node.label(), node.key(), Some(node.document()));
                let new = Some(&mut scratch);
                rules.node_changes(NodeChanging { id, label, key, old, new })?;
            }
            let key = node.key().map(str::as_bytes);
            let label = self.label_of(id, &node);
            let header = NodeHeader::new(label, key);
            Ok((label, VersionBox::new(header, &[key.unwrap_or_default(), &scratch])))
        });
        (self.writes.scratch, self.rules) = (scratch, rules);
        let (label, version) = staged?;
        let change = match self.writes.nodes.get(&id) {
            Some(NodeWrite { change: NodeChange::Insert, .. }) => NodeChange::Insert,
            _ => NodeChange::Update,
        };
        self.writes.nodes.put(id, NodeWrite { change, label, version: Some(version) });
        Ok(())
    }

    /// Encodes a document into the scratch buffer.
    pub(crate) fn encode(
        &mut self,
        entity: impl FnOnce() -> String,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), GraphError> {
        let scratch = &mut self.writes.scratch;
        scratch.clear();
        encode(scratch).map_err(|source| document_error(entity(), source))?;
        check_document(scratch)
    }

    /// How many of these edges are not written yet.
    pub(crate) fn new_among(&self, edges: &[(Edge, u64)]) -> usize {
        edges.iter().filter(|(edge, _)| self.writes.edges.get(edge).is_none()).count()
    }

    pub(crate) fn check_room(&self, more: usize) -> Result<(), GraphError> {
        let limit = self.writes.writes_max.unwrap_or(TRANSACTION_WRITES_MAX);
        let now = self.writes.len() + more;
        check_limit("the number of entities a transaction writes", now, limit)
    }

    fn reserve_label(&mut self, name: &str) -> Result<LabelId, GraphError> {
        let own = self.writes.reserved_labels.iter().find(|label| &*label.name == name);
        if let Some(label) = own {
            return Ok(label.id);
        }
        let (label, reserved): (Arc<Label>, bool) =
            self.graph.labels.reserve(name, self.at).map_err(|full| GraphError::Limit {
                what: "the number of labels",
                actual: full.limit as u64 + 1,
                limit: full.limit as u64,
            })?;
        let id = label.id;
        if reserved {
            self.writes.reserved_labels.push(label);
        }
        Ok(id)
    }

    /// Stages an edge's end.
    pub(crate) fn stage_unlink(&mut self, edge: Edge, number: u64) {
        let existed = match self.writes.edges.get(&edge) {
            Some(write) => write.existed,
            None => Some(number),
        };
        self.writes.edges.put(edge, EdgeWrite { existed, now: None, version: None });
        self.writes.count_edge_type(edge.edge_type, -1);
    }
}

/// What the stored document of a node has become by now, if it is another one.
#[inline(never)]
fn upgraded(rules: &mut dyn Rules, node: &Node<'_>) -> Result<Option<Vec<u8>>, GraphError> {
    let mut upgraded = Vec::new();
    let changed = rules.upgrade_node(node.label(), node.document(), &mut upgraded)?;
    Ok(changed.then_some(upgraded))
}

/// The limit on documents also holds for what edits make of them.
pub(crate) fn check_document(bytes: &[u8]) -> Result<(), GraphError> {
    check_limit("the length of a document in bytes", bytes.len(), DOCUMENT_BYTES_MAX)
}

pub(crate) fn document_error(entity: String, source: EncodeError) -> GraphError {
    match source {
        EncodeError::TypeMismatch(mismatch) => GraphError::TypeMismatch(mismatch),
        source => GraphError::Document { entity, source },
    }
}

impl Graph {
    /// Ends a transaction's use of names that no commit made permanent.
    #[inline]
    pub fn release_names(&self, writes: &mut GraphWrites) {
        if !writes.reserved_labels.is_empty() || !writes.reserved_edge_types.is_empty() {
            self.release_reserved(writes);
        }
    }

    #[cold]
    fn release_reserved(&self, writes: &mut GraphWrites) {
        for label in writes.reserved_labels.drain(..) {
            self.labels.release(&label);
        }
        for edge_type in writes.reserved_edge_types.drain(..) {
            self.edge_types.release(&edge_type);
        }
    }
}
