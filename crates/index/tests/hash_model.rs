//! The hash index against the obvious model, and what it gives back.
#![expect(unsafe_code, reason = "the writer's side of an index is unsafe")]

use std::collections::HashMap;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use selvedge_index::HashIndex;

type Model = HashMap<u64, Vec<u64>>;

#[derive(Clone, Debug)]
enum Operation {
    Insert {
        hash: u64,
    },
    /// Takes out one of the ids of the hash, if there is any.
    Remove {
        hash: u64,
        which: usize,
    },
    /// A pair that was never there.
    RemoveStranger {
        hash: u64,
    },
}

/// Few hashes in two shards, many with the same home in small tables.
fn hashes() -> impl Strategy<Value = u64> {
    (prop_oneof![Just(0_u64), Just(63)], 0..40_u64, 0..3_u64)
        .prop_map(|(shard, low, middle)| shard << 58 | middle << 30 | low)
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        5 => hashes().prop_map(|hash| Operation::Insert { hash }),
        4 => (hashes(), any::<usize>()).prop_map(|(hash, which)| Operation::Remove { hash, which }),
        1 => hashes().prop_map(|hash| Operation::RemoveStranger { hash }),
    ];
    prop::collection::vec(operation, 0..1500)
}

/// One thread, so that there is one writer and nobody is in a table.
fn insert(index: &HashIndex, hash: u64, id: u64) {
    // SAFETY: see above.
    drop(unsafe { index.insert(hash, id) });
}

fn remove(index: &HashIndex, hash: u64, id: u64) -> bool {
    // SAFETY: see above.
    unsafe { index.remove(hash, id) }.0
}

fn sorted(index: &HashIndex, hash: u64) -> Vec<u64> {
    // SAFETY: see above.
    let mut ids: Vec<u64> = unsafe { index.candidates(hash) }.collect();
    ids.sort_unstable();
    ids
}

fn assert_same(index: &HashIndex, model: &Model) {
    assert_eq!(index.len(), model.values().map(Vec::len).sum::<usize>());
    for (&hash, ids) in model {
        let mut ids = ids.clone();
        ids.sort_unstable();
        assert_eq!(sorted(index, hash), ids);
    }
}

proptest! {
    #[test]
    fn agrees_with_a_map_of_lists(operations in operations()) {
        let (index, mut model) = (HashIndex::new(), Model::new());
        for (id, operation) in (1..).zip(operations) {
            match operation {
                Operation::Insert { hash } => {
                    insert(&index, hash, id);
                    model.entry(hash).or_default().push(id);
                }
                Operation::Remove { hash, which } => {
                    let Some(ids) = model.get_mut(&hash).filter(|ids| !ids.is_empty()) else {
                        continue;
                    };
                    let gone = ids.swap_remove(which % ids.len());
                    assert!(remove(&index, hash, gone));
                    assert!(!remove(&index, hash, gone));
                }
                Operation::RemoveStranger { hash } => {
                    assert!(!remove(&index, hash, id));
                    assert!(!remove(&index, hash, 0));
                    assert!(!remove(&index, hash, u64::MAX));
                }
            }
        }
        assert_same(&index, &model);
    }
}

#[test]
fn memory_comes_back_after_mass_removal() {
    let index = HashIndex::new();
    let hash = |id: u64| id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(21) ^ (id << 50);
    let empty = index.bytes();
    for id in 1..=100_000 {
        insert(&index, hash(id), id);
    }
    let full = index.bytes();
    assert!(full < 100_000 * 50, "{full} bytes");
    for id in 1..=99_900 {
        assert!(remove(&index, hash(id), id));
    }
    assert!(index.bytes() < full / 20, "{} of {full} bytes", index.bytes());
    for id in 99_901..=100_000 {
        assert_eq!(sorted(&index, hash(id)), [id]);
        assert!(remove(&index, hash(id), id));
    }
    assert!(index.is_empty());
    assert!(index.bytes() < empty + 64 * 8 * 16 + 1);
}

#[test]
fn churn_of_one_hash_needs_no_new_table() {
    let index = HashIndex::new();
    insert(&index, 5, 1);
    for id in 2..1_000 {
        // SAFETY: one thread.
        let (inserted, (removed, shrunk)) =
            unsafe { (index.insert(5, id), index.remove(5, id - 1)) };
        assert!(inserted.is_none() && removed && shrunk.is_none());
    }
    assert_eq!(sorted(&index, 5), [999]);
}

#[test]
fn churn_of_many_hashes_stays_small() {
    let index = HashIndex::new();
    for id in 1..10_000_u64 {
        insert(&index, id, id);
        assert!(id < 4 || remove(&index, id - 3, id - 3));
    }
    assert_eq!(index.len(), 3);
    assert!(index.bytes() < HashIndex::new().bytes() + 1024);
}

#[test]
#[should_panic(expected = "not ids")]
fn zero_is_not_an_id() {
    insert(&HashIndex::new(), 1, 0);
}
