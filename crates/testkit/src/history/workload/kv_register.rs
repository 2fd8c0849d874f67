//! Entries that come, change and go under a few hundred keys, one by one and by ranges,
//! from transactions and atomic operations.

use super::{
    ALSO_FAILING, Ground, Workload, drawn_isolation, drawn_range, end, entry_keys, look, no_law,
    tentatively,
};
use crate::history::recorder::{Active, Done, Worker};
use crate::history::txn::{EntryValue, Isolation, Name, SeenEntry};

const KEYS: usize = 300;
/// How the keys begin that end with the stamp of their commit: behind all others.
const STAMPED: &str = "stamped";

pub(super) const WORKLOAD: Workload =
    Workload { name: "kv-register", set_up, step, law: no_law, media: ALSO_FAILING };

fn set_up(worker: &Worker, _: usize) -> Done<Ground> {
    let entries = entry_keys('r', KEYS);
    let mut active = worker.begin(Isolation::Snapshot)?;
    for key in entries.iter().step_by(2) {
        active.set(key, 0)?;
    }
    active.commit()?;
    Ok(Ground { entries, ..Ground::default() })
}

/// A key, the first ones far more often than the last.
fn drawn<'g>(worker: &Worker, ground: &'g Ground) -> &'g Name {
    let end = 1 + worker.below(KEYS);
    &ground.entries[worker.below(1 + worker.below(end))]
}

fn number(seen: Option<&SeenEntry>) -> i64 {
    match seen.map(|seen| &seen.value) {
        Some(EntryValue::Document(content)) => content.number,
        _ => 0,
    }
}

fn step(worker: &Worker, ground: &Ground) -> Done {
    match worker.below(8) {
        0 | 1 => {
            let mut active = worker.snapshot()?;
            for _ in 0..4 {
                look(worker, &mut active, ground)?;
            }
            active.commit().map(drop)
        }
        2 => blind(worker, ground),
        _ => {
            let mut active = worker.begin(drawn_isolation(worker))?;
            for _ in 0..1 + worker.below(3) {
                tentatively(worker, &mut active, |active| change(worker, active, ground))?;
            }
            end(worker, active)
        }
    }
}

fn change(worker: &Worker, active: &mut Active, ground: &Ground) -> Done {
    let key = drawn(worker, ground);
    match worker.below(8) {
        0 => active.set(key, 1)?,
        1 => active.remove(key)?,
        2 => {
            // What is found decides what becomes of its neighbour.
            let seen = active.range(drawn_range(worker, &ground.entries))?;
            match seen.first() {
                // Of what is stamped there would be more and more.
                Some((first, _)) if first.starts_with(STAMPED) || worker.one_in(2) => {
                    active.remove(first)?;
                }
                _ => active.set(key, seen.len() as i64)?,
            }
        }
        3 => {
            active.entry(key)?;
            active.remove(key)?;
        }
        4 => {
            let seen = active.entry(key)?;
            let expected = seen.as_ref().and_then(|seen| seen.version);
            // An own write has no version that it could be checked for.
            if seen.is_none() || expected.is_some() {
                active.check(key, expected)?;
            }
            active.set(drawn(worker, ground), 2)?;
        }
        _ => {
            let seen = active.entry(key)?;
            active.set(key, number(seen.as_ref()) + 1)?;
        }
    }
    if worker.one_in(3) {
        active.entry(key)?;
    }
    Ok(())
}

/// An atomic operation over what was just seen, or over nothing.
fn blind(worker: &Worker, ground: &Ground) -> Done {
    let mut atomic = worker.atomic();
    let keys: Vec<_> = (0..1 + worker.below(3)).map(|_| drawn(worker, ground)).collect();
    if !worker.one_in(4) {
        let mut active = worker.snapshot()?;
        for key in &keys {
            let seen = active.entry(key)?;
            atomic = atomic.check(key, seen.and_then(|seen| seen.version));
        }
        active.commit()?;
    }
    if worker.one_in(4) {
        atomic = atomic.stamp(&STAMPED.into(), 4);
    }
    for key in keys {
        atomic = if worker.one_in(3) { atomic.remove(key) } else { atomic.set(key, 3) };
    }
    atomic.commit().map(drop)
}
