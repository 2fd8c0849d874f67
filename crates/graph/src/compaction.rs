//! Compaction: laying the edges of all nodes in memory in the order of the nodes.
//!
//! Commits leave versions wherever there was room. A walk over many nodes is
//! faster when what it reads next lies next.
#![expect(unsafe_code, reason = "the engine calls this with the commit lock held")]

use selvedge_mvcc::{Arena, Retired};

use crate::adjacency::copied;
use crate::entity::Direction;
use crate::graph::{Graph, LEAF_IDS};
use crate::writer::GraphWriter;

/// A piece of a compaction: the nodes of one leaf, in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompactionStep {
    into: bool,
    leaf: u64,
}

impl Graph {
    /// The pieces of a compaction, to be done in this order.
    pub fn compaction(&self) -> impl Iterator<Item = CompactionStep> + use<> {
        let leaves = self.node_leaves();
        [false, true]
            .into_iter()
            .flat_map(move |into| (0..leaves).map(move |leaf| CompactionStep { into, leaf }))
    }

    /// Does one piece, into `arena`; gives the number of nodes whose edges were moved.
    ///
    /// # Safety
    /// The caller holds the commit lock, between two commits.
    pub unsafe fn compact(
        &self,
        writer: &mut GraphWriter,
        arena: &mut Arena,
        step: CompactionStep,
    ) -> usize {
        let table = self.adjacency(if step.into { Direction::In } else { Direction::Out });
        let first = step.leaf * LEAF_IDS as u64;
        let mut moved = 0;
        for id in first..first + LEAF_IDS as u64 {
            // SAFETY: the caller's contract.
            let Some(record) = (unsafe { table.slot(id) }) else { break };
            // SAFETY: the caller's contract; settling moves what is retired to
            // the limbo.
            if let Some(old) = unsafe { record.move_newest(|old| copied(old, arena)) } {
                writer.retired.push(Retired::new(old));
                moved += 1;
            }
        }
        moved
    }
}
