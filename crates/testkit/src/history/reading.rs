//! Holding what a transaction read against the state of its start.

use std::collections::HashSet;

use super::anomaly::Anomaly;
use super::changes::Entity;
use super::judge::Judge;
use super::marks::{Item, Sight};
use super::misreading::Misreading;
use super::state::{NodeState, Written};
use super::txn::{Content, Name, NodeId, Op, SeenNode, Txn, Way};

impl<'h> Judge<'h> {
    pub(super) fn read(&mut self, txn: &'h Txn, index: usize, op: &'h Op) {
        match op {
            Op::Node { node, seen } => self.read_node(txn, index, *node, seen.as_ref()),
            Op::Edge { edge, seen } => {
                let expected = self.state.edge(edge).cloned();
                let item = Item::Edge(edge.clone());
                self.read_item(txn, index, item, seen.as_ref(), expected.as_ref());
            }
            Op::Get { label, key, seen } => {
                let expected = self.state.by_key(label, key);
                self.read_set(txn, op, seen.as_slice(), expected.as_slice());
                self.depends(txn, Entity::Key(label.clone(), key.clone()));
            }
            Op::Scan { label, seen } => {
                if !self.is_scan_right(label, seen) {
                    let expected = self.state.with_label(label).into_iter().flatten();
                    let expected: Vec<_> = expected.copied().collect();
                    self.read_set(txn, op, seen, &expected);
                }
                self.depends(txn, Entity::Label(label.clone()));
            }
            Op::Count { label, seen } => {
                let expected = self.state.with_label(label).map_or(0, HashSet::len) as u64;
                self.read_count(txn, op, *seen, expected);
                self.depends(txn, Entity::NodeCount(label.clone()));
            }
            Op::CountEdges { edge_type, seen } => {
                self.read_count(txn, op, *seen, self.state.count_edges(edge_type));
                self.depends(txn, Entity::EdgeCount(edge_type.clone()));
            }
            Op::Neighbours { node, way, edge_type, seen } => {
                let expected = self.state.neighbours(*node, *way, edge_type.as_ref());
                self.read_set(txn, op, seen, &expected);
                for is_out in [true, false] {
                    if *way == Way::Both || (*way == Way::Out) == is_out {
                        self.depends(txn, Entity::Neighbourhood(*node, is_out, edge_type.clone()));
                    }
                }
            }
            Op::Traverse { start, edge_type, depth, seen } => {
                let (expected, passed) = self.state.reached(*start, edge_type, *depth);
                let expected: Vec<_> = expected.into_iter().collect();
                self.read_set(txn, op, seen, &expected);
                for node in passed {
                    self.depends(txn, Entity::Neighbourhood(node, true, Some(edge_type.clone())));
                }
            }
            Op::Ranked { range, seen } => self.read_ranked(txn, op, range, seen),
            Op::Holder { label, list, seen } => self.read_holder(txn, op, (label, list), *seen),
            _ => unreachable!("only reads come here"),
        }
    }

    /// Notes that what the transaction does depends on a set, or a key, as of its
    /// start.
    pub(super) fn depends(&mut self, txn: &Txn, on: Entity) {
        if txn.is_committed() {
            self.changes.read_newest(txn.number, on);
        }
    }

    fn is_scan_right(&self, label: &Name, seen: &[NodeId]) -> bool {
        let expected = self.state.with_label(label);
        seen.len() == expected.map_or(0, HashSet::len)
            && seen.iter().all(|node| expected.is_some_and(|all| all.contains(node)))
            && seen.iter().collect::<HashSet<_>>().len() == seen.len()
    }

    /// Compares two sets, of which either may have members twice.
    pub(super) fn read_set(&mut self, txn: &Txn, op: &Op, seen: &[NodeId], expected: &[NodeId]) {
        let (mut seen, mut expected) = (seen.to_vec(), expected.to_vec());
        seen.sort_unstable();
        expected.sort_unstable();
        if seen == expected {
            return;
        }
        let beyond = |all: &[NodeId], known: &[NodeId]| {
            let mut known = known.iter().peekable();
            let mut beyond = Vec::new();
            for node in all {
                while known.next_if(|other| *other < node).is_some() {}
                if known.next_if(|other| *other == node).is_none() {
                    beyond.push(node.get());
                }
            }
            beyond
        };
        let (more, fewer) = (beyond(&seen, &expected), beyond(&expected, &seen));
        if !more.is_empty() {
            self.found(Anomaly::Phantom, txn, op, || format!("not there at the start: {more:?}"));
        }
        if !fewer.is_empty() {
            self.found(Anomaly::Hole, txn, op, || format!("there at the start: {fewer:?}"));
        }
    }

    fn read_count(&mut self, txn: &Txn, op: &Op, seen: u64, expected: u64) {
        if seen != expected {
            self.found(Anomaly::WrongCount, txn, op, || format!("{expected} at the start"));
        }
    }

    fn read_node(&mut self, txn: &'h Txn, index: usize, id: NodeId, seen: Option<&'h SeenNode>) {
        let op = &txn.ops[index];
        let expected = self.state.node(id).cloned();
        let (content, written) = (seen.map(|seen| &seen.content), expected.as_ref());
        let written = written.map(|node| &node.written);
        if !self.read_item(txn, index, Item::Node(id), content, written) {
            return;
        }
        let (Some(seen), Some(NodeState { label, key, written })) = (seen, expected) else {
            return;
        };
        if (&seen.label, &seen.key) != (&label, &key) {
            let key = key.as_deref().unwrap_or("-");
            self.found(Anomaly::TornDocument, txn, op, || format!("it is {label} {key}"));
        }
        if seen.version != written.version {
            let version = written.version.map_or("own".to_owned(), |version| version.to_string());
            self.found(Anomaly::WrongVersion, txn, op, || format!("its version is {version}"));
        }
    }

    /// Whether a document is the one of the start, or the transaction's own.
    fn read_item(
        &mut self,
        txn: &'h Txn,
        index: usize,
        item: Item,
        seen: Option<&'h Content>,
        expected: Option<&Written>,
    ) -> bool {
        if let Some(seen) = seen {
            // Whatever it is, it tells whom this transaction depends on.
            let writer = self.marks.writer(seen).filter(|writer| *writer != txn.number);
            if let Some(writer) = writer.filter(|_| txn.is_committed()) {
                self.changes.read_of(txn.number, Entity::from(&item), writer);
            }
        } else if expected.is_none() {
            self.depends(txn, Entity::from(&item));
        }
        if seen == expected.map(|expected| &expected.content) {
            return true;
        }
        let misreading = Misreading { history: self.history, marks: &self.marks, txn, index };
        let writer = expected.map(|expected| expected.writer);
        let name = misreading.name(&item, seen.map(Sight::Document), writer);
        let mut txns = vec![txn.number];
        txns.extend(seen.and_then(|seen| self.marks.writer(seen)));
        txns.extend(expected.map(|expected| expected.writer));
        let op = &txn.ops[index];
        let what = match expected {
            Some(Written { content, version, writer }) => match version {
                Some(version) => format!("at the start {content}, by txn {writer} at {version}"),
                None => format!("its own was {content}"),
            },
            None => "nothing at the start".to_owned(),
        };
        let (number, start) = (txn.number, txn.start);
        let what = || format!("txn {number}, from {start}: `{op}`; {what}");
        self.findings.add(name, txns, what);
        false
    }
}
