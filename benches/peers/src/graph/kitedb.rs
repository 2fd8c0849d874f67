//! kitedb: a file without syncs. It loads in bulk, which it can only with its MVCC off; then
//! it is checkpointed and opened again with MVCC on, for reads and transactions.

use anyhow::{Context, Result, ensure};
use kitedb::api::kite::{EdgeDef, Kite, KiteOptions, NodeDef, PropDef};
use kitedb::core::single_file::SingleFileDB;
use kitedb::types::PropValue;
use selvedge_benches::Outcome;
use selvedge_benches::measure::Done;
use selvedge_benches::rmat::EdgeList;
use selvedge_benches::walk::Neighbourhoods;
use tempfile::TempDir;

use super::engine::{Contender, Engine};
use super::walk::Walk;

pub const KITEDB: Contender = Contender {
    name: "kitedb",
    multi: false,
    transactions: true,
    make: |nodes| Ok(Box::new(KiteDb::new(nodes)?)),
};

const LABEL: &str = "Node";
const EDGE_TYPE: &str = "LINK";
const PROPERTY: &str = "mark";
/// What its own benchmark loads at once.
const BATCH: usize = 5_000;
/// Enough for everything that is written, so that a checkpoint comes when it is asked for.
const WAL_MIB: usize = 512;

struct KiteDb {
    /// Always there but while it is opened again.
    kite: Option<Kite>,
    first: u64,
    nodes: u32,
    edge_type: u32,
    property: u32,
    dir: TempDir,
}

impl KiteDb {
    fn new(nodes: u32) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let kite = open(&dir, false)?;
        let db = kite.raw();
        let mut ids = Vec::with_capacity(nodes as usize);
        while ids.len() < nodes as usize {
            db.begin_bulk()?;
            let keys = vec![None; BATCH.min(nodes as usize - ids.len())];
            ids.extend(db.create_nodes_batch(&keys)?);
            db.commit()?;
        }
        let first = ids.first().copied().unwrap_or(0);
        ensure!(ids.iter().zip(first..).all(|(id, expected)| *id == expected), "ids with gaps");
        let edge_type = db.etype_id(EDGE_TYPE).context("the edge type")?;
        let property = db.propkey_id(PROPERTY).context("the property")?;
        Ok(Self { kite: Some(kite), first, nodes, edge_type, property, dir })
    }

    fn kite(&self) -> &Kite {
        self.kite.as_ref().expect("it is open")
    }

    fn db(&self) -> &SingleFileDB {
        self.kite().raw()
    }

    fn id(&self, node: u32) -> u64 {
        self.first + u64::from(node)
    }
}

fn open(dir: &TempDir, mvcc: bool) -> Result<Kite> {
    let options = KiteOptions::new()
        .node(NodeDef::new(LABEL, "node:").prop(PropDef::int(PROPERTY)))
        .edge(EdgeDef::new(EDGE_TYPE))
        .sync_off()
        .wal_size_mb(WAL_MIB)
        .mvcc(mvcc);
    Ok(Kite::open(dir.path().join("graph.kitedb"), options)?)
}

impl Engine for KiteDb {
    fn load(&mut self, list: &EdgeList) -> Result<()> {
        let mut batch = Vec::with_capacity(BATCH);
        for edges in list.edges.chunks(BATCH) {
            batch.clear();
            let edge = |(source, target): &(u32, u32)| {
                (self.id(*source), self.edge_type, self.id(*target))
            };
            batch.extend(edges.iter().map(edge));
            self.db().begin_bulk()?;
            self.db().add_edges_batch(&batch)?;
            self.db().commit()?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.db().checkpoint()?;
        self.kite.take().context("it is open")?.close()?;
        self.kite = Some(open(&self.dir, true)?);
        Ok(())
    }

    fn walk(&self, walk: Walk) -> Result<Done> {
        walk.over(self)
    }

    fn distances(&self, pairs: &mut dyn Iterator<Item = (u32, u32)>) -> Result<Vec<Option<u32>>> {
        let distances = pairs.map(|(from, to)| {
            let paths = self.kite().shortest_path(self.id(from), self.id(to)).via(EDGE_TYPE)?;
            let path = paths.find_bfs();
            Ok(path.found.then(|| path.path.len() as u32 - 1))
        });
        distances.collect()
    }

    fn link(&mut self, source: u32, target: u32) -> Result<()> {
        let (source, target) = (self.id(source), self.id(target));
        self.kite.as_mut().context("it is open")?.link(source, EDGE_TYPE, target)?;
        Ok(())
    }

    fn set(&self, node: u32, value: i64) -> Result<()> {
        self.db().begin(false)?;
        self.db().set_node_prop(self.id(node), self.property, PropValue::I64(value))?;
        Ok(self.db().commit()?)
    }

    fn property(&self, node: u32) -> Result<Option<i64>> {
        Ok(match self.db().node_prop(self.id(node), self.property) {
            Some(PropValue::I64(value)) => Some(value),
            _ => None,
        })
    }

    fn increment(&self, node: u32) -> Result<bool> {
        self.db().begin(false)?;
        let value = self.property(node)?.unwrap_or(0) + 1;
        self.db().set_node_prop(self.id(node), self.property, PropValue::I64(value))?;
        let committed = self.db().commit().is_ok();
        if !committed && self.db().has_transaction() {
            self.db().rollback()?;
        }
        Ok(committed)
    }
}

impl Neighbourhoods for KiteDb {
    fn nodes(&self) -> u32 {
        self.nodes
    }

    #[inline]
    fn neighbours(&self, node: u32) -> Outcome<impl ExactSizeIterator<Item = u32>> {
        // All types: choosing one copies the row once more.
        let edges = self.db().out_edges(self.id(node));
        Ok(edges.into_iter().map(|(_, target)| (target - self.first) as u32))
    }

    #[inline]
    fn each(
        &self,
        nodes: impl Iterator<Item = u32>,
    ) -> Outcome<impl Iterator<Item = (u32, impl ExactSizeIterator<Item = u32>)>> {
        Ok(nodes.map(|node| (node, self.neighbours(node).expect("kitedb's rows cannot fail"))))
    }
}
