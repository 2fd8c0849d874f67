//! What the database should contain: its states, commit by commit, and which of them
//! must survive.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::sync::Arc;

use selvedge::{Document, EdgeId, EdgeTypeDef, KvValue, NodeId, Timestamp};

/// A label, or an edge type.
pub(super) type Name = &'static str;

/// Labels that nodes are given.
pub(super) const LABELS: [Name; 14] =
    ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N"];
/// Edge types; every other one is defined as multi, if anybody defines it in time.
pub(super) const TYPES: [Name; 12] = ["O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z"];
/// Keys that nodes are given.
pub(super) const KEYS: [Name; 10] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"];

/// A node at one moment.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct NodeState {
    pub(super) label: Name,
    pub(super) key: Option<Name>,
    pub(super) document: Arc<Document>,
    /// The commit that last wrote it; None if that one never told its timestamp.
    pub(super) version: Option<Timestamp>,
}

/// What tells an edge from others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct EdgeName {
    pub(super) source: NodeId,
    pub(super) edge_type: Name,
    pub(super) target: NodeId,
    pub(super) id: Option<EdgeId>,
}

impl EdgeName {
    pub(super) fn pair(&self) -> (NodeId, Name, NodeId) {
        (self.source, self.edge_type, self.target)
    }
}

/// An entry of the keyspace at one moment.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct EntryState {
    pub(super) value: KvValue<'static>,
    /// As of nodes.
    pub(super) version: Option<Timestamp>,
}

/// The database at one moment.
#[derive(Clone, Default, Debug)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<NodeId, Arc<NodeState>>,
    pub(super) edges: BTreeMap<EdgeName, Arc<Document>>,
    pub(super) labels: BTreeSet<Name>,
    pub(super) types: BTreeMap<Name, EdgeTypeDef>,
    /// By their keys' bytes.
    pub(super) entries: BTreeMap<Vec<u8>, EntryState>,
}

/// What was read of the database at one moment.
#[derive(Default, Debug)]
pub(super) struct Seen {
    pub(super) state: State,
    /// Nodes that could not be read, and that said so.
    pub(super) damaged_nodes: BTreeSet<NodeId>,
    /// Pairs of nodes whose edges of a type could not be read.
    pub(super) damaged_pairs: BTreeSet<(NodeId, Name, NodeId)>,
}

impl State {
    pub(super) fn holder(&self, label: Name, key: Name) -> Option<NodeId> {
        let holds = |node: &NodeState| node.label == label && node.key == Some(key);
        self.nodes.iter().find(|(_, node)| holds(node)).map(|(id, _)| *id)
    }

    /// How what was seen differs from this; None if it does not.
    pub(super) fn difference(&self, seen: &Seen) -> Option<String> {
        let found = &seen.state;
        let ids: BTreeSet<_> = self.nodes.keys().chain(found.nodes.keys()).copied().collect();
        for id in ids.difference(&seen.damaged_nodes) {
            let (expected, found) = (self.nodes.get(id), found.nodes.get(id));
            if !same_node(expected, found) {
                return Some(format!("node {id}: {}", two(expected, found)));
            }
        }
        if let Some(id) = seen.damaged_nodes.iter().find(|id| !self.nodes.contains_key(id)) {
            return Some(format!("node {id} does not exist, and is damaged"));
        }
        let names: BTreeSet<_> = self.edges.keys().chain(found.edges.keys()).collect();
        for name in names {
            let (expected, found) = (self.edges.get(name), found.edges.get(name));
            if expected != found && !seen.damaged_pairs.contains(&name.pair()) {
                return Some(format!("edge {name:?}: {}", two(expected, found)));
            }
        }
        if self.labels != found.labels {
            return Some(format!("labels: {}", two(&self.labels, &found.labels)));
        }
        if self.types != found.types {
            return Some(format!("edge types: {}", two(&self.types, &found.types)));
        }
        let keys: BTreeSet<_> = self.entries.keys().chain(found.entries.keys()).collect();
        for key in keys {
            let (expected, found) = (self.entries.get(key), found.entries.get(key));
            if !same_entry(expected, found) {
                return Some(format!("entry {key:?}: {}", two(expected, found)));
            }
        }
        None
    }

    /// Takes over the timestamps that were seen where they were not told before.
    fn resolve(&mut self, seen: &Seen) {
        for (id, node) in &mut self.nodes {
            if node.version.is_none()
                && let Some(found) = seen.state.nodes.get(id)
            {
                *node = Arc::clone(found);
            }
        }
        for (key, entry) in &mut self.entries {
            if entry.version.is_none()
                && let Some(found) = seen.state.entries.get(key)
            {
                entry.version = found.version;
            }
        }
    }
}

fn same_entry(expected: Option<&EntryState>, found: Option<&EntryState>) -> bool {
    match (expected, found) {
        (None, None) => true,
        (Some(expected), Some(found)) => {
            (expected.version.is_none() || expected.version == found.version)
                && expected.value == found.value
        }
        _ => false,
    }
}

fn same_node(expected: Option<&Arc<NodeState>>, found: Option<&Arc<NodeState>>) -> bool {
    match (expected, found) {
        (None, None) => true,
        (Some(expected), Some(found)) => {
            (expected.version.is_none() || expected.version == found.version)
                && (expected.label, expected.key) == (found.label, found.key)
                && expected.document == found.document
        }
        _ => false,
    }
}

/// Bytes of a value that are told.
const TOLD_BYTES: usize = 400;

fn two(expected: impl Debug, found: impl Debug) -> String {
    let cut = |told: String| {
        let end = told.floor_char_boundary(TOLD_BYTES);
        if end < told.len() { format!("{}..", &told[..end]) } else { told }
    };
    let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
    let differ = expected.bytes().zip(found.bytes()).take_while(|(one, two)| one == two).count();
    format!("expected {}, found {} (from byte {differ} on)", cut(expected), cut(found))
}

/// A state, and the commit that led to it.
#[derive(Debug)]
struct Moment {
    state: Arc<State>,
    /// The outcome of the commit was never told.
    is_unknown: bool,
    /// How much was known to be durable before the commit.
    durable_before: usize,
}

/// The states that the database went through, in the order of its commits.
#[derive(Debug)]
pub(super) struct History {
    moments: Vec<Moment>,
    /// This one and those before must survive everything but damage.
    durable: usize,
    /// This one and those before must survive a flipped bit as well, or be missed.
    covered: usize,
}

impl History {
    pub(super) fn new() -> Self {
        let empty = Moment { state: Arc::default(), is_unknown: false, durable_before: 0 };
        Self { moments: vec![empty], durable: 0, covered: 0 }
    }

    fn last(&self) -> usize {
        self.moments.len() - 1
    }

    /// The newest state.
    pub(super) fn newest(&self) -> &Arc<State> {
        &self.moments[self.last()].state
    }

    /// How many commits there were.
    pub(super) fn len(&self) -> usize {
        self.last()
    }

    /// Which of them must survive, by number.
    pub(super) fn durable(&self) -> usize {
        self.durable
    }

    pub(super) fn covered(&self) -> usize {
        self.covered
    }

    /// A commit was applied.
    pub(super) fn push(&mut self, state: State, is_unknown: bool) {
        let (state, durable_before) = (Arc::new(state), self.durable);
        self.moments.push(Moment { state, is_unknown, durable_before });
    }

    /// All that was committed is durable.
    pub(super) fn all_durable(&mut self) {
        self.durable_to(self.last());
    }

    /// The state numbered `at`, and those before, are durable.
    pub(super) fn durable_to(&mut self, at: usize) {
        self.durable = self.durable.max(at);
        // Its record says what was durable before it.
        self.covered = self.covered.max(self.moments[self.durable].durable_before);
    }

    /// All that is durable is told to be by something that is durable itself.
    pub(super) fn all_covered(&mut self) {
        self.covered = self.durable;
    }

    /// Up to which number outcomes are known.
    pub(super) fn known(&self) -> usize {
        self.moments.iter().rposition(|moment| !moment.is_unknown).unwrap_or_default()
    }

    /// The newest state in `range` that is what was seen; if there is none, how it
    /// differs from both ends.
    pub(super) fn find(&self, seen: &Seen, range: RangeInclusive<usize>) -> Result<usize, String> {
        let (first, last) = (*range.start(), *range.end());
        let differs = |at: usize| self.moments[at].state.difference(seen);
        let found = range.rev().find(|at| differs(*at).is_none());
        found.ok_or_else(|| {
            let elsewhere = (0..=self.last()).rev().find(|at| differs(*at).is_none());
            let elsewhere = match elsewhere {
                Some(at) => format!("it is state {at}"),
                None => "it is no state at all".to_owned(),
            };
            format!(
                "what is seen is none of the states {first} to {last}; {elsewhere}\n\
                 from {first} it differs in {}\nfrom {last} it differs in {}",
                differs(first).unwrap_or_default(),
                differs(last).unwrap_or_default()
            )
        })
    }

    /// The database was opened, and goes on from the state numbered `at`.
    pub(super) fn go_on_from(&mut self, at: usize, seen: &Seen) {
        self.moments.truncate(at + 1);
        let moment = &mut self.moments[at];
        moment.is_unknown = false;
        Arc::make_mut(&mut moment.state).resolve(seen);
        (self.durable, self.covered) = (at, at);
    }

    pub(super) fn state(&self, at: usize) -> &Arc<State> {
        &self.moments[at].state
    }
}
