//! Reading the edges at many nodes: the adjacency of the whole graph, in one
//! direction, along one edge type or along all.
//!
//! The name of the type is resolved once, not at every node, and what is asked
//! for node by node can be asked for ahead of its use.

use std::iter::Fuse;

use selvedge_base::{EdgeTypeId, NodeId};
use selvedge_mvcc::Record;

use crate::adjacency::Adjacency;
use crate::entity::Direction;
use crate::error::GraphError;
use crate::graph::{LEAF_IDS, Records, leaf_of};
use crate::neighbours::{Edges, Neighbours};
use crate::view::GraphView;

/// The adjacency of the graph, as [`GraphView::adjacency`] found it.
#[derive(Clone, Copy, Debug)]
pub struct AdjacencyView<'a> {
    view: GraphView<'a>,
    direction: Direction,
    follows: Follows,
    /// The table to read, where no more than that is to be done.
    plain: Option<&'a Records<Adjacency>>,
}

/// Which edges are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Follows {
    All,
    Type(EdgeTypeId),
    /// The type does not exist.
    None,
}

impl<'a> GraphView<'a> {
    /// The adjacency of all nodes along edges of a type, or of all.
    #[must_use]
    pub fn adjacency(&self, direction: Direction, edge_type: Option<&str>) -> AdjacencyView<'a> {
        let follows = match self.filter(edge_type) {
            Ok(None) => Follows::All,
            Ok(Some(edge_type)) => Follows::Type(edge_type),
            Err(()) => Follows::None,
        };
        let plain =
            self.writes.is_none() && direction != Direction::Both && follows != Follows::None;
        let plain = plain.then(|| self.graph.adjacency(direction));
        AdjacencyView { view: *self, direction, follows, plain }
    }
}

impl<'a> AdjacencyView<'a> {
    /// The neighbours of a node; none if there is no such node.
    #[must_use]
    #[inline]
    pub fn neighbours(&self, node: NodeId) -> Neighbours<'a> {
        match self.plain {
            Some(table) => self.read(table.get(node.get(), self.view.at)),
            None => self.neighbours_merged(node),
        }
    }

    /// The edges at a node, with their documents; none if there is no such node.
    ///
    /// # Errors
    /// [`GraphError::Damaged`].
    pub fn edges(&self, node: NodeId) -> Result<Edges<'a>, GraphError> {
        let Self { view, direction, follows, .. } = *self;
        let edges = match follows {
            Follows::All => view.edges_of(node, direction, None),
            Follows::Type(edge_type) => view.edges_of(node, direction, Some(edge_type)),
            Follows::None => view.no_edges(node, direction),
        };
        edges.verified()
    }

    /// The neighbours of each of `nodes`, in their order. While those of one are
    /// visited, memory is asked for those of the next few: up to
    /// [`AdjacencyView::AHEAD`] nodes are taken ahead.
    #[inline]
    pub fn neighbours_of_each<I: IntoIterator<Item = NodeId>>(
        &self,
        nodes: I,
    ) -> NeighboursOfEach<'a, I::IntoIter> {
        let none = Ahead { node: NodeId::new(0), record: None };
        let mut each = NeighboursOfEach {
            adjacency: *self,
            nodes: nodes.into_iter().fuse(),
            leaf: u64::MAX,
            records: None,
            ahead: [none; Self::AHEAD],
            taken: 0,
            asked: 0,
            given: 0,
        };
        for _ in 1..Self::AHEAD {
            each.draw();
        }
        for _ in 1..ASKED_AHEAD {
            each.ask();
        }
        each
    }

    /// How many nodes [`neighbours_of_each`](Self::neighbours_of_each) takes
    /// ahead.
    pub const AHEAD: usize = 32;

    #[inline]
    fn read(&self, record: Option<&'a Record<Adjacency>>) -> Neighbours<'a> {
        let edge_type = match self.follows {
            Follows::Type(edge_type) => Some(edge_type),
            Follows::All | Follows::None => None,
        };
        match record.and_then(|record| record.read(self.view.at)) {
            Some(version) => Neighbours::of_version(version, edge_type),
            None => Neighbours::none(),
        }
    }

    /// As [`neighbours`](Self::neighbours), for both directions, with own writes,
    /// and along a type that does not exist.
    #[inline(never)]
    fn neighbours_merged(&self, node: NodeId) -> Neighbours<'a> {
        let Self { view, direction, follows, .. } = *self;
        match follows {
            Follows::All => view.neighbours_of(node, direction, None),
            Follows::Type(edge_type) => view.neighbours_of(node, direction, Some(edge_type)),
            Follows::None => view.no_neighbours(node, direction),
        }
    }
}

/// How many nodes ahead of its use a version is asked for: half of those that
/// are taken ahead, whose records are asked for before.
const ASKED_AHEAD: usize = AdjacencyView::AHEAD / 2;

/// A node whose neighbours come soon.
#[derive(Clone, Copy, Debug)]
struct Ahead<'a> {
    node: NodeId,
    record: Option<&'a Record<Adjacency>>,
}

/// Nodes with their neighbours, see [`AdjacencyView::neighbours_of_each`].
#[derive(Clone, Debug)]
pub struct NeighboursOfEach<'a, I> {
    adjacency: AdjacencyView<'a>,
    nodes: Fuse<I>,
    /// The leaf that the last node taken lies in, and its records.
    leaf: u64,
    records: Option<&'a [Record<Adjacency>; LEAF_IDS]>,
    /// A ring: the last nodes that were taken. Their number, and how many of
    /// them were asked for and given.
    ahead: [Ahead<'a>; AdjacencyView::AHEAD],
    taken: usize,
    asked: usize,
    given: usize,
}

impl<I: Iterator<Item = NodeId>> NeighboursOfEach<'_, I> {
    /// Takes a node ahead, and asks for its record.
    #[inline]
    fn draw(&mut self) {
        let Some(node) = self.nodes.next() else { return };
        if leaf_of(node.get()) != self.leaf {
            self.enter_leaf(node);
        }
        let record = self.records.map(|records| &records[node.get() as usize % LEAF_IDS]);
        if let Some(record) = record {
            record.prefetch();
        }
        self.ahead[self.taken % AdjacencyView::AHEAD] = Ahead { node, record };
        self.taken += 1;
    }

    /// Most walks stay in a leaf for many nodes.
    fn enter_leaf(&mut self, node: NodeId) {
        let AdjacencyView { plain, view, .. } = self.adjacency;
        self.leaf = leaf_of(node.get());
        self.records = plain.and_then(|table| table.leaf_slots(node.get(), view.at));
    }

    /// Asks for the version of the next record.
    #[inline]
    fn ask(&mut self) {
        if self.asked < self.taken {
            if let Some(record) = self.ahead[self.asked % AdjacencyView::AHEAD].record {
                record.prefetch_newest();
            }
            self.asked += 1;
        }
    }
}

impl<'a, I: Iterator<Item = NodeId>> Iterator for NeighboursOfEach<'a, I> {
    type Item = (NodeId, Neighbours<'a>);

    // Inlined always: what comes is four words, too many to return in registers.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        self.draw();
        self.ask();
        if self.given == self.taken {
            return None;
        }
        let Ahead { node, record } = self.ahead[self.given % AdjacencyView::AHEAD];
        self.given += 1;
        let neighbours = match self.adjacency.plain {
            Some(_) => self.adjacency.read(record),
            None => self.adjacency.neighbours_merged(node),
        };
        Some((node, neighbours))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.nodes.size_hint();
        let ahead = self.taken - self.given;
        (least.saturating_add(ahead), most.and_then(|most| most.checked_add(ahead)))
    }
}
