//! Algorithms beside petgraph's and naive ones, over random graphs; bad weights.
#![expect(clippy::unwrap_used, reason = "a test fails where its database does")]

mod cases;
mod random;
mod same_as_petgraph;
