//! The limit: rows of four-byte ids, both ways, and nothing else.

use anyhow::{Result, bail};
use selvedge_benches::csr::{Csr, Distances};
use selvedge_benches::measure::Done;
use selvedge_benches::rmat::EdgeList;

use super::engine::{Contender, Engine};
use super::walk::Walk;

pub const CSR: Contender = Contender {
    name: "limit-csr",
    multi: true,
    transactions: false,
    make: |nodes| Ok(Box::new(Rows::of(nodes))),
};

struct Rows {
    out: Csr,
    into: Csr,
}

impl Rows {
    fn of(nodes: u32) -> Self {
        let list = EdgeList { nodes, edges: Vec::new() };
        Self { out: Csr::new(&list), into: Csr::reversed(&list) }
    }
}

impl Engine for Rows {
    fn load(&mut self, list: &EdgeList) -> Result<()> {
        (self.out, self.into) = (Csr::new(list), Csr::reversed(list));
        Ok(())
    }

    /// Sorts the rows, as selvedge has them.
    fn settle(&mut self) -> Result<()> {
        self.out = self.out.clone().sorted();
        self.into = self.into.clone().sorted();
        Ok(())
    }

    fn walk(&self, walk: Walk) -> Result<Done> {
        walk.over(&self.out)
    }

    fn distances(&self, pairs: &mut dyn Iterator<Item = (u32, u32)>) -> Result<Vec<Option<u32>>> {
        let mut distances = Distances::new(&self.out, &self.into);
        Ok(pairs.map(|(from, to)| distances.between(from, to)).collect())
    }

    fn link(&mut self, _: u32, _: u32) -> Result<()> {
        bail!("rows cannot be written")
    }

    fn set(&self, _: u32, _: i64) -> Result<()> {
        bail!("rows have no properties")
    }

    fn property(&self, _: u32) -> Result<Option<i64>> {
        bail!("rows have no properties")
    }

    fn increment(&self, _: u32) -> Result<bool> {
        bail!("rows have no properties")
    }
}
