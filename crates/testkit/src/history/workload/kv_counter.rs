//! Counters to which transactions and atomic operations add without looking: none of
//! them is ever in another's way, and everything that was acknowledged counts.

use std::collections::BTreeMap;

use super::{Ground, USUAL, Workload, drawn_isolation, end, entry_keys, look};
use crate::history::anomaly::{Anomaly, Findings};
use crate::history::recorder::{Done, Worker};
use crate::history::txn::{EntryValue, History, Name, Op, Outcome};

const COUNTERS: usize = 5;

pub(super) const WORKLOAD: Workload =
    Workload { name: "kv-counter", set_up, step, law, media: USUAL };

/// Nothing is there to begin with: the first sum makes a counter.
fn set_up(_: &Worker, _: usize) -> Done<Ground> {
    Ok(Ground { entries: entry_keys('c', COUNTERS), ..Ground::default() })
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    let keys: Vec<_> = (0..1 + worker.below(3)).map(|_| worker.one_of(&ground.entries)).collect();
    let operand = || 1 + worker.below(9) as u64;
    match worker.below(8) {
        0 => {
            let mut active = worker.snapshot()?;
            look(worker, &mut active, ground)?;
            active.commit().map(drop)
        }
        1..4 => {
            let mut atomic = worker.atomic();
            for key in keys {
                atomic = atomic.sum(key, operand());
            }
            atomic.commit().map(drop)
        }
        _ => {
            let mut active = worker.begin(drawn_isolation(worker))?;
            for key in keys {
                if worker.one_in(3) {
                    active.entry(key)?;
                }
                active.sum(key, operand())?;
                if worker.one_in(3) {
                    look(worker, &mut active, ground)?;
                }
            }
            end(worker, active)
        }
    }
}

/// What the last one of all sees is what was added, and those who only add do not
/// conflict.
fn law(history: &History, findings: &mut Findings) {
    let mut added: BTreeMap<&Name, u64> = BTreeMap::new();
    for txn in &history.txns {
        let is_blind = txn.ops.iter().all(Op::is_write) || txn.is_loose();
        if is_blind && matches!(txn.outcome, Outcome::Conflict(..)) {
            let number = txn.number;
            findings.add(Anomaly::BrokenLaw, [number], || {
                format!("txn {number} only adds, and conflicts")
            });
        }
        for op in txn.ops.iter().filter(|_| txn.commit().is_some()) {
            if let Op::Sum { key, operand, .. } = op {
                *added.entry(key).or_default() += operand;
            }
        }
    }
    let Some(last) = history.txns.iter().max_by_key(|txn| txn.begin.called) else { return };
    let seen = last.ops.iter().filter_map(|op| match op {
        Op::Entry { key, seen } => match seen.as_ref().map(|seen| &seen.value) {
            Some(EntryValue::Number(number)) => Some((key, *number)),
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
