//! What transactions do. A workload is one file: how the database begins, and one
//! transaction of it, drawn. Judging knows nothing of workloads, so a new one is
//! judged by being run.

mod bank;
mod delete_and_link;
mod hub;
mod index;
mod kv_counter;
mod kv_register;
mod kv_skew;
mod kv_transfer;
mod list_append;
mod long_fork;
mod register;
mod write_skew;

use super::anomaly::Findings;
use super::judge::Verdict;
use super::life::Medium;
use super::recorder::{Active, Done, Worker};
use super::txn::{EdgeName, History, Isolation, KeyRange, Name, NodeId, Way};

/// A workload.
#[derive(Debug)]
pub struct Workload {
    /// Its name.
    pub name: &'static str,
    /// How a database begins, for a history of so many transactions.
    pub(super) set_up: fn(&Worker, usize) -> Done<Ground>,
    /// One transaction.
    pub(super) step: fn(&Worker, &Ground) -> Done,
    /// What must hold besides.
    pub(super) law: fn(&History, &mut Findings),
    /// Where it runs.
    pub media: &'static [Medium],
}

/// Where every workload runs.
const USUAL: &[Medium] = &[Medium::Memory, Medium::Disk];
/// Where those run, too, whose law does not count what was told.
const ALSO_FAILING: &[Medium] = &[Medium::Memory, Medium::Disk, Medium::Failing];

impl Workload {
    /// Judges a history by the law of the workload.
    pub fn judge(&self, history: &History, verdict: &mut Verdict) {
        let mut findings = Findings::default();
        (self.law)(history, &mut findings);
        verdict.total += findings.total;
        verdict.findings.extend(findings.told);
    }
}

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    register::WORKLOAD,
    list_append::WORKLOAD,
    bank::WORKLOAD,
    write_skew::WORKLOAD,
    long_fork::WORKLOAD,
    hub::WORKLOAD,
    delete_and_link::WORKLOAD,
    index::WORKLOAD,
    kv_register::WORKLOAD,
    kv_transfer::WORKLOAD,
    kv_counter::WORKLOAD,
    kv_skew::WORKLOAD,
];

/// What a workload works on, and what is looked at from time to time.
#[derive(Debug, Default)]
pub(super) struct Ground {
    /// Nodes that are there from the beginning.
    pub(super) nodes: Vec<NodeId>,
    pub(super) labels: &'static [&'static str],
    pub(super) edge_types: &'static [&'static str],
    /// Keys of the first label, counted from 0: `k0`.
    pub(super) keys: usize,
    /// Keys of entries.
    pub(super) entries: Vec<Name>,
    /// Labels whose nodes are indexed by number and by list.
    pub(super) indexed: &'static [&'static str],
}

/// Nodes of a label of which everything is looked at: all that the workloads have in
/// histories of some ten thousand transactions, lists that went out of use included.
const LOOKED_AT: usize = 1000;

fn no_law(_: &History, _: &mut Findings) {}

pub(super) fn key(number: usize) -> String {
    format!("k{number}")
}

/// The keys `a000`, `a001`, .. of entries.
fn entry_keys(prefix: char, count: usize) -> Vec<Name> {
    (0..count).map(|number| format!("{prefix}{number:03}").into()).collect()
}

/// All keys.
fn whole() -> KeyRange {
    KeyRange { from: "".into(), to: "~".into(), is_backward: false, limit: None }
}

fn edge(source: NodeId, edge_type: &'static str, target: NodeId) -> EdgeName {
    EdgeName { source, edge_type: edge_type.into(), target }
}

/// One in four is serializable.
fn drawn_isolation(worker: &Worker) -> Isolation {
    if worker.one_in(4) { Isolation::Serializable } else { Isolation::Snapshot }
}

/// Inserts nodes in one transaction, with the keys `k0`, `k1`, ..
fn insert_all(
    worker: &Worker,
    label: &'static str,
    count: usize,
    number: i64,
) -> Done<Vec<NodeId>> {
    let mut active = worker.begin(Isolation::Snapshot)?;
    let mut nodes = Vec::new();
    for index in 0..count {
        let node = active.insert(label, Some(&key(index)), number)?;
        nodes.push(node.ok_or("the database is not empty")?);
    }
    active.commit()?;
    Ok(nodes)
}

/// Rolls back now and then, and commits otherwise.
fn end(worker: &Worker, active: Active) -> Done {
    if worker.one_in(16) {
        active.rollback();
    } else {
        active.commit()?;
    }
    Ok(())
}

/// Does something, and takes it back now and then.
fn tentatively(
    worker: &Worker,
    active: &mut Active,
    act: impl FnOnce(&mut Active) -> Done,
) -> Done {
    if !worker.one_in(5) {
        return act(active);
    }
    let before = active.savepoint()?;
    act(active)?;
    if worker.one_in(2) { active.rollback_to(before) } else { Ok(()) }
}

/// Reads a node and writes it with another number.
fn add(active: &mut Active, node: NodeId, amount: i64) -> Done {
    if let Some(seen) = active.node(node)? {
        active.put(node, seen.content.number + amount, seen.content.list)?;
    }
    Ok(())
}

/// Looks at one thing of the ground.
pub(super) fn look(worker: &Worker, active: &mut Active, ground: &Ground) -> Done {
    if ground.labels.is_empty() || !ground.entries.is_empty() && worker.one_in(2) {
        return look_at_entries(worker, active, &ground.entries);
    }
    if !ground.indexed.is_empty() && worker.one_in(2) {
        let label = *worker.one_of(ground.indexed);
        return index::look(worker, active, label);
    }
    let label = *worker.one_of(ground.labels);
    match worker.below(if ground.edge_types.is_empty() { 4 } else { 8 }) {
        0 if ground.keys > 0 => {
            let found = active.get(ground.labels[0], &key(worker.below(ground.keys)))?;
            found.map_or(Ok(()), |found| active.node(found).map(drop))
        }
        0 | 1 if !ground.nodes.is_empty() => active.node(*worker.one_of(&ground.nodes)).map(drop),
        0..=2 => {
            let seen = active.scan(label)?;
            if seen.is_empty() { Ok(()) } else { active.node(*worker.one_of(&seen)).map(drop) }
        }
        3 => active.count(label).map(drop),
        _ => {
            let seen = active.scan(label)?;
            if seen.is_empty() {
                return Ok(());
            }
            let edge_type = *worker.one_of(ground.edge_types);
            look_around(worker, active, *worker.one_of(&seen), edge_type)
        }
    }
}

/// Looks at one entry, or a range.
fn look_at_entries(worker: &Worker, active: &mut Active, keys: &[Name]) -> Done {
    if worker.one_in(2) {
        return active.entry(worker.one_of(keys)).map(drop);
    }
    active.range(drawn_range(worker, keys)).map(drop)
}

/// A range between two of the keys, or all, in either direction, with or without a limit.
fn drawn_range(worker: &Worker, keys: &[Name]) -> KeyRange {
    let is_backward = worker.one_in(2);
    let limit = worker.one_in(2).then(|| 1 + worker.below(12));
    if worker.one_in(4) {
        return KeyRange { is_backward, limit, ..whole() };
    }
    let (one, other) = (worker.one_of(keys).clone(), worker.one_of(keys).clone());
    let (from, to) = if one < other { (one, other) } else { (other, one) };
    KeyRange { from, to, is_backward, limit }
}

/// Looks at the edges at a node.
fn look_around(
    worker: &Worker,
    active: &mut Active,
    node: NodeId,
    edge_type: &'static str,
) -> Done {
    match worker.below(5) {
        0 => active.count_edges(edge_type).map(drop),
        1 => active.traverse(node, edge_type, 3).map(drop),
        2 => active.neighbours(node, Way::Both, None).map(drop),
        way => {
            let way = if way == 3 { Way::Out } else { Way::In };
            let ends = active.neighbours(node, way, Some(edge_type))?;
            if ends.is_empty() {
                return Ok(());
            }
            let end = *worker.one_of(&ends);
            active.node(end)?;
            let (source, target) = if way == Way::Out { (node, end) } else { (end, node) };
            active.edge(&edge(source, edge_type, target)).map(drop)
        }
    }
}

/// Looks at everything, as far as it is not too much.
pub(super) fn look_at_all(active: &mut Active, ground: &Ground) -> Done {
    for index in 0..ground.keys {
        active.get(ground.labels[0], &key(index))?;
    }
    for label in ground.labels {
        active.count(label)?;
        for node in active.scan(label)?.into_iter().take(LOOKED_AT) {
            active.node(node)?;
            active.neighbours(node, Way::Out, None)?;
            active.neighbours(node, Way::In, None)?;
        }
    }
    for edge_type in ground.edge_types {
        active.count_edges(edge_type)?;
    }
    for label in ground.indexed {
        index::look_at_all(active, label)?;
    }
    if !ground.entries.is_empty() {
        for is_backward in [false, true] {
            active.range(KeyRange { is_backward, ..whole() })?;
        }
        for key in &ground.entries {
            active.entry(key)?;
        }
    }
    Ok(())
}
