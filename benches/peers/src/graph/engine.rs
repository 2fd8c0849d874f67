//! What the graph workloads ask of a database.

use anyhow::Result;
use selvedge_benches::measure::Done;
use selvedge_benches::rmat::EdgeList;

use super::walk::Walk;

/// A database with nodes numbered from 0, made without edges.
pub trait Engine: Sync {
    /// Links all these edges, in whatever way the engine does that fastest.
    fn load(&mut self, list: &EdgeList) -> Result<()>;

    /// What the engine recommends after loading, before much is read.
    fn settle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Walks over one snapshot, where the engine has such a thing.
    fn walk(&self, walk: Walk) -> Result<Done>;

    /// The numbers of edges on the shortest paths between these, by the engine's own
    /// search, or by one over its neighbours if it has none.
    fn distances(&self, pairs: &mut dyn Iterator<Item = (u32, u32)>) -> Result<Vec<Option<u32>>>;

    /// Links two nodes, in a transaction of its own.
    fn link(&mut self, source: u32, target: u32) -> Result<()>;

    /// Sets an integer property of a node, in a transaction of its own.
    fn set(&self, node: u32, value: i64) -> Result<()>;

    /// That property.
    fn property(&self, node: u32) -> Result<Option<i64>>;

    /// Reads that property, adds one and writes it back in one transaction; whether that was
    /// acknowledged, and not refused for a conflict.
    fn increment(&self, node: u32) -> Result<bool>;
}

/// An engine, by name.
#[derive(Clone, Copy)]
pub struct Contender {
    /// As on crates.io.
    pub name: &'static str,
    /// Whether it keeps several edges between the same two nodes.
    pub multi: bool,
    /// Whether it has transactions.
    pub transactions: bool,
    /// One with so many nodes.
    pub make: fn(nodes: u32) -> Result<Box<dyn Engine>>,
}
