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
//! Entries of keyspaces are kept beside it, at all timestamps at once (`entries`).
//!
//! Sorting aside, the work is that of the operations themselves: a set is compared
//! with the set that it should be, and a walk is walked again.

use std::collections::HashSet;

use super::anomaly::{Anomaly, Finding, Findings};
use super::changes::{Changes, Entity};
use super::concurrency::Concurrency;
use super::entries::Entries;
use super::indexed::RangeRead;
use super::marks::{Item, Marks};
use super::state::{Change, NodeState, State, Written};
use super::txn::{Content, History, Name, NodeId, Op, Outcome, Timestamp, Txn};
use super::unknown::{Lost, Settled};
use super::{cycles, real_time, unknown, validation};

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
    /// Commits of which nobody was told, and that have happened.
    pub happened: usize,
}

/// Judges a history.
#[must_use]
pub fn judge(history: &History) -> Verdict {
    let Settled { history, lost, happened } = unknown::settle(history);
    let history = &*history;
    let mut findings = Findings::default();
    real_time::judge(history, &mut findings);
    let mut judge = Judge {
        history,
        marks: Marks::of(history),
        state: State::indexing(&history.indexed),
        entries: Entries::default(),
        changes: Changes::default(),
        lost,
        concurrency: Concurrency::of(history),
        numbers: Vec::new(),
        ranges: Vec::new(),
        nets: history.txns.iter().map(|_| Vec::new()).collect(),
        findings,
    };
    judge.commit_entries();
    judge.read_entries();
    judge.checks_failed();
    judge.sweep();
    judge.ranges_depend();
    judge.conflicts();
    judge.dropped();
    let Judge { changes, mut findings, .. } = judge;
    validation::judge(history, &changes, &mut findings);
    let write_skews = cycles::judge(history, &changes, &mut findings);
    let Findings { told, total } = findings;
    Verdict { findings: told, total, write_skews, happened }
}

pub(super) struct Judge<'h> {
    pub(super) history: &'h History,
    pub(super) marks: Marks<'h>,
    pub(super) state: State,
    pub(super) entries: Entries,
    pub(super) changes: Changes,
    /// What others may have met, though it is lost.
    pub(super) lost: Lost<'h>,
    pub(super) concurrency: Concurrency,
    /// Of which numbers nodes came and went, in the order of commits.
    pub(super) numbers: Vec<(Timestamp, (Name, i64))>,
    /// Ranges of indexes that were read.
    pub(super) ranges: Vec<RangeRead>,
    /// What each transaction changes if it commits.
    pub(super) nets: Vec<Vec<Change>>,
    pub(super) findings: Findings,
}

impl<'h> Judge<'h> {
    fn sweep(&mut self) {
        let history = self.history;
        let mut starts: Vec<_> = history.txns.iter().collect();
        starts.retain(|txn| txn.outcome != Outcome::Unknown);
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

    pub(super) fn found(
        &mut self,
        name: Anomaly,
        txn: &Txn,
        op: &Op,
        what: impl FnOnce() -> String,
    ) {
        let (number, start) = (txn.number, txn.start);
        let what = || format!("txn {number}, from {start}: `{op}`; {}", what());
        self.findings.add(name, [number], what);
    }

    /// Holds a transaction against the state of its start, in which it leaves no
    /// trace.
    fn txn(&mut self, txn: &'h Txn) {
        let (mut undo, mut savepoints) = (Vec::new(), Vec::new());
        for (index, op) in txn.ops.iter().enumerate() {
            match op {
                Op::Savepoint { number } => savepoints.push((*number, undo.len())),
                Op::RollbackTo { number } => {
                    let place = savepoints.iter().rposition(|(known, _)| known == number);
                    let Some(place) = place else { continue };
                    savepoints.truncate(place + 1);
                    let undone = undo.drain(savepoints[place].1..).collect();
                    self.undo(undone);
                }
                op if op.is_of_keyspace() => {}
                op if op.is_write() => self.write(txn, op, &mut undo),
                op => self.read(txn, index, op),
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
        self.undo(undo);
    }

    fn undo(&mut self, undo: Vec<Change>) {
        for change in undo.into_iter().rev() {
            self.state.make(change);
        }
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
                let is_free = self.is_free(label, &content.list, None);
                self.expect(txn, op, done.is_some(), holder.is_none() && is_free);
                if let Some(key) = key {
                    self.depends(txn, Entity::Key(label.clone(), key.clone()));
                }
                if holder.is_none() {
                    self.depends_on_holder(txn, label, &content.list);
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
                let may = old
                    .as_ref()
                    .is_some_and(|old| self.is_free(&old.label, &content.list, Some(*node)));
                self.expect(txn, op, *done, may);
                if let Some(old) =
                    old.as_ref().filter(|old| old.written.content.list != content.list)
                {
                    self.depends_on_holder(txn, &old.label, &content.list);
                }
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
                if !done {
                    self.depends(txn, Entity::Edge(edge.clone()));
                }
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
}
