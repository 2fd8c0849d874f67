//! A block of adjacency: edges at one node, packed and sorted, as bytes.
//!
//! ```text
//! | runs: (type u32, start u32) each | neighbours: u32 or u64 each | ids: u64 each, or none |
//! ```
//!
//! Edges are sorted by type, neighbour, id; a *run* is the stretch of one type.
//! Neighbours take four bytes each while every one fits. Ids are there only if
//! some edge of the block has one; 0 stands for none. They come last, aligned to
//! eight bytes: following edges does not touch them.

use bytemuck::{cast_slice, cast_slice_mut};
use selvedge_base::{EdgeTypeId, NodeId};

/// One end of an edge, as seen from the node whose adjacency it is in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct HalfEdge {
    /// The type of the edge.
    pub(crate) edge_type: EdgeTypeId,
    /// The node at the other end.
    pub(crate) neighbour: NodeId,
    /// The number of its record, or 0 for an edge without one.
    pub(crate) id: u64,
}

/// What the bytes of a block mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) len: u32,
    runs: u32,
    wide: bool,
    ids: bool,
}

#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Run {
    pub(crate) edge_type: u32,
    pub(crate) start: u32,
}

impl Shape {
    /// The shape that `edges` take.
    pub(crate) fn of(edges: &[HalfEdge]) -> Self {
        let mut shape = Self { len: edges.len() as u32, ..Self::default() };
        let mut last = None;
        for edge in edges {
            shape.wide |= edge.neighbour.get() > u64::from(u32::MAX);
            shape.ids |= edge.id != 0;
            if last != Some(edge.edge_type) {
                last = Some(edge.edge_type);
                shape.runs += 1;
            }
        }
        shape
    }

    /// Edges, runs, whether neighbours are wide, whether there are ids.
    pub(crate) fn parts(self) -> (u32, u32, bool, bool) {
        (self.len, self.runs, self.wide, self.ids)
    }

    /// The shape with these parts, if edges can have it.
    pub(crate) fn from_parts(len: u32, runs: u32, wide: bool, ids: bool) -> Option<Self> {
        (runs > 0 && runs <= len).then_some(Self { len, runs, wide, ids })
    }

    /// Whether bytes from outside, as many as the shape takes, are a block of this
    /// shape: runs of types in order, none of them empty, and edges in order in each.
    pub(crate) fn fits(self, bytes: &[u8]) -> bool {
        let runs: &[Run] = cast_slice(&bytes[..self.neighbours_at()]);
        let in_order =
            |pair: &[Run]| pair[0].edge_type < pair[1].edge_type && pair[0].start < pair[1].start;
        runs.first().is_some_and(|first| first.start == 0)
            && runs.windows(2).all(in_order)
            && runs.last().is_some_and(|last| last.start < self.len)
            && Block::new(self, bytes).is_sorted()
    }

    /// The same with so many edges, of the same types.
    pub(crate) fn with_len(self, len: u32) -> Self {
        Self { len, ..self }
    }

    pub(crate) fn is_wide(self) -> bool {
        self.wide
    }

    pub(crate) fn has_ids(self) -> bool {
        self.ids
    }

    #[inline]
    pub(crate) fn neighbours_at(self) -> usize {
        self.runs as usize * size_of::<Run>()
    }

    #[inline]
    pub(crate) fn neighbours_end(self) -> usize {
        self.neighbours_at() + self.len as usize * if self.wide { 8 } else { 4 }
    }

    pub(crate) fn ids_at(self) -> usize {
        self.neighbours_end().next_multiple_of(8)
    }

    /// Bytes that a block of this shape takes.
    pub(crate) fn bytes(self) -> usize {
        match self.ids {
            true => self.ids_at() + self.len as usize * 8,
            false => self.neighbours_end(),
        }
    }

    /// Writes `edges`, which this is the shape of.
    pub(crate) fn write(self, edges: &[HalfEdge], bytes: &mut [u8]) {
        debug_assert!(edges.is_sorted(), "edges of a block are sorted");
        let (rest, ids) = bytes.split_at_mut(self.ids_at().min(bytes.len()));
        let (runs, rest) = rest.split_at_mut(self.neighbours_at());
        let neighbours = &mut rest[..self.neighbours_end() - self.neighbours_at()];
        let mut starts = cast_slice_mut::<u8, Run>(runs).iter_mut();
        let mut last = None;
        for (start, edge) in edges.iter().enumerate() {
            if last != Some(edge.edge_type) {
                last = Some(edge.edge_type);
                let run = starts.next().expect("the shape counted the runs");
                *run = Run { edge_type: edge.edge_type.get(), start: start as u32 };
            }
        }
        if self.ids {
            for (id, edge) in cast_slice_mut::<u8, u64>(ids).iter_mut().zip(edges) {
                *id = edge.id;
            }
        }
        if self.wide {
            for (at, edge) in cast_slice_mut::<u8, u64>(neighbours).iter_mut().zip(edges) {
                *at = edge.neighbour.get();
            }
        } else {
            for (at, edge) in cast_slice_mut::<u8, u32>(neighbours).iter_mut().zip(edges) {
                *at = edge.neighbour.get() as u32;
            }
        }
    }
}

/// A run of neighbours, packed in four or eight bytes each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Packed<'a> {
    /// Every neighbour fits four bytes.
    Narrow(&'a [u32]),
    /// Some do not.
    Wide(&'a [u64]),
}

impl Packed<'_> {
    /// The number of neighbours.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(ids) => ids.len(),
            Self::Wide(ids) => ids.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The neighbour at a position.
    fn get(&self, at: usize) -> NodeId {
        NodeId::new(match self {
            Self::Narrow(ids) => u64::from(ids[at]),
            Self::Wide(ids) => ids[at],
        })
    }
}

/// A block, read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    shape: Shape,
    bytes: &'a [u8],
}

impl<'a> Block<'a> {
    #[inline]
    pub(crate) fn new(shape: Shape, bytes: &'a [u8]) -> Self {
        Self { shape, bytes }
    }

    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.shape.len as usize
    }

    /// Shape and bytes.
    pub(crate) fn parts(self) -> (Shape, &'a [u8]) {
        (self.shape, self.bytes)
    }

    #[inline]
    pub(crate) fn runs(self) -> &'a [Run] {
        cast_slice(&self.bytes[..self.shape.neighbours_at()])
    }

    /// The types of its edges, each once.
    pub(crate) fn edge_types(self) -> impl Iterator<Item = EdgeTypeId> + 'a {
        self.runs().iter().map(|run| EdgeTypeId::new(run.edge_type))
    }

    /// The largest number of an edge; 0 if none has one.
    pub(crate) fn number_max(self) -> u64 {
        self.ids().iter().copied().max().unwrap_or(0)
    }

    /// Whether in each run the neighbours ascend; edges to the same one, by their ids.
    fn is_sorted(self) -> bool {
        let (runs, ids) = (self.runs(), self.ids());
        runs.iter().enumerate().all(|(at, run)| {
            let from = run.start as usize;
            let until = runs.get(at + 1).map_or(self.len(), |next| next.start as usize);
            match (self.packed(from, until), ids.get(from..until)) {
                (Packed::Narrow(neighbours), None) => neighbours.is_sorted_by(|a, b| a < b),
                (Packed::Wide(neighbours), None) => neighbours.is_sorted_by(|a, b| a < b),
                (neighbours, Some(ids)) => {
                    let edges = (0..).map(|at| neighbours.get(at)).zip(ids);
                    edges.take(until - from).is_sorted_by(|a, b| a < b)
                }
            }
        })
    }

    pub(crate) fn ids(self) -> &'a [u64] {
        if self.shape.ids { cast_slice(&self.bytes[self.shape.ids_at()..]) } else { &[] }
    }

    /// The neighbours at `range`, all of them by default.
    #[inline]
    fn packed(self, from: usize, until: usize) -> Packed<'a> {
        let bytes = &self.bytes[self.shape.neighbours_at()..self.shape.neighbours_end()];
        if self.shape.wide {
            Packed::Wide(&cast_slice(bytes)[from..until])
        } else {
            Packed::Narrow(&cast_slice(bytes)[from..until])
        }
    }

    /// The neighbours along a type, or along all, if they are one run of narrow
    /// ones. So are most blocks, of which this looks at no more than it must.
    #[inline]
    pub(crate) fn narrow_run(self, edge_type: Option<EdgeTypeId>) -> Option<&'a [u32]> {
        if self.shape.runs != 1 || self.shape.wide {
            return None;
        }
        let (run, rest) = self.bytes.split_first_chunk::<{ size_of::<Run>() }>()?;
        let ids = rest.get(..self.shape.len as usize * size_of::<u32>())?;
        let run: &Run = bytemuck::from_bytes(run);
        match edge_type {
            Some(edge_type) if edge_type.get() != run.edge_type => Some(&[]),
            _ => Some(cast_slice(ids)),
        }
    }

    /// All neighbours, or those along one type.
    #[inline]
    pub(crate) fn neighbours(self, edge_type: Option<EdgeTypeId>) -> Packed<'a> {
        let bytes = &self.bytes[self.shape.neighbours_at()..self.shape.neighbours_end()];
        match edge_type {
            None if self.shape.wide => Packed::Wide(cast_slice(bytes)),
            None => Packed::Narrow(cast_slice(bytes)),
            Some(edge_type) => {
                let (from, until) = self.run(edge_type);
                self.packed(from, until)
            }
        }
    }

    /// Where the run of `edge_type` starts and ends.
    #[inline]
    pub(crate) fn run(self, edge_type: EdgeTypeId) -> (usize, usize) {
        // Most nodes have edges of one type.
        match self.runs() {
            [run] if run.edge_type == edge_type.get() => (0, self.len()),
            runs => self.find_run(runs, edge_type),
        }
    }

    #[inline(never)]
    fn find_run(self, runs: &[Run], edge_type: EdgeTypeId) -> (usize, usize) {
        let Some(at) = runs.iter().position(|run| run.edge_type == edge_type.get()) else {
            return (0, 0);
        };
        let until = runs.get(at + 1).map_or(self.len(), |run| run.start as usize);
        (runs[at].start as usize, until)
    }

    /// The edges from `from` on, up to `until`.
    pub(crate) fn edges(self, from: usize, until: usize) -> impl Iterator<Item = HalfEdge> + 'a {
        let (runs, ids, neighbours) = (self.runs(), self.ids(), self.packed(0, self.len()));
        let mut run = runs.partition_point(|run| run.start as usize <= from).saturating_sub(1);
        (from..until).map(move |at| {
            if runs.get(run + 1).is_some_and(|next| next.start as usize <= at) {
                run += 1;
            }
            HalfEdge {
                edge_type: EdgeTypeId::new(runs[run].edge_type),
                neighbour: neighbours.get(at),
                id: ids.get(at).copied().unwrap_or(0),
            }
        })
    }

    /// The edges of `edge_type` to `neighbour`: where they start and end.
    pub(crate) fn find(self, edge_type: EdgeTypeId, neighbour: NodeId) -> (usize, usize) {
        let (from, until) = self.run(edge_type);
        let wanted = neighbour.get();
        let (below, equal) = match self.packed(from, until) {
            Packed::Wide(ids) => {
                let below = ids.partition_point(|id| *id < wanted);
                (below, ids[below..].partition_point(|id| *id == wanted))
            }
            Packed::Narrow(ids) => {
                let below = ids.partition_point(|id| u64::from(*id) < wanted);
                (below, ids[below..].partition_point(|id| u64::from(*id) == wanted))
            }
        };
        (from + below, from + below + equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

    fn edges() -> impl Strategy<Value = Vec<HalfEdge>> {
        let wide = prop::bool::weighted(0.2);
        let edge =
            (0..4_u32, 1..50_u64, 0..3_u64, wide).prop_map(|(kind, to, id, wide)| HalfEdge {
                edge_type: EdgeTypeId::new(kind * 7),
                neighbour: NodeId::new(if wide { to << 31 } else { to }),
                id,
            });
        prop::collection::btree_set(edge.prop_map(|e| (e.edge_type, e.neighbour, e.id)), 0..60)
            .prop_map(|set| {
                set.into_iter()
                    .map(|(edge_type, neighbour, id)| HalfEdge { edge_type, neighbour, id })
                    .collect()
            })
    }

    /// Edges out of order, or twice, were taken from a checkpoint whose checksums were
    /// right, and met later, by whoever changed them.
    #[test]
    fn edges_out_of_order_are_no_block() {
        let edge = |kind, to, id| HalfEdge {
            edge_type: EdgeTypeId::new(kind),
            neighbour: NodeId::new(to),
            id,
        };
        for (edges, ids) in [
            (vec![edge(1, 5, 0), edge(1, 9, 0), edge(2, 3, 0), edge(2, 4, 0)], false),
            (vec![edge(1, 5, 0), edge(1, 9 << 40, 0), edge(2, 3, 0)], false),
            (vec![edge(1, 5, 1), edge(1, 5, 2), edge(1, 9, 0)], true),
        ] {
            let shape = Shape::of(&edges);
            let mut words = vec![0_u64; shape.bytes().div_ceil(8)];
            shape.write(&edges, &mut cast_slice_mut(&mut words)[..shape.bytes()]);
            assert!(shape.fits(&cast_slice(&words)[..shape.bytes()]));
            // The first two change places.
            let bytes: &mut [u8] = &mut cast_slice_mut(&mut words)[..shape.bytes()];
            let (at, width) = match (ids, shape.wide) {
                (true, _) => (shape.ids_at(), 8),
                (false, wide) => (shape.neighbours_at(), if wide { 8 } else { 4 }),
            };
            let (first, rest) = bytes[at..].split_at_mut(width);
            first.swap_with_slice(&mut rest[..width]);
            assert!(!shape.fits(bytes), "{edges:?}");
            // The first twice.
            bytes.copy_within(at..at + width, at + width);
            assert!(!shape.fits(bytes), "{edges:?}");
        }
    }

    proptest! {
        #[test]
        fn holds_what_was_written(edges in edges(), from in any::<prop::sample::Index>()) {
            let shape = Shape::of(&edges);
            let mut words = vec![0_u64; shape.bytes().div_ceil(8)];
            let bytes = &mut cast_slice_mut(&mut words)[..shape.bytes()];
            shape.write(&edges, bytes);
            let block = Block::new(shape, bytes);
            let from = from.index(edges.len() + 1);
            prop_assert_eq!(block.edges(from, edges.len()).collect::<Vec<_>>(), &edges[from..]);
            for kind in 0..30 {
                let kind = EdgeTypeId::new(kind);
                let (from, until) = block.run(kind);
                let run: Vec<_> = block.edges(from, until).collect();
                let expected: Vec<_> =
                    edges.iter().copied().filter(|edge| edge.edge_type == kind).collect();
                prop_assert_eq!(&run, &expected);
                prop_assert_eq!(block.neighbours(Some(kind)).len(), expected.len());
            }
            for edge in &edges {
                let (from, until) = block.find(edge.edge_type, edge.neighbour);
                prop_assert_eq!(block.edges(from, until).filter(|e| e == edge).count(), 1);
                let all = |e: HalfEdge| (e.edge_type, e.neighbour) == (edge.edge_type, edge.neighbour);
                prop_assert_eq!(until - from, edges.iter().filter(|e| all(**e)).count());
            }
        }
    }
}
