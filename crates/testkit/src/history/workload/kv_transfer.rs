//! Accounts between which money moves by atomic operations: each checks what it saw of
//! both, and sets both. One without money is removed. Whoever sees all accounts sees all
//! of the money.

use std::collections::BTreeMap;

use super::{Ground, USUAL, Workload, entry_keys, whole};
use crate::history::anomaly::{Anomaly, Findings};
use crate::history::recorder::{Atomic, Done, Worker};
use crate::history::txn::{EntryValue, History, Isolation, Name, Op, SeenEntry, Timestamp};

const ACCOUNTS: usize = 10;
const BALANCE: i64 = 100;

pub(super) const WORKLOAD: Workload =
    Workload { name: "kv-transfer", set_up, step, law, media: USUAL };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let entries = entry_keys('a', ACCOUNTS);
    let mut atomic = worker.atomic();
    for key in &entries {
        atomic = atomic.check(key, None).set(key, BALANCE);
    }
    atomic.commit()?;
    Ok(Ground { entries, ..Ground::default() })
}

/// The money in an account, and the version that says so.
fn balance(seen: Option<&SeenEntry>) -> (i64, Option<Timestamp>) {
    match seen {
        Some(SeenEntry { value: EntryValue::Document(content), version }) => {
            (content.number, *version)
        }
        _ => (0, None),
    }
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    if worker.one_in(3) {
        let mut active = worker.snapshot()?;
        active.range(whole())?;
        return active.commit().map(drop);
    }
    let (from, to) = (worker.below(ACCOUNTS), 1 + worker.below(ACCOUNTS - 1));
    let (from, to) = (&ground.entries[from], &ground.entries[(from + to) % ACCOUNTS]);
    let mut active = worker.snapshot()?;
    let (source, seen) = balance(active.entry(from)?.as_ref());
    let (target, also_seen) = balance(active.entry(to)?.as_ref());
    active.commit()?;
    let amount = (1 + worker.below(60) as i64).min(source);
    if amount == 0 {
        return Ok(());
    }
    if worker.one_in(4) {
        return by_transaction(
            worker,
            (from, seen, source - amount),
            (to, also_seen, target + amount),
        );
    }
    let atomic = worker.atomic().check(from, seen).check(to, also_seen);
    let atomic = leave(atomic, from, source - amount);
    leave(atomic, to, target + amount).commit().map(drop)
}

fn leave<'w>(atomic: Atomic<'w>, account: &Name, money: i64) -> Atomic<'w> {
    if money == 0 { atomic.remove(account) } else { atomic.set(account, money) }
}

/// The same by a transaction, which began after the money was seen: what its snapshot
/// shows does not matter, its checks do.
fn by_transaction(
    worker: &Worker,
    (from, seen, left): (&Name, Option<Timestamp>, i64),
    (to, also_seen, right): (&Name, Option<Timestamp>, i64),
) -> Done {
    let mut active = worker.begin(Isolation::Snapshot)?;
    active.check(from, seen)?;
    active.check(to, also_seen)?;
    for (account, money) in [(from, left), (to, right)] {
        if money == 0 {
            active.remove(account)?;
        } else {
            active.set(account, money)?;
        }
    }
    active.commit().map(drop)
}

/// No timestamp is needed to see that money is missing, or owed.
fn law(history: &History, findings: &mut Findings) {
    let whole = whole();
    for txn in &history.txns {
        for op in &txn.ops {
            let Op::Range { range, seen } = op else { continue };
            let (number, expected) = (txn.number, ACCOUNTS as i64 * BALANCE);
            let seen: BTreeMap<_, _> =
                seen.iter().map(|(key, seen)| (key, balance(Some(seen)).0)).collect();
            let owed = seen.values().any(|money| *money < 0);
            let sum: i64 = seen.values().sum();
            let is_whole = (&range.from, &range.to, range.limit) == (&whole.from, &whole.to, None);
            if owed || is_whole && sum != expected {
                findings.add(Anomaly::BrokenLaw, [number], || {
                    format!("txn {number} sees {seen:?}, and there is {expected}")
                });
            }
        }
    }
}
