//! Algorithms beside petgraph's and naive ones, over random graphs; bad weights.

mod cases;
mod random;
mod same_as_petgraph;
