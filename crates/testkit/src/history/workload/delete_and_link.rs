//! Nodes that come and go under a few keys, while others link them, read them and
//! write to them: no edge dangles, no key has two nodes, no set has a hole.

use super::{
    ALSO_FAILING, Ground, Workload, add, drawn_isolation, edge, end, insert_all, key, look, no_law,
    tentatively,
};
use crate::history::recorder::{Active, Done, Worker};
use crate::history::txn::NodeId;

const LABELS: &[&str] = &["Item", "Note"];
const EDGE_TYPES: &[&str] = &["TO", "NEXT"];
const KEYS: usize = 10;

pub(super) const WORKLOAD: Workload =
    Workload { name: "delete-and-link", set_up, step, law: no_law, media: ALSO_FAILING };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    insert_all(worker, LABELS[0], KEYS / 2, 0)?;
    Ok(Ground {
        nodes: Vec::new(),
        labels: LABELS,
        edge_types: EDGE_TYPES,
        keys: KEYS,
        ..Ground::default()
    })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    if worker.one_in(4) {
        let mut active = worker.snapshot()?;
        for _ in 0..3 {
            look(worker, &mut active, ground)?;
        }
        active.commit()?;
        return Ok(());
    }
    let mut active = worker.begin(drawn_isolation(worker))?;
    for _ in 0..1 + worker.below(2) {
        if worker.one_in(4) {
            look(worker, &mut active, ground)?;
        }
        tentatively(worker, &mut active, |active| change(worker, active))?;
    }
    end(worker, active)
}

fn find(worker: &Worker, active: &mut Active) -> Done<Option<NodeId>> {
    active.get(LABELS[0], &key(worker.below(KEYS)))
}

fn change(worker: &Worker, active: &mut Active) -> Done {
    let edge_type = *worker.one_of(EDGE_TYPES);
    let found = find(worker, active)?;
    match (worker.below(10), found) {
        (0..=2, Some(node)) => active.delete(node).map(drop),
        (3 | 4, Some(node)) => add(active, node, 1),
        (5, Some(node)) => {
            // Something without a key, that goes with its one edge.
            let Some(note) = active.insert(LABELS[1], None, 0)? else { return Ok(()) };
            active.link(&edge(node, edge_type, note), 0).map(drop)
        }
        (6, _) => {
            let notes = active.scan(LABELS[1])?;
            if notes.is_empty() {
                return Ok(());
            }
            active.delete(*worker.one_of(&notes)).map(drop)
        }
        (_, Some(node)) => {
            // The node itself, now and then.
            let Some(other) = find(worker, active)? else { return Ok(()) };
            let edge = edge(node, edge_type, other);
            if worker.one_in(5) {
                active.unlink(&edge).map(drop)
            } else {
                active.link(&edge, 0).map(drop)
            }
        }
        (_, None) => active.insert(LABELS[0], Some(&key(worker.below(KEYS))), 0).map(drop),
    }
}
