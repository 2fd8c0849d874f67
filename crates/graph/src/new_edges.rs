//! New edges of one type that come together and have no documents: sorted once, by
//! either end, instead of staged one by one.

use selvedge_base::{EdgeId, EdgeTypeId, NodeId};

use crate::entity::Edge;
use crate::places::Places;

/// The other end of an edge, and the edge's number, 0 if its type is unique.
pub(crate) type Half = (NodeId, u64);

/// Edges as seen from one of their ends: by node, and of each node by the other end.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    halves: Vec<Half>,
    /// Each node, and where its own end.
    nodes: Vec<(NodeId, usize)>,
}

impl Halves {
    fn sorted(len: usize, halves: impl Iterator<Item = (NodeId, Half)> + Clone) -> Self {
        let mut sorted = Self::default();
        if let Some(places) = Places::of(len, halves.clone().map(|(node, _)| node)) {
            let Self { halves: all, nodes } = &mut sorted;
            places.fill(0, all, halves, |node, from, halves| {
                halves.sort_unstable();
                nodes.push((node, from + halves.len()));
            });
            return sorted;
        }
        let mut all: Vec<_> = halves.collect();
        all.sort_unstable();
        all.into_iter().for_each(|(node, half)| sorted.push(node, half));
        sorted
    }

    /// Adds one behind all others.
    fn push(&mut self, node: NodeId, half: Half) {
        self.halves.push(half);
        match self.nodes.last_mut() {
            Some((last, until)) if *last == node => *until = self.halves.len(),
            _ => self.nodes.push((node, self.halves.len())),
        }
    }

    /// Each of equal ones once.
    fn deduplicated(self) -> Self {
        let is_repeated = |halves: &[Half]| halves.windows(2).any(|pair| pair[0] == pair[1]);
        if !self.each().any(|(_, halves)| is_repeated(halves)) {
            return self;
        }
        let mut kept = Self::default();
        for (node, halves) in self.each() {
            halves.chunk_by(PartialEq::eq).for_each(|same| kept.push(node, same[0]));
        }
        kept
    }

    /// The nodes with their edges, all sorted.
    pub(crate) fn each(&self) -> impl Iterator<Item = (NodeId, &[Half])> + Clone {
        let starts = std::iter::once(0).chain(self.nodes.iter().map(|(_, until)| *until));
        self.nodes
            .iter()
            .zip(starts)
            .map(|((node, until), from)| (*node, &self.halves[from..*until]))
    }
}

/// New edges of one type, without documents.
#[derive(Debug)]
pub(crate) struct NewEdges {
    edge_type: EdgeTypeId,
    outgoing: Halves,
    incoming: Halves,
}

impl NewEdges {
    /// So many edges from source to target with these numbers, which are 0 for a unique
    /// type: then each once, however often it comes.
    pub(crate) fn new(
        edge_type: EdgeTypeId,
        len: usize,
        edges: impl Iterator<Item = (NodeId, NodeId, u64)> + Clone,
    ) -> Self {
        let outgoing = edges.map(|(source, target, number)| (source, (target, number)));
        let outgoing = Halves::sorted(len, outgoing).deduplicated();
        let incoming = outgoing.each().flat_map(|(source, halves)| {
            halves.iter().map(move |(target, number)| (*target, (source, *number)))
        });
        let incoming = Halves::sorted(len, incoming);
        Self { edge_type, outgoing, incoming }
    }

    pub(crate) fn edge_type(&self) -> EdgeTypeId {
        self.edge_type
    }

    pub(crate) fn len(&self) -> usize {
        self.outgoing.halves.len()
    }

    /// As seen from their sources.
    pub(crate) fn outgoing(&self) -> &Halves {
        &self.outgoing
    }

    /// As seen from their targets.
    pub(crate) fn incoming(&self) -> &Halves {
        &self.incoming
    }

    /// The edges, by source.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Edge> {
        let edge_type = self.edge_type;
        self.outgoing.each().flat_map(move |(source, halves)| {
            halves.iter().map(move |(target, number)| Edge {
                source,
                edge_type,
                target: *target,
                id: (*number != 0).then(|| EdgeId::new(*number)),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    proptest! {
        /// From both ends, and whether nodes lie close together or far apart.
        #[test]
        fn all_are_there_from_both_ends(
            ends in prop::collection::vec((0..20_u64, 0..20_u64), 0..80),
            (first, step) in prop::sample::select(vec![(1_u64, 1_u64), (1 << 40, 1 << 20)]),
            is_multi in any::<bool>(),
        ) {
            let node = |at: u64| NodeId::new(first + at * step);
            let numbers = (1..).map(|number| if is_multi { number } else { 0 });
            let edges: Vec<_> = ends
                .iter()
                .zip(numbers)
                .map(|((source, target), number)| (node(*source), node(*target), number))
                .collect();
            let new = NewEdges::new(EdgeTypeId::new(7), edges.len(), edges.iter().copied());
            let out: BTreeSet<_> = edges.iter().copied().collect();
            prop_assert_eq!(new.len(), out.len());
            let found = |halves: &Halves| -> Vec<_> {
                let each = halves.each().flat_map(|(node, halves)| {
                    halves.iter().map(move |(other, number)| (node, *other, *number))
                });
                each.collect()
            };
            prop_assert_eq!(found(new.outgoing()), Vec::from_iter(out.iter().copied()));
            let into: BTreeSet<_> = out.iter().map(|(s, t, number)| (*t, *s, *number)).collect();
            prop_assert_eq!(found(new.incoming()), Vec::from_iter(into));
            let listed = new.iter().map(|edge| {
                (edge.source, edge.target, edge.id.map_or(0, EdgeId::get))
            });
            prop_assert_eq!(Vec::from_iter(listed), Vec::from_iter(out));
        }
    }
}
