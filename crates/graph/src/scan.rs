//! Scanning the nodes with a label, in the order of their ids.

use selvedge_base::NodeId;
use selvedge_base::sync::atomic::Ordering;

use crate::catalog::{Label, MEMBERS_PER_WORD};
use crate::view::GraphView;
use crate::writes::NodeChange;

/// The nodes with a label, as [`GraphView::scan`] found them: those of the
/// snapshot in the order of their ids, then those that this transaction
/// inserted.
#[derive(Debug)]
pub struct LabelScan<'a> {
    view: GraphView<'a>,
    label: Option<&'a Label>,
    /// The word under way: its number, and the bits still to visit.
    word: u64,
    bits: u64,
    own: std::vec::IntoIter<NodeId>,
}

impl<'a> GraphView<'a> {
    /// The nodes with a label; none if there is no such label.
    #[must_use]
    pub fn scan(&self, label: &str) -> LabelScan<'a> {
        let label = self.label(label).map(|label| &**label);
        if let Some(label) = label {
            self.track(|reads| {
                reads.labels.insert(label.id);
            });
        }
        let own: Vec<_> = match (self.writes, label) {
            (Some(writes), Some(label)) => writes
                .nodes
                .iter()
                .filter(|(_, write)| write.change == NodeChange::Insert && write.label == label.id)
                .map(|(id, _)| *id)
                .collect(),
            _ => Vec::new(),
        };
        let mut scan = LabelScan { view: *self, label, word: 0, bits: 0, own: own.into_iter() };
        scan.load(0);
        scan
    }
}

impl LabelScan<'_> {
    /// Whether the ids that are still to come ascend, as they do unless this
    /// transaction inserted some.
    #[must_use]
    pub fn is_ascending(&self) -> bool {
        self.own.as_slice().is_empty()
    }

    /// Goes on behind this id, without visiting those before it: for a scan that
    /// has just begun and [ascends](Self::is_ascending).
    #[must_use]
    pub fn after(mut self, id: NodeId) -> Self {
        let Some(next) = id.get().checked_add(1) else {
            return Self { label: None, ..self };
        };
        let word = next / MEMBERS_PER_WORD;
        self.load(word);
        if self.word == word {
            self.bits &= u64::MAX << (next % MEMBERS_PER_WORD);
        }
        self
    }

    /// Loads the first word at or after `word` that has members.
    fn load(&mut self, mut word: u64) {
        let Some(label) = self.label else { return };
        while let Some(present) = label.members.next_present(word, self.view.at) {
            word = present;
            // Members are set before the commit is published, and cleared when
            // no snapshot sees them: what this snapshot sees is set.
            let bits = label.members.get(word, self.view.at);
            self.bits = bits.map_or(0, |bits| bits.load(Ordering::Acquire));
            self.word = word;
            if self.bits != 0 {
                return;
            }
            word += 1;
        }
        self.label = None;
    }

    /// Whether the snapshot sees a member, and this transaction did not delete
    /// it.
    fn is_visible(&self, id: NodeId) -> bool {
        let GraphView { graph, at, writes, .. } = self.view;
        let deleted = || {
            let write = writes.and_then(|writes| writes.nodes.get(&id));
            write.is_some_and(|write| write.change == NodeChange::Delete)
        };
        graph.nodes.get(id.get(), at).is_some_and(|record| record.exists(at)) && !deleted()
    }
}

impl Iterator for LabelScan<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        while self.label.is_some() {
            while self.bits != 0 {
                let bit = u64::from(self.bits.trailing_zeros());
                self.bits &= self.bits - 1;
                let id = NodeId::new(self.word * MEMBERS_PER_WORD + bit);
                if self.is_visible(id) {
                    return Some(id);
                }
            }
            self.load(self.word + 1);
        }
        self.own.next()
    }
}
