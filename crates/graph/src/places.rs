//! Items put in order by the node that each belongs to, by counting: in two passes over
//! them, however many there are.

use selvedge_base::NodeId;

/// Items from which on they are put in order by counting, not by comparing.
pub(crate) const COUNTED_MIN: usize = if cfg!(test) { 16 } else { 4096 };
/// Counting takes room for every id between the least and the greatest: at most so many
/// for each item.
const COUNTED_IDS_PER_ITEM: u64 = 4;

/// How many items each node has, of nodes whose ids lie close together.
pub(crate) struct Places {
    first: NodeId,
    counts: Vec<u32>,
}

impl Places {
    /// Of so many items at most; `None` if they are few, or lie far apart.
    pub(crate) fn of(most: usize, nodes: impl Iterator<Item = NodeId> + Clone) -> Option<Self> {
        if most < COUNTED_MIN {
            return None;
        }
        let start = nodes.clone().next()?;
        let (first, last, len) = nodes.clone().fold((start, start, 0), |(first, last, len), id| {
            (id.min(first), id.max(last), len + 1)
        });
        let ids = last.get() - first.get();
        if ids >= COUNTED_IDS_PER_ITEM * len {
            return None;
        }
        let mut counts = vec![0; ids as usize + 1];
        nodes.for_each(|node| counts[(node.get() - first.get()) as usize] += 1);
        Some(Self { first, counts })
    }

    /// Puts items behind the first `start`, those of one node beside each other and in
    /// the order in which they come, and calls `end` for each node with them and where
    /// they begin.
    pub(crate) fn fill<T: Copy>(
        self,
        start: usize,
        items: &mut Vec<T>,
        new: impl Iterator<Item = (NodeId, T)> + Clone,
        mut end: impl FnMut(NodeId, usize, &mut [T]),
    ) {
        let Self { first, counts } = self;
        let mut next = Vec::with_capacity(counts.len());
        let mut until = start;
        for count in &counts {
            next.push(until);
            until += *count as usize;
        }
        // Every place gets its item below.
        let Some((_, any)) = new.clone().next() else { return };
        items.resize(until, any);
        for (node, item) in new {
            let next = &mut next[(node.get() - first.get()) as usize];
            items[*next] = item;
            *next += 1;
        }
        let filled = counts.iter().zip(next).enumerate().filter(|(_, (count, _))| **count > 0);
        for (at, (count, until)) in filled {
            let from = until - *count as usize;
            end(NodeId::new(first.get() + at as u64), from, &mut items[from..until]);
        }
    }
}
