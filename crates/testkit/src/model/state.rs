//! The obvious slow database: the whole of it as sorted maps, copied for every
//! snapshot and searched from end to end for every read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Range, RangeInclusive};

use selvedge::{Direction, Document, EdgeId, EdgeTypeDef, NodeId, Timestamp, Uniqueness};

/// A label, key or edge type: there are few of each, so that things collide.
pub type Name = &'static str;
/// Labels of nodes.
pub const LABELS: [Name; 3] = ["A", "B", "C"];
/// Keys of nodes.
pub const KEYS: [Name; 3] = ["p", "q", "r"];
/// Types of edges.
pub const TYPES: [Name; 3] = ["E", "F", "G"];
/// Fields of documents.
pub const FIELDS: [Name; 3] = ["x", "y", "z"];
/// Keys of entries: bytes below this.
pub const ENTRIES: u8 = 5;
/// Ways along edges.
pub const DIRECTIONS: [Direction; 3] = [Direction::Out, Direction::In, Direction::Both];

#[derive(Clone, PartialEq, Debug)]
pub(super) struct NodeState {
    pub(super) label: Name,
    pub(super) key: Option<Name>,
    pub(super) document: Document,
    /// The commit that last wrote it; none for a transaction's own write.
    pub(super) version: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct EdgeName {
    pub(super) source: NodeId,
    pub(super) edge_type: Name,
    pub(super) target: NodeId,
    pub(super) id: Option<EdgeId>,
}

impl EdgeName {
    /// The other end, seen from `node`.
    pub(super) fn neighbour(&self, direction: Direction) -> NodeId {
        if direction == Direction::In { self.source } else { self.target }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct EdgeState {
    pub(super) document: Document,
    /// Which record holds the document; 0 for none. An edge that gets a record
    /// is another entry in the adjacency of its ends.
    pub(super) record: u64,
}

/// The key of an entry: a byte, and the stamp of the commit that made the entry, if it
/// was to end with that. They sort as their bytes do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct EntryKey(pub(super) u8, pub(super) Option<Timestamp>);

impl EntryKey {
    /// All keys that begin with bytes from one on, and before another.
    pub(super) fn range(from: u8, to: u8) -> Range<Self> {
        Self(from, None)..Self(to, None)
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        let Self(first, stamp) = self;
        let digits = stamp.map(|stamp| format!("\x02{:016x}0000\0", stamp.get()));
        [&[first], digits.unwrap_or_default().as_bytes()].concat()
    }
}

/// A number in a keyspace.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct EntryState {
    pub(super) value: u64,
    /// As of a node.
    pub(super) version: Option<Timestamp>,
}

/// The database at one moment.
#[derive(Clone, Default, PartialEq, Debug)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<NodeId, NodeState>,
    pub(super) edges: BTreeMap<EdgeName, EdgeState>,
    pub(super) entries: BTreeMap<EntryKey, EntryState>,
    pub(super) labels: BTreeSet<Name>,
    pub(super) types: BTreeMap<Name, EdgeTypeDef>,
    /// Types that a transaction linked by and no longer does: it goes on as if
    /// they were defined, but they are not listed.
    pub(super) implied: BTreeMap<Name, EdgeTypeDef>,
}

/// A walk to compare.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Which edges are followed.
    pub direction: Direction,
    /// Of which type, if of one.
    pub edge_type: Option<Name>,
    /// How far.
    pub depth: RangeInclusive<u32>,
    /// What comes once.
    pub uniqueness: Uniqueness,
}

impl State {
    pub(super) fn holder(&self, label: Name, key: Name) -> Option<NodeId> {
        let mut holders =
            self.nodes.iter().filter(|(_, node)| node.label == label && node.key == Some(key));
        let holder = holders.next().map(|(id, _)| *id);
        assert!(holders.next().is_none(), "the model itself has a key twice");
        holder
    }

    pub(super) fn scan(&self, label: Name) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, node)| node.label == label).map(|(id, _)| *id).collect()
    }

    pub(super) fn count_edges(&self, edge_type: Name) -> usize {
        self.edges.keys().filter(|edge| edge.edge_type == edge_type).count()
    }

    /// The edges at a node: those out, then those in. A loop comes twice.
    pub(super) fn edges_at(
        &self,
        node: NodeId,
        direction: Direction,
        edge_type: Option<Name>,
    ) -> Vec<(Direction, EdgeName)> {
        let one = |direction: Direction| {
            let at = move |edge: &EdgeName| {
                let end = if direction == Direction::In { edge.target } else { edge.source };
                end == node && edge_type.is_none_or(|kind| kind == edge.edge_type)
            };
            let mut found: Vec<_> = self.edges.keys().copied().filter(at).collect();
            found.sort_by_key(|edge| (edge.edge_type, edge.neighbour(direction), edge.id));
            found.into_iter().map(move |edge| (direction, edge))
        };
        match direction {
            Direction::Both => one(Direction::Out).chain(one(Direction::In)).collect(),
            direction => one(direction).collect(),
        }
    }

    pub(super) fn between(&self, source: NodeId, edge_type: Name, target: NodeId) -> Vec<EdgeName> {
        let wanted = (source, edge_type, target);
        let named = |edge: &&EdgeName| (edge.source, edge.edge_type, edge.target) == wanted;
        self.edges.keys().filter(named).copied().collect()
    }

    /// What a walk yields, as depths and nodes, sorted; and the nodes that it
    /// left.
    pub(super) fn walk(&self, start: NodeId, walk: &Walk) -> (Vec<(u32, NodeId)>, Vec<NodeId>) {
        let (mut yielded, mut left) = (Vec::new(), Vec::new());
        if !self.nodes.contains_key(&start) {
            return (yielded, left);
        }
        let (mut nodes, mut edges) = (BTreeSet::from([start]), BTreeSet::new());
        let mut queue = VecDeque::from([(0, start)]);
        while let Some((depth, node)) = queue.pop_front() {
            if walk.depth.contains(&depth) {
                yielded.push((depth, node));
            }
            if depth >= *walk.depth.end() {
                continue;
            }
            left.push(node);
            for (direction, edge) in self.edges_at(node, walk.direction, walk.edge_type) {
                let next = edge.neighbour(direction);
                let new = match walk.uniqueness {
                    Uniqueness::Node => nodes.insert(next),
                    Uniqueness::Edge => edges.insert(edge),
                    Uniqueness::None => true,
                };
                if new {
                    queue.push_back((depth + 1, next));
                }
            }
        }
        yielded.sort_unstable();
        (yielded, left)
    }

    /// The number of edges on a shortest path.
    pub(super) fn distance(
        &self,
        from: NodeId,
        to: NodeId,
        direction: Direction,
        edge_type: Option<Name>,
    ) -> Option<u32> {
        let depth = 0..=u32::MAX;
        let walk = Walk { direction, edge_type, depth, uniqueness: Uniqueness::Node };
        let (yielded, _) = self.walk(from, &walk);
        yielded.into_iter().find(|(_, node)| *node == to).map(|(depth, _)| depth)
    }
}
