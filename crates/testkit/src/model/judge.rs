//! The newest state with a history of changes, and the judgement of commits: what
//! a transaction wrote is compared with what others wrote after its start.

use std::collections::BTreeMap;

use selvedge::{Direction, EdgeTypeDef, NodeId, Timestamp};

use super::state::{EdgeName, EntryKey, EntryState, Name, State};
use super::transaction::{Change, Demand, EntryChange, ModelTransaction, Seen};

/// What the history keeps the last change of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Touched {
    Node(NodeId),
    /// The key was given or taken.
    Key(Name, Name),
    /// A node that has the key was written.
    Holder(Name, Name),
    Edge(EdgeName),
    Adjacency(NodeId, Direction),
    Members(Name),
    LabelName(Name),
    TypeCount(Name),
    TypeName(Name),
    Entry(EntryKey),
}

/// What must come of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Commits,
    CheckFails,
    Conflicts,
    /// Nothing that it read is another, but something in the grain in which
    /// reads are tracked was touched.
    Either,
}

impl Verdict {
    fn may_pass(self) -> bool {
        matches!(self, Self::Commits | Self::Either)
    }
}

/// What must come of nodes and edges, which are judged first, and of entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Verdicts {
    pub(super) graph: Verdict,
    pub(super) entries: Verdict,
}

impl Verdicts {
    pub(super) fn may_commit(self) -> bool {
        self.graph.may_pass() && self.entries.may_pass()
    }

    pub(super) fn may_conflict(self) -> bool {
        let conflicts = |verdict| matches!(verdict, Verdict::Conflicts | Verdict::Either);
        conflicts(self.graph) || self.graph.may_pass() && conflicts(self.entries)
    }

    pub(super) fn may_fail_checks_of_entries(self) -> bool {
        self.graph.may_pass() && self.entries == Verdict::CheckFails
    }
}

#[derive(Default, Debug)]
pub(super) struct History {
    pub(super) latest: State,
    changed: BTreeMap<Touched, Timestamp>,
}

impl History {
    fn after(&self, touched: Touched, start: Timestamp) -> bool {
        self.changed.get(&touched).is_some_and(|at| *at > start)
    }

    pub(super) fn judge(&self, txn: &ModelTransaction) -> Verdicts {
        if txn.written.is_empty() {
            return Verdicts { graph: Verdict::Commits, entries: Verdict::Commits };
        }
        Verdicts { graph: self.judge_graph(txn), entries: self.judge_entries(txn) }
    }

    /// The numbers of the checks of entries that fail.
    pub(super) fn failing_checks(&self, txn: &ModelTransaction) -> Vec<usize> {
        let fails = |(_, (key, expected)): &(usize, &(u8, Option<Timestamp>))| {
            let latest = self.latest.entries.get(&EntryKey(*key, None));
            latest.map(|entry| entry.version.expect("set")) != *expected
        };
        let checks = txn.written.entry_checks.iter().enumerate();
        checks.filter(fails).map(|(at, _)| at).collect()
    }

    fn judge_entries(&self, txn: &ModelTransaction) -> Verdict {
        if !self.failing_checks(txn).is_empty() {
            return Verdict::CheckFails;
        }
        let overtaken = |(key, change): (&EntryKey, &EntryChange)| {
            change.replaces() && self.after(Touched::Entry(*key), txn.start)
        };
        if txn.written.entries.iter().any(overtaken) {
            return Verdict::Conflicts;
        }
        self.judge_reads(txn, Seen::is_of_entries)
    }

    fn judge_graph(&self, txn: &ModelTransaction) -> Verdict {
        let version = |node| self.latest.nodes.get(node).map(|node| node.version.expect("set"));
        if txn.written.checks.iter().any(|(node, expected)| version(node) != *expected) {
            return Verdict::CheckFails;
        }
        if self.write_conflict(txn) {
            return Verdict::Conflicts;
        }
        self.judge_reads(txn, |seen| !seen.is_of_entries())
    }

    /// Judges the reads that are of a kind.
    fn judge_reads(&self, txn: &ModelTransaction, kind: fn(&Seen) -> bool) -> Verdict {
        let seen = |demand| {
            let seen = txn.seen.iter().filter(move |(seen, other)| *other == demand && kind(seen));
            seen.map(|(seen, _)| seen)
        };
        if seen(Demand::Must).any(|seen| self.is_another(seen, txn)) {
            return Verdict::Conflicts;
        }
        let touched = |seen: &Seen| self.may_be_another(seen, txn.start);
        if seen(Demand::Must).any(touched) || seen(Demand::May).any(touched) {
            return Verdict::Either;
        }
        Verdict::Commits
    }

    fn write_conflict(&self, txn: &ModelTransaction) -> bool {
        let (start, written) = (txn.start, &txn.written);
        let after = |touched| self.after(touched, start);
        let defined = |(name, (def, _)): (&Name, &(EdgeTypeDef, bool))| {
            self.latest.types.get(name).is_some_and(|existing| existing != def)
        };
        let node = |(id, change): (&NodeId, &Change)| match change {
            Change::Insert | Change::Nothing => false,
            Change::Update => after(Touched::Node(*id)),
            Change::Delete => {
                after(Touched::Node(*id))
                    || after(Touched::Adjacency(*id, Direction::Out))
                    || after(Touched::Adjacency(*id, Direction::In))
            }
        };
        let key = |((label, key), claim): (&(Name, Name), &Option<NodeId>)| {
            let held = self.latest.holder(label, key);
            let held =
                held.filter(|holder| written.nodes.get(holder) != Some(&Change::Delete)).is_some();
            claim.is_some() && (held || after(Touched::Key(label, key)))
        };
        let dangling = |end: &NodeId| {
            written.nodes.get(end) != Some(&Change::Insert) && !self.latest.nodes.contains_key(end)
        };
        let edge = |(edge, change): (&EdgeName, &super::transaction::EdgeChange)| {
            let wrote = change.existed.is_some() || change.now.is_some();
            let new = change.existed.is_none();
            wrote
                && (after(Touched::Edge(*edge))
                    || new && (dangling(&edge.source) || dangling(&edge.target)))
        };
        written.types.iter().any(defined)
            || written.nodes.iter().any(node)
            || written.keys.iter().any(key)
            || written.edges.iter().any(edge)
    }

    /// Whether what was seen at the start is not so now.
    fn is_another(&self, seen: &Seen, txn: &ModelTransaction) -> bool {
        let (old, new) = (&txn.base, &self.latest);
        match *seen {
            Seen::Node(id) => old.nodes.get(&id) != new.nodes.get(&id),
            Seen::NodeExists(id) => old.nodes.contains_key(&id) != new.nodes.contains_key(&id),
            Seen::Holder(label, key) => old.holder(label, key) != new.holder(label, key),
            Seen::Edges(node, direction, edge_type) => {
                old.edges_at(node, direction, edge_type) != new.edges_at(node, direction, edge_type)
            }
            Seen::Document(edge) => {
                let document =
                    |state: &State| state.edges.get(&edge).map(|edge| edge.document.clone());
                document(old) != document(new)
            }
            Seen::Between(source, kind, target) => {
                old.between(source, kind, target) != new.between(source, kind, target)
            }
            Seen::Members(label) => old.scan(label) != new.scan(label),
            Seen::Count(label) => old.scan(label).len() != new.scan(label).len(),
            Seen::NodeCount => old.nodes.len() != new.nodes.len(),
            Seen::EdgesOfType(kind) => old.count_edges(kind) != new.count_edges(kind),
            Seen::EdgeCount => old.edges.len() != new.edges.len(),
            Seen::LabelNames => old.labels != new.labels,
            Seen::TypeNames => !old.types.keys().eq(new.types.keys()),
            Seen::Definition(name) => old.types.get(name) != new.types.get(name),
            Seen::Distance(from, to, direction, kind) => {
                old.distance(from, to, direction, kind) != new.distance(from, to, direction, kind)
            }
            Seen::Entry(key) => {
                let key = EntryKey(key, None);
                old.entries.get(&key) != new.entries.get(&key)
            }
            Seen::Entries(from, to) => {
                let range = || EntryKey::range(from, to);
                !old.entries.range(range()).eq(new.entries.range(range()))
            }
        }
    }

    /// Whether what was seen was touched since, in the grain of the tracking.
    fn may_be_another(&self, seen: &Seen, start: Timestamp) -> bool {
        let any = |wanted: fn(&Touched) -> bool| {
            self.changed.iter().any(|(touched, at)| wanted(touched) && *at > start)
        };
        let after = |touched| self.after(touched, start);
        let kind_new = |kind: Option<Name>| kind.is_some_and(|kind| after(Touched::TypeName(kind)));
        match *seen {
            Seen::Node(id) | Seen::NodeExists(id) => after(Touched::Node(id)),
            Seen::Holder(label, key) => {
                after(Touched::Holder(label, key)) || after(Touched::LabelName(label))
            }
            Seen::Edges(node, direction, kind) => {
                let at = |one| {
                    (direction == one || direction == Direction::Both)
                        && after(Touched::Adjacency(node, one))
                };
                at(Direction::Out) || at(Direction::In) || kind_new(kind)
            }
            Seen::Between(source, kind, _) => {
                after(Touched::Adjacency(source, Direction::Out)) || kind_new(Some(kind))
            }
            Seen::Document(edge) => {
                after(Touched::Edge(edge)) || after(Touched::Adjacency(edge.source, Direction::Out))
            }
            Seen::Members(label) | Seen::Count(label) => {
                after(Touched::Members(label)) || after(Touched::LabelName(label))
            }
            Seen::NodeCount => {
                any(|touched| matches!(touched, Touched::Members(_) | Touched::LabelName(_)))
            }
            Seen::EdgesOfType(kind) => after(Touched::TypeCount(kind)) || kind_new(Some(kind)),
            Seen::EdgeCount => {
                any(|touched| matches!(touched, Touched::TypeCount(_) | Touched::TypeName(_)))
            }
            Seen::LabelNames => any(|touched| matches!(touched, Touched::LabelName(_))),
            Seen::TypeNames => any(|touched| matches!(touched, Touched::TypeName(_))),
            Seen::Definition(name) => kind_new(Some(name)),
            Seen::Distance(_, _, _, kind) => {
                kind_new(kind)
                    || any(|touched| matches!(touched, Touched::Node(_) | Touched::Adjacency(..)))
            }
            Seen::Entry(key) => after(Touched::Entry(EntryKey(key, None))),
            Seen::Entries(from, to) => {
                let range = EntryKey::range(from, to);
                let touched = Touched::Entry(range.start)..Touched::Entry(range.end);
                self.changed.range(touched).any(|(_, at)| *at > start)
            }
        }
    }

    /// Applies what a transaction wrote.
    pub(super) fn apply(&mut self, txn: &ModelTransaction, commit: Timestamp) {
        let latest = &mut self.latest;
        let mut touched = Vec::new();
        for name in txn.written.types.keys() {
            let Some(def) = txn.now.types.get(name) else { continue };
            if latest.types.insert(name, def.clone()).is_none() {
                touched.push(Touched::TypeName(name));
            }
        }
        for label in &txn.now.labels {
            if latest.labels.insert(label) {
                touched.push(Touched::LabelName(label));
            }
        }
        for (id, change) in txn.written.nodes.iter().filter(|(_, c)| **c != Change::Nothing) {
            touched.push(Touched::Node(*id));
            let old = latest.nodes.remove(id);
            if let Some(node) = txn.now.nodes.get(id) {
                let mut node = node.clone();
                node.version = Some(commit);
                latest.nodes.insert(*id, node);
            }
            let node = old.as_ref().or(latest.nodes.get(id)).expect("before or after");
            if *change != Change::Update {
                touched.push(Touched::Members(node.label));
            }
            if let Some(key) = node.key {
                touched.push(Touched::Holder(node.label, key));
                if *change != Change::Update {
                    touched.push(Touched::Key(node.label, key));
                }
            }
        }
        for (edge, change) in &txn.written.edges {
            if change.existed.is_none() && change.now.is_none() {
                continue;
            }
            touched.push(Touched::Edge(*edge));
            if change.existed != change.now {
                touched.push(Touched::Adjacency(edge.source, Direction::Out));
                touched.push(Touched::Adjacency(edge.target, Direction::In));
                touched.push(Touched::TypeCount(edge.edge_type));
            }
            match txn.now.edges.get(edge) {
                Some(state) => latest.edges.insert(*edge, state.clone()),
                None => latest.edges.remove(edge),
            };
        }
        for (key, change) in &txn.written.entries {
            let old = latest.entries.remove(key).map(|entry| entry.value);
            let new = change.applied(old);
            if let Some(value) = new {
                latest.entries.insert(*key, EntryState { value, version: Some(commit) });
            }
            if old.is_some() || new.is_some() {
                touched.push(Touched::Entry(*key));
            }
        }
        for (prefix, value) in &txn.written.stamped {
            let key = EntryKey(*prefix, Some(commit));
            latest.entries.insert(key, EntryState { value: *value, version: Some(commit) });
            touched.push(Touched::Entry(key));
        }
        self.changed.extend(touched.into_iter().map(|touched| (touched, commit)));
        self.check();
    }

    /// The model's own invariant.
    fn check(&self) {
        let nodes = &self.latest.nodes;
        for edge in self.latest.edges.keys() {
            let ends = nodes.contains_key(&edge.source) && nodes.contains_key(&edge.target);
            assert!(ends, "the model itself has a dangling edge {edge:?}");
        }
    }
}
