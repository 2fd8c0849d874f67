//! Walking several hops from a node, breadth first and lazily.

use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;

use selvedge_base::hash::Set;
use selvedge_base::{EdgeTypeId, NodeId};

use crate::entity::{Direction, Edge};
use crate::error::GraphError;
use crate::neighbours::EdgeRef;
use crate::view::{GraphView, Node};

/// What a traversal visits at most once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Uniqueness {
    /// Every node: it comes with the fewest hops that reach it.
    #[default]
    Node,
    /// Every edge: a node comes as often as edges lead to it.
    Edge,
    /// Nothing: every walk comes. On a cycle there is no end but the depth and
    /// the limit.
    None,
}

/// One node that a traversal reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The node.
    pub node: NodeId,
    /// Hops from the start.
    pub depth: u32,
    /// The node before it; `None` for a start.
    pub parent: Option<NodeId>,
}

type NodeTest<'a> = Box<dyn Fn(&Node<'a>) -> bool + 'a>;
type EdgeTest<'a> = Box<dyn Fn(&EdgeRef<'a>) -> bool + 'a>;

/// A walk over the graph: where it starts, what it follows, and what it yields.
/// It runs as it is iterated.
pub struct Traversal<'a> {
    view: GraphView<'a>,
    direction: Direction,
    /// The types followed; all if `None`.
    edge_types: Option<Vec<EdgeTypeId>>,
    depth: RangeInclusive<u32>,
    uniqueness: Uniqueness,
    yields: Vec<NodeTest<'a>>,
    passes: Vec<NodeTest<'a>>,
    follows: Vec<EdgeTest<'a>>,
    queue: VecDeque<Step>,
    seen_nodes: Set<NodeId>,
    seen_edges: Set<(Edge, bool)>,
}

impl<'a> GraphView<'a> {
    /// A traversal from `start`: one hop along all edges out, unless told
    /// otherwise. Nothing comes of a start that does not exist.
    #[must_use]
    pub fn traverse(&self, start: NodeId) -> Traversal<'a> {
        let exists = self.contains(start);
        let step = Step { node: start, depth: 0, parent: None };
        Traversal {
            view: *self,
            direction: Direction::Out,
            edge_types: None,
            depth: 1..=1,
            uniqueness: Uniqueness::Node,
            yields: Vec::new(),
            passes: Vec::new(),
            follows: Vec::new(),
            queue: exists.then_some(step).into_iter().collect(),
            seen_nodes: Set::from_iter([start]),
            seen_edges: Set::default(),
        }
    }
}

impl<'a> Traversal<'a> {
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

    /// Yields nodes that are this many hops away. A start is 0 hops away.
    #[must_use]
    pub fn depth(mut self, depth: RangeInclusive<u32>) -> Self {
        self.depth = depth;
        self
    }

    /// What comes at most once.
    #[must_use]
    pub fn uniqueness(mut self, uniqueness: Uniqueness) -> Self {
        self.uniqueness = uniqueness;
        self
    }

    /// Yields only nodes that pass `test`; walks on through the others.
    #[must_use]
    pub fn filter_nodes(mut self, test: impl Fn(&Node<'a>) -> bool + 'a) -> Self {
        self.yields.push(Box::new(test));
        self
    }

    /// Does not walk on from nodes that fail `test`, though it yields them.
    #[must_use]
    pub fn expand_if(mut self, test: impl Fn(&Node<'a>) -> bool + 'a) -> Self {
        self.passes.push(Box::new(test));
        self
    }

    /// Follows only edges that pass `test`.
    #[must_use]
    pub fn filter_edges(mut self, test: impl Fn(&EdgeRef<'a>) -> bool + 'a) -> Self {
        self.follows.push(Box::new(test));
        self
    }

    fn passes(&self, tests: &[NodeTest<'a>], id: NodeId) -> Result<bool, GraphError> {
        if tests.is_empty() {
            return Ok(true);
        }
        let Some(node) = self.view.node(id) else { return Ok(false) };
        node.verify()?;
        Ok(tests.iter().all(|test| test(&node)))
    }

    /// Queues what is one hop beyond `from`.
    fn expand(&mut self, from: Step) -> Result<(), GraphError> {
        if from.depth >= *self.depth.end() || !self.passes(&self.passes, from.node)? {
            return Ok(());
        }
        if self.follows.is_empty() && self.uniqueness != Uniqueness::Edge {
            match self.edge_types.clone() {
                None => self.expand_along(from, None),
                Some(kinds) => {
                    kinds.into_iter().for_each(|kind| self.expand_along(from, Some(kind)))
                }
            }
            return Ok(());
        }
        self.expand_edges(from)
    }

    fn expand_along(&mut self, from: Step, edge_type: Option<EdgeTypeId>) {
        for node in self.view.neighbours_of(from.node, self.direction, edge_type) {
            self.queue_step(Step { node, depth: from.depth + 1, parent: Some(from.node) });
        }
    }

    fn expand_edges(&mut self, from: Step) -> Result<(), GraphError> {
        for edge in self.view.verified_edges(from.node, self.direction, None)? {
            let wanted = |kinds: &Vec<EdgeTypeId>| kinds.contains(&edge.edge().edge_type);
            if !self.edge_types.as_ref().is_none_or(wanted)
                || !self.follows.iter().all(|test| test(&edge))
            {
                continue;
            }
            // Walked against its direction, and not a loop.
            let backwards = edge.source() != from.node;
            let node = if backwards { edge.source() } else { edge.target() };
            if self.uniqueness == Uniqueness::Edge && !self.seen_edges.insert((edge.edge(), false))
            {
                continue;
            }
            self.queue_step(Step { node, depth: from.depth + 1, parent: Some(from.node) });
        }
        Ok(())
    }

    fn queue_step(&mut self, step: Step) {
        if self.uniqueness != Uniqueness::Node || self.seen_nodes.insert(step.node) {
            self.queue.push_back(step);
        }
    }
}

impl Iterator for Traversal<'_> {
    /// An error is a document that a test would read and that is damaged on disk;
    /// the walk ends there.
    type Item = Result<Step, GraphError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(step) = self.queue.pop_front() {
            let wanted = self.expand(step).and_then(|()| {
                let deep = self.depth.contains(&step.depth);
                Ok(deep && self.passes(&self.yields, step.node)?)
            });
            match wanted {
                Ok(true) => return Some(Ok(step)),
                Ok(false) => {}
                Err(error) => {
                    self.queue.clear();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl fmt::Debug for Traversal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traversal")
            .field("direction", &self.direction)
            .field("edge_types", &self.edge_types)
            .field("depth", &self.depth)
            .field("uniqueness", &self.uniqueness)
            .finish_non_exhaustive()
    }
}
