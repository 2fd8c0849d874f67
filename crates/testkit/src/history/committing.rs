//! Applying what transactions committed, and judging it beside what others committed
//! since they began.

use std::collections::{BTreeSet, HashMap};

use super::anomaly::Anomaly;
use super::changes::{Changed, Entity};
use super::judge::Judge;
use super::marks::{self, Item};
use super::state::{Change, NodeState, Written};
use super::txn::{Clash, EdgeName, Isolation, NodeId, Op, Outcome, Timestamp, Txn};

/// A commit that is being applied.
struct Commit<'h> {
    txn: &'h Txn,
    at: Timestamp,
    by: Changed,
    /// Nodes that may be gone and have edges.
    ends: Vec<NodeId>,
    /// How numbers change by it.
    counts: HashMap<Entity, i64>,
}

impl Commit<'_> {
    fn count(&mut self, entity: Entity, is: bool) {
        *self.counts.entry(entity).or_default() += if is { 1 } else { -1 };
    }
}

impl<'h> Judge<'h> {
    /// Applies what a transaction wrote.
    pub(super) fn commit(&mut self, txn: &'h Txn, at: Timestamp) {
        let by = Changed { at, by: txn.number, is_blind: false };
        let mut commit = Commit { txn, at, by, ends: Vec::new(), counts: HashMap::new() };
        for change in std::mem::take(&mut self.nets[txn.number]) {
            match change {
                Change::Node(id, state) => self.commit_node(&mut commit, id, state),
                Change::Edge(edge, state) => self.commit_edge(&mut commit, edge, state),
            }
        }
        for (entity, difference) in commit.counts {
            if difference != 0 {
                self.changes.change(entity, by);
            }
        }
        for node in commit.ends {
            self.dangling(txn, at, node);
        }
    }

    fn dangling(&mut self, txn: &Txn, at: Timestamp, node: NodeId) {
        if self.state.node(node).is_some() {
            return;
        }
        let edges = self.state.edges_at(node);
        if edges.is_empty() {
            return;
        }
        let writer = |edge| Some(self.state.edge(edge)?.writer);
        let mut txns: Vec<_> = edges.iter().filter_map(writer).collect();
        txns.extend(self.changes.of(&Entity::Node(node)).last().map(|change| change.by));
        txns.push(txn.number);
        let (number, node) = (txn.number, node.get());
        self.findings.add(Anomaly::DanglingEdge, txns, || {
            format!("after txn {number}, at {at}, node {node} is gone and has edges")
        });
    }

    fn commit_edge(&mut self, commit: &mut Commit<'h>, edge: EdgeName, state: Option<Written>) {
        let item = Item::Edge(edge.clone());
        self.overtaken(commit.txn, Entity::Edge(edge.clone()), Some(&item));
        let state = state.map(|state| Written { version: Some(commit.at), ..state });
        let (is, by) = (state.is_some(), commit.by);
        let EdgeName { source, edge_type, target } = edge.clone();
        if is {
            commit.ends.extend([source, target]);
        }
        let old = self.state.make(Change::Edge(edge.clone(), state));
        self.changes.change(Entity::Edge(edge), by);
        if matches!(old, Change::Edge(_, old) if old.is_some() != is) {
            for kind in [None, Some(edge_type.clone())] {
                self.changes.change(Entity::Neighbourhood(source, true, kind.clone()), by);
                self.changes.change(Entity::Neighbourhood(target, false, kind), by);
            }
            commit.count(Entity::EdgeCount(edge_type), is);
        }
    }

    fn commit_node(&mut self, commit: &mut Commit<'h>, id: NodeId, state: Option<NodeState>) {
        self.overtaken(commit.txn, Entity::Node(id), Some(&Item::Node(id)));
        let state = state.map(|state| NodeState {
            written: Written { version: Some(commit.at), ..state.written },
            ..state
        });
        let by = commit.by;
        let new = state.as_ref().map(|state| (state.label.clone(), state.key.clone()));
        let is = new.is_some();
        if !is {
            commit.ends.push(id);
        }
        if let Some((label, Some(key))) = &new
            && self.state.node(id).is_none()
        {
            self.overtaken(commit.txn, Entity::Key(label.clone(), key.clone()), None);
        }
        self.commit_indexed(commit.txn, by, id, state.as_ref());
        let old = self.state.make(Change::Node(id, state));
        self.changes.change(Entity::Node(id), by);
        let Change::Node(_, old) = old else { unreachable!("a node was changed") };
        let old = old.map(|old| (old.label, old.key));
        if old.is_some() == is {
            return;
        }
        let Some((label, key)) = old.or(new) else { return };
        if let Some(key) = key {
            self.changes.change(Entity::Key(label.clone(), key), by);
        }
        self.changes.change(Entity::Label(label.clone()), by);
        commit.count(Entity::NodeCount(label), is);
    }

    /// First committer wins.
    pub(super) fn overtaken(&mut self, txn: &Txn, entity: Entity, item: Option<&Item>) {
        // A key may be given back and taken by one and the same transaction.
        let others = self.changes.of(&entity).iter().rev();
        let last = { others }.find(|change| change.by != txn.number).copied();
        let Some(Changed { at, by, .. }) = last.filter(|last| last.at > txn.start) else { return };
        let reads = |op| marks::reads(op).iter().any(|(read, _)| Some(read) == item);
        let name = match &entity {
            Entity::Key(..) | Entity::Holder(..) => Anomaly::Twins,
            _ if txn.ops.iter().any(reads) => Anomaly::LostUpdate,
            _ => Anomaly::ConcurrentWrites,
        };
        let (number, start) = (txn.number, txn.start);
        self.findings.add(name, [by, number], || {
            format!("{entity} was written by txn {by} at {at}, and by txn {number}, from {start}")
        });
    }

    /// Who was told to have written nothing has nothing left to write.
    pub(super) fn dropped(&mut self) {
        for txn in &self.history.txns {
            if txn.outcome != Outcome::ReadOnly {
                continue;
            }
            let is_dropped = !self.nets[txn.number].is_empty() || self.changes_entries(txn);
            if is_dropped {
                let number = txn.number;
                self.findings.add(Anomaly::WritesDropped, [number], || {
                    format!("txn {number} wrote, and was told that there is nothing to commit")
                });
            }
        }
    }

    /// Conflicts are about something that was written, and since the start.
    pub(super) fn conflicts(&mut self) {
        let kinds: BTreeSet<_> = { self.changes.entities.iter() }
            .filter_map(|(entity, _)| match entity {
                Entity::Edge(edge) => Some(edge.edge_type.clone()),
                _ => None,
            })
            .collect();
        for txn in &self.history.txns {
            let Outcome::Conflict(clash, at) = &txn.outcome else { continue };
            let wrote = |entity: &Entity| {
                self.changes.of(entity).binary_search_by_key(at, |change| change.at).is_ok()
            };
            let is_grounded = match clash {
                Clash::Node(node) => wrote(&Entity::Node(*node)),
                // Said to be written when its holder last was.
                Clash::Key(label, key) => {
                    let changes = self.changes.of(&Entity::Key(label.clone(), key.clone()));
                    let next = changes.partition_point(|change| change.at <= txn.start);
                    changes.get(next).is_some_and(|change| change.at <= *at)
                }
                Clash::Edge(source, target) => kinds.iter().any(|kind| {
                    let (source, edge_type, target) = (*source, kind.clone(), *target);
                    wrote(&Entity::Edge(EdgeName { source, edge_type, target }))
                }),
                Clash::Entry(key) => wrote(&Entity::Entry(key.clone())),
                // Said of what histories do not hold: entries of indexes, definitions.
                Clash::Other => true,
            };
            let is_grounded = is_grounded || self.lost.explains(self.history, txn, clash);
            if !is_grounded || *at <= txn.start || !concerns(clash, txn) {
                let (number, start) = (txn.number, txn.start);
                self.findings.add(Anomaly::GroundlessConflict, [number], || {
                    format!("txn {number}, from {start}: {clash}, said to be written at {at}")
                });
            }
        }
    }
}

/// Whether a conflict is over what the transaction wrote, or read to be validated. One
/// that only reads has none.
pub(super) fn concerns(clash: &Clash, txn: &Txn) -> bool {
    let is_validated = txn.isolation == Isolation::Serializable;
    let is_over = |op: &Op| match (clash, op) {
        (Clash::Node(node), Op::Put { node: at, .. } | Op::Delete { node: at, .. }) => at == node,
        (Clash::Key(label, key), Op::Insert { label: of, key: Some(at), .. }) => {
            (of, at) == (label, key)
        }
        // The key of the node goes with it, and so do its edges.
        (Clash::Key(..), Op::Delete { done, .. }) => done.is_some(),
        (Clash::Edge(source, target), Op::Delete { node, .. }) => [source, target].contains(&node),
        (Clash::Edge(source, target), Op::Link { edge, .. } | Op::Unlink { edge, .. }) => {
            (&edge.source, &edge.target) == (source, target)
        }
        (Clash::Entry(key), Op::Set { key: at, .. } | Op::Remove { key: at }) => at == key,
        (Clash::Entry(key), Op::Entry { key: at, .. }) => is_validated && at == key,
        (Clash::Entry(key), Op::Range { range, .. }) => {
            is_validated && range.from <= *key && *key < range.to
        }
        (Clash::Other, op) => op.is_write(),
        _ => false,
    };
    // What was read before it was rolled back stays read.
    let mut counts = txn.ops.iter().zip(txn.standing());
    counts.any(|(op, stands)| (stands || !op.is_write()) && is_over(op))
        && txn.ops.iter().any(Op::is_write)
}
