//! Where a query has come: a node, and if somebody asks for it, how.

use std::rc::Rc;

use selvedge_base::NodeId;
use selvedge_base::hash::Set;
use selvedge_graph::{EdgeRef, GraphView, Node};

use crate::error::Result;
use crate::query::error::QueryError;
use crate::query::field::Subject;
use crate::query::index_access::Indexes;

/// What a query reads.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) view: GraphView<'a>,
    pub(crate) indexes: Option<&'a dyn Indexes>,
}

/// How much of the way is remembered: edges and whole paths take memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Tracking {
    Nothing,
    LastEdge,
    Path,
}

/// A node that a query has reached.
#[derive(Clone)]
pub(crate) struct Position<'a> {
    pub(crate) node: NodeId,
    /// The way there, as far as it is tracked.
    pub(crate) via: Option<Rc<Via<'a>>>,
}

/// The last hop of a way.
pub(crate) struct Via<'a> {
    pub(crate) from: NodeId,
    pub(crate) edge: EdgeRef<'a>,
    pub(crate) before: Option<Rc<Via<'a>>>,
}

impl Drop for Via<'_> {
    /// One after the other: long ways would take the stack if each freed the next.
    fn drop(&mut self) {
        let mut before = self.before.take();
        while let Some(via) = before {
            before = Rc::into_inner(via).and_then(|mut via| via.before.take());
        }
    }
}

impl<'a> Position<'a> {
    pub(crate) fn start(node: NodeId) -> Self {
        Self { node, via: None }
    }

    /// The edge of the last hop, if it is tracked.
    pub(crate) fn edge(&self) -> Option<EdgeRef<'a>> {
        self.via.as_ref().map(|via| via.edge)
    }

    /// The node, its document verified; `None` if there is no such node.
    pub(crate) fn read(&self, view: &GraphView<'a>) -> Result<Option<Node<'a>>> {
        let node = view.node(self.node);
        if let Some(node) = &node {
            node.verify()?;
        }
        Ok(node)
    }

    /// Whose fields are read here.
    pub(crate) fn subject(&self, view: &GraphView<'a>) -> Result<Subject<'a>> {
        Ok(Subject { node: self.read(view)?, edge: self.edge() })
    }
}

/// What comes out of a step. One that has ended may go on, when what it reads
/// does: repeated steps are fed again and again.
pub(crate) type Stream<'a> = Box<dyn Iterator<Item = Result<Position<'a>>> + 'a>;

/// Refuses that a step holds more than it may.
#[inline]
pub(crate) fn check_held(held: usize, limit: usize, what: &'static str) -> Result<(), QueryError> {
    if held > limit { Err(QueryError::Held { what, limit }) } else { Ok(()) }
}

/// Nodes that have come.
pub(crate) struct Seen {
    nodes: Set<NodeId>,
    limit: usize,
}

impl Seen {
    pub(crate) fn new(limit: usize) -> Self {
        Self { nodes: Set::default(), limit }
    }

    /// Whether a node comes for the first time.
    pub(crate) fn is_new(&mut self, node: NodeId) -> Result<bool> {
        let is_new = self.nodes.insert(node);
        check_held(self.nodes.len(), self.limit, "distinct nodes")?;
        Ok(is_new)
    }

    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
    }
}
