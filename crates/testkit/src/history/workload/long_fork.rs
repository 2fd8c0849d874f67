//! Writers of one node each and readers of all: readers must agree on the order of
//! the writers.

use super::{Ground, USUAL, Workload, insert_all, no_law};
use crate::history::recorder::{Done, Worker};
use crate::history::txn::Isolation;

const LABELS: &[&str] = &["Fork"];
const NODES: usize = 6;

pub(super) const WORKLOAD: Workload =
    Workload { name: "long-fork", set_up, step, law: no_law, media: USUAL };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let nodes = insert_all(worker, LABELS[0], NODES, 0)?;
    Ok(Ground { nodes, labels: LABELS, edge_types: &[], keys: NODES, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    if worker.one_in(2) {
        let mut active = worker.begin(Isolation::Snapshot)?;
        active.put(*worker.one_of(&ground.nodes), 0, Vec::new())?;
        active.commit()?;
        return Ok(());
    }
    let mut active = worker.snapshot()?;
    let first = worker.below(NODES);
    let step = if worker.one_in(2) { 1 } else { NODES - 1 };
    for hop in 0..NODES {
        active.node(ground.nodes[(first + hop * step) % NODES])?;
    }
    active.commit()?;
    Ok(())
}
