//! What can be wrong with what an algorithm is asked, or with what it finds.

use selvedge_base::NodeId;
use selvedge_encoding::PathError;
use selvedge_graph::{Edge, Entity};

/// Fix what is asked, or the data that it is asked of.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// The field of weights is named by something that is no path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// An edge has no weight.
    #[error(
        "{} has no `{field}` to be its weight: set it, or use a weight with a default",
        Entity::Edge(*.edge)
    )]
    MissingWeight {
        /// The edge.
        edge: Edge,
        /// The field.
        field: String,
    },
    /// The weight of an edge is something else than a number.
    #[error("`{field}` of {} is {found}, and cannot be its weight", Entity::Edge(*.edge))]
    NotANumber {
        /// The edge.
        edge: Edge,
        /// The field.
        field: String,
        /// What it is.
        found: &'static str,
    },
    /// The weight of an edge is negative, infinite or not a number.
    #[error("the weight of {} is {weight}: weights are finite, and not negative", Entity::Edge(*.edge))]
    BadWeight {
        /// The edge.
        edge: Edge,
        /// Its weight, as text.
        weight: String,
    },
    /// The estimated cost from a node is negative or not a number.
    #[error("the estimate at {node} is {estimate}: estimates are numbers, and not negative")]
    BadEstimate {
        /// The node.
        node: NodeId,
        /// What was estimated, as text.
        estimate: String,
    },
    /// An option is out of its range.
    #[error("{what} is {given}: {expected}")]
    Option {
        /// Which.
        what: &'static str,
        /// What was given, as text.
        given: String,
        /// What it may be.
        expected: &'static str,
    },
    /// More nodes than can be numbered.
    #[error("{nodes} nodes take part: the limit is {limit}")]
    TooManyNodes {
        /// How many.
        nodes: usize,
        /// How many may.
        limit: usize,
    },
}
