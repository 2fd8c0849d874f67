//! The keyed index against the obvious model: what is found by key, what in order.
#![expect(unsafe_code, reason = "the index's contract is kept by having one thread")]

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use selvedge_index::KeyedIndex;

#[derive(Clone, Debug)]
enum Operation {
    Insert(Vec<u8>),
    Remove(Vec<u8>),
    /// All keys that begin with this byte, one after the other.
    Clear(u8),
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..6_u8, 0..6)
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        20 => keys().prop_map(Operation::Insert),
        8 => keys().prop_map(Operation::Remove),
        1 => (0..6_u8).prop_map(Operation::Clear),
    ];
    prop::collection::vec(operation, 0..1200)
}

type Model = BTreeMap<Vec<u8>, usize>;

fn remove(index: &KeyedIndex<usize>, model: &mut Model, key: &[u8]) {
    let guard = crossbeam_epoch::pin();
    // SAFETY: one thread, which uses nothing of what is dropped.
    let removed = unsafe { index.remove(key, &guard) };
    assert_eq!(removed.is_some(), model.remove(key).is_some(), "{key:?}");
}

fn assert_same(index: &KeyedIndex<usize>, model: &Model) {
    let guard = crossbeam_epoch::pin();
    let all = (Bound::Unbounded, Bound::Unbounded);
    // SAFETY: nothing is removed meanwhile, here and below.
    let range = unsafe { index.range(all, &guard) };
    assert!(range.eq(model.iter().map(|(key, at)| (key.as_slice(), at))));
    let bounds = (Bound::Excluded(&[1][..]), Bound::Included(&[4][..]));
    let between: Vec<usize> = model.range::<[u8], _>(bounds).map(|(_, at)| *at).collect();
    for (most, reverse) in [(1, false), (5, false), (1, true), (7, true)] {
        // SAFETY: as above.
        let mut range = unsafe { index.range(bounds, &guard) };
        let (mut taken, mut before) = (Vec::new(), usize::MAX);
        while before != taken.len() {
            before = taken.len();
            range.take_entries(reverse, most, |entry| taken.push(*entry.value()));
            assert!(taken.len() - before <= most);
        }
        if reverse {
            taken.reverse();
        }
        assert_eq!(taken, between, "{most} at a time, in reverse: {reverse}");
    }
    for (key, at) in model {
        // SAFETY: as above.
        assert_eq!(unsafe { index.get(&key[..]) }, Some(at), "{key:?}");
    }
    let keys = model.keys().collect::<Vec<_>>();
    // SAFETY: as above.
    unsafe { index.prefetch(&keys) };
    assert_eq!(index.len(), model.len());
}

proptest! {
    #[test]
    fn agrees_with_an_ordered_map(operations in operations(), seed in any::<u64>()) {
        let (index, mut model) = (KeyedIndex::with_node_capacity(4, seed), Model::new());
        for (at, operation) in operations.into_iter().enumerate() {
            match operation {
                Operation::Insert(key) => {
                    let guard = crossbeam_epoch::pin();
                    // SAFETY: one thread.
                    let inserted = unsafe { index.insert(&key, at, &guard) };
                    let there = model.contains_key(&key);
                    assert_eq!(inserted.is_err(), there, "{key:?}");
                    model.entry(key).or_insert(at);
                }
                Operation::Remove(key) => remove(&index, &mut model, &key),
                Operation::Clear(first) => {
                    let keys = model.range(vec![first]..vec![first + 1]);
                    let keys: Vec<_> = keys.map(|(key, _)| key.clone()).collect();
                    keys.iter().for_each(|key| remove(&index, &mut model, key));
                }
            }
            // What was just touched, and what is not there.
            // SAFETY: one thread.
            assert_eq!(unsafe { index.get(b"none") }, None);
        }
        assert_same(&index, &model);
        let keys: Vec<_> = model.keys().cloned().collect();
        keys.iter().for_each(|key| remove(&index, &mut model, key));
        assert_same(&index, &model);
    }
}

#[test]
fn says_what_it_takes() {
    let index = KeyedIndex::new(7);
    let empty = index.bytes();
    for number in 0..20_000_u64 {
        let guard = crossbeam_epoch::pin();
        // SAFETY: one thread, and nobody uses what is dropped.
        drop(unsafe { index.insert(&number.to_be_bytes(), (), &guard) }.expect("a new key"));
    }
    // Entries of 12 bytes, links and words of 16 in leaves, and
    // slots of 9.2, of which 37 to 75 in 100 are in use.
    let each = (index.bytes() - empty) / 20_000;
    assert!((12 + 16 + 12..12 + 18 + 26).contains(&each), "{each} bytes an entry");
    for number in 0..20_000_u64 {
        let guard = crossbeam_epoch::pin();
        // SAFETY: as above.
        drop(unsafe { index.remove(&number.to_be_bytes(), &guard) }.expect("it is there"));
    }
    assert!(index.bytes() - empty <= 64 * 64, "no more than the smallest tables");
}
