//! Reads: each is put to the database and to the model, and compared.

use std::fmt::Debug;

use selvedge::{Direction, EdgeRef, KvEntry, NodeId, Read, Selection, Uniqueness, Versionstamp};

use super::state::{
    DIRECTIONS, ENTRIES, EdgeName, EntryKey, EntryState, KEYS, LABELS, Name, State, TYPES, Walk,
};
use super::transaction::{Demand, ModelTransaction, Seen};

/// One reading operation; `N` names a node.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are the operations of a reader")]
pub enum Look<N> {
    Node(N),
    Contains(N),
    Key(Name, Name),
    Scan(Name),
    Count(Name),
    CountEdges(Name),
    NodeCount,
    EdgeCount,
    Labels,
    EdgeTypes,
    Definition(Name),
    Neighbours(N, Direction, Option<Name>),
    Degree(N, Direction, Option<Name>),
    Edges(N, Direction, Option<Name>),
    Between(N, Name, N),
    Walk(N, Walk),
    Path(N, N, Direction, Option<Name>),
    Entry(u8),
    /// From a key on, and before another.
    Entries(u8, u8),
}

impl<N> Look<N> {
    pub(super) fn map<M>(self, node: impl Fn(N) -> M) -> Look<M> {
        match self {
            Self::Node(a) => Look::Node(node(a)),
            Self::Contains(a) => Look::Contains(node(a)),
            Self::Key(label, key) => Look::Key(label, key),
            Self::Scan(label) => Look::Scan(label),
            Self::Count(label) => Look::Count(label),
            Self::CountEdges(kind) => Look::CountEdges(kind),
            Self::NodeCount => Look::NodeCount,
            Self::EdgeCount => Look::EdgeCount,
            Self::Labels => Look::Labels,
            Self::EdgeTypes => Look::EdgeTypes,
            Self::Definition(name) => Look::Definition(name),
            Self::Neighbours(a, direction, kind) => Look::Neighbours(node(a), direction, kind),
            Self::Degree(a, direction, kind) => Look::Degree(node(a), direction, kind),
            Self::Edges(a, direction, kind) => Look::Edges(node(a), direction, kind),
            Self::Between(a, kind, b) => Look::Between(node(a), kind, node(b)),
            Self::Walk(a, walk) => Look::Walk(node(a), walk),
            Self::Path(a, b, direction, kind) => Look::Path(node(a), node(b), direction, kind),
            Self::Entry(key) => Look::Entry(key),
            Self::Entries(from, to) => Look::Entries(from, to),
        }
    }
}

fn same<T: PartialEq + Debug>(found: T, expected: T, look: &Look<NodeId>) {
    assert!(found == expected, "{look:?}: found {found:?}, expected {expected:?}");
}

/// Reads once, and compares.
pub(super) fn compare(reader: &impl Read, state: &State, look: &Look<NodeId>) {
    match *look {
        Look::Node(id) => node(reader, state, id),
        Look::Contains(id) => {
            same(reader.contains(id).expect("reads"), state.nodes.contains_key(&id), look);
        }
        Look::Key(label, key) => {
            let found = reader.get_node(label, key).expect("reads").map(|node| node.id());
            same(found, state.holder(label, key), look);
        }
        Look::Scan(label) => {
            same(reader.scan(label).expect("reads").collect(), state.scan(label), look);
        }
        Look::Count(label) => {
            same(reader.count(label).expect("reads") as usize, state.scan(label).len(), look);
        }
        Look::CountEdges(kind) => {
            let found = reader.count_edges(kind).expect("reads") as usize;
            same(found, state.count_edges(kind), look);
        }
        Look::NodeCount => {
            same(reader.node_count().expect("reads") as usize, state.nodes.len(), look);
        }
        Look::EdgeCount => {
            same(reader.edge_count().expect("reads") as usize, state.edges.len(), look);
        }
        Look::Labels => {
            let labels = state.labels.iter().map(|label| (*label).to_owned()).collect();
            same(reader.labels().expect("reads"), labels, look);
        }
        Look::EdgeTypes => {
            let types = state.types.keys().map(|name| (*name).to_owned()).collect();
            same(reader.edge_types().expect("reads"), types, look);
        }
        Look::Definition(name) => {
            let found = reader.edge_type_def(name).expect("reads");
            let known = state.types.get(name).or_else(|| state.implied.get(name));
            same(found, known.cloned(), look);
        }
        Look::Neighbours(id, direction, kind) => neighbours(reader, state, id, direction, kind),
        Look::Degree(id, direction, kind) => {
            let found = reader.degree(id, direction, kind).expect("reads") as usize;
            same(found, state.edges_at(id, direction, kind).len(), look);
        }
        Look::Edges(id, direction, kind) => edges(reader, state, id, direction, kind),
        Look::Between(source, kind, target) => {
            let found = reader.edges_between(source, kind, target).expect("reads");
            let first = reader.edge(source, kind, target).expect("reads");
            assert_eq!(first.map(|edge| edge.edge()), found.first().map(EdgeRef::edge), "{look:?}");
            let found: Vec<_> = found.iter().map(|edge| edge_of(edge, state)).collect();
            same(found, state.between(source, kind, target), look);
        }
        Look::Walk(start, ref walk) => self::walk(reader, state, start, walk, look),
        Look::Path(from, to, direction, kind) => path(reader, state, (from, to), direction, kind),
        Look::Entry(key) => {
            let found = reader.kv_view().get(&[key]).expect("numbers only");
            let expected = state.entries.get_key_value(&EntryKey(key, None)).map(named_entry);
            same(found.map(|found| entry(&found)), expected, look);
        }
        Look::Entries(from, to) => entries(reader, state, (from, to), look),
    }
}

fn entries(reader: &impl Read, state: &State, (from, to): (u8, u8), look: &Look<NodeId>) {
    let ways = [Selection::range([from], [to]), Selection::range([from], [to]).reverse()];
    let expected: Vec<_> =
        state.entries.range(EntryKey::range(from, to)).map(named_entry).collect();
    let [onward, mut backward] = ways.map(|selection| {
        let found = reader.kv_view().list(selection).expect("numbers only");
        found.iter().map(entry).collect::<Vec<_>>()
    });
    backward.reverse();
    same((&onward, &backward), (&expected, &expected), look);
}

/// The key of an entry and what it is.
fn entry(found: &KvEntry<'_>) -> (Vec<u8>, EntryState) {
    let version = found.versionstamp().map(Versionstamp::timestamp);
    let value = found.number().expect("a number");
    (found.key_bytes().to_vec(), EntryState { value, version })
}

fn named_entry((key, entry): (&EntryKey, &EntryState)) -> (Vec<u8>, EntryState) {
    (key.bytes(), *entry)
}

fn node(reader: &impl Read, state: &State, id: NodeId) {
    let found = reader.node(id).expect("reads");
    let (Some(node), Some(model)) = (found, state.nodes.get(&id)) else {
        let expected = state.nodes.get(&id);
        assert!(found.is_none() && expected.is_none(), "{id}: {found:?} for {expected:?}");
        return;
    };
    assert_eq!((node.id(), node.label(), node.key()), (id, model.label, model.key));
    assert_eq!(node.document().to_document(), model.document, "{id}");
    assert_eq!(node.version(), model.version, "version of {id}");
}

/// The model's name of an edge, with its document compared.
fn edge_of(found: &EdgeRef<'_>, state: &State) -> EdgeName {
    let edge = found.edge();
    let edge_type = TYPES.into_iter().find(|name| *name == found.edge_type()).expect("known");
    let name = EdgeName { source: edge.source, edge_type, target: edge.target, id: edge.id };
    assert_eq!((found.source(), found.target()), (edge.source, edge.target));
    let model = state.edges.get(&name).unwrap_or_else(|| panic!("{name:?} should not exist"));
    assert_eq!(found.document().to_document(), model.document, "{name:?}");
    name
}

fn edges(reader: &impl Read, state: &State, id: NodeId, direction: Direction, kind: Option<Name>) {
    let found = reader.edges(id, direction, kind).expect("reads");
    assert_eq!(found.size_hint().1, Some(found.len()));
    let mut found: Vec<_> = found.map(|edge| edge_of(&edge, state)).collect();
    let expected = state.edges_at(id, direction, kind);
    let mut expected: Vec<_> = expected.into_iter().map(|(_, edge)| edge).collect();
    if kind.is_none() {
        // Which type comes first is not promised.
        found.sort_unstable();
        expected.sort_unstable();
    }
    assert_eq!(found, expected, "edges {direction:?} {kind:?} at {id}");
}

fn neighbours(
    reader: &impl Read,
    state: &State,
    id: NodeId,
    direction: Direction,
    kind: Option<Name>,
) {
    let read = || reader.neighbours(id, direction, kind).expect("reads");
    let (len, mut found) = (read().len(), read().collect::<Vec<_>>());
    let mut folded = Vec::new();
    read().for_each(|id| folded.push(id));
    assert_eq!((len, &folded), (found.len(), &found), "neighbours of {id} agree with themselves");
    if direction == Direction::Both {
        let one = |direction| reader.neighbours(id, direction, kind).expect("reads");
        let both: Vec<_> = one(Direction::Out).chain(one(Direction::In)).collect();
        assert_eq!(found, both, "first those out of {id}, then those in");
    }
    let edges = state.edges_at(id, direction, kind);
    let mut expected: Vec<_> =
        edges.into_iter().map(|(direction, edge)| edge.neighbour(direction)).collect();
    if kind.is_none() {
        found.sort_unstable();
        expected.sort_unstable();
    }
    assert_eq!(found, expected, "neighbours {direction:?} {kind:?} of {id}");
}

fn walk(reader: &impl Read, state: &State, start: NodeId, walk: &Walk, look: &Look<NodeId>) {
    let mut traversal = reader.traverse(start).expect("reads");
    if let Some(kind) = walk.edge_type {
        traversal = traversal.edge_type(kind);
    }
    let traversal = traversal.direction(walk.direction).depth(walk.depth.clone());
    let steps: Vec<_> =
        traversal.uniqueness(walk.uniqueness).collect::<Result<_, _>>().expect("reads");
    assert!(steps.is_sorted_by_key(|step| step.depth), "{look:?}: breadth first");
    for step in &steps {
        assert_eq!(step.parent.is_none(), step.depth == 0, "{look:?}");
        if let Some(parent) = step.parent {
            let edges = state.edges_at(parent, walk.direction, walk.edge_type);
            let leads = |(direction, edge): &(_, EdgeName)| edge.neighbour(*direction) == step.node;
            assert!(edges.iter().any(leads), "{look:?}: no edge from {parent} to {}", step.node);
        }
    }
    let mut found: Vec<_> = steps.iter().map(|step| (step.depth, step.node)).collect();
    found.sort_unstable();
    same(found, state.walk(start, walk).0, look);
}

fn path(
    reader: &impl Read,
    state: &State,
    (from, to): (NodeId, NodeId),
    direction: Direction,
    kind: Option<Name>,
) {
    let search = || {
        let search = reader.shortest_path(from, to).expect("reads").direction(direction);
        if let Some(kind) = kind { search.edge_type(kind) } else { search }
    };
    let expected = match state.nodes.contains_key(&to) {
        true => state.distance(from, to, direction, kind).map(|edges| edges as usize),
        false => None,
    };
    let found = search().find();
    let what = format!("path {direction:?} {kind:?} from {from} to {to}");
    assert_eq!(found.as_ref().map(selvedge::Path::edges), expected, "{what}");
    let Some(found) = found else { return };
    assert_eq!((found.nodes().first(), found.nodes().last()), (Some(&from), Some(&to)), "{what}");
    for pair in found.nodes().windows(2) {
        let edges = state.edges_at(pair[0], direction, kind);
        let leads = |(direction, edge): &(_, EdgeName)| edge.neighbour(*direction) == pair[1];
        assert!(edges.iter().any(leads), "{what}: no edge {pair:?}");
    }
    let edges = found.edges();
    assert_eq!(search().edges_max(edges).find().map(|path| path.edges()), Some(edges), "{what}");
    if edges > 0 {
        assert_eq!(search().edges_max(edges - 1).find(), None, "{what}, shorter");
    }
}

/// What a transaction learns from a look.
pub(super) fn note(txn: &mut ModelTransaction, look: &Look<NodeId>) {
    let seen = match *look {
        Look::Node(id) => return txn.see_node(id),
        Look::Contains(id) => {
            if txn.written.nodes.contains_key(&id) {
                return;
            }
            Seen::NodeExists(id)
        }
        Look::Key(label, key) => {
            txn.see_holder(label, key);
            return;
        }
        Look::Scan(label) => Seen::Members(label),
        Look::Count(label) => Seen::Count(label),
        Look::CountEdges(kind) => Seen::EdgesOfType(kind),
        Look::NodeCount => Seen::NodeCount,
        Look::EdgeCount => Seen::EdgeCount,
        Look::Labels => Seen::LabelNames,
        Look::EdgeTypes => Seen::TypeNames,
        Look::Definition(name) => {
            // A type newer than the snapshot that it links by is validated anyway.
            let own = txn.now.implied.contains_key(name);
            if own || txn.now.types.get(name) != txn.base.types.get(name) {
                return;
            }
            Seen::Definition(name)
        }
        Look::Neighbours(id, direction, kind) | Look::Degree(id, direction, kind) => {
            Seen::Edges(id, direction, kind)
        }
        Look::Edges(id, direction, kind) => {
            let edges = txn.now.edges_at(id, direction, kind);
            edges.into_iter().for_each(|(_, edge)| see_document(txn, edge));
            Seen::Edges(id, direction, kind)
        }
        Look::Between(source, kind, target) => {
            let edges = txn.now.between(source, kind, target);
            edges.into_iter().for_each(|edge| see_document(txn, edge));
            txn.see(Seen::Between(source, kind, target), Demand::Must);
            return;
        }
        Look::Walk(start, ref walk) => {
            for node in txn.now.walk(start, walk).1 {
                txn.see(Seen::Edges(node, walk.direction, walk.edge_type), Demand::Must);
            }
            // Whether the type exists is looked up even if nothing is walked.
            txn.see(Seen::Edges(start, walk.direction, walk.edge_type), Demand::May);
            if txn.written.nodes.contains_key(&start) {
                return;
            }
            Seen::NodeExists(start)
        }
        Look::Path(from, to, direction, kind) => {
            // Which way the search goes is its own business; with own edges in
            // it, a change elsewhere need not change the path.
            let none_own = txn.written.nodes.is_empty() && txn.written.edges.is_empty();
            let demand = if none_own { Demand::Must } else { Demand::May };
            return txn.see(Seen::Distance(from, to, direction, kind), demand);
        }
        Look::Entry(key) => Seen::Entry(key),
        Look::Entries(from, to) => Seen::Entries(from, to),
    };
    txn.see(seen, Demand::Must);
}

fn see_document(txn: &mut ModelTransaction, edge: EdgeName) {
    if !txn.written.edges.contains_key(&edge) {
        txn.see(Seen::Document(edge), Demand::Must);
    }
}

/// Reads of everything. The edges of one node in four, and the walks from one
/// node, which one `turn` says: the rest has its turn later.
pub(super) fn everything(nodes: &[NodeId], turn: usize) -> Vec<Look<NodeId>> {
    let mut looks = vec![Look::NodeCount, Look::EdgeCount, Look::Labels, Look::EdgeTypes];
    looks.push(Look::Entries(0, ENTRIES));
    looks.extend((0..ENTRIES).map(Look::Entry));
    for label in LABELS {
        looks.extend([Look::Scan(label), Look::Count(label)]);
        looks.extend(KEYS.map(|key| Look::Key(label, key)));
    }
    for kind in TYPES {
        looks.extend([Look::CountEdges(kind), Look::Definition(kind)]);
    }
    let kinds = || [None].into_iter().chain(TYPES.map(Some));
    for (at, id) in nodes.iter().enumerate() {
        looks.extend([Look::Node(*id), Look::Contains(*id)]);
        if (at + turn).is_multiple_of(4) {
            for direction in DIRECTIONS {
                looks.extend(kinds().map(|kind| Look::Neighbours(*id, direction, kind)));
                looks.extend(kinds().map(|kind| Look::Degree(*id, direction, kind)));
                looks.extend(kinds().map(|kind| Look::Edges(*id, direction, kind)));
            }
        }
    }
    if nodes.is_empty() {
        return looks;
    }
    let start = nodes[turn % nodes.len()];
    let direction = DIRECTIONS[turn % 3];
    let kind = kinds().nth(turn % 4).flatten();
    for id in nodes {
        looks.extend(TYPES.map(|kind| Look::Between(start, kind, *id)));
        looks.push(Look::Path(start, *id, direction, kind));
    }
    let walk = |direction, depth, uniqueness| {
        Look::Walk(start, Walk { direction, edge_type: kind, depth, uniqueness })
    };
    looks.push(walk(direction, 0..=9, Uniqueness::Node));
    looks.push(walk(direction, 2..=3, Uniqueness::Node));
    looks.push(walk(direction, 1..=2, Uniqueness::None));
    let one_way = if turn.is_multiple_of(2) { Direction::Out } else { Direction::In };
    looks.push(walk(one_way, 1..=4, Uniqueness::Edge));
    looks
}
