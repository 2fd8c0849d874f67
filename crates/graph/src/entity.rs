//! Names of entities: what conflicts, statistics and errors speak of.

use std::fmt;

use selvedge_base::{EdgeId, EdgeTypeId, NodeId, Timestamp};
use selvedge_encoding::Key;

/// A directed edge. For a type that allows one edge between two nodes, source,
/// type and target name it; the edges of a multi type are told apart by `id`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Edge {
    /// Where it starts.
    pub source: NodeId,
    /// Its type.
    pub edge_type: EdgeTypeId,
    /// Where it ends.
    pub target: NodeId,
    /// Its id, if its type is multi.
    pub id: Option<EdgeId>,
}

/// An edge, and what its type is called: as errors speak of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NamedEdge {
    /// The edge.
    pub edge: Edge,
    /// The name of its type.
    pub edge_type: Box<str>,
}

impl NamedEdge {
    /// `None`: no type has the number that this edge speaks of.
    pub(crate) fn new(edge: Edge, edge_type: Option<&str>) -> Self {
        let edge_type = edge_type.map_or_else(|| edge.edge_type.to_string().into(), Into::into);
        Self { edge, edge_type }
    }
}

impl fmt::Display for NamedEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edge, edge_type } = self;
        write!(f, "edge {} -{edge_type}-> {}", edge.source, edge.target)?;
        edge.id.map_or(Ok(()), |id| write!(f, " ({id})"))
    }
}

/// One of two directions along an edge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// From source to target.
    Out,
    /// From target to source.
    In,
    /// Both: first those out, then those in. An edge from a node to itself
    /// comes twice, once in each direction.
    Both,
}

impl Direction {
    /// Against this direction.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::Out => Self::In,
            Self::In => Self::Out,
            Self::Both => Self::Both,
        }
    }
}

/// Something that a transaction can conflict over.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Entity {
    /// A node: its existence and its document.
    Node(NodeId),
    /// The key of a node, under its label.
    Key {
        /// The label.
        label: String,
        /// The key.
        key: String,
    },
    /// An edge: its existence and its document.
    Edge(NamedEdge),
    /// The set of edges at a node.
    Neighbourhood(NodeId),
    /// The set of nodes with a label.
    Label(String),
    /// The definition, or the number of edges, of an edge type.
    EdgeType(String),
    /// What an index has under one value.
    Index {
        /// The label.
        label: String,
        /// The name of the index.
        index: String,
    },
    /// An entry of a keyspace, by the bytes of its key.
    Entry(Box<[u8]>),
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => write!(f, "node {id}"),
            Self::Key { label, key } => write!(f, "key {key:?} of label {label:?}"),
            Self::Edge(edge) => edge.fmt(f),
            Self::Neighbourhood(id) => write!(f, "edges at node {id}"),
            Self::Label(label) => write!(f, "nodes with label {label:?}"),
            Self::EdgeType(name) => write!(f, "edge type {name:?}"),
            Self::Index { label, index } => {
                write!(f, "a value in index {index:?} of label {label:?}")
            }
            Self::Entry(key) => write!(f, "entry {:?}", Key::from_bytes(&**key)),
        }
    }
}

/// Which rule a conflict broke.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum ConflictKind {
    /// Both wrote the entity; the other committed first.
    Write,
    /// An edge was added to a node that the other deleted, or a node deleted to
    /// which the other added an edge.
    Dangling,
    /// A validated read is stale: what was read has changed.
    Read,
    /// The definition of what was written has changed.
    Definition,
}

impl ConflictKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Write, Self::Dangling, Self::Read, Self::Definition];

    /// The place of the kind among all.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Write => 0,
            Self::Dangling => 1,
            Self::Read => 2,
            Self::Definition => 3,
        }
    }
}

/// Another transaction came first. Begin again, with a fresh snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// What both touched.
    pub entity: Entity,
    /// Which rule was broken.
    pub kind: ConflictKind,
    /// The start timestamp of the transaction that is refused.
    pub start: Timestamp,
    /// The commit timestamp of the one that came first.
    pub committed: Timestamp,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entity, start, committed, .. } = self;
        let how = match self.kind {
            ConflictKind::Write => "was written",
            ConflictKind::Dangling => "was deleted or linked",
            ConflictKind::Read => "was read here and then changed",
            ConflictKind::Definition => "got another definition, or index,",
        };
        write!(
            f,
            "{entity} {how} by the commit {committed}, after this transaction began at {start}"
        )
    }
}

impl std::error::Error for Conflict {}
