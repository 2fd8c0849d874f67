//! The ordered index against `BTreeMap`, with nodes small enough that splits and
//! joins are everywhere.
#![expect(unsafe_code, reason = "the writer's side of an index is unsafe")]

use std::collections::BTreeMap;
use std::ops::Bound;

use crossbeam_epoch::pin;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use selvedge_index::OrderedIndex;

type Model = BTreeMap<Vec<u8>, u64>;
type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

#[derive(Clone, Debug)]
enum Operation {
    Insert(Vec<u8>),
    Remove(Vec<u8>),
    Get(Vec<u8>),
    Range(Bounds),
}

/// Keys that meet on every path: short, with zeros at the end, and long with
/// common prefixes of several lengths.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0_u8), Just(1), Just(b'a'), Just(b'b'), Just(255)];
    prop_oneof![
        2 => prop::collection::vec(byte.clone(), 0..5),
        2 => (0..400_u16).prop_map(|number| number.to_be_bytes().to_vec()),
        2 => (0..9_u8, prop::collection::vec(byte, 0..12))
            .prop_map(|(group, rest)| [&b"group/"[..], &[b'0' + group / 4], &rest].concat()),
        1 => (0..40_usize).prop_map(|len| vec![b'x'; len]),
        1 => (5_000..5_010_usize, any::<bool>()).prop_map(|(len, end)| {
            let mut key = vec![b'y'; len];
            key.push(u8::from(end));
            key
        }),
    ]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let bound = || {
        prop_oneof![
            1 => Just(Bound::Unbounded),
            2 => keys().prop_map(Bound::Included),
            2 => keys().prop_map(Bound::Excluded),
        ]
    };
    (bound(), bound())
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        6 => keys().prop_map(Operation::Insert),
        4 => keys().prop_map(Operation::Remove),
        1 => keys().prop_map(Operation::Get),
        1 => bounds().prop_map(Operation::Range),
    ];
    prop::collection::vec(operation, 0..800)
}

fn borrowed(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// `BTreeMap::range` panics on bounds that exclude each other.
fn model_range<'m>(model: &'m Model, (low, high): &Bounds) -> Vec<(&'m [u8], &'m u64)> {
    let above = |key: &Vec<u8>| match low {
        Bound::Unbounded => true,
        Bound::Included(low) => key >= low,
        Bound::Excluded(low) => key > low,
    };
    let below = |key: &Vec<u8>| match high {
        Bound::Unbounded => true,
        Bound::Included(high) => key <= high,
        Bound::Excluded(high) => key < high,
    };
    let within = model.iter().filter(|(key, _)| above(key) && below(key));
    within.map(|(key, value)| (key.as_slice(), value)).collect()
}

fn insert(index: &OrderedIndex<u64>, key: &[u8], value: u64) -> bool {
    // SAFETY: one thread, so one writer.
    unsafe { index.insert(key, value, &pin()).is_ok() }
}

fn remove(index: &OrderedIndex<u64>, key: &[u8]) -> bool {
    // SAFETY: one thread, so one writer.
    unsafe { index.remove(key, &pin()) }
}

fn assert_range(index: &OrderedIndex<u64>, model: &Model, bounds: &Bounds) {
    let guard = pin();
    let expected = model_range(model, bounds);
    let range = || index.range((borrowed(&bounds.0), borrowed(&bounds.1)), &guard);
    assert_eq!(range().collect::<Vec<_>>(), expected);
    let mut backwards: Vec<_> = range().rev().collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
    // From both ends in turns, until they meet.
    let (mut both, mut front, mut back) = (range(), Vec::new(), Vec::new());
    while let Some(item) = both.next() {
        front.push(item);
        back.extend(both.next_back());
    }
    assert!(both.next().is_none() && both.next_back().is_none());
    front.extend(back.into_iter().rev());
    assert_eq!(front, expected);
}

fn run(capacity: usize, operations: Vec<Operation>) {
    let (index, mut model) = (OrderedIndex::with_node_capacity(capacity), Model::new());
    for (value, operation) in (0..).zip(operations) {
        match operation {
            Operation::Insert(key) => {
                let new = !model.contains_key(&key);
                assert_eq!(insert(&index, &key, value), new);
                model.entry(key).or_insert(value);
            }
            Operation::Remove(key) => {
                assert_eq!(remove(&index, &key), model.remove(&key).is_some());
            }
            Operation::Get(key) => assert_eq!(index.get(&key, &pin()), model.get(&key)),
            Operation::Range(bounds) => assert_range(&index, &model, &bounds),
        }
        assert_eq!(index.len(), model.len());
    }
    assert_range(&index, &model, &(Bound::Unbounded, Bound::Unbounded));
    for (key, value) in &model {
        assert_eq!(index.get(key, &pin()), Some(value));
    }
    for key in model.keys() {
        assert!(remove(&index, key));
    }
    assert!(index.is_empty());
    assert_eq!(index.bytes(), OrderedIndex::<u64>::new().bytes(), "nothing is left or lost");
}

proptest! {
    #[test]
    fn agrees_with_a_btree_map(
        capacity in prop_oneof![Just(4_usize), Just(5), Just(7), Just(16)],
        operations in operations(),
    ) {
        run(capacity, operations);
    }
}

#[test]
fn keys_in_order_leave_full_nodes() {
    for ascending in [true, false] {
        let index = OrderedIndex::new();
        for number in 0..100_000_u64 {
            let key = if ascending { number } else { 100_000 - number };
            assert!(insert(&index, &key.to_be_bytes(), number));
        }
        // 24 for the entry; 16 for word and pointer in a leaf, and no more than a
        // quarter on top for rounding and inner nodes.
        let per_entry = index.bytes() / 100_000;
        assert!(per_entry <= 44, "{per_entry} bytes per entry");
    }
}

#[test]
fn memory_comes_back_after_mass_removal() {
    let index = OrderedIndex::new();
    let key = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    for number in 0..100_000 {
        assert!(insert(&index, &key(number), number));
    }
    let full = index.bytes();
    for number in 0..99_000 {
        assert!(remove(&index, &key(number)));
    }
    assert!(index.bytes() < full / 50, "{} of {full} bytes", index.bytes());
    for number in 99_000..100_000 {
        assert_eq!(index.get(&key(number), &pin()), Some(&number));
    }
}

#[test]
fn a_range_keeps_to_its_tree() {
    let index = OrderedIndex::with_node_capacity(4);
    for key in 0..50_u8 {
        assert!(insert(&index, &[key, 0], key.into()));
    }
    let guard = pin();
    let mut range = index.range((Bound::Unbounded, Bound::Unbounded), &guard);
    assert_eq!(range.next(), Some((&[0, 0][..], &0)));
    for key in 0..50_u8 {
        assert!(remove(&index, &[key, 0]) && insert(&index, &[key, 1], 99));
    }
    let rest: Vec<u64> = range.map(|(_, value)| *value).collect();
    assert_eq!(rest, (1..50).collect::<Vec<_>>());
}

#[test]
#[should_panic(expected = "crossbeam_epoch::pin")]
fn a_guard_of_another_collector_is_refused() {
    let handle = crossbeam_epoch::Collector::new().register();
    let guard = handle.pin();
    let _ = OrderedIndex::<u64>::new().get(b"key", &guard).is_some();
}

#[test]
fn a_value_keeps_its_address() {
    let index = OrderedIndex::with_node_capacity(4);
    assert!(insert(&index, b"m", 7));
    let guard = pin();
    let before = index.get(b"m", &guard).map(std::ptr::from_ref);
    for key in 0..=255_u8 {
        insert(&index, &[key, key], 0);
    }
    assert_eq!(index.get(b"m", &guard).map(std::ptr::from_ref), before);
}
