//! One node that many link to at the same time: different edges do not conflict, and
//! whoever looks sees all of a transaction's edges or none.

use super::{Ground, USUAL, Workload, drawn_isolation, edge, end, insert_all, look_around, no_law};
use crate::history::recorder::{Done, Worker};

const LABELS: &[&str] = &["Spoke"];
const EDGE_TYPES: &[&str] = &["LIKES", "SEES"];
/// The first of these is the hub.
const NODES: usize = 60;

pub(super) const WORKLOAD: Workload =
    Workload { name: "hub", set_up, step, law: no_law, media: USUAL };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let nodes = insert_all(worker, LABELS[0], NODES, 0)?;
    Ok(Ground { nodes, labels: LABELS, edge_types: EDGE_TYPES, keys: NODES, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    let hub = ground.nodes[0];
    let edge_type = *worker.one_of(EDGE_TYPES);
    if worker.one_in(3) {
        let mut active = worker.snapshot()?;
        for _ in 0..3 {
            look_around(worker, &mut active, hub, edge_type)?;
        }
        active.commit()?;
        return Ok(());
    }
    let mut active = worker.begin(drawn_isolation(worker))?;
    for _ in 0..1 + worker.below(3) {
        let spoke = ground.nodes[1 + worker.below(NODES - 1)];
        let edge = if worker.one_in(2) {
            edge(spoke, edge_type, hub)
        } else {
            edge(hub, edge_type, spoke)
        };
        match worker.below(8) {
            0 => look_around(worker, &mut active, hub, edge_type)?,
            1 | 2 => drop(active.unlink(&edge)?),
            3 => drop(active.edge(&edge)?),
            _ => drop(active.link(&edge, 0)?),
        }
    }
    end(worker, active)
}
