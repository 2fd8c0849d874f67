//! Typed reading: nodes and edges one after the other, as they are asked for.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use selvedge_base::NodeId;
use selvedge_graph::{Direction, Edges, GraphView, LabelScan, Neighbours};

use crate::error::Result;
use crate::read::Read;
use crate::typed::edge_type::{EdgeType, EndType};
use crate::typed::locate::Locate;
use crate::typed::node_type::NodeType;
use crate::typed::stored::{Stored, StoredEdge, read_edge, read_node};
use crate::typed::update::check_label;

/// Nodes of a type, read one after the other. One that does not read as the type is an
/// error in its place.
pub struct TypedNodes<'a, T> {
    ids: Ids<'a>,
    view: GraphView<'a>,
    of: PhantomData<fn() -> T>,
}

enum Ids<'a> {
    All(LabelScan<'a>),
    Beside(Neighbours<'a>),
    None,
}

impl Iterator for Ids<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        match self {
            Self::All(ids) => ids.next(),
            Self::Beside(ids) => ids.next(),
            Self::None => None,
        }
    }
}

impl<T: NodeType> Iterator for TypedNodes<'_, T> {
    type Item = Result<Stored<T>>;

    fn next(&mut self) -> Option<Result<Stored<T>>> {
        loop {
            // Ids come from the same view, so their nodes are there.
            let Some(node) = self.view.node(self.ids.next()?) else { continue };
            let read = node.verify().map_err(Into::into);
            let read = read.and_then(|()| check_label(&node, T::LABEL));
            return Some(read.and_then(|()| read_node(&node)));
        }
    }
}

impl<T: NodeType> FusedIterator for TypedNodes<'_, T> {}

/// Edges of a type at a node, read one after the other. One that does not read as the
/// type is an error in its place.
pub struct TypedEdges<'a, E> {
    edges: Option<Edges<'a>>,
    of: PhantomData<fn() -> E>,
}

impl<E: EdgeType> Iterator for TypedEdges<'_, E> {
    type Item = Result<StoredEdge<E>>;

    fn next(&mut self) -> Option<Result<StoredEdge<E>>> {
        self.edges.as_mut()?.next().map(|edge| read_edge(&edge))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.edges.as_ref().map_or((0, Some(0)), Edges::size_hint)
    }
}

impl<E: EdgeType> ExactSizeIterator for TypedEdges<'_, E> {}

pub(crate) fn all<'r, T: NodeType, R: Read + ?Sized>(reader: &'r R) -> Result<TypedNodes<'r, T>> {
    let ids = Ids::All(reader.scan(T::LABEL)?);
    Ok(TypedNodes { ids, view: reader.view(), of: PhantomData })
}

pub(crate) fn edges<'r, E: EdgeType, N: EndType, R: Read + ?Sized>(
    reader: &'r R,
    node: &impl Locate<N>,
    direction: Direction,
) -> Result<TypedEdges<'r, E>> {
    let edges = match node.place().id(reader, N::LABEL)? {
        Some(id) => Some(reader.edges(id, direction, E::TYPE)?),
        None => None,
    };
    Ok(TypedEdges { edges, of: PhantomData })
}

pub(crate) fn neighbours<'r, E: EdgeType, N: EndType, T: NodeType, R: Read + ?Sized>(
    reader: &'r R,
    node: &impl Locate<N>,
    direction: Direction,
) -> Result<TypedNodes<'r, T>> {
    let ids = match node.place().id(reader, N::LABEL)? {
        Some(id) => Ids::Beside(reader.neighbours(id, direction, E::TYPE)?),
        None => Ids::None,
    };
    Ok(TypedNodes { ids, view: reader.view(), of: PhantomData })
}

pub(crate) fn edges_between<E: EdgeType, R: Read + ?Sized>(
    reader: &R,
    source: &impl Locate<E::From>,
    target: &impl Locate<E::To>,
) -> Result<Vec<StoredEdge<E>>> {
    let source = source.place().id(reader, E::From::LABEL)?;
    let target = target.place().id(reader, E::To::LABEL)?;
    let (Some(source), Some(target)) = (source, target) else { return Ok(Vec::new()) };
    reader.edges_between(source, E::TYPE, target)?.iter().map(read_edge).collect()
}

impl<T> fmt::Debug for TypedNodes<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedNodes").finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for TypedEdges<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedEdges").finish_non_exhaustive()
    }
}
