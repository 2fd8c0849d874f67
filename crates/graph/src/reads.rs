//! What a transaction has read, for validation at its commit.

use selvedge_base::hash::Set;
use selvedge_base::{EdgeTypeId, LabelId, NodeId};

use crate::entity::{Direction, Edge};
use crate::writes::KeyName;

/// The reads of a serializable transaction, and those made for update.
#[derive(Debug, Default)]
pub(crate) struct ReadSet {
    /// Nodes: their existence and document.
    pub(crate) nodes: Set<NodeId>,
    /// Nodes that exist, whatever their document.
    pub(crate) existing: Set<NodeId>,
    /// Edges: their existence and document.
    pub(crate) edge_names: Set<Edge>,
    /// Keys: which node has them, if any.
    pub(crate) keys: Set<KeyName>,
    /// Edges at a node in one direction.
    pub(crate) neighbourhoods: Set<(NodeId, Direction)>,
    /// Documents of edges, by record number.
    pub(crate) edges: Set<(u64, NodeId)>,
    /// The nodes with a label: which, and how many.
    pub(crate) labels: Set<LabelId>,
    /// The number of edges of a type.
    pub(crate) edge_types: Set<EdgeTypeId>,
    /// Labels and edge types that were not there.
    pub(crate) unknown_labels: Set<String>,
    pub(crate) unknown_edge_types: Set<String>,
    /// The lists of all labels, and of all edge types.
    pub(crate) all_labels: bool,
    pub(crate) all_edge_types: bool,
    /// Whether anything was noted.
    pub(crate) used: bool,
}

impl ReadSet {
    /// Forgets everything.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.used {
            *self = Self::default();
        }
    }
}

/// How much of its reads a transaction keeps for validation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReadTracking {
    /// None: snapshot isolation.
    #[default]
    Off,
    /// All: serializable.
    All,
}
