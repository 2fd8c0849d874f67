//! What a transaction has staged: its writes, expected versions and reads.

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use selvedge_base::hash::{Map, Set};
use selvedge_base::{EdgeTypeId, LabelId, NodeId, Timestamp};
use selvedge_mvcc::{Mark, VersionBox, WriteSet};
use smallvec::SmallVec;

use crate::adjacency::{Change, sort_changes};
use crate::catalog::{EdgeType, Label};
use crate::edge_type::EdgeTypeDef;
use crate::entity::{Direction, Edge};
use crate::error::GraphError;
use crate::graph::{EdgeHeader, NodeHeader};
use crate::new_edges::NewEdges;
use crate::places::Places;
use crate::reads::ReadSet;

/// What happens to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NodeChange {
    /// It is new.
    Insert,
    /// It gets a new document.
    Update,
    /// It ends.
    Delete,
    /// It was inserted and deleted again.
    Nothing,
}

/// The write of one node.
#[derive(Debug)]
pub(crate) struct NodeWrite {
    pub(crate) change: NodeChange,
    pub(crate) label: LabelId,
    /// What to install; nothing for [`NodeChange::Nothing`].
    pub(crate) version: Option<VersionBox<NodeHeader>>,
}

/// The write of one edge: from what the snapshot has to what the transaction
/// wants. The number is that of the edge's record, 0 for an edge without one.
#[derive(Debug)]
pub(crate) struct EdgeWrite {
    pub(crate) existed: Option<u64>,
    pub(crate) now: Option<u64>,
    /// The new document, if it is set and there is a record for it.
    pub(crate) version: Option<VersionBox<EdgeHeader>>,
}

/// The definition of an edge type that is new to the transaction.
#[derive(Clone, Debug)]
pub(crate) struct EdgeTypeWrite {
    pub(crate) def: EdgeTypeDef,
    /// Asked for, not just implied by a link: the type comes to be even without
    /// an edge.
    pub(crate) explicit: bool,
}

/// The label and key of a node, as one name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct KeyName {
    pub(crate) label: LabelId,
    pub(crate) key: SmallVec<[u8; 24]>,
}

impl KeyName {
    pub(crate) fn new(label: LabelId, key: &[u8]) -> Self {
        Self { label, key: SmallVec::from_slice(key) }
    }
}

/// A version that a transaction expects a node to have at its commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) node: NodeId,
    pub(crate) expected: Option<Timestamp>,
}

/// Edge writes by node and direction, as positions in the write set; covers the
/// first `len` of them.
#[derive(Debug, Default)]
pub(crate) struct ByNode {
    positions: Map<(NodeId, Direction), Vec<u32>>,
    len: usize,
}

/// Changes to the adjacency of one node in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeChanges {
    pub(crate) node: NodeId,
    pub(crate) direction: Direction,
    /// Where they are in the sorted changes of the commit.
    pub(crate) from: usize,
    pub(crate) until: usize,
}

/// Changes of adjacency that emptied writes keep room for.
const CHANGES_KEPT: usize = 64;
/// Bytes of encoded document that emptied writes keep room for.
const SCRATCH_BYTES_KEPT: usize = 4096;

/// What one transaction has staged in the graph.
#[derive(Debug, Default)]
pub struct GraphWrites {
    pub(crate) nodes: WriteSet<NodeId, NodeWrite>,
    pub(crate) keys: WriteSet<KeyName, Option<NodeId>>,
    pub(crate) edges: WriteSet<Edge, EdgeWrite>,
    /// New edges that were staged together, and are none of those above. Reading does not
    /// see them.
    pub(crate) new_edges: Option<Box<NewEdges>>,
    /// Definitions of edge types that are new.
    pub(crate) edge_types: WriteSet<EdgeTypeId, EdgeTypeWrite>,
    /// Changes of the numbers of nodes and edges.
    pub(crate) label_counts: WriteSet<LabelId, i64>,
    pub(crate) edge_type_counts: WriteSet<EdgeTypeId, i64>,
    /// Names that this transaction uses and no commit had used.
    pub(crate) reserved_labels: SmallVec<[Arc<Label>; 1]>,
    pub(crate) reserved_edge_types: SmallVec<[Arc<EdgeType>; 1]>,
    pub(crate) checks: Vec<Check>,
    pub(crate) reads: RefCell<ReadSet>,
    by_node: RefCell<ByNode>,
    /// Sorted changes to adjacency, made when the commit is prepared.
    pub(crate) changes: Vec<Change>,
    pub(crate) changed_nodes: Vec<NodeChanges>,
    /// Where documents are encoded.
    pub(crate) scratch: Vec<u8>,
    /// How many entities may be written, if fewer than in general.
    pub(crate) writes_max: Option<usize>,
}

/// A position that the writes of a graph can be rolled back to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GraphMark {
    nodes: Mark,
    keys: Mark,
    edges: Mark,
    edge_types: Mark,
    label_counts: Mark,
    edge_type_counts: Mark,
    checks: usize,
}

impl GraphWrites {
    /// Whether a commit would change nothing and has nothing to check.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
            && self.edges.is_empty()
            && self.new_edges.is_none()
            && self.edge_types.is_empty()
            && self.checks.is_empty()
    }

    /// Whether reads are to be judged at the commit.
    #[must_use]
    #[inline]
    pub fn has_reads(&self) -> bool {
        self.reads.borrow().used
    }

    /// Whether nothing was staged or read, not even to be rolled back.
    #[inline]
    fn is_untouched(&mut self) -> bool {
        self.nodes.is_as_new()
            && self.keys.is_as_new()
            && self.edges.is_as_new()
            && self.new_edges.is_none()
            && self.edge_types.is_as_new()
            && self.label_counts.is_as_new()
            && self.edge_type_counts.is_as_new()
            && self.checks.is_empty()
            && self.scratch.is_empty()
            && self.scratch.capacity() <= SCRATCH_BYTES_KEPT
            && !self.reads.get_mut().used
    }

    /// Empties the writes for the next transaction; they keep some room. The
    /// names they reserved have been released.
    #[inline]
    pub fn clear(&mut self) {
        self.writes_max = None;
        if !self.is_untouched() {
            self.clear_all();
        }
    }

    fn clear_all(&mut self) {
        debug_assert!(self.reserved_labels.is_empty() && self.reserved_edge_types.is_empty());
        self.nodes.clear();
        self.keys.clear();
        self.edges.clear();
        self.new_edges = None;
        self.edge_types.clear();
        self.label_counts.clear();
        self.edge_type_counts.clear();
        self.checks.clear();
        self.checks.shrink_to(CHANGES_KEPT);
        self.reads.get_mut().clear();
        if self.by_node.get_mut().len > 0 {
            *self.by_node.get_mut() = ByNode::default();
        }
        self.changes.clear();
        self.changes.shrink_to(CHANGES_KEPT);
        self.changed_nodes.clear();
        self.changed_nodes.shrink_to(CHANGES_KEPT);
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_BYTES_KEPT);
    }

    /// Expects a node to have this version when the transaction commits.
    pub fn expect(&mut self, node: NodeId, expected: Option<Timestamp>) {
        self.checks.push(Check { node, expected });
    }

    /// Allows fewer entities to be written than in general.
    pub fn limit_writes(&mut self, writes_max: Option<usize>) {
        self.writes_max = writes_max;
    }

    /// The number of entities written.
    #[must_use]
    pub fn len(&self) -> usize {
        let new = self.new_edges.as_ref().map_or(0, |new| new.len());
        self.nodes.len() + self.edges.len() + new + self.edge_types.len()
    }

    /// A position to roll back to.
    pub fn mark(&mut self) -> GraphMark {
        GraphMark {
            nodes: self.nodes.mark(),
            keys: self.keys.mark(),
            edges: self.edges.mark(),
            edge_types: self.edge_types.mark(),
            label_counts: self.label_counts.mark(),
            edge_type_counts: self.edge_type_counts.mark(),
            checks: self.checks.len(),
        }
    }

    /// Ends every mark: what is staged from now on cannot be undone by itself.
    pub fn forget_marks(&mut self) {
        self.nodes.forget_marks();
        self.keys.forget_marks();
        self.edges.forget_marks();
        self.edge_types.forget_marks();
        self.label_counts.forget_marks();
        self.edge_type_counts.forget_marks();
    }

    /// Undoes what was staged since `mark`.
    ///
    /// # Errors
    /// [`GraphError::SavepointEnded`] if a rollback to an earlier mark has
    /// undone this one.
    pub fn roll_back_to(&mut self, mark: GraphMark) -> Result<(), GraphError> {
        let done = [
            self.nodes.roll_back_to(mark.nodes),
            self.keys.roll_back_to(mark.keys),
            self.edges.roll_back_to(mark.edges),
            self.edge_types.roll_back_to(mark.edge_types),
            self.label_counts.roll_back_to(mark.label_counts),
            self.edge_type_counts.roll_back_to(mark.edge_type_counts),
        ];
        self.checks.truncate(mark.checks);
        *self.by_node.get_mut() = ByNode::default();
        if done.contains(&false) { Err(GraphError::SavepointEnded) } else { Ok(()) }
    }

    /// The edge writes at a node in one direction.
    pub(crate) fn edges_at(&self, node: NodeId, direction: Direction) -> SmallVec<[u32; 8]> {
        if self.edges.is_empty() {
            return SmallVec::new();
        }
        let by_node = self.by_node();
        by_node.positions.get(&(node, direction)).into_iter().flatten().copied().collect()
    }

    /// The index by node, brought up to date. It is built when it is first
    /// needed: a bulk load never needs it.
    fn by_node(&self) -> Ref<'_, ByNode> {
        if self.by_node.borrow().len < self.edges.len() {
            let mut by_node = self.by_node.borrow_mut();
            for at in by_node.len..self.edges.len() {
                let Some((edge, _)) = self.edges.entry(at) else { break };
                for place in [(edge.source, Direction::Out), (edge.target, Direction::In)] {
                    by_node.positions.entry(place).or_default().push(at as u32);
                }
            }
            by_node.len = self.edges.len();
        }
        self.by_node.borrow()
    }

    /// The labels with which nodes are inserted.
    pub(crate) fn labels_inserted(&self) -> Set<LabelId> {
        let new = |write: &&NodeWrite| write.change == NodeChange::Insert;
        self.nodes.iter().map(|(_, write)| write).filter(new).map(|write| write.label).collect()
    }

    /// The labels of all nodes that are written.
    pub(crate) fn labels_written(&self) -> Set<LabelId> {
        self.nodes.iter().map(|(_, write)| write.label).collect()
    }

    /// The types of the edges that are there at the end.
    pub(crate) fn edge_types_linked(&self) -> Set<EdgeTypeId> {
        let linked = self.edges.iter().filter(|(_, write)| write.now.is_some());
        let new = self.new_edges.iter().map(|new| new.edge_type());
        linked.map(|(edge, _)| edge.edge_type).chain(new).collect()
    }

    /// Whether a node with this label is inserted.
    pub(crate) fn inserts_with(&self, label: LabelId) -> bool {
        let new = |write: &NodeWrite| write.change == NodeChange::Insert && write.label == label;
        self.nodes.iter().any(|(_, write)| new(write))
    }

    /// Whether an edge of this type that reading sees is there at the end.
    pub(crate) fn links_by(&self, edge_type: EdgeTypeId) -> bool {
        let linked =
            |(edge, write): &(Edge, EdgeWrite)| edge.edge_type == edge_type && write.now.is_some();
        self.edges.iter().any(linked)
    }

    /// Adds to the number of nodes with a label.
    pub(crate) fn count_label(&mut self, label: LabelId, change: i64) {
        let now = self.label_counts.get(&label).copied().unwrap_or(0) + change;
        self.label_counts.put(label, now);
    }

    /// Adds to the number of edges of a type.
    pub(crate) fn count_edge_type(&mut self, edge_type: EdgeTypeId, change: i64) {
        let now = self.edge_type_counts.get(&edge_type).copied().unwrap_or(0) + change;
        self.edge_type_counts.put(edge_type, now);
    }

    /// Sorts the edge writes into changes by node, before the commit lock.
    pub(crate) fn prepare(&mut self) {
        self.changes.clear();
        self.changed_nodes.clear();
        if self.edges.is_empty() {
            return;
        }
        for direction in [Direction::Out, Direction::In] {
            self.prepare_along(direction);
        }
    }

    /// Appends the changes along one direction, by node and sorted within each.
    fn prepare_along(&mut self, direction: Direction) {
        let Self { edges, changes, changed_nodes, .. } = self;
        let written = || edges.iter().filter(|(_, write)| write.existed != write.now);
        let change = |(edge, write): &(Edge, EdgeWrite)| {
            let Edge { source, edge_type, target, id } = *edge;
            let (node, neighbour) = match direction {
                Direction::In => (target, source),
                Direction::Out | Direction::Both => (source, target),
            };
            let identity = id.map_or(0, |id| id.get());
            (node, Change { edge_type, neighbour, identity, put: write.now })
        };
        let first = changes.len();
        let mut end = |node, from: usize, until: usize| {
            changed_nodes.push(NodeChanges { node, direction, from, until });
        };
        let nodes = written().map(|write| change(write).0);
        if let Some(places) = Places::of(edges.len(), nodes) {
            places.fill(first, changes, written().map(change), |node, from, changes| {
                sort_changes(changes);
                end(node, from, from + changes.len());
            });
            return;
        }
        let mut sorted: SmallVec<[_; 4]> = written().map(change).collect();
        sorted.sort_unstable_by_key(|(node, change)| (*node, change.key()));
        for same in sorted.chunk_by(|(one, _), (other, _)| one == other) {
            let from = changes.len();
            changes.extend(same.iter().map(|(_, change)| *change));
            end(same[0].0, from, changes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use selvedge_base::EdgeId;

    use super::*;
    use crate::places::COUNTED_MIN;

    /// Sorted by direction, node, type, neighbour and id, and each node's found where it is
    /// said to be.
    fn check(ends: &[(u64, u64)], edge_types: u32) {
        let mut writes = GraphWrites::default();
        for (at, (source, target)) in (1..).zip(ends) {
            let edge = Edge {
                source: NodeId::new(*source),
                edge_type: EdgeTypeId::new(at as u32 % edge_types + 1),
                target: NodeId::new(*target),
                id: Some(EdgeId::new(at)),
            };
            // Some come and go in the same transaction, and change nothing.
            let now = (at % 5 != 0).then_some(at);
            writes.edges.put(edge, EdgeWrite { existed: None, now, version: None });
        }
        let mut expected: Vec<_> = writes
            .edges
            .iter()
            .filter(|(_, write)| write.now.is_some())
            .flat_map(|(edge, write)| {
                let identity = edge.id.map_or(0, |id| id.get());
                let change = |neighbour| {
                    let (edge_type, put) = (edge.edge_type, write.now);
                    Change { edge_type, neighbour, identity, put }
                };
                [
                    (edge.source, Direction::Out, change(edge.target)),
                    (edge.target, Direction::In, change(edge.source)),
                ]
            })
            .collect();
        expected.sort_by_key(|(node, direction, change)| (*direction, *node, change.key()));
        writes.prepare();
        let nodes = writes.changed_nodes.iter();
        let found: Vec<_> = nodes
            .flat_map(|at| {
                let changes = &writes.changes[at.from..at.until];
                assert!(!changes.is_empty());
                changes.iter().map(|change| (at.node, at.direction, *change))
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(writes.changes.len(), expected.len());
    }

    #[test]
    fn changes_are_in_order_however_they_are_sorted() {
        let mut random = 1_u64;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % bound
        };
        for len in [0, 1, 3, COUNTED_MIN - 1, COUNTED_MIN, 10 * COUNTED_MIN] {
            // Close together, at one node, and far apart.
            for (first, ids) in [(1, 2 * len as u64 + 1), (7, 1), (1 << 40, 1 << 30)] {
                let mut node = || first + below(ids);
                let ends: Vec<_> = (0..len).map(|_| (node(), node())).collect();
                check(&ends, 1);
                check(&ends, 3);
            }
        }
    }
}
