//! Sets of nodes as bits, in pages: ids are given out one after the other, so
//! those of a graph lie close together.

use selvedge_base::NodeId;
use selvedge_base::hash::Map;

/// Ids in a page: 4 KiB.
const PAGE_IDS: u64 = 1 << 15;
const WORD_BITS: u64 = u64::BITS as u64;
type Page = [u64; (PAGE_IDS / WORD_BITS) as usize];
/// Pages that are found by their number alone: ids up to 2^35.
const NEAR_PAGES: u64 = 1 << 20;

/// A set of nodes.
#[derive(Default)]
pub(crate) struct NodeSet {
    near: Vec<Option<Box<Page>>>,
    far: Map<u64, Box<Page>>,
}

impl NodeSet {
    fn page(&self, number: u64) -> Option<&Page> {
        if number >= NEAR_PAGES {
            return self.far.get(&number).map(|page| &**page);
        }
        self.near.get(number as usize)?.as_deref()
    }

    /// Adds a node; whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, node: NodeId) -> bool {
        let (number, bit) = (node.get() / PAGE_IDS, node.get() % PAGE_IDS);
        let page = match self.near.get_mut(number as usize) {
            Some(Some(page)) => page,
            _ => self.new_page(number),
        };
        let word = &mut page[(bit / WORD_BITS) as usize];
        let mask = 1 << (bit % WORD_BITS);
        let is_new = *word & mask == 0;
        *word |= mask;
        is_new
    }

    #[cold]
    fn new_page(&mut self, number: u64) -> &mut Box<Page> {
        let empty = || Box::new([0; (PAGE_IDS / WORD_BITS) as usize]);
        if number >= NEAR_PAGES {
            return self.far.entry(number).or_insert_with(empty);
        }
        let at = number as usize;
        if self.near.len() <= at {
            self.near.resize_with(at + 1, || None);
        }
        self.near[at].get_or_insert_with(empty)
    }

    #[inline]
    pub(crate) fn contains(&self, node: NodeId) -> bool {
        let (number, bit) = (node.get() / PAGE_IDS, node.get() % PAGE_IDS);
        let word = |page: &Page| page[(bit / WORD_BITS) as usize];
        self.page(number).is_some_and(|page| word(page) >> (bit % WORD_BITS) & 1 == 1)
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::default();
        for node in nodes {
            set.insert(node);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in() {
        let ids = [0, 1, 63, 64, PAGE_IDS - 1, PAGE_IDS, 1 << 34, 1 << 35, (1 << 46) - 1];
        let mut set = NodeSet::default();
        for id in ids.map(NodeId::new) {
            assert!(!set.contains(id) && set.insert(id) && set.contains(id) && !set.insert(id));
        }
        for id in ids {
            assert!(!set.contains(NodeId::new(id + 2)), "{id}");
        }
    }
}
