//! Lists that are read and appended to, as Elle has them: each list tells the order
//! of all who appended.

use super::{ALSO_FAILING, Ground, Workload, drawn_isolation, end, insert_all, no_law};
use crate::history::recorder::{Done, Worker};

const LABELS: &[&str] = &["List"];
/// Lists that are in use at one time.
const IN_USE: usize = 6;
/// Transactions after which a list goes out of use, for it gets long.
const TRANSACTIONS: usize = 16;

pub(super) const WORKLOAD: Workload =
    Workload { name: "list-append", set_up, step, law: no_law, media: ALSO_FAILING };

fn set_up(worker: &Worker, txns: usize) -> Done<Ground> {
    let nodes = insert_all(worker, LABELS[0], IN_USE + txns / TRANSACTIONS, 0)?;
    Ok(Ground { nodes, labels: LABELS, edge_types: &[], keys: 0, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    let retired = ground.nodes.len().saturating_sub(IN_USE);
    let first = (worker.progress * retired as f64) as usize;
    let mut active = worker.begin(drawn_isolation(worker))?;
    for _ in 0..1 + worker.below(4) {
        let list = ground.nodes[first + worker.below(IN_USE)];
        let Some(seen) = active.node(list)? else { continue };
        if worker.one_in(2) {
            let mut elements = seen.content.list;
            let next = active.content(0, Vec::new()).mark;
            elements.push(i64::try_from(next).unwrap_or(i64::MAX));
            active.put(list, seen.content.number + 1, elements)?;
        }
    }
    end(worker, active)
}
