//! Transactions that read what others write and write what others read: over two
//! nodes, over the members of two labels, over the edges at two nodes. Each comes
//! under snapshot isolation, where the skew is permitted, and serializable, where it
//! is not.

use super::{Ground, USUAL, Workload, edge, end, insert_all, no_law};
use crate::history::recorder::{Active, Done, Worker};
use crate::history::txn::{Isolation, NodeId, Way};

const LABELS: &[&str] = &["Pair", "DayShift", "NightShift", "DayPost", "NightPost"];
const EDGE_TYPES: &[&str] = &["COVERS"];
/// Nodes, of which each two neighbours are a pair; of each isolation half.
const NODES: usize = 12;
/// Members of a label beyond which it loses one.
const MEMBERS_MAX: usize = 6;

pub(super) const WORKLOAD: Workload =
    Workload { name: "write-skew", set_up, step, law: no_law, media: USUAL };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let nodes = insert_all(worker, LABELS[0], NODES, 1)?;
    Ok(Ground { nodes, labels: LABELS, edge_types: EDGE_TYPES, keys: NODES, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    let is_strict = worker.one_in(2);
    let isolation = if is_strict { Isolation::Serializable } else { Isolation::Snapshot };
    // What one isolation touches the other does not.
    let half = if is_strict { NODES / 2 } else { 0 };
    let first = half + 2 * worker.below(NODES / 4);
    let (mut one, mut other) = (ground.nodes[first], ground.nodes[first + 1]);
    if worker.one_in(2) {
        (one, other) = (other, one);
    }
    let mut active = worker.begin(isolation)?;
    match worker.below(4) {
        0 => over_labels(worker, &mut active, is_strict)?,
        1 => over_edges(&mut active, one, other)?,
        _ => over_nodes(&mut active, one, other)?,
    }
    end(worker, active)
}

/// Each reads both and writes one.
fn over_nodes(active: &mut Active, one: NodeId, other: NodeId) -> Done {
    let seen = (active.node(one)?, active.node(other)?);
    if let (Some(one_seen), Some(other_seen)) = seen {
        let number = (one_seen.content.number + other_seen.content.number) % 1000;
        active.put(one, number, Vec::new())?;
    }
    Ok(())
}

/// Each looks who is in one label and changes the other.
fn over_labels(worker: &Worker, active: &mut Active, is_strict: bool) -> Done {
    let labels = if is_strict { &LABELS[3..] } else { &LABELS[1..3] };
    let (read, written) =
        if worker.one_in(2) { (labels[0], labels[1]) } else { (labels[1], labels[0]) };
    let members =
        if worker.one_in(2) { active.count(read)? as usize } else { active.scan(read)?.len() };
    if members > MEMBERS_MAX {
        if let Some(first) = active.scan(read)?.first() {
            active.delete(*first)?;
        }
    } else {
        active.insert(written, None, members as i64)?;
    }
    Ok(())
}

/// Each looks whether the other has an edge to itself, and gives itself one, or takes
/// it away.
fn over_edges(active: &mut Active, one: NodeId, other: NodeId) -> Done {
    let seen = active.neighbours(other, Way::Out, Some(EDGE_TYPES[0]))?;
    let own = edge(one, EDGE_TYPES[0], other);
    if seen.is_empty() || active.edge(&own)?.is_none() {
        active.link(&own, seen.len() as i64)?;
    } else {
        active.unlink(&own)?;
    }
    Ok(())
}
