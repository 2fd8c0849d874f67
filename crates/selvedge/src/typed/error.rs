//! What can be wrong with typed operations.

use std::fmt;

use selvedge_base::NodeId;
use selvedge_encoding::SerdeError;
use selvedge_graph::NamedEdge;

/// Why a typed operation was refused. Nothing of it is applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TypedError {
    /// The node is of another type.
    #[error("node {node} has label {found:?}, not {expected:?}")]
    Label {
        /// The node.
        node: NodeId,
        /// The label of the type.
        expected: &'static str,
        /// The label of the node.
        found: String,
    },
    /// The edge is of another type.
    #[error("{edge} is not of the type {expected:?}")]
    EdgeType {
        /// The edge.
        edge: NamedEdge,
        /// The type that was asked for.
        expected: &'static str,
    },
    /// An update would change a key, which a node has for life.
    #[error(
        "field `{field}` stands for the key of {label:?}, which is {}, and cannot become {wanted}: \
         insert a node with the new key, link it as the old one is, and delete that",
        Key(.key)
    )]
    KeyChange {
        /// The label.
        label: &'static str,
        /// The field that stands for the key.
        field: &'static str,
        /// The key; `None` if the node has none.
        key: Option<String>,
        /// What the field should become.
        wanted: String,
    },
    /// A value has no key, though its type has one.
    #[error(
        "a value of {label:?} has no key: `NodeType::key` gives none for it, though the type has \
         one; without keys `type Key` is `NoKey`, and `KEY_FIELD` is `None`"
    )]
    NoKey {
        /// The label of the type.
        label: &'static str,
    },
    /// The document of a node or edge is not one of the type.
    #[error("{entity} does not read as its type: {source}")]
    Read {
        /// Which node or edge.
        entity: String,
        /// Why.
        source: SerdeError,
    },
    /// A value does not become a document.
    #[error("a value of {owner} cannot be stored: {source}")]
    Write {
        /// The label or edge type.
        owner: &'static str,
        /// Why.
        source: SerdeError,
    },
    /// There is no such edge.
    #[error("there is no edge {source_node} -{edge_type}-> {target}")]
    NoEdge {
        /// The edge type.
        edge_type: &'static str,
        /// Where it should start.
        source_node: NodeId,
        /// Where it should end.
        target: NodeId,
    },
    /// There are several such edges, and one is meant.
    #[error(
        "there are {count} edges {source_node} -{edge_type}-> {target}: \
         say which, with `update_edge_at`"
    )]
    SeveralEdges {
        /// The edge type.
        edge_type: &'static str,
        /// Where they start.
        source_node: NodeId,
        /// Where they end.
        target: NodeId,
        /// How many there are.
        count: usize,
    },
}

struct Key<'a>(&'a Option<String>);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "{key:?}"),
            None => f.write_str("absent"),
        }
    }
}
