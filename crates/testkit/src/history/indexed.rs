//! Nodes that are indexed by their number, and by their list, which no two share.

use super::anomaly::Anomaly;
use super::changes::{Changed, Entity};
use super::judge::Judge;
use super::state::NodeState;
use super::txn::{Name, NodeId, NumberRange, Op, Txn};

impl<'h> Judge<'h> {
    fn is_indexed(&self, label: &Name) -> bool {
        self.history.indexed.contains(label)
    }

    /// The node of a label that has a list.
    fn holder(&self, label: &Name, list: &[i64]) -> Option<NodeId> {
        let mut nodes = self.state.with_label(label)?.iter();
        let has = |id: &NodeId| {
            self.state.node(*id).is_some_and(|node| node.written.content.list == list)
        };
        nodes.find(|id| has(id)).copied()
    }

    /// Whether a node may have a list.
    pub(super) fn is_free(&self, label: &Name, list: &[i64], node: Option<NodeId>) -> bool {
        let holder = if self.is_indexed(label) { self.holder(label, list) } else { None };
        holder.is_none() || holder == node
    }

    /// What is refused, or done, was so for who had the list.
    pub(super) fn depends_on_holder(&mut self, txn: &Txn, label: &Name, list: &[i64]) {
        if self.is_indexed(label) {
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
        if !self.is_indexed(&label) {
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
        let expected = self.holder(label, list);
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
        let NumberRange { label, least, most, is_backward, limit } = range;
        let nodes = self.state.with_label(label).into_iter().flatten();
        let number = |id: &NodeId| self.state.node(*id).map(|node| node.written.content.number);
        let mut expected: Vec<(i64, NodeId)> = nodes
            .filter_map(|id| Some((number(id)?, *id)))
            .filter(|(number, _)| (least..=most).contains(&number))
            .collect();
        expected.sort_unstable();
        if *is_backward {
            expected.reverse();
        }
        let limit = limit.unwrap_or(usize::MAX);
        expected.truncate(limit);
        let last = expected.last().map(|(number, _)| *number);
        let expected: Vec<NodeId> = expected.into_iter().map(|(_, id)| id).collect();
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
        let is_read = |number: &i64| match last {
            Some(last) if is_cut && *is_backward => *number > last,
            Some(last) if is_cut => *number < last,
            _ => !is_cut,
        };
        // A number that no node ever has is no reason to depend on anybody.
        let numbers = (least <= most).then(|| self.numbers.range(least..=most).copied());
        let numbers: Vec<_> = numbers.into_iter().flatten().filter(is_read).collect();
        for number in numbers {
            self.depends(txn, Entity::Number(label.clone(), number));
        }
    }
}
