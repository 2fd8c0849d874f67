//! The invariants of a tree (O4) and of what its nodes say about their keys,
//! checked node by node while trees grow and shrink. Tests only.
#![expect(unsafe_code, reason = "the writer's side of an index is unsafe")]

use std::ops::Bound;

use crossbeam_epoch::pin;

use crate::OrderedIndex;
use crate::node::Node;
use crate::prefix::word;

/// Checks a subtree whose keys are from `low` and below `high`; gives its bytes,
/// entries included.
fn check(node: Node<'_, u64>, capacity: usize, low: &[u8], high: Option<&[u8]>) -> usize {
    assert!(node.len() <= capacity, "no more than the capacity");
    if node.height() == 0 {
        let keys: Vec<&[u8]> = node.entries().iter().map(|entry| entry.key()).collect();
        assert!(!keys.is_empty(), "a leaf has an entry");
        assert!(keys.iter().all(|key| low <= *key && high.is_none_or(|high| *key < high)));
        check_words(node, &keys);
        return node.bytes() + node.entries().iter().map(|entry| entry.bytes()).sum::<usize>();
    }
    assert!(node.len() >= 2, "an inner node has two children");
    let separators: Vec<Vec<u8>> =
        (0..node.len() - 1).map(|at| [node.shared(), node.rest(at)].concat()).collect();
    let mut bounds: Vec<&[u8]> = separators.iter().map(Vec::as_slice).collect();
    check_words(node, &bounds);
    bounds.insert(0, low);
    let below = bounds.iter().enumerate().map(|(at, low)| {
        let child = node.child(at);
        assert_eq!(child.height() + 1, node.height(), "all leaves are of one height");
        check(child, capacity, low, bounds.get(at + 1).copied().or(high))
    });
    node.bytes() + below.sum::<usize>()
}

fn check_words(node: Node<'_, u64>, keys: &[&[u8]]) {
    assert!(keys.is_sorted_by(|left, right| left < right), "in order, each once");
    assert_eq!(node.words().len(), keys.len());
    for (key, &found) in keys.iter().zip(node.words()) {
        let rest = key.strip_prefix(node.shared()).expect("every key starts with the shared bytes");
        assert_eq!(word(rest), found);
    }
}

fn check_index(index: &OrderedIndex<u64>, capacity: usize) {
    let guard = pin();
    let bytes = index.root(&guard).map_or(0, |root| check(root, capacity, b"", None));
    assert_eq!(index.bytes() - size_of::<OrderedIndex<u64>>(), bytes, "all bytes are counted");
    assert_eq!(index.range((Bound::Unbounded, Bound::Unbounded), &guard).count(), index.len());
}

/// Numbers below `count` in an order that `step`, coprime to it, scatters.
fn scattered(count: u64, step: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |at| at * step % count)
}

fn grow_and_shrink(capacity: usize, grow_step: u64, shrink_step: u64, key: fn(u64) -> Vec<u8>) {
    const COUNT: u64 = 2_000;
    let index = OrderedIndex::with_node_capacity(capacity);
    for (at, number) in scattered(COUNT, grow_step).enumerate() {
        let guard = pin();
        // SAFETY: one thread, so one writer.
        assert!(unsafe { index.insert(&key(number), number, &guard) }.is_ok());
        if at % 97 == 0 {
            check_index(&index, capacity);
        }
    }
    for (at, number) in scattered(COUNT, shrink_step).enumerate() {
        // SAFETY: as above.
        assert!(unsafe { index.remove(&key(number), &pin()) });
        if at % 97 == 0 || at + 100 > COUNT as usize {
            check_index(&index, capacity);
        }
    }
}

#[test]
fn trees_stay_sound_while_they_grow_and_shrink() {
    let numbers: fn(u64) -> Vec<u8> = |number| number.to_be_bytes().to_vec();
    let words = |number| format!("group/{}/member/{number}", number % 7).into_bytes();
    let zeros = |number: u64| vec![0; usize::try_from(number).expect("small")];
    for key in [numbers, words, zeros] {
        for capacity in [4, 5, 8, 60] {
            for (grow_step, shrink_step) in [(1, 1), (1, 1_999), (1_999, 1), (777, 1_333)] {
                grow_and_shrink(capacity, grow_step, shrink_step, key);
            }
        }
    }
}

/// Entries that come in one edit, each edit of another length, with what readers have
/// meanwhile.
fn grow_in_edits(capacity: usize, step: u64, key: fn(u64) -> Vec<u8>) {
    const COUNT: u64 = 3_000;
    let index = OrderedIndex::with_node_capacity(capacity);
    let mut numbers = scattered(COUNT, step).peekable();
    for lengths in (1..).step_by(7) {
        let guard = pin();
        let whole = || index.range((Bound::Unbounded, Bound::Unbounded), &guard);
        let before = whole();
        let expected = index.len();
        // SAFETY: one thread, so one writer.
        let mut edit = unsafe { index.edit(&guard) };
        for number in numbers.by_ref().take(lengths) {
            assert_eq!(edit.insert(&key(number), number), Ok(&number));
            assert_eq!(edit.insert(&key(number), 0), Err(0), "it is there in the edit");
            assert!(index.get(&key(number), &guard).is_none(), "and for nobody else yet");
        }
        assert_eq!((whole().count(), index.len()), (expected, expected));
        if lengths % 2 == 0 {
            edit.publish();
            let more: Vec<u64> = numbers.by_ref().take(lengths).collect();
            for number in more {
                assert_eq!(edit.insert(&key(number), number), Ok(&number));
            }
        }
        drop(edit);
        assert_eq!(before.count(), expected, "a range goes on in the tree that it began in");
        check_index(&index, capacity);
        if numbers.peek().is_none() {
            break;
        }
    }
    let guard = pin();
    assert_eq!(index.len() as u64, COUNT);
    assert!((0..COUNT).all(|number| index.get(&key(number), &guard) == Some(&number)));
}

#[test]
fn edits_are_seen_as_a_whole_and_leave_sound_trees() {
    let numbers: fn(u64) -> Vec<u8> = |number| number.to_be_bytes().to_vec();
    let words = |number| format!("group/{}/member/{number}", number % 7).into_bytes();
    for key in [numbers, words] {
        for capacity in [4, 5, 60] {
            for step in [1, 2_999, 1_333] {
                grow_in_edits(capacity, step, key);
            }
        }
    }
}
