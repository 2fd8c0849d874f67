//! Verifying that what is stored fits together.

use selvedge_base::hash::Map;
use selvedge_base::{EdgeTypeId, LabelId, NodeId};
use selvedge_encoding::DocRef;
use selvedge_mvcc::SnapshotRef;

use crate::adjacency::AdjacencyRead as _;
use crate::block::HalfEdge;
use crate::changes::GraphTable;
use crate::entity::Direction;
use crate::graph::{Graph, LEAF_IDS, NodeRead as _, NodeVersion};
use crate::outside::ReadDocument as _;
use crate::view::GraphView;

/// Problems that are told; there may be more.
const PROBLEMS_MAX: usize = 100;

/// A check under way.
struct Check<'g> {
    graph: &'g Graph,
    view: GraphView<'g>,
    at: SnapshotRef<'g>,
    problems: Vec<String>,
    nodes: Map<LabelId, u64>,
    edges: Map<EdgeTypeId, u64>,
}

impl Graph {
    /// Verifies everything that a snapshot sees: documents, keys, both ends of every
    /// edge, counts. Gives what is wrong, a line each, the first hundred.
    #[must_use]
    pub fn check(&self, at: SnapshotRef<'_>) -> Vec<String> {
        let (view, problems) = (GraphView::new(self, at), Vec::new());
        let (nodes, edges) = (Map::default(), Map::default());
        let mut check = Check { graph: self, view, at, problems, nodes, edges };
        let all = self.all_leaves(at);
        for leaf in all.of(GraphTable::Nodes) {
            check.each_id(leaf, Check::node);
        }
        for leaf in all.of(GraphTable::Out) {
            check.each_id(leaf, |check, id| check.half_edges(NodeId::new(id), Direction::Out));
        }
        for leaf in all.of(GraphTable::In) {
            check.each_id(leaf, |check, id| check.half_edges(NodeId::new(id), Direction::In));
        }
        for leaf in all.of(GraphTable::Edges) {
            check.each_id(leaf, Check::edge_document);
        }
        check.counts();
        check.problems
    }
}

impl Check<'_> {
    fn each_id(&mut self, leaf: u64, mut visit: impl FnMut(&mut Self, u64)) {
        let first = leaf * LEAF_IDS as u64;
        (first..first + LEAF_IDS as u64).for_each(|id| visit(self, id));
    }

    fn problem(&mut self, problem: impl FnOnce() -> String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem());
        }
    }

    fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problem(problem);
        }
    }

    fn node(&mut self, id: u64) {
        let id = NodeId::new(id);
        let Some(version) = self.graph.node_at(id, self.at) else { return };
        let label = version.header().label;
        *self.nodes.entry(label).or_default() += 1;
        let known = self.view.label_by_id(label).is_some();
        self.expect(known, || format!("node {id} has a label without a name"));
        let sound =
            version.verify(self.graph.salt()).is_ok() && DocRef::parse(version.document()).is_ok();
        let view = self.view;
        self.expect(sound, || {
            let label = view.label_name(label);
            format!("the document of node {id} with label {label:?} is damaged")
        });
        self.key(id, version);
    }

    fn key(&mut self, id: NodeId, version: &NodeVersion) {
        let Some(key) = version.key_bytes() else { return };
        let label = self.view.label_name(version.header().label);
        let found = std::str::from_utf8(key).ok().and_then(|key| self.view.by_key(label, key));
        let found = found.map(|node| node.id());
        self.expect(found == Some(id), || {
            let key = String::from_utf8_lossy(key);
            format!("node {id} has the key {label}/{key}, by which {found:?} is found")
        });
    }

    /// Each half of an edge has another half, and nodes at both ends.
    fn half_edges(&mut self, node: NodeId, direction: Direction) {
        let Some(version) = self.graph.edges_at(node, direction, self.at) else { return };
        let exists = self.graph.node_at(node, self.at).is_some();
        self.expect(exists, || format!("node {node} has edges and does not exist"));
        let halves: Vec<_> = version.half_edges().collect();
        self.expect(halves.is_sorted(), || format!("the edges at node {node} are not in order"));
        for half in halves {
            let HalfEdge { edge_type, neighbour, id } = half;
            if direction == Direction::Out {
                *self.edges.entry(edge_type).or_default() += 1;
            }
            let other = match direction {
                Direction::In => Direction::Out,
                Direction::Out | Direction::Both => Direction::In,
            };
            let there = self.graph.edges_at(neighbour, other, self.at);
            let found = there.is_some_and(|there| {
                there.find(edge_type, node).iter().any(|found| found.id == id)
            });
            let name = self.view.edge_type_by_id(edge_type).map(|kind| &*kind.name);
            self.expect(found, || {
                let name = name.unwrap_or_default();
                format!("an edge {name:?} between {node} and {neighbour} lacks one of its ends")
            });
            self.expect(name.is_some(), || {
                format!("an edge at node {node} has a type without a name")
            });
        }
    }

    fn edge_document(&mut self, number: u64) {
        let record = self.graph.edges.get(number, self.at);
        let Some(version) = record.and_then(|record| record.read(self.at)) else { return };
        let sound =
            version.verify(self.graph.salt()).is_ok() && DocRef::parse(version.document()).is_ok();
        self.expect(sound, || format!("the document of edge number {number} is damaged"));
    }

    fn counts(&mut self) {
        for name in self.view.labels() {
            let Some(label) = self.view.label(&name).map(|label| label.id) else { continue };
            let (found, said) =
                (self.nodes.get(&label).copied().unwrap_or(0), self.view.count(&name));
            let scanned = self.view.scan(&name).count() as u64;
            self.expect(found == said && scanned == said, || {
                format!("label {name:?} counts {said} nodes, has {found}, and scans {scanned}")
            });
        }
        for name in self.view.edge_types() {
            let Some(kind) = self.view.edge_type(&name).map(|kind| kind.id) else { continue };
            let (found, said) =
                (self.edges.get(&kind).copied().unwrap_or(0), self.view.count_edges(&name));
            self.expect(found == said, || {
                format!("edge type {name:?} counts {said} edges, and has {found}")
            });
        }
    }
}
