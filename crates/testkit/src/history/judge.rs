//! Judging a history: the state is built commit by commit, in the order of commit
//! timestamps, and each transaction is held against the state of its start.
//!
//! ```text
//! commits by timestamp     @1    @2    @3    @4          each changes the state once
//!                           |     |     |     |
//! state           {} ------ s1 -- s2 -- s3 -- s4
//!                                 |           |
//! transactions by start          T7          T8, T9      each reads, writes, and takes
//!                                                        its writes back
//! ```
//!
//! Sorting aside, the work is that of the operations themselves: a set is compared
//! with the set that it should be, and a walk is walked again.

use std::collections::HashSet;

use super::anomaly::{Anomaly, Finding, Findings};
use super::changes::{Changed, Changes, Entity};
use super::marks::{self, Item, Marks};
use super::misreading::Misreading;
use super::state::{Change, NodeState, State, Written};
use super::txn::{Clash, Content, History, NodeId, Op, Outcome, SeenNode, Timestamp, Txn, Way};
use super::{cycles, real_time};

/// What came of judging a history.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What is wrong, a few of each name.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub total: usize,
    /// Pairs of transactions under snapshot isolation that each read what the other
    /// wrote: write skew, which is permitted there.
    pub write_skews: usize,
}

/// Judges a history.
#[must_use]
pub fn judge(history: &History) -> Verdict {
    let mut findings = Findings::default();
    real_time::judge(history, &mut findings);
    let mut judge = Judge {
        history,
        marks: Marks::of(history),
        state: State::default(),
        changes: Changes::default(),
        nets: history.txns.iter().map(|_| Vec::new()).collect(),
        findings,
    };
    judge.sweep();
    judge.conflicts();
    let Judge { changes, mut findings, .. } = judge;
    let write_skews = cycles::judge(history, &changes, &mut findings);
    let Findings { told, total } = findings;
    Verdict { findings: told, total, write_skews }
}

struct Judge<'h> {
    history: &'h History,
    marks: Marks<'h>,
    state: State,
    changes: Changes,
    /// What each transaction changes if it commits.
    nets: Vec<Vec<Change>>,
    findings: Findings,
}

impl<'h> Judge<'h> {
    fn sweep(&mut self) {
        let history = self.history;
        let mut starts: Vec<_> = history.txns.iter().collect();
        starts.sort_by_key(|txn| txn.start);
        // One that committed before it began is told of elsewhere.
        let committed = |txn: &'h Txn| Some((txn.commit()?, txn));
        let mut commits: Vec<_> = history.txns.iter().filter_map(committed).collect();
        commits.retain(|(commit, txn)| *commit > txn.start);
        commits.sort_by_key(|(commit, _)| *commit);
        let mut commits = commits.into_iter().peekable();
        for txn in starts {
            while let Some((commit, txn)) = commits.next_if(|(commit, _)| *commit <= txn.start) {
                self.commit(txn, commit);
            }
            self.txn(txn);
        }
        for (commit, txn) in commits {
            self.commit(txn, commit);
        }
    }

    fn found(&mut self, name: Anomaly, txn: &Txn, op: &Op, what: impl FnOnce() -> String) {
        let (number, start) = (txn.number, txn.start);
        let what = || format!("txn {number}, from {start}: `{op}`; {}", what());
        self.findings.add(name, [number], what);
    }

    /// Holds a transaction against the state of its start, in which it leaves no
    /// trace.
    fn txn(&mut self, txn: &'h Txn) {
        let mut undo = Vec::new();
        for (index, op) in txn.ops.iter().enumerate() {
            if op.is_write() {
                self.write(txn, op, &mut undo);
            } else {
                self.read(txn, index, op);
            }
        }
        let mut met = HashSet::new();
        for change in &undo {
            let (item, before, after) = match change {
                Change::Node(id, before) => {
                    let after = self.state.node(*id).cloned();
                    (Item::Node(*id), before.is_some(), Change::Node(*id, after))
                }
                Change::Edge(edge, before) => {
                    let after = self.state.edge(edge).cloned();
                    (Item::Edge(edge.clone()), before.is_some(), Change::Edge(edge.clone(), after))
                }
            };
            // What came and went within the transaction is nothing to others.
            let is_nothing =
                matches!(after, Change::Node(_, None) | Change::Edge(_, None)) && !before;
            if met.insert(item) && !is_nothing {
                self.nets[txn.number].push(after);
            }
        }
        for change in undo.into_iter().rev() {
            self.state.make(change);
        }
    }

    fn read(&mut self, txn: &'h Txn, index: usize, op: &'h Op) {
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
                self.depends(txn, Entity::Label(label.clone()));
            }
            Op::CountEdges { edge_type, seen } => {
                self.read_count(txn, op, *seen, self.state.count_edges(edge_type));
                self.depends(txn, Entity::EdgeType(edge_type.clone()));
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
            _ => unreachable!("only reads come here"),
        }
    }

    /// Notes that what the transaction does depends on a set, or a key, as of its
    /// start.
    fn depends(&mut self, txn: &Txn, on: Entity) {
        if txn.is_committed() {
            self.changes.read_newest(txn.number, on);
        }
    }

    fn is_scan_right(&self, label: &super::txn::Name, seen: &[NodeId]) -> bool {
        let expected = self.state.with_label(label);
        seen.len() == expected.map_or(0, HashSet::len)
            && seen.iter().all(|node| expected.is_some_and(|all| all.contains(node)))
            && seen.iter().collect::<HashSet<_>>().len() == seen.len()
    }

    /// Compares two sets, of which either may have members twice.
    fn read_set(&mut self, txn: &Txn, op: &Op, seen: &[NodeId], expected: &[NodeId]) {
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
        let name = misreading.name(&item, seen, expected);
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

    /// Makes what the transaction wrote, if it may, and compares what came of it.
    fn write(&mut self, txn: &'h Txn, op: &'h Op, undo: &mut Vec<Change>) {
        let written = |content: &Content| Written {
            content: content.clone(),
            version: None,
            writer: txn.number,
        };
        match op {
            Op::Insert { label, key, content, done } => {
                let holder = key.as_ref().and_then(|key| self.state.by_key(label, key));
                self.expect(txn, op, done.is_some(), holder.is_none());
                if let Some(key) = key {
                    self.depends(txn, Entity::Key(label.clone(), key.clone()));
                }
                let Some(id) = *done else { return };
                if self.state.node(id).is_some() || !self.changes.of(&Entity::Node(id)).is_empty() {
                    self.found(Anomaly::Twins, txn, op, || "the node was there before".to_owned());
                }
                let (label, key, written) = (label.clone(), key.clone(), written(content));
                let state = NodeState { label, key, written };
                undo.push(self.state.make(Change::Node(id, Some(state))));
            }
            Op::Put { node, content, done } => {
                let old = self.state.node(*node).cloned();
                self.expect(txn, op, *done, old.is_some());
                if let (true, Some(old)) = (done, old) {
                    let state = NodeState { written: written(content), ..old };
                    undo.push(self.state.make(Change::Node(*node, Some(state))));
                }
            }
            Op::Delete { node, done } => self.delete(txn, op, *node, *done, undo),
            Op::Link { edge, content, done } => {
                let ends = [edge.source, edge.target];
                let may = ends.iter().all(|end| self.state.node(*end).is_some());
                self.expect(txn, op, *done, may);
                if *done && may {
                    let change = Change::Edge(edge.clone(), Some(written(content)));
                    undo.push(self.state.make(change));
                }
            }
            Op::Unlink { edge, done } => {
                self.expect(txn, op, *done, self.state.edge(edge).is_some());
                undo.push(self.state.make(Change::Edge(edge.clone(), None)));
            }
            _ => unreachable!("only writes come here"),
        }
    }

    fn delete(
        &mut self,
        txn: &'h Txn,
        op: &'h Op,
        node: NodeId,
        done: Option<u64>,
        undo: &mut Vec<Change>,
    ) {
        self.expect(txn, op, done.is_some(), self.state.node(node).is_some());
        let Some(count) = done else { return };
        let edges = self.state.edges_at(node);
        if count != edges.len() as u64 {
            let expected = edges.len();
            self.found(Anomaly::WrongCount, txn, op, || format!("{expected} edges at the start"));
        }
        for edge in edges {
            undo.push(self.state.make(Change::Edge(edge, None)));
        }
        undo.push(self.state.make(Change::Node(node, None)));
    }

    fn expect(&mut self, txn: &Txn, op: &Op, done: bool, may: bool) {
        if done != may {
            let what = if may { "nothing was in its way" } else { "it had to be refused" };
            self.found(Anomaly::WrongRefusal, txn, op, || what.to_owned());
        }
    }

    /// Applies what a transaction wrote, and judges it beside those committed since
    /// it began.
    fn commit(&mut self, txn: &'h Txn, commit: Timestamp) {
        let net = std::mem::take(&mut self.nets[txn.number]);
        let mut ends = Vec::new();
        for change in net {
            match change {
                Change::Node(id, state) => self.commit_node(txn, commit, id, state, &mut ends),
                Change::Edge(edge, state) => {
                    let item = Item::Edge(edge.clone());
                    self.overtaken(txn, Entity::Edge(edge.clone()), Some(&item));
                    let state = state.map(|state| Written { version: Some(commit), ..state });
                    let is = state.is_some();
                    ends.extend(is.then(|| [edge.source, edge.target]).into_iter().flatten());
                    let old = self.state.make(Change::Edge(edge.clone(), state));
                    let by = Changed { at: commit, by: txn.number };
                    if matches!(old, Change::Edge(_, old) if old.is_some() != is) {
                        let (source, target) = (edge.source, edge.target);
                        for kind in [None, Some(edge.edge_type.clone())] {
                            let out = Entity::Neighbourhood(source, true, kind.clone());
                            self.changes.change(out, by);
                            self.changes.change(Entity::Neighbourhood(target, false, kind), by);
                        }
                        self.changes.change(Entity::EdgeType(edge.edge_type.clone()), by);
                    }
                    self.changes.change(Entity::Edge(edge), by);
                }
            }
        }
        for node in ends {
            let edges = self.state.edges_at(node);
            if self.state.node(node).is_none() && !edges.is_empty() {
                let writer = |edge| Some(self.state.edge(edge)?.writer);
                let mut txns: Vec<_> = edges.iter().filter_map(writer).collect();
                txns.extend(self.changes.of(&Entity::Node(node)).last().map(|change| change.by));
                txns.push(txn.number);
                let (number, at) = (txn.number, node.get());
                self.findings.add(Anomaly::DanglingEdge, txns, || {
                    format!("after txn {number}, at {commit}, node {at} is gone and has edges")
                });
            }
        }
    }

    fn commit_node(
        &mut self,
        txn: &'h Txn,
        commit: Timestamp,
        id: NodeId,
        state: Option<NodeState>,
        ends: &mut Vec<NodeId>,
    ) {
        self.overtaken(txn, Entity::Node(id), Some(&Item::Node(id)));
        let state = state.map(|state| NodeState {
            written: Written { version: Some(commit), ..state.written },
            ..state
        });
        let by = Changed { at: commit, by: txn.number };
        let new = state.as_ref().map(|state| (state.label.clone(), state.key.clone()));
        if new.is_none() {
            ends.push(id);
        }
        if let Some((label, Some(key))) = &new
            && self.state.node(id).is_none()
        {
            self.overtaken(txn, Entity::Key(label.clone(), key.clone()), None);
        }
        let old = self.state.make(Change::Node(id, state));
        self.changes.change(Entity::Node(id), by);
        let Change::Node(_, old) = old else { unreachable!("a node was changed") };
        let old = old.map(|old| (old.label, old.key));
        if old.is_some() == new.is_some() {
            return;
        }
        let Some((label, key)) = old.or(new) else { return };
        if let Some(key) = key {
            self.changes.change(Entity::Key(label.clone(), key), by);
        }
        self.changes.change(Entity::Label(label), by);
    }

    /// First committer wins.
    fn overtaken(&mut self, txn: &Txn, entity: Entity, item: Option<&Item>) {
        let Some(Changed { at, by }) = self.changes.of(&entity).last().copied() else { return };
        if at <= txn.start {
            return;
        }
        let reads = |op| marks::read(op).is_some_and(|(read, _)| Some(&read) == item);
        let name = match &entity {
            Entity::Key(..) => Anomaly::Twins,
            _ if txn.ops.iter().any(reads) => Anomaly::LostUpdate,
            _ => Anomaly::ConcurrentWrites,
        };
        let (number, start) = (txn.number, txn.start);
        self.findings.add(name, [by, number], || {
            format!("{entity} was written by txn {by} at {at}, and by txn {number}, from {start}")
        });
    }

    /// Conflicts are about something that was written, and since the start.
    fn conflicts(&mut self) {
        for txn in &self.history.txns {
            let Outcome::Conflict(clash, at) = &txn.outcome else { continue };
            let wrote = |entity: &Entity| {
                self.changes.of(entity).binary_search_by_key(at, |change| change.at).is_ok()
            };
            let is_grounded = match clash {
                Clash::Node(node) => wrote(&Entity::Node(*node)),
                Clash::Key(label, key) => wrote(&Entity::Key(label.clone(), key.clone())),
                Clash::Edge(source, target) => self.changes.entities.iter().any(|(entity, _)| {
                    matches!(entity, Entity::Edge(edge)
                        if (edge.source, edge.target) == (*source, *target))
                        && wrote(entity)
                }),
                Clash::Other => continue,
            };
            if !is_grounded || *at <= txn.start {
                let (number, start) = (txn.number, txn.start);
                self.findings.add(Anomaly::GroundlessConflict, [number], || {
                    format!("txn {number}, from {start}: {clash}, said to be written at {at}")
                });
            }
        }
    }
}
