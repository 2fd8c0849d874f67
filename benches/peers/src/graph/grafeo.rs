//! grafeo: in memory, by its store, which its documentation recommends for algorithms. That
//! store has no snapshot: a walk sees what others write meanwhile. Single edges and
//! properties are written by the database, a transaction each.

use std::sync::Arc;

use anyhow::{Result, ensure};
use grafeo::{GrafeoDB, NodeId, Value};
use grafeo_core::graph::Direction;
use grafeo_core::graph::lpg::LpgStore;
use selvedge_benches::Outcome;
use selvedge_benches::measure::Done;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::walk::Neighbourhoods;

use super::distance::Distances;
use super::engine::{Contender, Engine};
use super::walk::Walk;

pub const GRAFEO: Contender = Contender {
    name: "grafeo",
    multi: true,
    transactions: true,
    make: |nodes| Ok(Box::new(Grafeo::new(nodes)?)),
};

const LABEL: &str = "Node";
const EDGE_TYPE: &str = "LINK";
const PROPERTY: &str = "mark";

struct Grafeo {
    db: GrafeoDB,
    first: u64,
    nodes: u32,
}

impl Grafeo {
    fn new(nodes: u32) -> Result<Self> {
        let db = GrafeoDB::new_in_memory();
        let ids: Vec<_> = (0..nodes).map(|_| db.store().create_node(&[LABEL]).as_u64()).collect();
        let first = ids.first().copied().unwrap_or(0);
        ensure!(ids.iter().zip(first..).all(|(id, expected)| *id == expected), "ids with gaps");
        Ok(Self { db, first, nodes })
    }

    fn id(&self, node: u32) -> NodeId {
        NodeId::new(self.first + u64::from(node))
    }

    fn along(&self, direction: Direction) -> Along<'_> {
        Along { store: self.db.store(), first: self.first, nodes: self.nodes, direction }
    }
}

impl Engine for Grafeo {
    fn load(&mut self, list: &EdgeList) -> Result<()> {
        let edges: Vec<_> = list
            .edges
            .iter()
            .map(|(source, target)| (self.id(*source), self.id(*target), EDGE_TYPE))
            .collect();
        self.db.store().batch_create_edges(&edges);
        Ok(())
    }

    fn walk(&self, walk: Walk) -> Result<Done> {
        walk.over(&self.along(Direction::Outgoing))
    }

    /// Its own search is Dijkstra's, from one end.
    fn distances(&self, pairs: &mut dyn Iterator<Item = (u32, u32)>) -> Result<Vec<Option<u32>>> {
        let (out, into) = (self.along(Direction::Outgoing), self.along(Direction::Incoming));
        let mut distances = Distances::new(&out, &into);
        pairs.map(|(from, to)| distances.between(from, to)).collect()
    }

    fn link(&mut self, source: u32, target: u32) -> Result<()> {
        self.db.create_edge(self.id(source), self.id(target), EDGE_TYPE)?;
        Ok(())
    }

    fn set(&self, node: u32, value: i64) -> Result<()> {
        Ok(self.db.set_node_property(self.id(node), PROPERTY, Value::Int64(value))?)
    }

    fn property(&self, node: u32) -> Result<Option<i64>> {
        Ok(integer(self.db.session().get_node_property(self.id(node), PROPERTY)))
    }

    fn increment(&self, node: u32) -> Result<bool> {
        let mut session = self.db.session();
        session.begin_transaction()?;
        let value = integer(session.get_node_property(self.id(node), PROPERTY)).unwrap_or(0);
        let written = session.set_node_property(self.id(node), PROPERTY, Value::Int64(value + 1));
        if written.is_err() {
            session.rollback()?;
            return Ok(false);
        }
        Ok(session.commit().is_ok())
    }
}

fn integer(value: Option<Value>) -> Option<i64> {
    match value {
        Some(Value::Int64(value)) => Some(value),
        _ => None,
    }
}

struct Along<'a> {
    store: &'a Arc<LpgStore>,
    first: u64,
    nodes: u32,
    direction: Direction,
}

impl Neighbourhoods for Along<'_> {
    fn nodes(&self) -> u32 {
        self.nodes
    }

    #[inline]
    fn neighbours(&self, node: u32) -> Outcome<impl ExactSizeIterator<Item = u32>> {
        let id = NodeId::new(self.first + u64::from(node));
        let found = Counted(self.store.neighbors(id, self.direction));
        Ok(found.map(|neighbour| (neighbour.as_u64() - self.first) as u32))
    }

    #[inline]
    fn each(
        &self,
        nodes: impl Iterator<Item = u32>,
    ) -> Outcome<impl Iterator<Item = (u32, impl ExactSizeIterator<Item = u32>)>> {
        Ok(nodes.map(|node| (node, self.neighbours(node).expect("grafeo's store cannot fail"))))
    }
}

/// An iterator that knows its length without saying so in its type: one over a `Vec`, boxed.
struct Counted<I>(I);

impl<I: Iterator> Iterator for Counted<I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    #[inline]
    fn fold<B, F: FnMut(B, I::Item) -> B>(self, first: B, each: F) -> B {
        self.0.fold(first, each)
    }
}

impl<I: Iterator> ExactSizeIterator for Counted<I> {}
