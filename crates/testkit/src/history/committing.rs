//! Applying what transactions committed, and judging it beside what others committed
//! since they began.

use super::anomaly::Anomaly;
use super::changes::{Changed, Entity};
use super::judge::Judge;
use super::marks::{self, Item};
use super::state::{Change, NodeState, Written};
use super::txn::{Clash, EdgeName, NodeId, Outcome, Timestamp, Txn};

impl<'h> Judge<'h> {
    /// Applies what a transaction wrote.
    pub(super) fn commit(&mut self, txn: &'h Txn, commit: Timestamp) {
        let net = std::mem::take(&mut self.nets[txn.number]);
        let mut ends = Vec::new();
        for change in net {
            match change {
                Change::Node(id, state) => self.commit_node(txn, commit, id, state, &mut ends),
                Change::Edge(edge, state) => self.commit_edge(txn, commit, edge, state, &mut ends),
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

    fn commit_edge(
        &mut self,
        txn: &'h Txn,
        commit: Timestamp,
        edge: EdgeName,
        state: Option<Written>,
        ends: &mut Vec<NodeId>,
    ) {
        self.overtaken(txn, Entity::Edge(edge.clone()), Some(&Item::Edge(edge.clone())));
        let state = state.map(|state| Written { version: Some(commit), ..state });
        let (is, by) = (state.is_some(), Changed { at: commit, by: txn.number });
        let EdgeName { source, edge_type, target } = edge.clone();
        if is {
            ends.extend([source, target]);
        }
        let old = self.state.make(Change::Edge(edge.clone(), state));
        self.changes.change(Entity::Edge(edge), by);
        if matches!(old, Change::Edge(_, old) if old.is_some() != is) {
            for kind in [None, Some(edge_type.clone())] {
                self.changes.change(Entity::Neighbourhood(source, true, kind.clone()), by);
                self.changes.change(Entity::Neighbourhood(target, false, kind), by);
            }
            self.changes.change(Entity::EdgeType(edge_type), by);
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
        // A key may be given back and taken by one and the same transaction.
        let others = self.changes.of(&entity).iter().rev();
        let last = { others }.find(|change| change.by != txn.number).copied();
        let Some(Changed { at, by }) = last.filter(|last| last.at > txn.start) else { return };
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
    pub(super) fn conflicts(&mut self) {
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
                    changes.iter().any(|change| txn.start < change.at && change.at <= *at)
                }
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
