//! The graph as petgraph's algorithms take it: a view that implements its traits,
//! and a conversion to its own type. Behind the feature `petgraph`.

use std::collections::HashSet;

use petgraph::Directed;
use petgraph::graph::DiGraph;
use petgraph::visit::{
    Data, EdgeRef as PetgraphEdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges,
    IntoEdgesDirected, IntoNeighbors, IntoNeighborsDirected, IntoNodeIdentifiers,
    NodeCompactIndexable, NodeCount, NodeIndexable, Visitable,
};
use selvedge_base::NodeId;
use selvedge_graph::{Direction, Edge, EdgeRef};

use crate::algorithms::numbering::Numbering;
use crate::algorithms::selection::{Algorithms, Links};
use crate::error::Result;

/// A directed graph for petgraph: the nodes and edges that
/// [`Algorithms`] selects; its direction does not count. Its nodes are
/// [`NodeId`]s, its edges [`Edge`]s with an [`EdgeRef`] as their weight; nothing is
/// copied but the ids.
///
/// ```
/// use petgraph::algo::dijkstra;
/// use petgraph::visit::EdgeRef as _;
/// use selvedge::prelude::*;
///
/// let db = Db::in_memory();
/// let (a, b) = (db.insert_node("N", "a", doc! {})?, db.insert_node("N", "b", doc! {})?);
/// db.link_nodes(a, "ROAD", b, doc! { "km": 12 })?;
/// let snapshot = db.snapshot()?;
/// let roads = snapshot.algorithms().edge_type("ROAD").petgraph()?;
/// let km = |edge: selvedge::algorithms::PetgraphEdge<'_>| {
///     edge.weight().get("km").and_then(|km| km.as_i64()).unwrap_or(0)
/// };
/// assert_eq!(dijkstra(&roads, a, None, km)[&b], 12);
/// # Ok::<(), Error>(())
/// ```
pub struct PetgraphView<'a> {
    numbering: Numbering,
    out: Links<'a>,
    into: Links<'a>,
}

/// An edge of a [`PetgraphView`].
#[derive(Clone, Copy, Debug)]
pub struct PetgraphEdge<'a> {
    edge: EdgeRef<'a>,
}

impl<'a> Algorithms<'a> {
    /// The graph for petgraph.
    ///
    /// petgraph knows no errors: where documents of edges lie on disk, one that is
    /// damaged has no neighbours with it, so check the database first, or use
    /// [`to_digraph`](Self::to_digraph).
    ///
    /// # Errors
    /// [`AlgorithmError::TooManyNodes`](crate::algorithms::AlgorithmError::TooManyNodes).
    pub fn petgraph(&self) -> Result<PetgraphView<'a>> {
        Ok(PetgraphView {
            numbering: Numbering::of(self)?,
            out: self.links_along(Direction::Out),
            into: self.links_along(Direction::In),
        })
    }

    /// A copy of the graph as petgraph's own type: nodes in the order of their ids,
    /// then edges, node after node.
    ///
    /// # Errors
    /// As [`petgraph`](Self::petgraph); a document that is damaged on disk.
    pub fn to_digraph(&self) -> Result<DiGraph<NodeId, Edge>> {
        let view = self.petgraph()?;
        let mut graph = DiGraph::with_capacity(view.numbering.len(), 0);
        let nodes: Vec<_> = view.numbering.ids().iter().map(|node| graph.add_node(*node)).collect();
        for (node, place) in view.numbering.ids().iter().zip(&nodes) {
            for (target, edge) in view.out.edges(*node)? {
                if let Some(number) = view.numbering.number(target) {
                    graph.add_edge(*place, nodes[number as usize], edge.edge());
                }
            }
        }
        Ok(graph)
    }
}

impl<'a> PetgraphView<'a> {
    fn edges_at(&self, node: NodeId, direction: petgraph::Direction) -> Vec<PetgraphEdge<'a>> {
        let links = self.links(direction);
        let edges = links.edges(node).unwrap_or_default().into_iter();
        edges.map(|(_, edge)| PetgraphEdge { edge }).collect()
    }

    fn neighbours_at(&self, node: NodeId, direction: petgraph::Direction) -> Vec<NodeId> {
        let mut neighbours = Vec::new();
        self.links(direction).visit(&[node], |_, neighbour| neighbours.push(neighbour));
        neighbours
    }

    fn links(&self, direction: petgraph::Direction) -> &Links<'a> {
        match direction {
            petgraph::Direction::Outgoing => &self.out,
            petgraph::Direction::Incoming => &self.into,
        }
    }
}

impl std::fmt::Debug for PetgraphView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PetgraphView").field("nodes", &self.numbering.len()).finish_non_exhaustive()
    }
}

impl GraphBase for PetgraphView<'_> {
    type EdgeId = Edge;
    type NodeId = NodeId;
}

impl GraphProp for PetgraphView<'_> {
    type EdgeType = Directed;
}

impl<'a> Data for PetgraphView<'a> {
    type NodeWeight = NodeId;
    type EdgeWeight = EdgeRef<'a>;
}

impl NodeCount for PetgraphView<'_> {
    fn node_count(&self) -> usize {
        self.numbering.len()
    }
}

impl NodeIndexable for PetgraphView<'_> {
    fn node_bound(&self) -> usize {
        self.numbering.len()
    }

    /// # Panics
    /// If the node is none of this graph.
    fn to_index(&self, node: NodeId) -> usize {
        self.numbering.number(node).expect("a node of this graph") as usize
    }

    fn from_index(&self, index: usize) -> NodeId {
        self.numbering.ids()[index]
    }
}

impl NodeCompactIndexable for PetgraphView<'_> {}

impl Visitable for PetgraphView<'_> {
    type Map = HashSet<NodeId>;

    fn visit_map(&self) -> Self::Map {
        HashSet::with_capacity(self.numbering.len())
    }

    fn reset_map(&self, map: &mut Self::Map) {
        map.clear();
    }
}

impl<'v> IntoNodeIdentifiers for &'v PetgraphView<'_> {
    type NodeIdentifiers = std::iter::Copied<std::slice::Iter<'v, NodeId>>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        self.numbering.ids().iter().copied()
    }
}

impl IntoNeighbors for &PetgraphView<'_> {
    type Neighbors = std::vec::IntoIter<NodeId>;

    fn neighbors(self, node: NodeId) -> Self::Neighbors {
        self.neighbors_directed(node, petgraph::Direction::Outgoing)
    }
}

impl IntoNeighborsDirected for &PetgraphView<'_> {
    type NeighborsDirected = std::vec::IntoIter<NodeId>;

    fn neighbors_directed(
        self,
        node: NodeId,
        direction: petgraph::Direction,
    ) -> Self::NeighborsDirected {
        self.neighbours_at(node, direction).into_iter()
    }
}

impl<'a> PetgraphEdgeRef for PetgraphEdge<'a> {
    type NodeId = NodeId;
    type EdgeId = Edge;
    type Weight = EdgeRef<'a>;

    fn source(&self) -> NodeId {
        self.edge.source()
    }

    fn target(&self) -> NodeId {
        self.edge.target()
    }

    fn weight(&self) -> &EdgeRef<'a> {
        &self.edge
    }

    fn id(&self) -> Edge {
        self.edge.edge()
    }
}

impl<'a> IntoEdges for &PetgraphView<'a> {
    type Edges = std::vec::IntoIter<PetgraphEdge<'a>>;

    fn edges(self, node: NodeId) -> Self::Edges {
        self.edges_directed(node, petgraph::Direction::Outgoing)
    }
}

impl<'a> IntoEdgesDirected for &PetgraphView<'a> {
    type EdgesDirected = std::vec::IntoIter<PetgraphEdge<'a>>;

    fn edges_directed(self, node: NodeId, direction: petgraph::Direction) -> Self::EdgesDirected {
        self.edges_at(node, direction).into_iter()
    }
}

impl<'v, 'a> IntoEdgeReferences for &'v PetgraphView<'a> {
    type EdgeRef = PetgraphEdge<'a>;
    type EdgeReferences = EdgesOfAll<'v, 'a>;

    fn edge_references(self) -> EdgesOfAll<'v, 'a> {
        let nodes = self.numbering.ids().iter();
        EdgesOfAll { view: self, nodes, edges: Vec::new().into_iter() }
    }
}

/// All edges, node after node.
#[derive(Debug)]
pub struct EdgesOfAll<'v, 'a> {
    view: &'v PetgraphView<'a>,
    nodes: std::slice::Iter<'v, NodeId>,
    edges: std::vec::IntoIter<PetgraphEdge<'a>>,
}

impl<'a> Iterator for EdgesOfAll<'_, 'a> {
    type Item = PetgraphEdge<'a>;

    fn next(&mut self) -> Option<PetgraphEdge<'a>> {
        loop {
            if let Some(edge) = self.edges.next() {
                return Some(edge);
            }
            let node = *self.nodes.next()?;
            self.edges = self.view.edges(node);
        }
    }
}
