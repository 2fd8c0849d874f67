//! Nodes that are indexed by a number, which several have, and by a badge, which no two
//! have. Numbers and badges change hands, nodes come and go, and the index by number is
//! dropped and built again beside all that.

use super::{Ground, USUAL, Workload, end};
use crate::history::anomaly::{Anomaly, Findings};
use crate::history::recorder::{Active, Done, Worker};
use crate::history::txn::{History, Isolation, NodeId, NumberRange, Op};

const LABEL: &str = "Ranked";
const LABELS: &[&str] = &[LABEL];
const NODES: usize = 24;
const NODES_MAX: usize = 32;
/// Badges: some are free.
const BADGES: usize = 40;
/// Numbers: most are those of several nodes, or of none.
const NUMBERS: usize = 20;
/// Of so many transactions of the one that builds, one does.
const BUILD_EVERY: usize = 8;

pub(super) const WORKLOAD: Workload = Workload { name: "index", set_up, step, law, media: USUAL };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    worker.define_indexed(LABEL)?;
    let mut active = worker.begin(Isolation::Snapshot)?;
    for index in 0..NODES {
        let content = ((index % NUMBERS) as i64, vec![index as i64]);
        active.insert_with(LABEL, None, content)?.ok_or("the database is not empty")?;
    }
    active.commit()?;
    Ok(Ground { labels: LABELS, indexed: LABELS, ..Ground::default() })
}

fn drawn_number(worker: &Worker) -> i64 {
    worker.below(NUMBERS) as i64
}

fn drawn_badge(worker: &Worker) -> Vec<i64> {
    vec![worker.below(BADGES) as i64]
}

fn drawn_range(worker: &Worker) -> NumberRange {
    let (one, other) = (drawn_number(worker), drawn_number(worker));
    let limit = worker.one_in(3).then(|| 1 + worker.below(6));
    let (least, most) = (one.min(other), one.max(other));
    NumberRange { label: LABEL.into(), least, most, is_backward: worker.one_in(2), limit }
}

/// Looks at a range of numbers, or for who has a badge.
pub(super) fn look(worker: &Worker, active: &mut Active, label: &'static str) -> Done {
    if worker.one_in(3) {
        active.holder(label, drawn_badge(worker)).map(drop)
    } else {
        active.ranked(drawn_range(worker)).map(drop)
    }
}

pub(super) fn look_at_all(active: &mut Active, label: &'static str) -> Done {
    for is_backward in [false, true] {
        let (least, most) = (-1, NUMBERS as i64);
        let whole = NumberRange { label: label.into(), least, most, is_backward, limit: None };
        active.ranked(whole)?.ok_or("the index is not there, and nobody builds it")?;
    }
    (0..BADGES).try_for_each(|badge| active.holder(label, vec![badge as i64]).map(drop))
}

fn step(worker: &Worker, _: &Ground) -> Done {
    if worker.builds() && worker.one_in(BUILD_EVERY) {
        return worker.rebuild(LABEL);
    }
    let is_strict = worker.one_in(2);
    let isolation = if is_strict { Isolation::Serializable } else { Isolation::Snapshot };
    let mut active = worker.begin(isolation)?;
    for _ in 0..1 + worker.below(3) {
        match worker.below(8) {
            0..3 => look(worker, &mut active, LABEL)?,
            3..5 => change(worker, &mut active, true)?,
            5 => change(worker, &mut active, false)?,
            6 => come_or_go(worker, &mut active)?,
            _ => exchange(worker, &mut active)?,
        }
    }
    end(worker, active)
}

/// A node that has a badge, drawn.
fn drawn_node(worker: &Worker, active: &mut Active) -> Done<Option<NodeId>> {
    active.holder(LABEL, drawn_badge(worker))
}

/// Gives a node another number, or another badge, which another one may have.
fn change(worker: &Worker, active: &mut Active, is_number: bool) -> Done {
    let Some(node) = drawn_node(worker, active)? else { return Ok(()) };
    let Some(seen) = active.node(node)? else { return Ok(()) };
    let (mut number, mut badge) = (seen.content.number, seen.content.list);
    if is_number {
        number = drawn_number(worker);
    } else {
        badge = drawn_badge(worker);
    }
    active.put(node, number, badge).map(drop)
}

/// A range has so many that one goes, or one comes: to a number outside of it, maybe.
fn come_or_go(worker: &Worker, active: &mut Active) -> Done {
    let range = NumberRange { limit: None, ..drawn_range(worker) };
    let width = (range.most - range.least + 1) as usize;
    let Some(seen) = active.ranked(range)? else { return Ok(()) };
    if seen.len() * NUMBERS > width * NODES_MAX {
        return active.delete(*worker.one_of(&seen)).map(drop);
    }
    let content = (drawn_number(worker), drawn_badge(worker));
    active.insert_with(LABEL, None, content).map(drop)
}

/// Two nodes exchange their badges, by way of one that nobody has.
fn exchange(worker: &Worker, active: &mut Active) -> Done {
    let (one, other) = (drawn_node(worker, active)?, drawn_node(worker, active)?);
    let (Some(one), Some(other)) = (one, other) else { return Ok(()) };
    let (Some(of_one), Some(of_other)) = (active.node(one)?, active.node(other)?) else {
        return Ok(());
    };
    let (of_one, of_other) = (of_one.content, of_other.content);
    let spare = vec![BADGES as i64 + worker.below(1 << 30) as i64];
    if one == other || !active.put(one, of_one.number, spare)? {
        return Ok(());
    }
    if active.put(other, of_other.number, of_one.list)? {
        active.put(one, of_one.number, of_other.list)?;
    }
    Ok(())
}

/// Indexes were read, and unique badges refused.
fn law(history: &History, findings: &mut Findings) {
    let ops = || history.txns.iter().flat_map(|txn| &txn.ops);
    let is_read = ops().any(|op| matches!(op, Op::Ranked { .. }));
    if !is_read {
        findings.add(Anomaly::BrokenLaw, [], || "no index was read".to_owned());
    }
}
