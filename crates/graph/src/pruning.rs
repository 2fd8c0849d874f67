//! The graph's part in commits and pruning: the [`Participant`].
#![expect(unsafe_code, reason = "the engine calls this with the commit lock held")]

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_engine::{Participant, Settling};
use selvedge_mvcc::{Record, Table};

use crate::catalog::MEMBERS_PER_WORD;
use crate::error::GraphRefusal;
use crate::graph::{Graph, GraphRecord, NodeRead};
use crate::install::Installation;
use crate::validation::Validation;
use crate::writer::GraphWriter;
use crate::writes::GraphWrites;

impl Participant for Graph {
    type Writer = GraphWriter;
    type Writes = GraphWrites;
    type Record = GraphRecord;
    type Refusal = GraphRefusal;

    fn prepare(&self, writes: &mut GraphWrites) {
        writes.prepare();
    }

    fn validate(
        &self,
        writer: &mut GraphWriter,
        writes: &mut GraphWrites,
        start: Timestamp,
    ) -> Result<(), GraphRefusal> {
        // SAFETY: `writer` is the proof of holding the commit lock.
        let refused = unsafe { Validation::new(self, writer, writes, start) }.run();
        if let Err(GraphRefusal::Conflict(conflict)) = &refused {
            let counter = &self.conflicts[conflict.kind.index()];
            // Written under the commit lock alone.
            counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        refused
    }

    unsafe fn install(
        &self,
        writer: &mut GraphWriter,
        writes: &mut GraphWrites,
        commit: Timestamp,
        superseded: &mut Vec<GraphRecord>,
    ) {
        // SAFETY: the caller's contract.
        unsafe { Installation::new(self, writer, commit, superseded) }.run(writes);
    }

    unsafe fn prune(
        &self,
        writer: &mut GraphWriter,
        record: GraphRecord,
        settling: &mut Settling<'_, GraphRecord>,
    ) {
        // SAFETY: the caller's contract, here and below: the lock is held.
        unsafe {
            match record {
                GraphRecord::Node(id) => self.prune_node(id.get(), record, writer, settling),
                GraphRecord::Out(id) => {
                    prune_slot(&self.out, id.get(), self.next_node(), record, settling);
                }
                GraphRecord::In(id) => {
                    prune_slot(&self.into, id.get(), self.next_node(), record, settling);
                }
                GraphRecord::Edge(number) => {
                    prune_slot(&self.edges, number, self.next_edge(), record, settling);
                }
                GraphRecord::LabelCount(id) => {
                    if let Some(label) = self.labels.current().by_number(id.get()) {
                        settling.prune(record, &label.count);
                    }
                }
                GraphRecord::EdgeTypeCount(id) => {
                    if let Some(kind) = self.edge_types.current().by_number(id.get()) {
                        settling.prune(record, &kind.count);
                    }
                }
            }
        }
    }

    unsafe fn settle(&self, writer: &mut GraphWriter, settling: &mut Settling<'_, GraphRecord>) {
        writer.settle(settling.visible(), settling.active());
        for retired in writer.retired.drain(..) {
            settling.retire(retired);
        }
    }
}

/// Prunes the record of `id`, and its leaf if that was the last one in use;
/// true if the record is empty now.
///
/// # Safety
/// The commit lock is held.
unsafe fn prune_slot<H: Send + Sync + 'static, const LEAF_BITS: u32>(
    table: &Table<Record<H>, LEAF_BITS>,
    id: u64,
    next: &AtomicU64,
    name: GraphRecord,
    settling: &mut Settling<'_, GraphRecord>,
) -> bool {
    // SAFETY: the caller's contract.
    unsafe {
        let Some(record) = table.slot(id) else { return false };
        if record.stamp().is_empty() || !settling.prune(name, record) {
            return false;
        }
        table.count_live(id, -1);
        // A leaf that will get new records soon is not worth freeing.
        if !Graph::is_near_newest(next, id) {
            table.unlink_dead_leaf(id).into_iter().for_each(|leaf| settling.retire(leaf));
        }
        true
    }
}

impl Graph {
    /// Prunes a node; one that is gone for good leaves its label and its key.
    ///
    /// # Safety
    /// The commit lock is held.
    unsafe fn prune_node(
        &self,
        id: u64,
        name: GraphRecord,
        writer: &mut GraphWriter,
        settling: &mut Settling<'_, GraphRecord>,
    ) {
        // SAFETY: the caller's contract, here and below. The newest version is
        // at most retired by the pruning, and the settling is pinned.
        unsafe {
            let Some(newest) = self.nodes.slot(id).and_then(|record| record.newest()) else {
                return;
            };
            if !prune_slot(&self.nodes, id, self.next_node(), name, settling) {
                return;
            }
            let label = newest.header().label;
            if let Some(key) = newest.key_bytes() {
                let (_, old) = self.keys.remove(self.hash_key(label, key), id);
                writer.retired.extend(old.map(selvedge_mvcc::Retired::new));
            }
            let Some(label) = self.labels.current().by_number(label.get()) else { return };
            let word = id / MEMBERS_PER_WORD;
            if let Some(members) = label.members.slot(word) {
                members.fetch_and(!(1 << (id % MEMBERS_PER_WORD)), Ordering::Release);
                label.members.count_live(word, -1);
                if !Self::is_near_newest(self.next_node(), id) {
                    let leaf = label.members.unlink_dead_leaf(word);
                    leaf.into_iter().for_each(|leaf| settling.retire(leaf));
                }
            }
        }
    }
}
