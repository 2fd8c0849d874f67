//! selvedge: in memory, one edge type, reads after `compact`.

use anyhow::{Context, Result};
use selvedge::{Error, NodeId, Read, RetryPolicy};
use selvedge_benches::graph::{EDGE_TYPE, GraphStore};
use selvedge_benches::measure::Done;
use selvedge_benches::rmat::EdgeList;

use super::engine::{Contender, Engine};
use super::walk::Walk;

/// With an edge type of which several edges may run between the same two nodes.
pub const MULTI: Contender = Contender {
    name: "selvedge",
    multi: true,
    transactions: true,
    make: |nodes| Ok(Box::new(Selvedge(GraphStore::new(nodes, true)?))),
};

/// With one of which at most one edge does, as kitedb and indradb have them.
pub const UNIQUE: Contender = Contender {
    name: "selvedge-unique",
    multi: false,
    transactions: true,
    make: |nodes| Ok(Box::new(Selvedge(GraphStore::new(nodes, false)?))),
};

const PROPERTY: &str = "mark";

struct Selvedge(GraphStore);

impl Selvedge {
    fn id(&self, node: u32) -> NodeId {
        self.0.id(node)
    }
}

impl Engine for Selvedge {
    fn load(&mut self, list: &EdgeList) -> Result<()> {
        self.0.link_together(list)?;
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.0.compact()?;
        Ok(())
    }

    fn walk(&self, walk: Walk) -> Result<Done> {
        self.0.on_snapshot(true, |graph| Ok(walk.over(graph)))?
    }

    fn distances(&self, pairs: &mut dyn Iterator<Item = (u32, u32)>) -> Result<Vec<Option<u32>>> {
        let snapshot = self.0.db().snapshot()?;
        let distances = pairs.map(|(from, to)| {
            let paths = snapshot.shortest_path(self.id(from), self.id(to))?;
            let path = paths.edge_type(EDGE_TYPE).find();
            Ok(path.map(|path| path.nodes().len() as u32 - 1))
        });
        distances.collect()
    }

    fn link(&mut self, source: u32, target: u32) -> Result<()> {
        let (source, target) = (self.id(source), self.id(target));
        self.0.db().link_nodes(source, EDGE_TYPE, target, selvedge::doc! {})?;
        Ok(())
    }

    fn set(&self, node: u32, value: i64) -> Result<()> {
        Ok(self.0.db().set(self.id(node), PROPERTY, value)?)
    }

    fn property(&self, node: u32) -> Result<Option<i64>> {
        let snapshot = self.0.db().snapshot()?;
        let found = snapshot.node(self.id(node))?.context("a node")?;
        Ok(found.get(PROPERTY).and_then(|value| value.as_i64()))
    }

    fn increment(&self, node: u32) -> Result<bool> {
        let (node, policy) = (self.id(node), RetryPolicy::default().attempts_max(1_000_000));
        self.0.db().transaction_retry(policy, |ctx| {
            let value = {
                let found = ctx.node(node)?;
                found.and_then(|found| found.get(PROPERTY)?.as_i64()).unwrap_or(0)
            };
            ctx.set(node, PROPERTY, value + 1)?;
            Ok::<_, Error>(())
        })?;
        Ok(true)
    }
}
