//! Threads against one keyspace: nothing lost, nothing torn.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};

use selvedge_keyspace::{Encoding, Mutation, RangeOptions, Refusal};

use crate::store::{ALL, Store, Txn};

const THREADS: u64 = 4;

/// Runs `commit` on fresh transactions until one is accepted; gives the number
/// of conflicts.
fn retry(store: &Store, mut stage: impl FnMut(&mut Txn)) -> u64 {
    let mut conflicts = 0;
    loop {
        let mut txn = store.begin();
        stage(&mut txn);
        match txn.commit() {
            Ok(_) => return conflicts,
            Err(Refusal::Conflict { .. }) => conflicts += 1,
            Err(refusal) => panic!("{refusal}"),
        }
    }
}

/// Waits for threads one by one: a scope waits inside the standard library, which the
/// thread sanitizer does not look into.
fn join<'scope>(threads: impl IntoIterator<Item = ScopedJoinHandle<'scope, ()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
}

#[test]
fn a_blind_counter_never_conflicts_and_loses_nothing() {
    let store = Store::new();
    let rounds = if cfg!(miri) { 10 } else { 2000 };
    thread::scope(|scope| {
        let count = |thread| {
            let store = &store;
            scope.spawn(move || {
                for round in 0..rounds {
                    let mut txn = store.begin();
                    txn.writes.mutate(b"sum", Mutation::Sum(thread)).unwrap();
                    txn.writes.mutate(b"max", Mutation::Max(thread * rounds + round)).unwrap();
                    txn.commit().expect("blind mutations do not conflict");
                    if round % 64 == 0 {
                        store.0.step(16);
                    }
                }
            })
        };
        join((1..=THREADS).map(count).collect::<Vec<_>>());
    });
    assert_eq!(store.number(b"sum"), Some(rounds * (1..=THREADS).sum::<u64>()));
    assert_eq!(store.number(b"max"), Some(THREADS * rounds + rounds - 1));
    store.settle();
}

#[test]
fn a_counter_that_is_read_and_written_loses_nothing() {
    let store = Store::new();
    let rounds = if cfg!(miri) { 10 } else { 1000 };
    let conflicts = AtomicU64::new(0);
    thread::scope(|scope| {
        let count = |_| {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let met = retry(&store, |txn| {
                        let seen = txn.view().get(b"n").unwrap();
                        let number = seen.and_then(|value| value.number()).unwrap_or(0);
                        let next = (number + 1).to_le_bytes();
                        txn.writes.put(b"n", Encoding::LE64, &next).unwrap();
                    });
                    conflicts.fetch_add(met, Ordering::Relaxed);
                }
            })
        };
        join((0..THREADS).map(count).collect::<Vec<_>>());
    });
    assert_eq!(store.number(b"n"), Some(THREADS * rounds), "after {conflicts:?} conflicts");
    store.settle();
}

fn account(number: u64) -> [u8; 4] {
    [b'a', b'/', b'0', u8::try_from(number).unwrap()]
}

/// Money moves between accounts that come and go: an account with nothing on it
/// is deleted. Readers sum up all accounts of a snapshot, twice and from both
/// ends, while entries are inserted, removed and pruned under them.
#[test]
fn readers_see_whole_commits_while_entries_come_and_go() {
    const ACCOUNTS: u64 = 100;
    const TOTAL: u64 = 1000;
    let store = Store::new();
    store.commit(|writes| writes.put(&account(0), Encoding::LE64, &TOTAL.to_le_bytes()).unwrap());
    let stop = AtomicBool::new(false);
    let rounds = if cfg!(miri) { 20 } else { 2000 };
    let transfer = |txn: &mut Txn, from: [u8; 4], to: [u8; 4], amount: u64| {
        let balance = |txn: &Txn, key: &[u8]| {
            txn.view().get(key).unwrap().and_then(|value| value.number()).unwrap_or(0)
        };
        let amount = amount.min(balance(txn, &from));
        for (key, now) in [(from, balance(txn, &from) - amount), (to, balance(txn, &to) + amount)] {
            if now == 0 {
                txn.writes.delete(&key).unwrap();
            } else {
                txn.writes.put(&key, Encoding::LE64, &now.to_le_bytes()).unwrap();
            }
        }
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2_u64)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    let mut random = 12345 + writer;
                    for _ in 0..rounds {
                        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695);
                        let (from, to) = ((random >> 33) % ACCOUNTS, (random >> 43) % ACCOUNTS);
                        if from != to {
                            retry(store, |txn| {
                                transfer(txn, account(from), account(to), random >> 54);
                            });
                        }
                        if random % 32 == 0 {
                            store.0.step(64);
                        }
                    }
                })
            })
            .collect();
        let read = |reader| {
            let (store, stop) = (&store, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let txn = store.begin();
                    for reverse in [reader == 0, reader != 0] {
                        let options = RangeOptions { reverse, ..RangeOptions::default() };
                        let accounts = (Bound::Included(&b"a/"[..]), Bound::Excluded(&b"a0"[..]));
                        let entries = txn.view().range(accounts, options);
                        let sum: u64 =
                            entries.map(|entry| entry.unwrap().1.number().unwrap()).sum();
                        assert_eq!(sum, TOTAL, "at {}", txn.start());
                    }
                }
            })
        };
        let readers: Vec<_> = (0..2).map(read).collect();
        join(writers);
        stop.store(true, Ordering::Relaxed);
        join(readers);
    });
    let alive = store.begin().view().range(ALL, RangeOptions::default()).count();
    store.settle();
    assert_eq!(store.len(), alive, "an entry is in the index exactly while it holds something");
}
