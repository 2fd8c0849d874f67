//! The edges at one node in one direction: an immutable, sorted set, of which
//! each commit that changes it installs a new version.
//!
//! Few edges lie in one [`block`](crate::block), inside the version itself. More
//! form a tree of blocks; a new version shares every block that did not change
//! with the one before, so an edge at a hub costs one block and the way to it.
//! Compaction makes one block of all but the largest trees.
//! Readers get the packed neighbours as slices: nothing is merged, and no edge
//! carries a timestamp.

use std::sync::Arc;

use bytemuck::{cast_slice, cast_slice_mut};
use selvedge_base::{EdgeTypeId, NodeId};
use selvedge_mvcc::{Arena, Version, VersionBox};
use smallvec::SmallVec;

use crate::block::{Block, HalfEdge, Packed, Shape};
use crate::splice::spliced;

/// Edges in a block of a tree; up to as many lie in a version itself.
pub(crate) const BLOCK_EDGES_MAX: usize = if cfg!(test) { 8 } else { 512 };
/// Compaction lays up to as many in one block, whatever a tree would do: the walk
/// over a hub is then a walk over one array. The next change makes it a tree,
/// which costs a copy; so there is a limit.
const COMPACT_EDGES_MAX: usize = 32 * BLOCK_EDGES_MAX;
/// A block with fewer is joined with its neighbour.
const BLOCK_EDGES_MIN: usize = BLOCK_EDGES_MAX / 4;
/// Children of an inner node of the tree.
const CHILDREN_MAX: usize = if cfg!(test) { 4 } else { 32 };

/// One change to the edges at a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) edge_type: EdgeTypeId,
    pub(crate) neighbour: NodeId,
    /// Which of several edges of a multi type; 0 for a unique type, where type
    /// and neighbour name the edge.
    pub(crate) identity: u64,
    /// The record number to keep with the edge, or `None` to remove it.
    pub(crate) put: Option<u64>,
}

impl Change {
    pub(crate) fn key(&self) -> (EdgeTypeId, NodeId, u64) {
        (self.edge_type, self.neighbour, self.identity)
    }

    /// Whether the change is about `edge`, before it, or behind it.
    fn compare(&self, edge: &HalfEdge) -> std::cmp::Ordering {
        (self.edge_type, self.neighbour).cmp(&(edge.edge_type, edge.neighbour)).then_with(|| {
            // A unique edge is the only one of its type to its neighbour.
            if self.identity == 0 { std::cmp::Ordering::Equal } else { self.identity.cmp(&edge.id) }
        })
    }
}

/// Sorts changes the way edges are sorted.
pub(crate) fn sort_changes(changes: &mut [Change]) {
    changes.sort_unstable_by_key(Change::key);
}

/// The edges that `changes`, sorted, make of `edges`.
pub(crate) fn merge(
    edges: impl Iterator<Item = HalfEdge>,
    changes: &[Change],
    out: &mut Vec<HalfEdge>,
) {
    let mut changes = changes.iter().peekable();
    let put = |change: &Change, out: &mut Vec<HalfEdge>| {
        let Change { edge_type, neighbour, .. } = *change;
        out.extend(change.put.map(|id| HalfEdge { edge_type, neighbour, id }));
    };
    for edge in edges {
        while let Some(change) = changes.next_if(|change| change.compare(&edge).is_lt()) {
            put(change, out);
        }
        match changes.next_if(|change| change.compare(&edge).is_eq()) {
            Some(change) => put(change, out),
            None => out.push(edge),
        }
    }
    changes.for_each(|change| put(change, out));
}

/// A block of a tree.
#[derive(Debug)]
struct TreeBlock {
    shape: Shape,
    words: Box<[u64]>,
}

impl TreeBlock {
    fn new(edges: &[HalfEdge]) -> Self {
        let shape = Shape::of(edges);
        let mut words = vec![0_u64; shape.bytes().div_ceil(8)].into_boxed_slice();
        shape.write(edges, &mut cast_slice_mut(&mut words)[..shape.bytes()]);
        Self { shape, words }
    }

    /// One with this shape, of these pieces.
    fn of_pieces(shape: Shape, pieces: &[&[u8]]) -> Self {
        let mut words = vec![0_u64; shape.bytes().div_ceil(8)].into_boxed_slice();
        let (bytes, mut at) = (cast_slice_mut::<u64, u8>(&mut words), 0);
        for piece in pieces {
            bytes[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        Self { shape, words }
    }

    fn block(&self) -> Block<'_> {
        Block::new(self.shape, &cast_slice(&self.words)[..self.shape.bytes()])
    }
}

#[derive(Debug)]
enum TreeNode {
    Block(TreeBlock),
    Inner(Box<[Child]>),
}

#[derive(Clone, Debug)]
struct Child {
    first: HalfEdge,
    len: usize,
    node: Arc<TreeNode>,
}

impl Child {
    fn block(edges: &[HalfEdge]) -> Self {
        let node = Arc::new(TreeNode::Block(TreeBlock::new(edges)));
        Self { first: edges[0], len: edges.len(), node }
    }

    fn inner(children: Vec<Self>) -> Self {
        let (first, len) = (children[0].first, children.iter().map(|child| child.len).sum());
        Self { first, len, node: Arc::new(TreeNode::Inner(children.into())) }
    }

    /// All blocks below, in order.
    fn each_block<'a>(&'a self, visit: &mut impl FnMut(Block<'a>)) {
        match &*self.node {
            TreeNode::Block(block) => visit(block.block()),
            TreeNode::Inner(children) => {
                children.iter().for_each(|child| child.each_block(visit));
            }
        }
    }

    /// The same block but for the edge of a single change, if that is all.
    fn spliced(&self, block: &TreeBlock, changes: &[Change]) -> Option<Self> {
        let [change] = changes else { return None };
        if self.len >= BLOCK_EDGES_MAX {
            return None;
        }
        let new = spliced(block.block(), change, TreeBlock::of_pieces)?;
        let first = new.block().edges(0, 1).next()?;
        let len = new.block().len();
        Some(Self { first, len, node: Arc::new(TreeNode::Block(new)) })
    }

    /// What `changes`, sorted and not empty, make of this subtree: any number
    /// of subtrees of the same height.
    fn apply(&self, changes: &[Change], scratch: &mut Vec<HalfEdge>, out: &mut Vec<Self>) {
        match &*self.node {
            TreeNode::Block(block) => {
                if let Some(new) = self.spliced(block, changes) {
                    out.push(new);
                    return;
                }
                scratch.clear();
                merge(block.block().edges(0, self.len), changes, scratch);
                blocks_of(scratch, out);
            }
            TreeNode::Inner(children) => {
                let mut new = Vec::with_capacity(children.len() + 1);
                let mut rest = changes;
                for (at, child) in children.iter().enumerate() {
                    let mine = match children.get(at + 1) {
                        Some(next) => {
                            rest.partition_point(|change| change.compare(&next.first).is_lt())
                        }
                        None => rest.len(),
                    };
                    let (mine, later) = rest.split_at(mine);
                    rest = later;
                    if mine.is_empty() {
                        new.push(child.clone());
                    } else {
                        child.apply(mine, scratch, &mut new);
                    }
                }
                join_small_blocks(&mut new, scratch);
                inner_of(new, out);
            }
        }
    }
}

/// Splits edges into blocks of even size.
fn blocks_of(edges: &[HalfEdge], out: &mut Vec<Child>) {
    let pieces = match edges.len() {
        0 => return,
        len if len <= BLOCK_EDGES_MAX => 1,
        // Not quite full, so that the next edges need no split.
        len => len.div_ceil(BLOCK_EDGES_MAX * 3 / 4),
    };
    out.extend(edges.chunks(edges.len().div_ceil(pieces)).map(Child::block));
}

/// Groups subtrees under inner nodes, if there are any.
fn inner_of(mut children: Vec<Child>, out: &mut Vec<Child>) {
    let pieces = match children.len() {
        0 => return,
        len if len <= CHILDREN_MAX => 1,
        len => len.div_ceil(CHILDREN_MAX * 3 / 4),
    };
    let size = children.len().div_ceil(pieces);
    while children.len() > size {
        let rest = children.split_off(size);
        out.push(Child::inner(std::mem::replace(&mut children, rest)));
    }
    out.push(Child::inner(children));
}

/// Joins blocks that have become small with the one before.
fn join_small_blocks(children: &mut Vec<Child>, scratch: &mut Vec<HalfEdge>) {
    let mut at = 1;
    while at < children.len() {
        let (left, right) = (&children[at - 1], &children[at]);
        let small =
            left.len.min(right.len) < BLOCK_EDGES_MIN && left.len + right.len <= BLOCK_EDGES_MAX;
        match (&*left.node, &*right.node) {
            (TreeNode::Block(a), TreeNode::Block(b)) if small => {
                scratch.clear();
                scratch.extend(a.block().edges(0, left.len).chain(b.block().edges(0, right.len)));
                children[at - 1] = Child::block(scratch);
                children.remove(at);
            }
            _ => at += 1,
        }
    }
}

/// The header of a version of adjacency.
#[derive(Debug)]
pub(crate) struct Adjacency {
    /// The shape of the block in the version's bytes, if there is no tree.
    shape: Shape,
    tree: Option<Box<Child>>,
}

/// A version of the edges at one node in one direction.
pub(crate) type AdjacencyVersion = Version<Adjacency>;

/// A new version, the one that `changes` (sorted, not empty) make of `base`.
pub(crate) fn changed(
    base: Option<&AdjacencyVersion>,
    changes: &[Change],
    scratch: &mut Vec<HalfEdge>,
) -> VersionBox<Adjacency> {
    if let Some(tree) = base.and_then(|base| base.header().tree.as_ref()) {
        let mut children = Vec::new();
        tree.apply(changes, scratch, &mut children);
        return of_children(children, scratch);
    }
    let block = base.and_then(|base| base.single());
    if let (Some(block), [change]) = (block, changes)
        && block.len() < BLOCK_EDGES_MAX
        && let Some(new) = spliced(block, change, |shape, pieces| {
            VersionBox::new(Adjacency { shape, tree: None }, pieces)
        })
    {
        return new;
    }
    scratch.clear();
    match block {
        Some(block) => merge(block.edges(0, block.len()), changes, scratch),
        None => merge(std::iter::empty(), changes, scratch),
    }
    of_edges(scratch)
}

/// An equal version behind the one made last in `arena`, a tree as one block. A
/// tree that is too large for that lies elsewhere, like its blocks.
pub(crate) fn copied(version: &AdjacencyVersion, arena: &mut Arena) -> VersionBox<Adjacency> {
    if version.single().is_some() {
        let header = Adjacency { shape: version.header().shape, tree: None };
        return VersionBox::new_in(arena, header, &[version.bytes()]);
    }
    let edges = version.half_edges();
    let edges = edges.as_slice();
    if edges.len() > COMPACT_EDGES_MAX {
        return of_edges(edges);
    }
    let block = TreeBlock::new(edges);
    let header = Adjacency { shape: block.shape, tree: None };
    VersionBox::new_in(arena, header, &[block.block().bytes()])
}

/// A version with the edges of a block that was read from a checkpoint.
pub(crate) fn loaded(shape: Shape, bytes: &[u8], arena: &mut Arena) -> VersionBox<Adjacency> {
    if shape.len as usize <= COMPACT_EDGES_MAX {
        return VersionBox::new_in(arena, Adjacency { shape, tree: None }, &[bytes]);
    }
    let block = Block::new(shape, bytes);
    of_edges(&block.edges(0, block.len()).collect::<Vec<_>>())
}

/// A version with these edges, sorted; a tombstone if there are none.
pub(crate) fn of_edges(edges: &[HalfEdge]) -> VersionBox<Adjacency> {
    if edges.is_empty() {
        let header = Adjacency { shape: Shape::default(), tree: None };
        return VersionBox::tombstone(header, &[]);
    }
    if edges.len() > BLOCK_EDGES_MAX {
        let mut children = Vec::new();
        blocks_of(edges, &mut children);
        return of_children(children, &mut Vec::new());
    }
    let shape = Shape::of(edges);
    let header = Adjacency { shape, tree: None };
    let mut version = VersionBox::zeroed(header, shape.bytes());
    shape.write(edges, version.bytes_mut());
    version
}

/// A version over these subtrees, which are of the same height.
fn of_children(mut children: Vec<Child>, scratch: &mut Vec<HalfEdge>) -> VersionBox<Adjacency> {
    let len: usize = children.iter().map(|child| child.len).sum();
    if len <= BLOCK_EDGES_MAX / 2 {
        scratch.clear();
        children.iter().for_each(|child| {
            child.each_block(&mut |block| scratch.extend(block.edges(0, block.len())));
        });
        return of_edges(scratch);
    }
    while children.len() > 1 {
        inner_of(std::mem::take(&mut children), &mut children);
    }
    let mut root = children.swap_remove(0);
    // A root with one child is that child.
    while let TreeNode::Inner(only) = &*root.node
        && let [child] = &**only
    {
        root = child.clone();
    }
    VersionBox::new(Adjacency { shape: Shape::default(), tree: Some(Box::new(root)) }, &[])
}

/// Reading a version of adjacency.
pub(crate) trait AdjacencyRead {
    fn edge_count(&self) -> usize;
    fn each_block<'a>(&'a self, visit: impl FnMut(Block<'a>));
    fn half_edges(&self) -> std::vec::IntoIter<HalfEdge>;
    fn find(&self, edge_type: EdgeTypeId, neighbour: NodeId) -> SmallVec<[HalfEdge; 1]>;
    fn single(&self) -> Option<Block<'_>>;
    fn degree(&self, edge_type: Option<EdgeTypeId>) -> usize;
}

impl AdjacencyRead for AdjacencyVersion {
    /// The number of edges.
    fn edge_count(&self) -> usize {
        let Adjacency { shape, tree } = self.header();
        tree.as_ref().map_or(shape.len as usize, |tree| tree.len)
    }

    /// The one block of a version without a tree.
    #[inline]
    fn single(&self) -> Option<Block<'_>> {
        let header = self.header();
        header.tree.is_none().then(|| Block::new(header.shape, self.bytes()))
    }

    /// Visits the blocks in order.
    fn each_block<'a>(&'a self, mut visit: impl FnMut(Block<'a>)) {
        match &self.header().tree {
            None => visit(Block::new(self.header().shape, self.bytes())),
            Some(tree) => tree.each_block(&mut visit),
        }
    }

    /// All edges, copied out.
    fn half_edges(&self) -> std::vec::IntoIter<HalfEdge> {
        let mut edges = Vec::with_capacity(self.edge_count());
        self.each_block(|block| edges.extend(block.edges(0, block.len())));
        edges.into_iter()
    }

    /// The edges of a type to a neighbour: at most one, unless the type is
    /// multi.
    fn find(&self, edge_type: EdgeTypeId, neighbour: NodeId) -> SmallVec<[HalfEdge; 1]> {
        let mut found = SmallVec::new();
        let mut look = |block: Block<'_>| {
            let (from, until) = block.find(edge_type, neighbour);
            found.extend(block.edges(from, until));
        };
        match &self.header().tree {
            None => look(Block::new(self.header().shape, self.bytes())),
            Some(tree) => find_blocks(tree, edge_type, neighbour, &mut look),
        }
        found
    }

    /// The number of edges of a type, or of all.
    fn degree(&self, edge_type: Option<EdgeTypeId>) -> usize {
        let Some(edge_type) = edge_type else { return self.edge_count() };
        let mut degree = 0;
        self.each_block(|block| {
            let (from, until) = block.run(edge_type);
            degree += until - from;
        });
        degree
    }
}

/// Visits the blocks that may hold edges of a type to a neighbour.
fn find_blocks<'a>(
    child: &'a Child,
    edge_type: EdgeTypeId,
    neighbour: NodeId,
    look: &mut impl FnMut(Block<'a>),
) {
    match &*child.node {
        TreeNode::Block(block) => look(block.block()),
        TreeNode::Inner(children) => {
            let key = |child: &Child| (child.first.edge_type, child.first.neighbour);
            let wanted = (edge_type, neighbour);
            // Edges that are equal but for the id may begin in the child before.
            let from = children.partition_point(|child| key(child) < wanted).saturating_sub(1);
            let until = children.partition_point(|child| key(child) <= wanted);
            for child in &children[from..until.max(from)] {
                find_blocks(child, edge_type, neighbour, look);
            }
        }
    }
}

/// The packed neighbours of a version along a type, or along all.
pub(crate) fn slices(
    version: &AdjacencyVersion,
    edge_type: Option<EdgeTypeId>,
) -> SmallVec<[Packed<'_>; 1]> {
    let mut slices = SmallVec::new();
    version.each_block(|block| {
        let packed = block.neighbours(edge_type);
        if !packed.is_empty() {
            slices.push(packed);
        }
    });
    slices
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};
    use std::collections::BTreeMap;

    fn changes() -> impl Strategy<Value = Vec<Vec<(u32, u64, u64, bool)>>> {
        // Types 0 and 1 are unique, 2 is multi.
        let change = (0..3_u32, 1..40_u64, 1..4_u64, prop::bool::weighted(0.6));
        prop::collection::vec(prop::collection::vec(change, 1..30), 1..12)
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(batches in changes()) {
            let mut model = BTreeMap::<(EdgeTypeId, NodeId, u64), u64>::new();
            let mut version: Option<VersionBox<Adjacency>> = None;
            let mut scratch = Vec::new();
            for batch in batches {
                let mut changes = BTreeMap::new();
                for (kind, to, id, put) in batch {
                    let identity = if kind == 2 { id } else { 0 };
                    let (edge_type, neighbour) = (EdgeTypeId::new(kind), NodeId::new(to));
                    let put = put.then_some(id);
                    let change = Change { edge_type, neighbour, identity, put };
                    changes.insert(change.key(), change);
                }
                for (key, change) in &changes {
                    match change.put {
                        Some(id) => { model.insert(*key, id); }
                        None => { model.remove(key); }
                    }
                }
                let changes: Vec<_> = changes.into_values().collect();
                let base = version.as_deref().filter(|version| !version.is_tombstone());
                let new = changed(base, &changes, &mut scratch);
                prop_assert_eq!(new.is_tombstone(), model.is_empty());
                let expected: Vec<_> = model
                    .iter()
                    .map(|((edge_type, neighbour, _), id)| HalfEdge {
                        edge_type: *edge_type, neighbour: *neighbour, id: *id,
                    })
                    .collect();
                prop_assert_eq!(new.half_edges().collect::<Vec<_>>(), &expected[..]);
                prop_assert_eq!(new.edge_count(), expected.len());
                for kind in (0..3).map(EdgeTypeId::new) {
                    let of_kind = expected.iter().filter(|edge| edge.edge_type == kind);
                    prop_assert_eq!(new.degree(Some(kind)), of_kind.clone().count());
                    let packed: usize = slices(&new, Some(kind)).iter().map(Packed::len).sum();
                    prop_assert_eq!(packed, of_kind.count());
                    for to in (0..41).map(NodeId::new) {
                        let expected: Vec<_> = expected
                            .iter().copied()
                            .filter(|edge| edge.edge_type == kind && edge.neighbour == to)
                            .collect();
                        prop_assert_eq!(new.find(kind, to).to_vec(), expected);
                    }
                }
                prop_assert!(model.len() <= BLOCK_EDGES_MAX || new.header().tree.is_some());
                version = Some(new);
            }
        }
    }
}
