//! The graph of one database: its tables, and how their records are named.

use ahash::RandomState;
use selvedge_base::limits::{EDGE_TYPES_MAX, LABELS_MAX, NODES_MAX};
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_base::{EdgeTypeId, LabelId, NodeId};
use selvedge_engine::Sequence;
use selvedge_index::HashIndex;
use selvedge_mvcc::{Record, SnapshotRef, Table, Version};

use crate::adjacency::{Adjacency, AdjacencyVersion};
use crate::catalog::{EdgeType, Label, Names};
use crate::entity::{ConflictKind, Direction};
use crate::error::GraphError;
use crate::outside::Documented;

/// Identifiers in a leaf of the tables; a record has 16 bytes.
pub(crate) const LEAF_IDS: usize = 1024;

/// The number of the leaf that an identifier lies in.
#[inline]
pub(crate) fn leaf_of(id: u64) -> u64 {
    id / LEAF_IDS as u64
}

/// The typed part of a node's version; key and document follow as bytes, or, in
/// place of the document, where it lies outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeHeader {
    pub(crate) label: LabelId,
    /// Bytes of the key, and two flags.
    key: u32,
}

/// Flag of a node's header: it has no key.
const NO_KEY: u32 = 1 << 31;
/// Flag of a node's header: its document lies outside.
const OUTSIDE: u32 = 1 << 30;

impl NodeHeader {
    /// The header of a version whose document follows its key.
    #[inline]
    pub(crate) fn new(label: LabelId, key: Option<&[u8]>) -> Self {
        Self { label, key: key.map_or(NO_KEY, |key| key.len() as u32) }
    }

    /// The header of a version that says in place of the document where it lies.
    pub(crate) fn outside(label: LabelId, key: Option<&[u8]>) -> Self {
        let inside = Self::new(label, key);
        Self { key: inside.key | OUTSIDE, ..inside }
    }

    /// Bytes of the key, if there is one.
    #[inline]
    fn key_len(self) -> Option<usize> {
        (self.key & NO_KEY == 0).then_some((self.key & !OUTSIDE) as usize)
    }
}

pub(crate) type NodeVersion = Version<NodeHeader>;

/// Reading a version of a node.
pub(crate) trait NodeRead {
    fn key_bytes(&self) -> Option<&[u8]>;
}

impl NodeRead for NodeVersion {
    #[inline]
    fn key_bytes(&self) -> Option<&[u8]> {
        self.header().key_len().map(|len| &self.bytes()[..len])
    }
}

impl Documented for NodeVersion {
    #[inline]
    fn is_outside(&self) -> bool {
        self.header().key & OUTSIDE != 0
    }

    #[inline]
    fn place(&self) -> &[u8] {
        // Apart, so that the way without a key is guessed, and does not wait for the
        // header.
        match self.header().key_len() {
            None => self.bytes(),
            Some(len) => &self.bytes()[len..],
        }
    }
}

/// The typed part of an edge's version; its bytes are the document, or where it
/// lies outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EdgeHeader {
    pub(crate) outside: bool,
}

impl EdgeHeader {
    /// The header of a version that holds its document.
    pub(crate) const INSIDE: Self = Self { outside: false };
}

pub(crate) type EdgeVersion = Version<EdgeHeader>;

impl Documented for EdgeVersion {
    #[inline]
    fn is_outside(&self) -> bool {
        self.header().outside
    }

    #[inline]
    fn place(&self) -> &[u8] {
        self.bytes()
    }
}

pub(crate) type Records<H> = Table<Record<H>, LEAF_IDS>;

/// Names a record for pruning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GraphRecord {
    /// A node.
    Node(NodeId),
    /// The edges out of a node.
    Out(NodeId),
    /// The edges into a node.
    In(NodeId),
    /// The document of the edge with this record number.
    Edge(u64),
    /// The number of nodes with a label.
    LabelCount(LabelId),
    /// The number of edges of a type.
    EdgeTypeCount(EdgeTypeId),
}

/// Nodes, edges and documents of one database.
#[derive(Debug)]
pub struct Graph {
    pub(crate) nodes: Records<NodeHeader>,
    pub(crate) out: Records<Adjacency>,
    pub(crate) into: Records<Adjacency>,
    pub(crate) edges: Records<EdgeHeader>,
    /// From the hash of label and key to the nodes that have, or had until they
    /// are pruned, that key. Which of them a snapshot sees, their records say.
    pub(crate) keys: HashIndex,
    pub(crate) labels: Names<Label>,
    pub(crate) edge_types: Names<EdgeType>,
    node_ids: Sequence,
    edge_numbers: Sequence,
    pub(crate) conflicts: [AtomicU64; ConflictKind::ALL.len()],
    pub(crate) checks_failed: AtomicU64,
    hasher: RandomState,
    options: GraphOptions,
}

/// How a graph starts out.
#[derive(Clone, Copy, Debug)]
pub struct GraphOptions {
    /// The id of the first node, at least 1.
    pub first_node_id: u64,
    /// The id of the first edge, at least 1.
    pub first_edge_id: u64,
    /// Seed of the hash of keys.
    pub hash_seed: u64,
    /// The random number by which documents outside memory are verified.
    pub salt: u32,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self { first_node_id: 1, first_edge_id: 1, hash_seed: 0, salt: 0 }
    }
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new(options: GraphOptions) -> Self {
        let seed = options.hash_seed;
        Self {
            nodes: Table::new(),
            out: Table::new(),
            into: Table::new(),
            edges: Table::new(),
            keys: HashIndex::new(),
            labels: Names::new(LABELS_MAX),
            edge_types: Names::new(EDGE_TYPES_MAX),
            node_ids: Sequence::new(options.first_node_id.clamp(1, NODES_MAX + 1)),
            edge_numbers: Sequence::new(options.first_edge_id.clamp(1, NODES_MAX + 1)),
            conflicts: Default::default(),
            checks_failed: AtomicU64::new(0),
            hasher: RandomState::with_seeds(seed, !seed, 0x5e1_7ed6e, 0x6e7a),
            options,
        }
    }

    /// How it started out.
    #[must_use]
    pub fn options(&self) -> GraphOptions {
        self.options
    }

    /// The sequences of ids: of nodes, and of edges.
    #[must_use]
    pub fn sequences(&self) -> [&Sequence; 2] {
        [&self.node_ids, &self.edge_numbers]
    }

    /// Whether the database is on disk.
    pub(crate) fn may_have_documents_outside(&self) -> bool {
        self.options.salt != 0
    }

    /// The random number by which documents outside memory are verified.
    #[inline]
    pub(crate) fn salt(&self) -> u32 {
        self.options.salt
    }

    /// A new node id. Ids of transactions that roll back are not given again.
    pub(crate) fn new_node_id(&self) -> Result<NodeId, GraphError> {
        Self::new_ids(&self.node_ids, 1, "the number of nodes ever created").map(NodeId::new)
    }

    /// A new number for an edge with a record.
    pub(crate) fn new_edge_number(&self) -> Result<u64, GraphError> {
        self.new_edge_numbers(1)
    }

    /// The first of so many, at least one.
    pub(crate) fn new_edge_numbers(&self, count: u64) -> Result<u64, GraphError> {
        Self::new_ids(&self.edge_numbers, count, "the number of edges ever created")
    }

    fn new_ids(ids: &Sequence, count: u64, what: &'static str) -> Result<u64, GraphError> {
        let first = ids.take_many(count).map_err(|error| GraphError::Storage(Box::new(error)))?;
        // A sequence that is used up stays so: to wrap it takes 2^37 more tries of as many
        // numbers as a transaction may write.
        let last = first + (count - 1);
        if last > NODES_MAX {
            return Err(GraphError::Limit { what, actual: last, limit: NODES_MAX });
        }
        Ok(first)
    }

    /// Whether the leaf of a node's id still gets new ids.
    pub(crate) fn gets_new_nodes(&self, id: u64) -> bool {
        leaf_of(self.node_ids.next()) <= leaf_of(id)
    }

    /// Whether the leaf of an edge's number still gets new ones.
    pub(crate) fn gets_new_edges(&self, number: u64) -> bool {
        leaf_of(self.edge_numbers.next()) <= leaf_of(number)
    }

    pub(crate) fn hash_key(&self, label: LabelId, key: &[u8]) -> u64 {
        self.hasher.hash_one((label, key))
    }

    /// The number of leaves that nodes may lie in.
    pub(crate) fn node_leaves(&self) -> u64 {
        leaf_of(self.node_ids.next()) + 1
    }

    /// The table of adjacency in one direction.
    #[inline]
    pub(crate) fn adjacency(&self, direction: Direction) -> &Records<Adjacency> {
        match direction {
            Direction::In => &self.into,
            Direction::Out | Direction::Both => &self.out,
        }
    }

    /// The edges at `node` that the snapshot sees.
    #[inline]
    pub(crate) fn edges_at<'s>(
        &'s self,
        node: NodeId,
        direction: Direction,
        at: SnapshotRef<'s>,
    ) -> Option<&'s AdjacencyVersion> {
        self.adjacency(direction).get(node.get(), at)?.read(at)
    }

    /// The node that the snapshot sees.
    #[inline]
    pub(crate) fn node_at<'s>(
        &'s self,
        node: NodeId,
        at: SnapshotRef<'s>,
    ) -> Option<&'s NodeVersion> {
        self.nodes.get(node.get(), at)?.read(at)
    }

    /// The number of conflicts so far, by kind.
    #[must_use]
    pub fn conflicts(&self) -> [u64; ConflictKind::ALL.len()] {
        std::array::from_fn(|kind| self.conflicts[kind].load(Ordering::Relaxed))
    }

    /// Counts a conflict that somebody else has found.
    pub fn count_conflict(&self, kind: ConflictKind) {
        self.conflicts[kind.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// The number of commits refused for an expected version.
    #[must_use]
    pub fn checks_failed(&self) -> u64 {
        self.checks_failed.load(Ordering::Relaxed)
    }

    /// Names of labels and edge types that open transactions use and no commit
    /// has used yet.
    #[must_use]
    pub fn reserved_names(&self) -> usize {
        self.labels.reserved() + self.edge_types.reserved()
    }
}
