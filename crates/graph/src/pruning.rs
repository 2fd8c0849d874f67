//! The graph's part in commits and pruning: the [`Participant`].
#![expect(unsafe_code, reason = "the engine calls this with the commit lock held")]

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::Ordering;
use selvedge_engine::{Participant, Settling};
use selvedge_mvcc::{Record, Table};

use crate::catalog::MEMBERS_PER_WORD;
use crate::error::GraphRefusal;
use crate::graph::{Graph, GraphRecord, NodeRead};
use crate::install::Installation;
use crate::validation::Validation;
use crate::writer::{DeadLeaf, GraphWriter};
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
        if let Err(refusal) = &refused {
            let counter = match refusal {
                GraphRefusal::Conflict(conflict) => &self.conflicts[conflict.kind.index()],
                GraphRefusal::CheckFailed { .. } => &self.checks_failed,
            };
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
        // SAFETY: the caller's contract.
        unsafe { self.prune_record(writer, record, record, settling) };
    }

    fn owes(writer: &GraphWriter) -> bool {
        writer.remembers_edges()
    }

    unsafe fn settle(&self, writer: &mut GraphWriter, settling: &mut Settling<'_, GraphRecord>) {
        // SAFETY: the caller's contract.
        unsafe { self.settle_writer(writer, settling) };
    }
}

impl Graph {
    /// Prunes one record, for a participant that the graph is a part of, and
    /// that calls the record `named` in its engine.
    ///
    /// # Safety
    /// As [`Participant::prune`].
    pub unsafe fn prune_record<R: Copy>(
        &self,
        writer: &mut GraphWriter,
        record: GraphRecord,
        named: R,
        settling: &mut Settling<'_, R>,
    ) {
        // SAFETY: the caller's contract, here and below: the lock is held.
        unsafe {
            match record {
                GraphRecord::Node(id) => self.prune_node(id.get(), named, writer, settling),
                GraphRecord::Out(id) => {
                    if prune_slot(&self.out, id.get(), named, settling) {
                        writer.note_dead_leaf(DeadLeaf::Out(id.get()));
                    }
                }
                GraphRecord::In(id) => {
                    if prune_slot(&self.into, id.get(), named, settling) {
                        writer.note_dead_leaf(DeadLeaf::In(id.get()));
                    }
                }
                GraphRecord::Edge(number) => {
                    if prune_slot(&self.edges, number, named, settling) {
                        writer.note_dead_leaf(DeadLeaf::Edges(number));
                    }
                }
                GraphRecord::LabelCount(id) => {
                    if let Some(label) = self.labels.current().by_number(id.get()) {
                        settling.prune(named, &label.count);
                    }
                }
                GraphRecord::EdgeTypeCount(id) => {
                    if let Some(kind) = self.edge_types.current().by_number(id.get()) {
                        settling.prune(named, &kind.count);
                    }
                }
            }
        }
    }

    /// Forgets what only ended transactions needed, for a participant that the
    /// graph is a part of.
    ///
    /// # Safety
    /// As [`Participant::settle`].
    pub unsafe fn settle_writer<R: Copy>(
        &self,
        writer: &mut GraphWriter,
        settling: &mut Settling<'_, R>,
    ) {
        writer.settle(settling.visible(), settling.active());
        // SAFETY: the caller's contract.
        unsafe { self.unlink_dead_leaves(writer) };
        while let Some(retired) = writer.retired.pop() {
            settling.retire(retired);
        }
    }
}

/// Prunes the record of `id`; true if it is empty now.
///
/// # Safety
/// The commit lock is held.
unsafe fn prune_slot<H: Send + Sync + 'static, R: Copy, const LEAF: usize>(
    table: &Table<Record<H>, LEAF>,
    id: u64,
    named: R,
    settling: &mut Settling<'_, R>,
) -> bool {
    // SAFETY: the caller's contract.
    unsafe {
        let Some(record) = table.slot(id) else { return false };
        if record.stamp().is_empty() || !settling.prune(named, record) {
            return false;
        }
        table.count_live(id, -1);
        true
    }
}

impl Graph {
    /// Prunes a node; one that is gone for good leaves its label and its key.
    ///
    /// # Safety
    /// The commit lock is held.
    unsafe fn prune_node<R: Copy>(
        &self,
        id: u64,
        named: R,
        writer: &mut GraphWriter,
        settling: &mut Settling<'_, R>,
    ) {
        // SAFETY: the caller's contract, here and below. The newest version is
        // at most retired by the pruning, and the settling is pinned.
        unsafe {
            let Some(newest) = self.nodes.slot(id).and_then(|record| record.newest()) else {
                return;
            };
            if !prune_slot(&self.nodes, id, named, settling) {
                return;
            }
            writer.note_dead_leaf(DeadLeaf::Nodes(id));
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
                writer.note_dead_leaf(DeadLeaf::Members(label.id, id));
            }
        }
    }

    /// Unlinks leaves without a record in use, but for those that still get new
    /// identifiers: they wait until they are full.
    ///
    /// # Safety
    /// The commit lock is held.
    unsafe fn unlink_dead_leaves(&self, writer: &mut GraphWriter) {
        let GraphWriter { dead_leaves, retired, .. } = writer;
        if dead_leaves.is_empty() {
            return;
        }
        dead_leaves.retain(|leaf| {
            let waits = match *leaf {
                DeadLeaf::Edges(number) => self.gets_new_edges(number),
                DeadLeaf::Nodes(id)
                | DeadLeaf::Out(id)
                | DeadLeaf::In(id)
                | DeadLeaf::Members(_, id) => self.gets_new_nodes(id),
            };
            if !waits {
                // SAFETY: the caller's contract; what is unlinked goes to the
                // limbo with the rest of what is retired.
                retired.extend(unsafe {
                    match *leaf {
                        DeadLeaf::Nodes(id) => self.nodes.unlink_dead_leaf(id),
                        DeadLeaf::Out(id) => self.out.unlink_dead_leaf(id),
                        DeadLeaf::In(id) => self.into.unlink_dead_leaf(id),
                        DeadLeaf::Edges(number) => self.edges.unlink_dead_leaf(number),
                        DeadLeaf::Members(label, id) => {
                            let label = self.labels.current().by_number(label.get());
                            let word = id / MEMBERS_PER_WORD;
                            label.and_then(|label| label.members.unlink_dead_leaf(word))
                        }
                    }
                });
            }
            waits
        });
    }
}
