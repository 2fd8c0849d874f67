//! The database as it should be at one timestamp: plain maps, changed one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::txn::{Content, EdgeName, Name, NodeId, Timestamp, Way};

/// Something written: who did, and when; no time while it is not committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Written {
    pub(super) content: Content,
    pub(super) version: Option<Timestamp>,
    pub(super) writer: usize,
}

/// A node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NodeState {
    pub(super) label: Name,
    pub(super) key: Option<String>,
    pub(super) written: Written,
}

/// The other ends of the edges at a node, in one direction.
type Ends = HashMap<NodeId, BTreeSet<(Name, NodeId)>>;

/// The database at one timestamp, and what a transaction has changed of it.
#[derive(Debug, Default)]
pub(super) struct State {
    nodes: HashMap<NodeId, NodeState>,
    keys: HashMap<(Name, String), NodeId>,
    labels: HashMap<Name, HashSet<NodeId>>,
    edges: HashMap<EdgeName, Written>,
    out: Ends,
    incoming: Ends,
    edge_counts: HashMap<Name, u64>,
    indexes: HashMap<Name, Indexes>,
}

/// Nodes of one label by what they are indexed by.
#[derive(Debug, Default)]
struct Indexes {
    by_number: BTreeMap<i64, BTreeSet<NodeId>>,
    /// More than one only where something is wrong.
    by_list: HashMap<Vec<i64>, BTreeSet<NodeId>>,
}

impl Indexes {
    fn insert(&mut self, id: NodeId, content: &Content) {
        self.by_number.entry(content.number).or_default().insert(id);
        self.by_list.entry(content.list.clone()).or_default().insert(id);
    }

    fn remove(&mut self, id: NodeId, content: &Content) {
        if let Some(nodes) = self.by_number.get_mut(&content.number) {
            nodes.remove(&id);
            if nodes.is_empty() {
                self.by_number.remove(&content.number);
            }
        }
        if let Some(nodes) = self.by_list.get_mut(&content.list) {
            nodes.remove(&id);
            if nodes.is_empty() {
                self.by_list.remove(&content.list);
            }
        }
    }
}

/// A change, and what was there before: enough to take it back.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Node(NodeId, Option<NodeState>),
    Edge(EdgeName, Option<Written>),
}

impl State {
    /// An empty database, with indexes of these labels.
    pub(super) fn indexing(labels: &[Name]) -> Self {
        let indexes = labels.iter().map(|label| (label.clone(), Indexes::default()));
        Self { indexes: indexes.collect(), ..Self::default() }
    }

    /// Whether the nodes of a label are indexed.
    pub(super) fn is_indexed(&self, label: &Name) -> bool {
        self.indexes.contains_key(label)
    }

    /// The node of an indexed label that has a list.
    pub(super) fn holder(&self, label: &Name, list: &[i64]) -> Option<NodeId> {
        self.indexes.get(label)?.by_list.get(list)?.first().copied()
    }

    /// The nodes of an indexed label by their numbers, from one to another.
    pub(super) fn by_number(
        &self,
        label: &Name,
        least: i64,
        most: i64,
    ) -> impl DoubleEndedIterator<Item = (i64, NodeId)> {
        let index = self.indexes.get(label).filter(|_| least <= most);
        let nodes = index.into_iter().flat_map(move |index| index.by_number.range(least..=most));
        nodes.flat_map(|(number, nodes)| nodes.iter().map(|node| (*number, *node)))
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&NodeState> {
        self.nodes.get(&id)
    }

    pub(super) fn by_key(&self, label: &Name, key: &str) -> Option<NodeId> {
        self.keys.get(&(label.clone(), key.to_owned())).copied()
    }

    pub(super) fn with_label(&self, label: &Name) -> Option<&HashSet<NodeId>> {
        self.labels.get(label)
    }

    pub(super) fn edge(&self, edge: &EdgeName) -> Option<&Written> {
        self.edges.get(edge)
    }

    pub(super) fn count_edges(&self, edge_type: &Name) -> u64 {
        self.edge_counts.get(edge_type).copied().unwrap_or(0)
    }

    fn ends(&self, node: NodeId, is_out: bool) -> impl Iterator<Item = &(Name, NodeId)> {
        let ends = if is_out { &self.out } else { &self.incoming };
        ends.get(&node).into_iter().flatten()
    }

    /// The neighbours, sorted, one for each edge.
    pub(super) fn neighbours(
        &self,
        node: NodeId,
        way: Way,
        edge_type: Option<&Name>,
    ) -> Vec<NodeId> {
        let mut found = Vec::new();
        for is_out in [true, false] {
            if way == Way::Both || (way == Way::Out) == is_out {
                let ends = self.ends(node, is_out);
                let ends = ends.filter(|(kind, _)| edge_type.is_none_or(|asked| asked == kind));
                found.extend(ends.map(|(_, node)| *node));
            }
        }
        found.sort_unstable();
        found
    }

    /// All edges at a node.
    pub(super) fn edges_at(&self, node: NodeId) -> BTreeSet<EdgeName> {
        let edge =
            |source, (edge_type, target): (Name, NodeId)| EdgeName { source, edge_type, target };
        let out = self.ends(node, true).map(|end| edge(node, end.clone()));
        let incoming = self.ends(node, false);
        out.chain(incoming.map(|(kind, from)| edge(*from, (kind.clone(), node)))).collect()
    }

    /// The nodes 1 to `depth` hops away from `start`, and all from which edges were
    /// followed.
    pub(super) fn reached(
        &self,
        start: NodeId,
        edge_type: &Name,
        depth: u32,
    ) -> (HashSet<NodeId>, Vec<NodeId>) {
        let (mut reached, mut passed) = (HashSet::new(), Vec::new());
        let mut queue = VecDeque::from_iter(self.node(start).map(|_| (start, 0)));
        while let Some((node, hops)) = queue.pop_front() {
            if hops == depth {
                continue;
            }
            passed.push(node);
            for (kind, next) in self.ends(node, true) {
                if kind == edge_type && *next != start && reached.insert(*next) {
                    queue.push_back((*next, hops + 1));
                }
            }
        }
        (reached, passed)
    }

    /// Makes a change; gives the one that takes it back.
    pub(super) fn make(&mut self, change: Change) -> Change {
        match change {
            Change::Node(id, state) => Change::Node(id, self.set_node(id, state)),
            Change::Edge(edge, state) => {
                let old = self.set_edge(&edge, state);
                Change::Edge(edge, old)
            }
        }
    }

    fn set_node(&mut self, id: NodeId, state: Option<NodeState>) -> Option<NodeState> {
        if let Some(old) = self.nodes.get(&id) {
            self.labels.entry(old.label.clone()).or_default().remove(&id);
            if let Some(key) = &old.key {
                let key = (old.label.clone(), key.clone());
                if self.keys.get(&key) == Some(&id) {
                    self.keys.remove(&key);
                }
            }
            if let Some(indexes) = self.indexes.get_mut(&old.label) {
                indexes.remove(id, &old.written.content);
            }
        }
        let Some(state) = state else { return self.nodes.remove(&id) };
        self.labels.entry(state.label.clone()).or_default().insert(id);
        if let Some(key) = &state.key {
            self.keys.insert((state.label.clone(), key.clone()), id);
        }
        if let Some(indexes) = self.indexes.get_mut(&state.label) {
            indexes.insert(id, &state.written.content);
        }
        self.nodes.insert(id, state)
    }

    fn set_edge(&mut self, edge: &EdgeName, state: Option<Written>) -> Option<Written> {
        let EdgeName { source, edge_type, target } = edge;
        let (out, incoming) = ((edge_type.clone(), *target), (edge_type.clone(), *source));
        let count = self.edge_counts.entry(edge_type.clone()).or_default();
        match state {
            Some(state) => {
                let old = self.edges.insert(edge.clone(), state);
                *count += u64::from(old.is_none());
                self.out.entry(*source).or_default().insert(out);
                self.incoming.entry(*target).or_default().insert(incoming);
                old
            }
            None => {
                let old = self.edges.remove(edge);
                *count -= u64::from(old.is_some());
                self.out.entry(*source).or_default().remove(&out);
                self.incoming.entry(*target).or_default().remove(&incoming);
                old
            }
        }
    }
}
