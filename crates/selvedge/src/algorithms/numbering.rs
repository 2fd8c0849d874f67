//! Nodes numbered one after the other, and their edges as rows of numbers: what
//! algorithms over the whole graph work on.

use selvedge_base::NodeId;
use selvedge_base::hash::Map;
use selvedge_base::limits::ALGORITHM_NODES_MAX;

use crate::algorithms::error::AlgorithmError;
use crate::algorithms::selection::{Algorithms, Links};

/// The nodes that take part, in the order of their ids.
pub(crate) struct Numbering {
    ids: Vec<NodeId>,
    numbers: Numbers,
}

/// From ids to numbers.
enum Numbers {
    /// By the distance to the first id; [`ABSENT`] between them.
    Near(u64, Vec<u32>),
    Far(Map<NodeId, u32>),
}

const ABSENT: u32 = u32::MAX;
/// Places of a table for each node that are worth their memory.
const PLACES_PER_NODE: u64 = 8;

impl Numbering {
    pub(crate) fn of(algorithms: &Algorithms<'_>) -> Result<Self, AlgorithmError> {
        let view = algorithms.view;
        let labels = algorithms.labels.clone().unwrap_or_else(|| view.labels());
        let mut ids: Vec<_> = labels.iter().flat_map(|label| view.scan(label)).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > ALGORITHM_NODES_MAX {
            return Err(AlgorithmError::TooManyNodes {
                nodes: ids.len(),
                limit: ALGORITHM_NODES_MAX,
            });
        }
        let numbered = ids.iter().zip(0..);
        let numbers = match (ids.first(), ids.last()) {
            (Some(first), Some(last)) if is_near(first.get(), last.get(), ids.len()) => {
                let first = first.get();
                let mut table = vec![ABSENT; (last.get() - first + 1) as usize];
                numbered.for_each(|(id, number)| table[(id.get() - first) as usize] = number);
                Numbers::Near(first, table)
            }
            _ => Numbers::Far(numbered.map(|(id, number)| (*id, number)).collect()),
        };
        Ok(Self { ids, numbers })
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn ids(&self) -> &[NodeId] {
        &self.ids
    }

    pub(crate) fn into_ids(self) -> Vec<NodeId> {
        self.ids
    }

    /// The number of a node, if it takes part.
    #[inline]
    pub(crate) fn number(&self, id: NodeId) -> Option<u32> {
        match &self.numbers {
            Numbers::Near(first, table) => {
                let place = id.get().wrapping_sub(*first) as usize;
                table.get(place).copied().filter(|number| *number != ABSENT)
            }
            Numbers::Far(numbers) => numbers.get(&id).copied(),
        }
    }

    /// The neighbours of all nodes, by number.
    pub(crate) fn rows(&self, links: &Links<'_>) -> Rows {
        let mut ends = vec![0_usize; self.len()];
        let mut count = |node| {
            if let Some(number) = self.number(node) {
                ends[number as usize] += 1;
            }
        };
        links.visit(&self.ids, |node, _| count(node));
        let mut sum = 0;
        for end in &mut ends {
            // For now where the row begins: filling it makes that its end.
            sum += std::mem::replace(end, sum);
        }
        let mut neighbours = vec![0; sum];
        links.visit(&self.ids, |node, neighbour| {
            let (Some(row), Some(number)) = (self.number(node), self.number(neighbour)) else {
                return;
            };
            let end = &mut ends[row as usize];
            neighbours[*end] = number;
            *end += 1;
        });
        Rows { ends, neighbours }
    }
}

fn is_near(first: u64, last: u64, count: usize) -> bool {
    last - first < (count as u64).saturating_mul(PLACES_PER_NODE).saturating_add(1024)
}

/// Neighbours by number, node after node.
pub(crate) struct Rows {
    ends: Vec<usize>,
    neighbours: Vec<u32>,
}

impl Rows {
    #[inline]
    pub(crate) fn row(&self, node: usize) -> &[u32] {
        let start = if node == 0 { 0 } else { self.ends[node - 1] };
        &self.neighbours[start..self.ends[node]]
    }

    /// All neighbours of all nodes.
    pub(crate) fn all(&self) -> &[u32] {
        &self.neighbours
    }
}
