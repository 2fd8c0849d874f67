//! Queries: random pipelines beside a naive evaluation of the same; refusals,
//! limits, pages, plans.
#![expect(clippy::unwrap_used, reason = "a test fails where its database does")]

mod cases;
mod graph;
mod naive;
mod pages;
mod pipelines;
mod shape;
