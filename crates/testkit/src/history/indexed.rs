//! Nodes that are indexed by their number, and by their list, which no two share.

use std::ops::RangeInclusive;

use super::anomaly::Anomaly;
use super::changes::{Changed, Entity, How, Seen};
use super::judge::Judge;
use super::state::NodeState;
use super::txn::{Name, NodeId, NumberRange, Op, Txn};

/// A range of an index as far as it was read.
pub(super) struct RangeRead {
    txn: usize,
    label: Name,
    numbers: RangeInclusive<i64>,
}

impl<'h> Judge<'h> {
    /// Whether a node may have a list.
    pub(super) fn is_free(&self, label: &Name, list: &[i64], node: Option<NodeId>) -> bool {
        let holder = self.state.holder(label, list);
        holder.is_none() || holder == node
    }

    /// What is refused, or done, was so for who had the list.
    pub(super) fn depends_on_holder(&mut self, txn: &Txn, label: &Name, list: &[i64]) {
        if self.state.is_indexed(label) {
            self.depends(txn, Entity::Holder(label.clone(), list.to_vec()));
        }
    }

    /// What a commit that gives a node another state, or none, does to indexes.
    pub(super) fn commit_indexed(
        &mut self,
        txn: &'h Txn,
        by: Changed,
        id: NodeId,
        new: Option<&NodeState>,
    ) {
        let old = self.state.node(id);
        let Some(label) = old.or(new).map(|node| node.label.clone()) else { return };
        if !self.state.is_indexed(&label) {
            return;
        }
        let indexed = |node: &NodeState| {
            let content = &node.written.content;
            (content.number, content.list.clone())
        };
        let (old_number, old_list) = old.map(indexed).unzip();
        let (new_number, new_list) = new.map(indexed).unzip();
        if old_number != new_number {
            for number in old_number.into_iter().chain(new_number) {
                self.changes.change(Entity::Number(label.clone(), number), by);
                self.numbers.push((by.at, (label.clone(), number)));
            }
        }
        if old_list != new_list {
            if let Some(list) = &new_list {
                self.overtaken(txn, Entity::Holder(label.clone(), list.clone()), None);
            }
            for list in old_list.into_iter().chain(new_list) {
                self.changes.change(Entity::Holder(label.clone(), list), by);
            }
        }
    }

    pub(super) fn read_holder(
        &mut self,
        txn: &'h Txn,
        op: &'h Op,
        (label, list): (&Name, &[i64]),
        seen: Option<NodeId>,
    ) {
        let expected = self.state.holder(label, list);
        self.read_set(txn, op, seen.as_slice(), expected.as_slice());
        self.depends_on_holder(txn, label, list);
    }

    pub(super) fn read_ranked(
        &mut self,
        txn: &'h Txn,
        op: &'h Op,
        range: &NumberRange,
        seen: &[NodeId],
    ) {
        let &NumberRange { ref label, least, most, is_backward, limit } = range;
        let (limit, nodes) =
            (limit.unwrap_or(usize::MAX), self.state.by_number(label, least, most));
        let expected: Vec<(i64, NodeId)> = match is_backward {
            true => nodes.rev().take(limit).collect(),
            false => nodes.take(limit).collect(),
        };
        let (numbers, expected): (Vec<i64>, Vec<NodeId>) = expected.into_iter().unzip();
        if seen != expected {
            let before = self.findings.total;
            self.read_set(txn, op, seen, &expected);
            if self.findings.total == before {
                let what = || format!("in order: {expected:?}");
                self.found(Anomaly::DisorderedRange, txn, op, what);
            }
        }
        // Of the number where a limit was reached only a part was read.
        let is_cut = expected.len() >= limit;
        let read = match (is_cut, numbers.last()) {
            (false, _) => Some(least..=most),
            (true, None) => None,
            (true, Some(last)) if is_backward => last.checked_add(1).map(|first| first..=most),
            (true, Some(last)) => last.checked_sub(1).map(|last| least..=last),
        };
        let Some(read) = read.filter(|_| txn.is_committed()) else { return };
        for number in numbers.chunk_by(|one, other| one == other).filter_map(|same| same.first()) {
            if read.contains(number) {
                self.depends(txn, Entity::Number(label.clone(), *number));
            }
        }
        self.ranges.push(RangeRead { txn: txn.number, label: label.clone(), numbers: read });
    }

    /// Who read a range depends on those numbers, too, that no node had: as far as nodes
    /// come to them, or left them, beside the reader.
    pub(super) fn ranges_depend(&mut self) {
        for RangeRead { txn, label, numbers } in std::mem::take(&mut self.ranges) {
            let txn = &self.history.txns[txn];
            for (_, (of, number)) in self.concurrency.beside(txn, &self.numbers) {
                if *of != label || !numbers.contains(number) {
                    continue;
                }
                let entity = Entity::Number(label.clone(), *number);
                let changes = self.changes.of(&entity);
                let seen = Seen::After(changes.partition_point(|change| change.at <= txn.start));
                self.changes.read(txn.number, entity, seen, How::ByName);
            }
        }
    }
}
