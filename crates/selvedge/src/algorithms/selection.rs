//! Which part of the graph an algorithm works on.

use std::fmt;
use std::rc::Rc;

use selvedge_base::NodeId;
use selvedge_graph::{AdjacencyView, Direction, Edge, EdgeRef, GraphView, NamedEdge};

use crate::algorithms::node_set::NodeSet;
use crate::error::Result;

/// Algorithms over a snapshot or a transaction: which edges they follow, and which
/// nodes take part. See [`Read::algorithms`](crate::Read::algorithms).
#[derive(Clone)]
pub struct Algorithms<'a> {
    pub(crate) view: GraphView<'a>,
    pub(crate) direction: Direction,
    pub(crate) edge_types: Option<Vec<String>>,
    pub(crate) labels: Option<Vec<String>>,
}

impl<'a> Algorithms<'a> {
    pub(crate) fn new(view: GraphView<'a>) -> Self {
        Self { view, direction: Direction::Out, edge_types: None, labels: None }
    }

    /// Follows edges in this direction; out, unless told otherwise.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Follows edges of this type; named several times, of any of these types.
    #[must_use]
    pub fn edge_type(mut self, name: &str) -> Self {
        let names = self.edge_types.get_or_insert_default();
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        self
    }

    /// Only nodes with this label take part; named several times, with any of
    /// these labels. Edges to others are not followed.
    #[must_use]
    pub fn label(mut self, name: &str) -> Self {
        self.labels.get_or_insert_default().push(name.to_owned());
        self
    }

    pub(crate) fn links(&self) -> Links<'a> {
        self.links_along(self.direction)
    }

    pub(crate) fn links_along(&self, direction: Direction) -> Links<'a> {
        let along = |name: Option<&str>| self.view.adjacency(direction, name);
        let adjacencies = match &self.edge_types {
            None => vec![along(None)],
            Some(names) => names.iter().map(|name| along(Some(name))).collect(),
        };
        let scan = |label: &String| self.view.scan(label);
        let members = self.labels.as_ref().map(|labels| labels.iter().flat_map(scan).collect());
        Links { view: self.view, adjacencies, members: members.map(Rc::new) }
    }
}

impl fmt::Debug for Algorithms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Algorithms")
            .field("direction", &self.direction)
            .field("edge_types", &self.edge_types)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

/// The edges that are followed.
#[derive(Clone)]
pub(crate) struct Links<'a> {
    view: GraphView<'a>,
    /// One for each type, or one for all.
    adjacencies: Vec<AdjacencyView<'a>>,
    /// The nodes that take part, if not all do.
    members: Option<Rc<NodeSet>>,
}

impl<'a> Links<'a> {
    /// Whether a node exists and takes part.
    pub(crate) fn contains(&self, node: NodeId) -> bool {
        self.is_member(node) && self.view.contains(node)
    }

    #[inline]
    pub(crate) fn is_member(&self, node: NodeId) -> bool {
        self.members.as_ref().is_none_or(|members| members.contains(node))
    }

    /// Visits the neighbours of each of these nodes that take part, type by type:
    /// the node, then the neighbour.
    pub(crate) fn visit(&self, nodes: &[NodeId], mut visit: impl FnMut(NodeId, NodeId)) {
        for adjacency in &self.adjacencies {
            for (node, neighbours) in adjacency.neighbours_of_each(nodes.iter().copied()) {
                match &self.members {
                    None => neighbours.for_each(|neighbour| visit(node, neighbour)),
                    Some(members) => neighbours
                        .filter(|neighbour| members.contains(*neighbour))
                        .for_each(|neighbour| visit(node, neighbour)),
                }
            }
        }
    }

    /// An edge with the name of its type.
    pub(crate) fn named(&self, edge: Edge) -> NamedEdge {
        self.view.named_edge(edge)
    }

    /// The edges at a node with the node at the other end, of those that take
    /// part.
    pub(crate) fn edges(&self, node: NodeId) -> Result<Vec<(NodeId, EdgeRef<'a>)>> {
        let mut found = Vec::new();
        for adjacency in &self.adjacencies {
            for edge in adjacency.edges(node)? {
                let other = if edge.source() == node { edge.target() } else { edge.source() };
                if self.is_member(other) {
                    found.push((other, edge));
                }
            }
        }
        Ok(found)
    }
}
