//! Algorithms over the graph as a snapshot, or a transaction, sees it.
//!
//! [`Read::algorithms`](crate::Read::algorithms) says which edges are followed and
//! which nodes take part; the methods of [`Algorithms`] run. They read adjacency
//! where it lies. Searches from a node ([`levels`](Algorithms::levels),
//! [`cheapest_paths`](Algorithms::cheapest_paths)) touch what they reach; those over
//! all nodes ([`components`](Algorithms::components),
//! [`page_rank`](Algorithms::page_rank)) number the nodes first, and work on arrays.
//!
//! The same graph gives the same results in the same order. Several edges between
//! two nodes count as several, and loops as edges. For walks with tests and for
//! paths with the fewest edges there are [`Read::traverse`](crate::Read::traverse)
//! and [`Read::shortest_path`](crate::Read::shortest_path).
//!
//! Reading order: `selection`, `levels`, `weight`, `cheapest`, `several`;
//! `numbering`, `components`, `page_rank`; `node_set`, `error`.

pub(crate) mod cheapest;
pub(crate) mod components;
pub(crate) mod error;
pub(crate) mod levels;
mod node_set;
mod numbering;
pub(crate) mod page_rank;
#[cfg(feature = "petgraph")]
pub(crate) mod petgraph_view;
pub(crate) mod selection;
mod several;
pub(crate) mod weight;

pub use cheapest::{CheapestPaths, WeightedPath};
pub use components::Components;
pub use error::AlgorithmError;
pub use levels::Levels;
pub use page_rank::{PageRank, Ranks};
#[cfg(feature = "petgraph")]
pub use petgraph_view::{PetgraphEdge, PetgraphView};
pub use selection::Algorithms;
pub use weight::Weight;
