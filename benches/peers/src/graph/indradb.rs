//! indradb: its store in memory, by its transactions, which are one mutex. Loading creates
//! the edges one by one in one transaction, as `bulk_insert` does with what it is given.

use anyhow::{Result, ensure};
use indradb::{Database, Datastore, Edge, Identifier, Json, MemoryDatastore, Transaction, Vertex};
use selvedge_benches::Outcome;
use selvedge_benches::measure::Done;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::walk::Neighbourhoods;
use uuid::Uuid;

use super::distance::Distances;
use super::engine::{Contender, Engine};
use super::walk::Walk;

pub const INDRADB: Contender = Contender {
    name: "indradb",
    multi: false,
    transactions: true,
    make: |nodes| Ok(Box::new(IndraDb::new(nodes)?)),
};

type MemoryTransaction<'a> = <MemoryDatastore as Datastore>::Transaction<'a>;

struct IndraDb {
    db: Database<MemoryDatastore>,
    nodes: u32,
    edge_type: Identifier,
    property: Identifier,
}

impl IndraDb {
    fn new(nodes: u32) -> Result<Self> {
        let db = MemoryDatastore::new_db();
        let [label, edge_type, property] = ["Node", "LINK", "mark"].map(Identifier::new);
        let label = label?;
        {
            let mut txn = db.datastore.transaction();
            for node in 0..nodes {
                txn.create_vertex(&Vertex::with_id(id(node), label))?;
            }
        }
        Ok(Self { db, nodes, edge_type: edge_type?, property: property? })
    }

    fn edge(&self, source: u32, target: u32) -> Edge {
        Edge::new(id(source), self.edge_type, id(target))
    }

    fn vertex(&self, node: u32) -> Vertex {
        Vertex::with_id(id(node), self.edge_type)
    }

    fn along<'a>(&self, txn: &'a MemoryTransaction<'a>, reversed: bool) -> Along<'a> {
        Along { txn, nodes: self.nodes, edge_type: self.edge_type, reversed }
    }
}

fn id(node: u32) -> Uuid {
    Uuid::from_u128(u128::from(node) + 1)
}

impl Engine for IndraDb {
    fn load(&mut self, list: &EdgeList) -> Result<()> {
        let mut txn = self.db.datastore.transaction();
        for (source, target) in &list.edges {
            ensure!(txn.create_edge(&self.edge(*source, *target))?, "an end is missing");
        }
        Ok(())
    }

    fn walk(&self, walk: Walk) -> Result<Done> {
        let txn = self.db.datastore.transaction();
        walk.over(&self.along(&txn, false))
    }

    fn distances(&self, pairs: &mut dyn Iterator<Item = (u32, u32)>) -> Result<Vec<Option<u32>>> {
        let txn = self.db.datastore.transaction();
        let (out, into) = (self.along(&txn, false), self.along(&txn, true));
        let mut distances = Distances::new(&out, &into);
        pairs.map(|(from, to)| distances.between(from, to)).collect()
    }

    fn link(&mut self, source: u32, target: u32) -> Result<()> {
        ensure!(self.db.create_edge(&self.edge(source, target))?, "an end is missing");
        Ok(())
    }

    fn set(&self, node: u32, value: i64) -> Result<()> {
        let mut txn = self.db.datastore.transaction();
        Ok(txn.set_vertex_properties(vec![id(node)], self.property, &number(value))?)
    }

    fn property(&self, node: u32) -> Result<Option<i64>> {
        let txn = self.db.datastore.transaction();
        let value = txn.vertex_property(&self.vertex(node), self.property)?;
        Ok(value.and_then(|value| value.as_i64()))
    }

    fn increment(&self, node: u32) -> Result<bool> {
        let mut txn = self.db.datastore.transaction();
        let value = txn.vertex_property(&self.vertex(node), self.property)?;
        let value = value.and_then(|value| value.as_i64()).unwrap_or(0);
        txn.set_vertex_properties(vec![id(node)], self.property, &number(value + 1))?;
        Ok(true)
    }
}

fn number(value: i64) -> Json {
    Json::new(value.into())
}

struct Along<'a> {
    txn: &'a MemoryTransaction<'a>,
    nodes: u32,
    edge_type: Identifier,
    reversed: bool,
}

impl Along<'_> {
    /// Edges are one ordered set, so those of a node are a range of it. An error of the
    /// store would end the row early, and the result would not be that of the others.
    #[inline]
    fn row(&self, node: u32) -> std::vec::IntoIter<u32> {
        let node = id(node);
        let first = Edge::new(node, self.edge_type, Uuid::nil());
        let edges = match self.reversed {
            false => self.txn.range_edges(first),
            true => self.txn.range_reversed_edges(first),
        };
        let edges = edges.into_iter().flatten().map_while(Result::ok);
        let edges = edges.take_while(|edge| edge.outbound_id == node);
        let row: Vec<_> = edges.map(|edge| (edge.inbound_id.as_u128() - 1) as u32).collect();
        row.into_iter()
    }
}

impl Neighbourhoods for Along<'_> {
    fn nodes(&self) -> u32 {
        self.nodes
    }

    #[inline]
    fn neighbours(&self, node: u32) -> Outcome<impl ExactSizeIterator<Item = u32>> {
        Ok(self.row(node))
    }

    #[inline]
    fn each(
        &self,
        nodes: impl Iterator<Item = u32>,
    ) -> Outcome<impl Iterator<Item = (u32, impl ExactSizeIterator<Item = u32>)>> {
        Ok(nodes.map(|node| (node, self.row(node))))
    }
}
