//! A node with thousands of edges: its adjacency is a tree of blocks, which no
//! run of the other test grows. Against a set, with snapshots of every age.

use std::collections::{BTreeMap, BTreeSet};

use selvedge::prelude::*;
use selvedge::{Background, Result, env::Env};

const LEAVES: usize = 4_000;

struct Hub {
    db: Db,
    hub: NodeId,
    leaves: Vec<NodeId>,
    /// The leaves that are linked, and the documents of their edges.
    linked: BTreeMap<NodeId, i64>,
    random: fastrand::Rng,
}

fn read(reader: &impl Read, hub: NodeId, linked: &BTreeMap<NodeId, i64>) -> Result<()> {
    assert_eq!(reader.degree(hub, Direction::Out, "TO")?, linked.len() as u64);
    assert_eq!(reader.count_edges("TO")?, linked.len() as u64);
    let ids: Vec<_> = linked.keys().copied().collect();
    assert!(reader.neighbours(hub, Direction::Out, "TO")?.eq(ids.iter().copied()));
    assert!(reader.neighbours(hub, Direction::Out, None)?.eq(ids));
    Ok(())
}

/// Reads the edges one by one, from both ends.
fn read_each(
    reader: &impl Read,
    hub: NodeId,
    linked: &BTreeMap<NodeId, i64>,
    some: &[NodeId],
) -> Result<()> {
    read(reader, hub, linked)?;
    let weight = |edge: &selvedge::EdgeRef<'_>| edge.get("n").and_then(|n| n.as_i64());
    let edges = reader.edges(hub, Direction::Out, "TO")?;
    assert!(
        edges
            .map(|edge| (edge.target(), weight(&edge)))
            .eq(linked.iter().map(|(id, n)| (*id, Some(*n))))
    );
    for leaf in some {
        let edge = reader.edge(hub, "TO", *leaf)?;
        assert_eq!(edge.and_then(|edge| weight(&edge)), linked.get(leaf).copied());
        let back: Vec<_> = reader.neighbours(*leaf, Direction::In, "TO")?.collect();
        assert_eq!(back, vec![hub; usize::from(linked.contains_key(leaf))]);
    }
    Ok(())
}

impl Hub {
    fn new(seed: u64) -> Result<Self> {
        let (env, _) = Env::simulated(seed);
        let db = Db::builder().background(Background::Manual).env(env).in_memory();
        let (hub, leaves) = db.transaction(|ctx| {
            let hub = ctx.insert_node("Hub", "hub", doc! {})?;
            let leaves: Result<Vec<_>> =
                (0..LEAVES).map(|_| ctx.insert_node("Leaf", None, doc! {})).collect();
            Ok::<_, Error>((hub, leaves?))
        })?;
        let (linked, random) = (BTreeMap::new(), fastrand::Rng::with_seed(seed));
        Ok(Self { db, hub, leaves, linked, random })
    }

    /// Several transactions that begin together and change different edges: none
    /// conflicts.
    fn round(&mut self, most: usize, linking: f64) -> Result<()> {
        let options = TransactionOptions::new();
        let mut used = BTreeSet::new();
        let mut open = Vec::new();
        for _ in 0..3 {
            let mut transaction = self.db.begin(&options)?;
            let (mut own, mut changes) = (self.linked.clone(), Vec::new());
            for _ in 0..self.random.usize(1..=most) {
                let leaf = self.leaves[self.random.usize(..LEAVES)];
                if !used.insert(leaf) {
                    continue;
                }
                if self.random.f64() < linking {
                    let n = self.random.i64(0..9);
                    transaction.link_nodes(self.hub, "TO", leaf, doc! { "n": n })?;
                    own.insert(leaf, n);
                    changes.push((leaf, Some(n)));
                } else {
                    let unlinked = transaction.unlink_nodes(self.hub, "TO", leaf)?;
                    assert_eq!(unlinked, u64::from(own.remove(&leaf).is_some()));
                    changes.push((leaf, None));
                }
            }
            read(&transaction, self.hub, &own)?;
            open.push((transaction, changes));
        }
        self.random.shuffle(&mut open);
        for (transaction, changes) in open {
            transaction.commit()?;
            for (leaf, n) in changes {
                match n {
                    Some(n) => self.linked.insert(leaf, n),
                    None => self.linked.remove(&leaf),
                };
            }
        }
        Ok(())
    }

    fn run(&mut self, rounds: usize, most: usize, linking: f64) -> Result<()> {
        let mut snapshots: Vec<(Snapshot<'static>, BTreeMap<NodeId, i64>)> = Vec::new();
        for round in 0..rounds {
            if snapshots.len() < 6 && self.random.bool() {
                snapshots.push((self.db.snapshot()?, self.linked.clone()));
            }
            self.round(most, linking)?;
            let some: Vec<_> = (0..20).map(|_| self.leaves[self.random.usize(..LEAVES)]).collect();
            read(&self.db.snapshot()?, self.hub, &self.linked)?;
            if !snapshots.is_empty() {
                let at = self.random.usize(..snapshots.len());
                let (snapshot, linked) = &snapshots[at];
                read_each(snapshot, self.hub, linked, &some)?;
                if self.random.u8(..3) == 0 {
                    snapshots.swap_remove(at);
                }
            }
            if round % 5 == 0 {
                self.db.step(self.random.usize(1..64));
            }
        }
        for (snapshot, linked) in snapshots {
            read_each(&snapshot, self.hub, &linked, &self.leaves)?;
        }
        Ok(())
    }
}

/// Grows past the size of a block, stays there, shrinks below it and is deleted.
#[test]
fn a_hub_agrees_with_a_set() -> Result<()> {
    let seed = std::env::var("SELVEDGE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SELVEDGE_SEED={seed}");
    let mut hub = Hub::new(seed)?;
    hub.run(20, 300, 0.95)?;
    assert!(hub.linked.len() > 1_500, "the adjacency is a tree by now");
    hub.run(40, 30, 0.5)?;
    hub.run(40, 300, 0.03)?;
    assert!(hub.linked.len() < 512, "the adjacency is one block again");
    hub.run(20, 300, 0.95)?;

    let (before, edges) = (hub.db.snapshot()?, hub.linked.len() as u64);
    assert_eq!(hub.db.delete_node(hub.hub)?, edges);
    read_each(&before, hub.hub, &hub.linked, &hub.leaves)?;
    read_each(&hub.db.snapshot()?, hub.hub, &BTreeMap::new(), &hub.leaves)?;
    drop(before);
    while hub.db.step(64) {}
    assert_eq!(hub.db.statistics().versions_retained, 0);
    Ok(())
}
