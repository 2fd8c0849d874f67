//! What changed when, entity by entity, and who read it in which state.

use std::collections::HashMap;
use std::fmt;

use super::marks::Item;
use super::txn::{EdgeName, Name, NodeId, Timestamp};

/// Something that transactions can depend on each other by.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Entity {
    /// A node and its document.
    Node(NodeId),
    /// Which node has the key.
    Key(Name, String),
    /// An edge and its document.
    Edge(EdgeName),
    /// The set of nodes with a label.
    Label(Name),
    /// The set of edges that leave a node, or reach it: of a type, or all.
    Neighbourhood(NodeId, bool, Option<Name>),
    /// The number of nodes with a label: the same after one came and one went.
    NodeCount(Name),
    /// The number of edges of a type.
    EdgeCount(Name),
    /// An entry of a keyspace.
    Entry(Name),
    /// The set of nodes with a number in an index.
    Number(Name, i64),
    /// Which node has the list.
    Holder(Name, Vec<i64>),
}

impl Entity {
    /// Whether transactions may change it at the same time, as long as they change
    /// different members.
    pub(super) fn is_set(&self) -> bool {
        !matches!(
            self,
            Self::Node(_) | Self::Key(..) | Self::Edge(_) | Self::Entry(_) | Self::Holder(..)
        )
    }
}

impl From<&Item> for Entity {
    fn from(item: &Item) -> Self {
        match item {
            Item::Node(node) => Self::Node(*node),
            Item::Edge(edge) => Self::Edge(edge.clone()),
            Item::Entry(key) => Self::Entry(key.clone()),
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {}", node.get()),
            Self::Key(label, key) => write!(f, "key {key} of {label}"),
            Self::Edge(edge) => write!(f, "edge {edge}"),
            Self::Label(label) => write!(f, "nodes with label {label}"),
            Self::Neighbourhood(node, is_out, kind) => {
                let way = if *is_out { "out of" } else { "into" };
                let kind = kind.as_deref().unwrap_or("of any type");
                write!(f, "edges {kind} {way} node {}", node.get())
            }
            Self::NodeCount(label) => write!(f, "number of nodes with label {label}"),
            Self::EdgeCount(kind) => write!(f, "number of edges of type {kind}"),
            Self::Entry(key) => write!(f, "entry {key}"),
            Self::Number(label, number) => write!(f, "nodes of {label} with number {number}"),
            Self::Holder(label, list) => write!(f, "holder of {list:?} in {label}"),
        }
    }
}

/// The state in which something was read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// As this transaction left it.
    LeftBy(usize),
    /// With this many of its changes.
    After(usize),
}

/// How something was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// By its name, as of the start.
    ByName,
    /// As one of all that are somewhere, as of the start.
    AmongOthers,
    /// By its name, right before the commit.
    AtCommit,
}

/// One read.
#[derive(Debug)]
pub(super) struct ReadOf {
    pub(super) reader: usize,
    pub(super) entity: usize,
    pub(super) seen: Seen,
    pub(super) how: How,
}

/// One commit that changed an entity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed {
    pub(super) at: Timestamp,
    pub(super) by: usize,
    /// Whatever it had been since the start.
    pub(super) is_blind: bool,
}

/// All changes, in the order of commits, and all reads.
#[derive(Debug, Default)]
pub(super) struct Changes {
    numbers: HashMap<Entity, usize>,
    pub(super) entities: Vec<(Entity, Vec<Changed>)>,
    pub(super) reads: Vec<ReadOf>,
}

impl Changes {
    fn number(&mut self, entity: Entity) -> usize {
        let Self { numbers, entities, .. } = self;
        *numbers.entry(entity).or_insert_with_key(|entity| {
            entities.push((entity.clone(), Vec::new()));
            entities.len() - 1
        })
    }

    /// Notes a change, newer than all before.
    pub(super) fn change(&mut self, entity: Entity, change: Changed) {
        let number = self.number(entity);
        let changes = &mut self.entities[number].1;
        if changes.last().is_none_or(|last| last.by != change.by) {
            changes.push(change);
        }
    }

    pub(super) fn of(&self, entity: &Entity) -> &[Changed] {
        self.numbers.get(entity).map_or(&[], |number| &self.entities[*number].1)
    }

    /// Notes a read in the state that is the newest now.
    pub(super) fn read_newest(&mut self, reader: usize, entity: Entity) {
        let number = self.number(entity);
        let seen = Seen::After(self.entities[number].1.len());
        self.reads.push(ReadOf { reader, entity: number, seen, how: How::ByName });
    }

    /// Notes a read of what `writer` wrote.
    pub(super) fn read_of(&mut self, reader: usize, entity: Entity, writer: usize) {
        self.read(reader, entity, Seen::LeftBy(writer), How::ByName);
    }

    pub(super) fn read(&mut self, reader: usize, entity: Entity, seen: Seen, how: How) {
        let entity = self.number(entity);
        self.reads.push(ReadOf { reader, entity, seen, how });
    }

    /// How many of the entity's changes the reader saw; None if it saw what never
    /// was committed.
    pub(super) fn seen(&self, read: &ReadOf, commit: Option<Timestamp>) -> Option<usize> {
        match read.seen {
            Seen::After(number) => Some(number),
            Seen::LeftBy(writer) => {
                let changes = &self.entities[read.entity].1;
                let place = changes.binary_search_by_key(&commit?, |change| change.at).ok()?;
                (changes[place].by == writer).then_some(place + 1)
            }
        }
    }
}
