//! Queries: random pipelines beside a naive evaluation of the same; refusals,
//! limits, pages, plans.

mod cases;
mod graph;
mod naive;
mod pages;
mod pipelines;
mod shape;
