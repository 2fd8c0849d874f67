//! What can be wrong with what an algorithm is asked, or with what it finds.

use selvedge_base::NodeId;
use selvedge_encoding::PathError;
use selvedge_graph::NamedEdge;

/// Fix what is asked, or the data that it is asked of.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// The field of weights is named by something that is no path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// An edge has no weight.
    #[error("{edge} has no `{field}` to be its weight: set it, or use a weight with a default")]
    MissingWeight {
        /// The edge.
        edge: NamedEdge,
        /// The field.
        field: String,
    },
    /// The weight of an edge is something else than a number.
    #[error("`{field}` of {edge} is {found}, and cannot be its weight")]
    NotANumber {
        /// The edge.
        edge: NamedEdge,
        /// The field.
        field: String,
        /// What it is.
        found: &'static str,
    },
    /// The weight of an edge is negative, infinite or not a number.
    #[error("the weight of {edge} is {weight}: weights are finite, and not negative")]
    BadWeight {
        /// The edge.
        edge: NamedEdge,
        /// Its weight, as text.
        weight: String,
    },
    /// The cheapest path to a node costs more than the greatest number.
    #[error(
        "the cheapest path to {node} costs more than a number can be: the sum of its weights \
         leaves the range at {edge}; use a greater unit"
    )]
    CostOutOfRange {
        /// The node.
        node: NodeId,
        /// The edge whose weight is too much.
        edge: NamedEdge,
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
