//! One edge more, or one less, in a block: most commits change no more at a node.
//!
//! The bytes of the new block are pieces of the old one around the edge. What changes
//! more than that, such as the width of the neighbours or the number of runs, is left to
//! [`merge`](crate::adjacency::merge), which reads and writes every edge.

use bytemuck::{bytes_of, cast_slice};
use smallvec::SmallVec;

use crate::adjacency::Change;
use crate::block::{Block, Run, Shape};

/// Pieces of a block: runs, neighbours before and behind, ids before and behind.
type Pieces<'p> = SmallVec<[&'p [u8]; 8]>;

/// Where the edge of a change goes in, or comes out.
#[derive(Clone, Copy)]
enum Place {
    In(usize),
    Out(usize),
}

/// What `change` makes of `block`, made by `build` of its shape and the pieces of its
/// bytes; `None` if that is not the same block but for one edge.
pub(crate) fn spliced<T>(
    block: Block<'_>,
    change: &Change,
    build: impl FnOnce(Shape, &[&[u8]]) -> T,
) -> Option<T> {
    let (shape, bytes) = block.parts();
    let run = block.runs().iter().position(|run| run.edge_type == change.edge_type.get())?;
    let place = place(block, change)?;
    let width = if shape.is_wide() { 8 } else { 4 };
    let neighbour = change.neighbour.get();
    let (narrow, wide) = ((neighbour as u32).to_ne_bytes(), neighbour.to_ne_bytes());
    let edge: &[u8] = if shape.is_wide() { &wide } else { &narrow };
    // What is before `at` stays, then the edge, then what was behind `rest`.
    let (at, edge, rest, len) = match place {
        Place::In(at) => (at, edge, at, shape.len + 1),
        Place::Out(at) => (at, &[][..], at + 1, shape.len - 1),
    };
    let new_shape = shape.with_len(len);
    let mut runs: SmallVec<[Run; 4]> = SmallVec::from_slice(block.runs());
    runs[run + 1..].iter_mut().for_each(|run| run.start = run.start + len - shape.len);
    let neighbours = &bytes[shape.neighbours_at()..shape.neighbours_end()];
    let id = change.put.unwrap_or(0);
    let mut pieces = Pieces::new();
    pieces.push(cast_slice(&runs));
    pieces.push(&neighbours[..at * width]);
    pieces.push(edge);
    pieces.push(&neighbours[rest * width..]);
    if shape.has_ids() {
        let padding = new_shape.ids_at() - new_shape.neighbours_end();
        let ids = block.ids();
        pieces.push(&[0; 8][..padding]);
        pieces.push(cast_slice(&ids[..at]));
        pieces.push(bytes_of(&id));
        pieces.push(cast_slice(&ids[at..]));
    }
    Some(build(new_shape, &pieces))
}

/// Where the edge of a change is, or belongs; `None` if more than that changes.
fn place(block: Block<'_>, change: &Change) -> Option<Place> {
    let (shape, _) = block.parts();
    let (from, until) = block.find(change.edge_type, change.neighbour);
    match change.put {
        Some(id) => {
            let fits = shape.is_wide() || change.neighbour.get() <= u64::from(u32::MAX);
            if !fits || (id != 0 && !shape.has_ids()) {
                return None;
            }
            if change.identity == 0 {
                // One of a unique type that is there gets another number.
                return (from == until).then_some(Place::In(from));
            }
            let others = block.ids().get(from..until)?;
            let at = others.binary_search(&change.identity).err()?;
            Some(Place::In(from + at))
        }
        None => {
            // Whether the others are wide, or have ids, would have to be looked for.
            let is_plain = !shape.is_wide() && !shape.has_ids() && change.identity == 0;
            let (first, end) = block.run(change.edge_type);
            (is_plain && until - from == 1 && end - first > 1).then_some(Place::Out(from))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adjacency::merge;
    use crate::block::HalfEdge;
    use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};
    use selvedge_base::{EdgeTypeId, NodeId};

    type Parts = (u32, u64, u64);

    /// Edges of unique types without a number, and of a multi type with one; of neighbours
    /// some of which are wide.
    fn edge(wide: f64, multi: f64) -> impl Strategy<Value = Parts> {
        let wide = prop::bool::weighted(wide);
        let multi = prop::bool::weighted(multi);
        (0..2_u32, 1..12_u64, 1..4_u64, wide, multi).prop_map(|(kind, to, id, wide, multi)| {
            let to = if wide { to << 31 } else { to };
            if multi { (7, to, id) } else { (kind, to, 0) }
        })
    }

    fn sets() -> impl Strategy<Value = (Vec<Parts>, Parts, bool)> {
        let kinds = [(0.0, 0.0), (0.0, 0.0), (0.0, 0.4), (0.2, 0.0), (0.3, 0.3)];
        prop::sample::select(kinds.to_vec()).prop_flat_map(|(wide, multi)| {
            let edges = prop::collection::btree_set(edge(wide, multi), 1..30);
            (edges.prop_map(Vec::from_iter), edge(wide, multi), prop::bool::weighted(0.6))
        })
    }

    fn half((kind, to, id): Parts) -> HalfEdge {
        HalfEdge { edge_type: EdgeTypeId::new(kind), neighbour: NodeId::new(to), id }
    }

    fn bytes_of_edges(edges: &[HalfEdge]) -> (Shape, Vec<u64>) {
        let shape = Shape::of(edges);
        let mut words = vec![0; shape.bytes().div_ceil(8)];
        shape.write(edges, &mut bytemuck::cast_slice_mut(&mut words)[..shape.bytes()]);
        (shape, words)
    }

    proptest! {
        #[test]
        fn is_the_block_of_the_merged_edges((edges, at, put) in sets(), again in 0..4_usize) {
            let edges: Vec<_> = edges.into_iter().map(half).collect();
            // Often one that is there.
            let edge = if again == 0 { half(at) } else { edges[at.1 as usize % edges.len()] };
            let HalfEdge { edge_type, neighbour, id } = if put { half(at) } else { edge };
            let change = Change { edge_type, neighbour, identity: id, put: put.then_some(id) };
            let (shape, words) = bytes_of_edges(&edges);
            let block = Block::new(shape, &cast_slice(&words)[..shape.bytes()]);
            let mut merged = Vec::new();
            merge(edges.iter().copied(), &[change], &mut merged);
            let new = spliced(block, &change, |shape, pieces| (shape, pieces.concat()));
            if let Some((new_shape, bytes)) = new {
                let (expected, words) = bytes_of_edges(&merged);
                prop_assert_eq!(new_shape, expected);
                prop_assert_eq!(&bytes[..], &cast_slice::<u64, u8>(&words)[..expected.bytes()]);
            } else {
                let known = edges.iter().any(|edge| edge.edge_type == edge_type);
                let plain = !shape.has_ids() && !shape.is_wide() && !neighbour_is_wide(neighbour);
                let is_in = edges.contains(&HalfEdge { edge_type, neighbour, id });
                let alone = edges.iter().filter(|edge| edge.edge_type == edge_type).count() == 1;
                let changes = if put { !is_in } else { is_in && !alone };
                prop_assert_eq!(known && plain && id == 0 && changes, false, "the common case");
            }
        }
    }

    fn neighbour_is_wide(neighbour: NodeId) -> bool {
        neighbour.get() > u64::from(u32::MAX)
    }
}
