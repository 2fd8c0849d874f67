//! Transactions that read what others write and write what others read: over two
//! entries, over an entry and a node, over the members of two ranges. Each comes under
//! snapshot isolation, where the skew is permitted, and serializable, where it is not.

use super::{Ground, USUAL, Workload, end, entry_keys, insert_all, no_law};
use crate::history::recorder::{Active, Done, Worker};
use crate::history::txn::{Isolation, KeyRange, Name, NodeId};

const LABELS: &[&str] = &["Partner"];
/// Entries, of which each two neighbours are a pair; and nodes, each of which is the
/// partner of an entry. Of each isolation half.
const PAIRS: usize = 12;
/// Entries of a range beyond which it loses one.
const MEMBERS_MAX: usize = 6;
/// Where the ranges lie in the keys of the ground: two for each isolation.
const RANGE: usize = 10;

pub(super) const WORKLOAD: Workload =
    Workload { name: "kv-skew", set_up, step, law: no_law, media: USUAL };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let nodes = insert_all(worker, LABELS[0], PAIRS, 1)?;
    let mut entries = entry_keys('p', PAIRS);
    let mut active = worker.begin(Isolation::Snapshot)?;
    for key in &entries {
        active.set(key, 1)?;
    }
    active.commit()?;
    for range in ['s', 't', 'u', 'v'] {
        entries.extend(entry_keys(range, RANGE));
    }
    Ok(Ground { nodes, labels: LABELS, keys: PAIRS, entries, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    let is_strict = worker.one_in(2);
    let isolation = if is_strict { Isolation::Serializable } else { Isolation::Snapshot };
    // What one isolation touches the other does not.
    let half = if is_strict { PAIRS / 2 } else { 0 };
    let first = half + 2 * worker.below(PAIRS / 4);
    let (mut one, mut other) = (first, first + 1);
    if worker.one_in(2) {
        (one, other) = (other, one);
    }
    let mut active = worker.begin(isolation)?;
    match worker.below(4) {
        0 => over_ranges(worker, &mut active, ground, is_strict)?,
        1 => with_a_node(worker, &mut active, (&ground.entries[one], ground.nodes[one]))?,
        _ => over_entries(&mut active, &ground.entries[one], &ground.entries[other])?,
    }
    end(worker, active)
}

/// Each reads both and writes one.
fn over_entries(active: &mut Active, one: &Name, other: &Name) -> Done {
    active.entry(one)?;
    active.entry(other)?;
    active.set(one, 2)
}

/// Each reads both; one writes the entry, one the node.
fn with_a_node(worker: &Worker, active: &mut Active, (entry, node): (&Name, NodeId)) -> Done {
    active.entry(entry)?;
    active.node(node)?;
    if worker.one_in(2) {
        return active.set(entry, 3);
    }
    active.put(node, 3, Vec::new()).map(drop)
}

/// Each looks who is in one range and changes the other.
fn over_ranges(worker: &Worker, active: &mut Active, ground: &Ground, is_strict: bool) -> Done {
    let ranges = &ground.entries[PAIRS + if is_strict { 2 * RANGE } else { 0 }..][..2 * RANGE];
    let (mut read, mut written) = ranges.split_at(RANGE);
    if worker.one_in(2) {
        (read, written) = (written, read);
    }
    let (from, to) = (read[0].clone(), format!("{}~", read[RANGE - 1]).into());
    let (is_backward, limit) = (worker.one_in(2), worker.one_in(4).then_some(MEMBERS_MAX + 1));
    let members = active.range(KeyRange { from, to, is_backward, limit })?;
    if members.len() > MEMBERS_MAX {
        return active.remove(&members[worker.below(members.len())].0);
    }
    active.set(worker.one_of(written), members.len() as i64)
}
