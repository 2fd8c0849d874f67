//! Which leaves of which tables changed since the last checkpoint.

use selvedge_base::hash::Set;
use selvedge_storage::BlockKey;

/// A table of the graph, as checkpoints number it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum GraphTable {
    /// Names and counts; leaf 0 has the labels, leaf 1 the edge types.
    Catalog = 0,
    Nodes = 1,
    Edges = 2,
    Out = 3,
    In = 4,
}

/// Tables that have leaves of identifiers.
pub(crate) const LEAFY: [GraphTable; 4] =
    [GraphTable::Nodes, GraphTable::Edges, GraphTable::Out, GraphTable::In];

impl GraphTable {
    pub(crate) fn key(self, leaf: u64) -> BlockKey {
        BlockKey { table: self as u8, leaf }
    }

    pub(crate) fn numbered(number: u8) -> Option<Self> {
        [Self::Catalog].into_iter().chain(LEAFY).find(|table| *table as u8 == number)
    }
}

/// Leaves that a checkpoint has to write.
#[derive(Debug, Default)]
pub struct GraphChanges {
    leaves: [Set<u64>; LEAFY.len()],
    /// The leaf noted last in each table: most changes come close together.
    last: [Option<u64>; LEAFY.len()],
}

impl GraphChanges {
    #[inline]
    pub(crate) fn add(&mut self, table: GraphTable, leaf: u64) {
        let Some(at) = (table as usize).checked_sub(1) else { return };
        if self.last[at] != Some(leaf) {
            self.last[at] = Some(leaf);
            self.leaves[at].insert(leaf);
        }
    }

    /// Adds the leaf of a block.
    pub fn add_block(&mut self, key: BlockKey) {
        if let Some(table) = GraphTable::numbered(key.table) {
            self.add(table, key.leaf);
        }
    }

    /// Adds what others changed.
    pub fn merge(&mut self, other: Self) {
        for (leaves, more) in self.leaves.iter_mut().zip(other.leaves) {
            leaves.extend(more);
        }
    }

    /// The leaves of a table, in order.
    pub(crate) fn of(&self, table: GraphTable) -> Vec<u64> {
        let Some(at) = (table as usize).checked_sub(1) else { return Vec::new() };
        let mut leaves: Vec<u64> = self.leaves[at].iter().copied().collect();
        leaves.sort_unstable();
        leaves
    }
}
