//! Counters to which transactions and atomic operations add without looking, and numbers
//! that are also kept low and high: none of them is ever in another's way, and everything
//! that was acknowledged counts.

use std::collections::BTreeMap;

use super::{Ground, USUAL, Workload, drawn_isolation, end, entry_keys, look};
use crate::history::anomaly::{Anomaly, Findings};
use crate::history::recorder::{Done, Worker};
use crate::history::txn::{EntryValue, History, Name, Op, Operation, Outcome};

const COUNTERS: usize = 5;
/// Numbers with which anything is computed.
const MIXED: usize = 3;
const OPERATIONS: [Operation; 3] = [Operation::Sum, Operation::Min, Operation::Max];

pub(super) const WORKLOAD: Workload =
    Workload { name: "kv-counter", set_up, step, law, media: USUAL };

/// Nothing is there to begin with: the first sum makes a counter.
fn set_up(_: &Worker, _: usize) -> Done<Ground> {
    let mut entries = entry_keys('c', COUNTERS);
    entries.extend(entry_keys('m', MIXED));
    Ok(Ground { entries, ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    let keys: Vec<_> = (0..1 + worker.below(3)).map(|_| worker.one_of(&ground.entries)).collect();
    match worker.below(8) {
        0 => {
            let mut active = worker.snapshot()?;
            look(worker, &mut active, ground)?;
            active.commit().map(drop)
        }
        1..4 => {
            let mut atomic = worker.atomic();
            for key in keys {
                let (operation, operand) = drawn(worker, key);
                atomic = atomic.compute(key, operation, operand);
            }
            atomic.commit().map(drop)
        }
        _ => {
            let mut active = worker.begin(drawn_isolation(worker))?;
            for key in keys {
                if worker.one_in(3) {
                    active.entry(key)?;
                }
                let (operation, operand) = drawn(worker, key);
                active.compute(key, operation, operand)?;
                if worker.one_in(3) {
                    look(worker, &mut active, ground)?;
                }
            }
            end(worker, active)
        }
    }
}

fn is_counter(key: &Name) -> bool {
    key.starts_with('c')
}

/// Something to be computed: counters only grow, and others stay about where they are.
fn drawn(worker: &Worker, key: &Name) -> (Operation, u64) {
    if is_counter(key) {
        return (Operation::Sum, 1 + worker.below(9) as u64);
    }
    let operation = *worker.one_of(&OPERATIONS);
    (operation, worker.below(if operation == Operation::Sum { 9 } else { 100 }) as u64)
}

/// What the last one of all sees in counters is what was added, and those who only
/// compute do not conflict.
fn law(history: &History, findings: &mut Findings) {
    let mut added: BTreeMap<&Name, u64> = BTreeMap::new();
    for txn in &history.txns {
        let is_blind = txn.ops.iter().all(Op::is_write) || txn.is_loose();
        if is_blind && matches!(txn.outcome, Outcome::Conflict(..)) {
            let number = txn.number;
            findings.add(Anomaly::BrokenLaw, [number], || {
                format!("txn {number} only computes, and conflicts")
            });
        }
        for op in txn.ops.iter().filter(|_| txn.commit().is_some()) {
            if let Op::Compute { key, operation: Operation::Sum, operand, .. } = op
                && is_counter(key)
            {
                *added.entry(key).or_default() += operand;
            }
        }
    }
    let Some(last) = history.txns.iter().max_by_key(|txn| txn.begin.called) else { return };
    let seen = last.ops.iter().filter_map(|op| match op {
        Op::Entry { key, seen } => match seen.as_ref().map(|seen| &seen.value) {
            Some(EntryValue::Number(number)) if is_counter(key) => Some((key, *number)),
            _ => None,
        },
        _ => None,
    });
    let seen: BTreeMap<&Name, u64> = seen.collect();
    if seen != added {
        findings.add(Anomaly::BrokenLaw, [last.number], || {
            format!("{added:?} was added, and at last there is {seen:?}")
        });
    }
}
