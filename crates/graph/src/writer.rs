//! What only the holder of the commit lock touches: which edges changed lately.
//!
//! Adjacency carries no timestamps per edge, so first-committer-wins for edges
//! rests on this: an edge that a commit writes is remembered with the commit's
//! timestamp for as long as a transaction is open that began before.

use std::collections::VecDeque;

use selvedge_base::hash::{Map, Set};
use selvedge_base::{LabelId, Timestamp};
use selvedge_mvcc::{ActiveStarts, Retired};

use crate::block::HalfEdge;
use crate::changes::GraphChanges;
use crate::entity::Edge;
use crate::graph::{LEAF_IDS, leaf_of};
use crate::new_edges::NewEdges;

/// A leaf of a table that was seen without a record in use, named by one of its
/// identifiers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum DeadLeaf {
    Nodes(u64),
    Out(u64),
    In(u64),
    Edges(u64),
    Members(LabelId, u64),
}

impl DeadLeaf {
    /// The same leaf, named by its first identifier.
    fn by_first_id(self) -> Self {
        let first = |id| leaf_of(id) * LEAF_IDS as u64;
        match self {
            Self::Nodes(id) => Self::Nodes(first(id)),
            Self::Out(id) => Self::Out(first(id)),
            Self::In(id) => Self::In(first(id)),
            Self::Edges(number) => Self::Edges(first(number)),
            Self::Members(label, id) => Self::Members(label, first(id)),
        }
    }
}

/// State behind the commit lock.
#[derive(Debug, Default)]
pub struct GraphWriter {
    recent: Map<Edge, Timestamp>,
    /// The same by age, to forget them.
    by_age: VecDeque<(Timestamp, Edge)>,
    /// Written by the commit under way.
    written: Vec<Edge>,
    written_together: Option<Box<NewEdges>>,
    /// Leaves that may be dead, by a record in them.
    pub(crate) dead_leaves: Set<DeadLeaf>,
    /// Unlinked structure on its way to the limbo.
    pub(crate) retired: Vec<Retired>,
    pub(crate) scratch: Vec<HalfEdge>,
    /// What changed since the last checkpoint, if there are checkpoints.
    pub(crate) changes: Option<Box<GraphChanges>>,
}

/// Entries forgotten in one go.
const FORGOTTEN_PER_SETTLING: usize = 4096;

impl GraphWriter {
    /// When an edge was last written, if that is recent enough to matter.
    pub(crate) fn last_written(&self, edge: &Edge) -> Option<Timestamp> {
        if self.recent.is_empty() { None } else { self.recent.get(edge).copied() }
    }

    pub(crate) fn note_written(&mut self, edge: Edge) {
        self.written.push(edge);
    }

    /// The same of edges that came together.
    pub(crate) fn note_written_together(&mut self, edges: Box<NewEdges>) {
        self.written_together = Some(edges);
    }

    /// Notes that a record ended, so that its leaf may be dead now; leaves are
    /// noted once.
    pub(crate) fn note_dead_leaf(&mut self, leaf: DeadLeaf) {
        self.dead_leaves.insert(leaf.by_first_id());
    }

    /// Remembers what the commit at `visible` wrote, if a transaction is open
    /// that began before, and forgets what no open transaction can conflict
    /// with.
    #[inline]
    pub(crate) fn settle(&mut self, visible: Timestamp, active: &ActiveStarts) {
        let is_written = !self.written.is_empty() || self.written_together.is_some();
        if is_written || self.remembers_edges() {
            self.settle_edges(visible, active);
        }
    }

    fn settle_edges(&mut self, visible: Timestamp, active: &ActiveStarts) {
        let together = self.written_together.take();
        if active.before(visible).is_some() {
            let together = together.iter().flat_map(|edges| edges.iter());
            for edge in self.written.drain(..).chain(together) {
                // One entry for each edge, however often it is written.
                if self.recent.insert(edge, visible).is_none() {
                    self.by_age.push_back((visible, edge));
                }
            }
        } else {
            self.written.clear();
        }
        for _ in 0..FORGOTTEN_PER_SETTLING {
            let Some((written, edge)) = self.by_age.front().copied() else { break };
            if active.before(written).is_some() {
                break;
            }
            self.by_age.pop_front();
            match self.recent.get(&edge) {
                // Written again since: it waits once more.
                Some(last) if active.before(*last).is_some() => {
                    self.by_age.push_back((*last, edge));
                }
                _ => {
                    self.recent.remove(&edge);
                }
            }
        }
        if self.by_age.is_empty() && self.recent.capacity() > FORGOTTEN_PER_SETTLING {
            (self.recent, self.by_age) = (Map::default(), VecDeque::new());
        }
        if self.written.capacity() > FORGOTTEN_PER_SETTLING {
            self.written = Vec::new();
        }
    }

    /// Whether edges are still remembered.
    #[must_use]
    pub fn remembers_edges(&self) -> bool {
        !self.by_age.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvedge_base::{EdgeTypeId, NodeId};

    /// Each write once made an entry, for as long as any older snapshot was open.
    #[test]
    fn an_edge_is_remembered_once_and_until_nobody_older_is_left() {
        let edge = Edge {
            source: NodeId::new(1),
            edge_type: EdgeTypeId::new(0),
            target: NodeId::new(2),
            id: None,
        };
        let ts = Timestamp::new;
        let mut writer = GraphWriter::default();
        let old: ActiveStarts = [ts(1)].into_iter().collect();
        for commit in 2..50 {
            writer.note_written(edge);
            writer.settle(ts(commit), &old);
        }
        assert_eq!((writer.by_age.len(), writer.last_written(&edge)), (1, Some(ts(49))));
        let newer: ActiveStarts = [ts(20)].into_iter().collect();
        writer.settle(ts(49), &newer);
        assert_eq!(
            writer.last_written(&edge),
            Some(ts(49)),
            "somebody began before its last write"
        );
        writer.settle(ts(49), &[ts(49)].into_iter().collect());
        assert!(!writer.remembers_edges());
        assert_eq!(writer.last_written(&edge), None);
    }

    #[test]
    fn what_a_large_commit_took_is_given_back_when_it_is_forgotten() {
        let edge = |number: u64| Edge {
            source: NodeId::new(number),
            edge_type: EdgeTypeId::new(0),
            target: NodeId::new(1),
            id: None,
        };
        let mut writer = GraphWriter::default();
        (0..3 * FORGOTTEN_PER_SETTLING as u64).for_each(|n| writer.note_written(edge(n)));
        let commit = Timestamp::new(2);
        writer.settle(commit, &[Timestamp::new(1)].into_iter().collect());
        assert!(writer.written.capacity() <= FORGOTTEN_PER_SETTLING, "a list for one commit");
        assert_eq!(writer.by_age.len(), 3 * FORGOTTEN_PER_SETTLING);
        for left in (0..3).rev() {
            assert!(writer.remembers_edges());
            writer.settle(commit, &ActiveStarts::new());
            assert_eq!(writer.by_age.len(), left * FORGOTTEN_PER_SETTLING, "some at a time");
        }
        assert!(writer.recent.capacity() <= FORGOTTEN_PER_SETTLING);
    }
}
