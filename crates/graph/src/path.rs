//! Shortest paths by number of edges: breadth first from both ends at once.

use selvedge_base::hash::Map;
use selvedge_base::{EdgeTypeId, NodeId};

use crate::entity::Direction;
use crate::view::GraphView;

/// A path: its nodes, from the first to the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    nodes: Vec<NodeId>,
}

impl Path {
    /// The path over these nodes, each a neighbour of the one before; `None` if
    /// there are none.
    #[must_use]
    pub fn over(nodes: Vec<NodeId>) -> Option<Self> {
        (!nodes.is_empty()).then_some(Self { nodes })
    }

    /// The nodes, both ends included.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The number of edges.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.nodes.len() - 1
    }
}

/// A search for a shortest path between two nodes.
#[derive(Clone, Debug)]
pub struct PathSearch<'a> {
    view: GraphView<'a>,
    from: NodeId,
    to: NodeId,
    direction: Direction,
    edge_types: Option<Vec<EdgeTypeId>>,
    edges_max: usize,
}

/// The search from one end: who was reached from where, and whom it has yet to
/// leave.
struct Side {
    direction: Direction,
    parents: Map<NodeId, NodeId>,
    frontier: Vec<NodeId>,
}

impl Side {
    fn new(start: NodeId, direction: Direction) -> Self {
        Self { direction, parents: Map::from_iter([(start, start)]), frontier: vec![start] }
    }

    /// From `node` back to the end where this side began, `node` included.
    fn trace(&self, mut node: NodeId) -> Vec<NodeId> {
        let mut nodes = vec![node];
        // Ends: parents lead one hop closer to the start, which is its own.
        while let Some(parent) = self.parents.get(&node).copied().filter(|parent| *parent != node) {
            nodes.push(parent);
            node = parent;
        }
        nodes
    }
}

impl<'a> GraphView<'a> {
    /// A search for a shortest path, along edges out unless told otherwise.
    #[must_use]
    pub fn shortest_path(&self, from: NodeId, to: NodeId) -> PathSearch<'a> {
        let (direction, edge_types, edges_max) = (Direction::Out, None, usize::MAX);
        PathSearch { view: *self, from, to, direction, edge_types, edges_max }
    }
}

impl PathSearch<'_> {
    /// Follows edges in this direction.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Follows edges of this type; named several times, of any of these types.
    #[must_use]
    pub fn edge_type(mut self, name: &str) -> Self {
        let kind = self.view.edge_type(name).map(|kind| kind.id);
        let kinds = self.edge_types.get_or_insert_default();
        kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
        self
    }

    /// Gives up beyond this many edges.
    #[must_use]
    pub fn edges_max(mut self, edges: usize) -> Self {
        self.edges_max = edges;
        self
    }

    /// Runs the search. `None` if there is no such path, or an end does not
    /// exist.
    #[must_use]
    pub fn find(&self) -> Option<Path> {
        if !self.view.contains(self.from) || !self.view.contains(self.to) {
            return None;
        }
        if self.from == self.to {
            return Some(Path { nodes: vec![self.from] });
        }
        let mut there = Side::new(self.from, self.direction);
        let mut back = Side::new(self.to, self.direction.reverse());
        for _ in 0..self.edges_max {
            if there.frontier.is_empty() || back.frontier.is_empty() {
                return None;
            }
            // The smaller frontier moves. Until they meet, nodes reached from
            // both ends are disjoint, so the first meeting is on a shortest path.
            let (mover, other) = if there.frontier.len() <= back.frontier.len() {
                (&mut there, &back)
            } else {
                (&mut back, &there)
            };
            if let Some(meeting) = self.advance(mover, other) {
                let mut nodes = there.trace(meeting);
                nodes.reverse();
                nodes.extend(back.trace(meeting).into_iter().skip(1));
                return Some(Path { nodes });
            }
        }
        None
    }

    /// Moves one side a hop on; gives a node that the other has reached too.
    fn advance(&self, side: &mut Side, other: &Side) -> Option<NodeId> {
        let all = [None];
        let kinds: Vec<Option<EdgeTypeId>> = match &self.edge_types {
            None => all.to_vec(),
            Some(kinds) => kinds.iter().copied().map(Some).collect(),
        };
        for node in std::mem::take(&mut side.frontier) {
            for kind in &kinds {
                for next in self.view.neighbours_of(node, side.direction, *kind) {
                    if side.parents.contains_key(&next) {
                        continue;
                    }
                    side.parents.insert(next, node);
                    if other.parents.contains_key(&next) {
                        return Some(next);
                    }
                    side.frontier.push(next);
                }
            }
        }
        None
    }
}
