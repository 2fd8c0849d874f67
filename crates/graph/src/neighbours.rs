//! The edges at a node, at a snapshot, own writes included.

use std::collections::VecDeque;

use selvedge_base::{EdgeId, EdgeTypeId, NodeId};
use selvedge_encoding::{DocRef, ValueRef};
use smallvec::SmallVec;

use crate::adjacency::{AdjacencyRead as _, AdjacencyVersion, Change, merge, slices, sort_changes};
use crate::block::{HalfEdge, Packed};
use crate::entity::{Direction, Edge, Entity, NamedEdge};
use crate::error::GraphError;
use crate::graph::EdgeVersion;
use crate::outside::ReadDocument as _;
use crate::view::GraphView;

/// The neighbours of a node, as [`GraphView::neighbours`] found them: sorted by
/// type and id; a neighbour comes once for each edge.
#[derive(Clone, Debug)]
pub struct Neighbours<'a> {
    /// The run under way. Most are all there is, and narrow: three words that
    /// stay in registers.
    narrow: std::slice::Iter<'a, u32>,
    /// What follows, if that is not all.
    more: Option<Box<More<'a>>>,
}

/// What follows the packed run of narrow neighbours under way.
#[derive(Clone, Debug, Default)]
struct More<'a> {
    /// The rest of a wide run.
    wide: std::slice::Iter<'a, u64>,
    /// Further runs, first to last.
    packed: VecDeque<Packed<'a>>,
    /// Edges at which the transaction has written, and those beside them.
    own: VecDeque<NodeId>,
}

#[inline]
fn fold_narrow<B>(
    ids: std::slice::Iter<'_, u32>,
    folded: B,
    visit: &mut impl FnMut(B, NodeId) -> B,
) -> B {
    ids.fold(folded, |folded, id| visit(folded, NodeId::new(u64::from(*id))))
}

fn fold_wide<B>(
    ids: std::slice::Iter<'_, u64>,
    folded: B,
    visit: &mut impl FnMut(B, NodeId) -> B,
) -> B {
    ids.fold(folded, |folded, id| visit(folded, NodeId::new(*id)))
}

impl More<'_> {
    #[inline(never)]
    fn fold<B>(self, folded: B, visit: &mut impl FnMut(B, NodeId) -> B) -> B {
        let mut folded = fold_wide(self.wide, folded, visit);
        for packed in self.packed {
            folded = match packed {
                Packed::Narrow(ids) => fold_narrow(ids.iter(), folded, visit),
                Packed::Wide(ids) => fold_wide(ids.iter(), folded, visit),
            };
        }
        self.own.into_iter().fold(folded, visit)
    }

    fn len(&self) -> usize {
        let packed: usize = self.packed.iter().map(Packed::len).sum();
        self.wide.len() + packed + self.own.len()
    }
}

impl<'a> Neighbours<'a> {
    #[inline]
    pub(crate) fn none() -> Self {
        Self { narrow: [].iter(), more: None }
    }

    /// The neighbours in a version of adjacency, along a type or along all.
    #[inline]
    pub(crate) fn of_version(version: &'a AdjacencyVersion, edge_type: Option<EdgeTypeId>) -> Self {
        match version.single().and_then(|block| block.narrow_run(edge_type)) {
            Some(ids) => Self { narrow: ids.iter(), more: None },
            None => Self::of_slices(version, edge_type),
        }
    }

    /// As [`of_version`](Self::of_version), where there may be several runs, or
    /// wide ones.
    #[inline(never)]
    fn of_slices(version: &'a AdjacencyVersion, edge_type: Option<EdgeTypeId>) -> Self {
        let mut neighbours = Self::none();
        slices(version, edge_type).into_iter().for_each(|packed| neighbours.add(packed));
        neighbours
    }

    fn add(&mut self, packed: Packed<'a>) {
        match packed {
            Packed::Narrow(ids) if self.narrow.len() == 0 && self.more.is_none() => {
                self.narrow = ids.iter();
            }
            packed => self.more.get_or_insert_default().packed.push_back(packed),
        }
    }

    /// Whether edges were copied out already: what follows must be, too, to
    /// come after them.
    fn has_own(&self) -> bool {
        self.more.as_ref().is_some_and(|more| !more.own.is_empty())
    }

    /// The next neighbour that is not among the narrow ones under way.
    #[inline(never)]
    fn next_beyond(&mut self) -> Option<NodeId> {
        let more = self.more.as_mut()?;
        loop {
            if let Some(id) = more.wide.next() {
                return Some(NodeId::new(*id));
            }
            match more.packed.pop_front() {
                Some(Packed::Wide(ids)) => more.wide = ids.iter(),
                Some(Packed::Narrow(ids)) => {
                    self.narrow = ids.iter();
                    if let Some(id) = self.narrow.next() {
                        return Some(NodeId::new(u64::from(*id)));
                    }
                }
                None => return more.own.pop_front(),
            }
        }
    }
}

impl Iterator for Neighbours<'_> {
    type Item = NodeId;

    #[inline]
    fn next(&mut self) -> Option<NodeId> {
        match self.narrow.next() {
            Some(id) => Some(NodeId::new(u64::from(*id))),
            // The end of most is told without a call.
            None if self.more.is_none() => None,
            None => self.next_beyond(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.narrow.len() + self.more.as_ref().map_or(0, |more| more.len());
        (len, Some(len))
    }

    #[inline]
    fn fold<B, F: FnMut(B, NodeId) -> B>(self, init: B, mut visit: F) -> B {
        let folded = fold_narrow(self.narrow, init, &mut visit);
        match self.more {
            None => folded,
            Some(more) => more.fold(folded, &mut visit),
        }
    }
}

impl ExactSizeIterator for Neighbours<'_> {}

/// An edge at a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct EdgeRef<'a> {
    edge: Edge,
    /// What holds its document, if it has one.
    version: Option<&'a EdgeVersion>,
    view: GraphView<'a>,
}

impl<'a> EdgeRef<'a> {
    /// Which edge it is.
    #[must_use]
    pub fn edge(&self) -> Edge {
        self.edge
    }

    /// Where it starts.
    #[must_use]
    pub fn source(&self) -> NodeId {
        self.edge.source
    }

    /// Where it ends.
    #[must_use]
    pub fn target(&self) -> NodeId {
        self.edge.target
    }

    /// The name of its type.
    #[must_use]
    pub fn edge_type(&self) -> &'a str {
        self.view.edge_type_name(self.edge.edge_type)
    }

    /// Which edge it is, with the name of its type.
    #[must_use]
    pub fn named(&self) -> NamedEdge {
        self.view.named_edge(self.edge)
    }

    /// Verifies its document, as [`Node::verify`](crate::Node::verify) does.
    ///
    /// # Errors
    /// [`GraphError::Damaged`].
    #[inline]
    pub fn verify(&self) -> Result<(), GraphError> {
        let Some(version) = self.version else { return Ok(()) };
        let verified = version.verify(self.view.graph.salt());
        verified.map_err(|_| GraphError::Damaged(Entity::Edge(self.named())))
    }

    /// Its document.
    #[must_use]
    pub fn document(&self) -> DocRef<'a> {
        DocRef::trusted(self.version.map_or(&[], |version| version.document()))
    }

    /// A field of its document, without decoding the others.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<ValueRef<'a>> {
        self.document().get(field)
    }
}

/// The edges at a node, as [`GraphView::edges`] found them.
#[derive(Debug)]
pub struct Edges<'a> {
    view: GraphView<'a>,
    node: NodeId,
    halves: std::vec::IntoIter<(Direction, HalfEdge)>,
}

impl Edges<'_> {
    /// Verifies the documents of all of them.
    pub(crate) fn verified(self) -> Result<Self, GraphError> {
        let Self { view, node, .. } = self;
        if view.graph.may_have_documents_outside() {
            let mut all = self.halves.as_slice().iter();
            all.try_for_each(|(direction, half)| view.edge_ref(node, *direction, *half).verify())?;
        }
        Ok(self)
    }
}

impl<'a> Iterator for Edges<'a> {
    type Item = EdgeRef<'a>;

    fn next(&mut self) -> Option<EdgeRef<'a>> {
        let (direction, half) = self.halves.next()?;
        Some(self.view.edge_ref(self.node, direction, half))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.halves.size_hint()
    }
}

impl ExactSizeIterator for Edges<'_> {}

impl<'a> GraphView<'a> {
    /// The type to filter by: `None` for all, an error for one that is not
    /// there.
    #[inline]
    pub(crate) fn filter(&self, edge_type: Option<&str>) -> Result<Option<EdgeTypeId>, ()> {
        match edge_type {
            None => Ok(None),
            Some(name) => self.edge_type(name).map(|kind| Some(kind.id)).ok_or(()),
        }
    }

    /// The neighbours of a node along edges of a type, or of all; none if there
    /// is no such node or type.
    #[must_use]
    #[inline]
    pub fn neighbours(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: Option<&str>,
    ) -> Neighbours<'a> {
        match self.filter(edge_type) {
            Ok(edge_type) => self.neighbours_of(node, direction, edge_type),
            Err(()) => self.no_neighbours(node, direction),
        }
    }

    /// The neighbours along a type that does not exist.
    pub(crate) fn no_neighbours(&self, node: NodeId, direction: Direction) -> Neighbours<'a> {
        // What is read is that there is none: a later one would count.
        self.track_neighbourhood(node, direction);
        Neighbours::none()
    }

    #[inline]
    pub(crate) fn neighbours_of(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: Option<EdgeTypeId>,
    ) -> Neighbours<'a> {
        if self.writes.is_some() || direction == Direction::Both {
            return self.neighbours_merged(node, direction, edge_type);
        }
        match self.graph.edges_at(node, direction, self.at) {
            Some(version) => Neighbours::of_version(version, edge_type),
            None => Neighbours::none(),
        }
    }

    /// As [`neighbours_of`](Self::neighbours_of), for both directions, and with
    /// own writes.
    #[inline(never)]
    fn neighbours_merged(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: Option<EdgeTypeId>,
    ) -> Neighbours<'a> {
        let mut neighbours = Neighbours::none();
        match direction {
            Direction::Both => {
                self.add_neighbours(node, Direction::Out, edge_type, &mut neighbours);
                self.add_neighbours(node, Direction::In, edge_type, &mut neighbours);
            }
            one => self.add_neighbours(node, one, edge_type, &mut neighbours),
        }
        neighbours
    }

    fn add_neighbours(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: Option<EdgeTypeId>,
        neighbours: &mut Neighbours<'a>,
    ) {
        if self.writes.is_some() {
            self.track_neighbourhood(node, direction);
            // What lies packed comes first, so it may not follow own edges out.
            if self.has_own_edges(node, direction) || neighbours.has_own() {
                let halves = self.half_edges(node, direction);
                let wanted = |half: &HalfEdge| edge_type.is_none_or(|kind| half.edge_type == kind);
                let own = halves.into_iter().filter(wanted).map(|half| half.neighbour);
                neighbours.more.get_or_insert_default().own.extend(own);
                return;
            }
        }
        if let Some(version) = self.graph.edges_at(node, direction, self.at) {
            let all = slices(version, edge_type).into_iter();
            all.for_each(|packed| neighbours.add(packed));
        }
    }

    pub(crate) fn track_neighbourhood(&self, node: NodeId, direction: Direction) {
        self.track(|reads| {
            if direction != Direction::In {
                reads.neighbourhoods.insert((node, Direction::Out));
            }
            if direction != Direction::Out {
                reads.neighbourhoods.insert((node, Direction::In));
            }
        });
    }

    fn has_own_edges(&self, node: NodeId, direction: Direction) -> bool {
        self.writes.is_some_and(|writes| !writes.edges_at(node, direction).is_empty())
    }

    /// The edges at a node in one direction, own writes included.
    pub(crate) fn half_edges(&self, node: NodeId, direction: Direction) -> Vec<HalfEdge> {
        let committed = self.graph.edges_at(node, direction, self.at);
        let committed = committed.into_iter().flat_map(|version| version.half_edges());
        let Some(writes) = self.writes else { return committed.collect() };
        let mut changes = SmallVec::<[Change; 8]>::new();
        for at in writes.edges_at(node, direction) {
            let Some((edge, write)) = writes.edges.entry(at as usize) else { continue };
            let neighbour = if direction == Direction::In { edge.source } else { edge.target };
            let identity = edge.id.map_or(0, EdgeId::get);
            changes.push(Change { edge_type: edge.edge_type, neighbour, identity, put: write.now });
        }
        sort_changes(&mut changes);
        let mut merged = Vec::new();
        merge(committed, &changes, &mut merged);
        merged
    }

    /// The edges at a node along a type, or along all, with their documents;
    /// none if there is no such node or type.
    #[must_use]
    pub fn edges(&self, node: NodeId, direction: Direction, edge_type: Option<&str>) -> Edges<'a> {
        match self.filter(edge_type) {
            Ok(edge_type) => self.edges_of(node, direction, edge_type),
            Err(()) => self.no_edges(node, direction),
        }
    }

    /// The edges along a type that does not exist.
    pub(crate) fn no_edges(&self, node: NodeId, direction: Direction) -> Edges<'a> {
        self.track_neighbourhood(node, direction);
        Edges { view: *self, node, halves: Vec::new().into_iter() }
    }

    pub(crate) fn edges_of(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: Option<EdgeTypeId>,
    ) -> Edges<'a> {
        self.track_neighbourhood(node, direction);
        let directions: &[Direction] = match direction {
            Direction::Both => &[Direction::Out, Direction::In],
            Direction::Out => &[Direction::Out],
            Direction::In => &[Direction::In],
        };
        let mut halves = Vec::new();
        for direction in directions {
            let all = self.half_edges(node, *direction).into_iter();
            let wanted = all.filter(|half| edge_type.is_none_or(|kind| half.edge_type == kind));
            halves.extend(wanted.map(|half| (*direction, half)));
        }
        Edges { view: *self, node, halves: halves.into_iter() }
    }

    /// [`edges`](Self::edges), all of whose documents are verified.
    ///
    /// # Errors
    /// [`GraphError::Damaged`].
    pub fn verified_edges(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: Option<&str>,
    ) -> Result<Edges<'a>, GraphError> {
        self.edges(node, direction, edge_type).verified()
    }

    /// The number of edges at a node along a type, or along all.
    #[must_use]
    pub fn degree(&self, node: NodeId, direction: Direction, edge_type: Option<&str>) -> usize {
        let Ok(kind) = self.filter(edge_type) else {
            self.track_neighbourhood(node, direction);
            return 0;
        };
        match direction {
            Direction::Both => {
                self.degree(node, Direction::Out, edge_type)
                    + self.degree(node, Direction::In, edge_type)
            }
            one if self.writes.is_some() => self.neighbours_of(node, one, kind).len(),
            one => {
                let version = self.graph.edges_at(node, one, self.at);
                version.map_or(0, |version| version.degree(kind))
            }
        }
    }

    /// The edge from `source` to `target` of a type: for a multi type, the one
    /// with the smallest id.
    #[must_use]
    pub fn edge(&self, source: NodeId, edge_type: &str, target: NodeId) -> Option<EdgeRef<'a>> {
        self.edges_between(source, edge_type, target).into_iter().next()
    }

    /// All edges from `source` to `target` of a type.
    #[must_use]
    pub fn edges_between(
        &self,
        source: NodeId,
        edge_type: &str,
        target: NodeId,
    ) -> SmallVec<[EdgeRef<'a>; 1]> {
        self.track_neighbourhood(source, Direction::Out);
        let Some(kind) = self.edge_type(edge_type) else { return SmallVec::new() };
        let found = self.halves_between(source, kind.id, target);
        found.into_iter().map(|half| self.edge_ref(source, Direction::Out, half)).collect()
    }

    /// The edges of a type from `source` to `target`, own writes left out.
    pub(crate) fn stored_between(
        &self,
        source: NodeId,
        edge_type: EdgeTypeId,
        target: NodeId,
    ) -> SmallVec<[HalfEdge; 1]> {
        let version = self.graph.edges_at(source, Direction::Out, self.at);
        version.map_or_else(SmallVec::new, |version| version.find(edge_type, target))
    }

    /// The edges of a type from `source` to `target`, own writes included.
    pub(crate) fn halves_between(
        &self,
        source: NodeId,
        edge_type: EdgeTypeId,
        target: NodeId,
    ) -> SmallVec<[HalfEdge; 1]> {
        let found = self.stored_between(source, edge_type, target);
        let Some(writes) = self.writes.filter(|writes| !writes.edges.is_empty()) else {
            return found;
        };
        let half = |id| HalfEdge { edge_type, neighbour: target, id };
        let named = |id: Option<EdgeId>| Edge { source, edge_type, target, id };
        if !self.is_multi(edge_type) {
            let own = writes.edges.get(&named(None));
            return own.map_or(found, |write| write.now.map(half).into_iter().collect());
        }
        let kept = found
            .into_iter()
            .filter(|found| writes.edges.get(&named(Some(EdgeId::new(found.id)))).is_none());
        let own = writes.edges_at(source, Direction::Out).into_iter().filter_map(|at| {
            let (edge, write) = writes.edges.entry(at as usize)?;
            write.now.filter(|_| (edge.edge_type, edge.target) == (edge_type, target)).map(half)
        });
        let mut all: SmallVec<[HalfEdge; 1]> = kept.chain(own).collect();
        all.sort_unstable();
        all
    }

    /// The edge at `node` that `half` is the half of.
    pub(crate) fn edge_ref(
        &self,
        node: NodeId,
        direction: Direction,
        half: HalfEdge,
    ) -> EdgeRef<'a> {
        let HalfEdge { edge_type, neighbour, id } = half;
        let (source, target) = match direction {
            Direction::In => (neighbour, node),
            Direction::Out | Direction::Both => (node, neighbour),
        };
        let multi = self.is_multi(edge_type);
        let edge = Edge { source, edge_type, target, id: multi.then(|| EdgeId::new(id)) };
        EdgeRef { edge, version: self.edge_version(&edge, id), view: *self }
    }

    /// The edge that a transaction found under this record number.
    pub(crate) fn edge_named(&self, edge: Edge, number: u64) -> EdgeRef<'a> {
        EdgeRef { edge, version: self.edge_version(&edge, number), view: *self }
    }

    pub(crate) fn is_multi(&self, edge_type: EdgeTypeId) -> bool {
        let own = self.writes.and_then(|writes| writes.edge_types.get(&edge_type));
        let def = own
            .map(|write| &write.def)
            .or_else(|| Some(&self.edge_type_by_id(edge_type)?.created.get()?.1));
        def.is_some_and(crate::edge_type::EdgeTypeDef::is_multi)
    }

    /// What holds the document of an edge whose record has this number.
    fn edge_version(&self, edge: &Edge, number: u64) -> Option<&'a EdgeVersion> {
        let own = self.writes.and_then(|writes| writes.edges.get(edge));
        if let Some(version) = own.and_then(|write| write.version.as_ref()) {
            return Some(version);
        }
        if number == 0 {
            return None;
        }
        self.track(|reads| {
            reads.edges.insert((number, edge.source));
        });
        let record = self.graph.edges.get(number, self.at);
        record.and_then(|record| record.read(self.at))
    }
}
