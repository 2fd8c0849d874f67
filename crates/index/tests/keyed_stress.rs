//! One writer beside readers of the keyed index, who hold no guard.
#![expect(unsafe_code, reason = "the index's contract is kept by a quarantine")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use selvedge_index::{KeyedIndex, RetiredParts};

const READERS: u64 = 3;
/// Keys below this are there from the start to the end.
const STABLE: u64 = 2_000;
const RUN: Duration = Duration::from_millis(1_000);

fn key(number: u64) -> [u8; 8] {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}

/// The obvious generator (xorshift64).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn insert(index: &KeyedIndex<u64>, number: u64) -> Option<RetiredParts<u64>> {
    let guard = crossbeam_epoch::pin();
    // SAFETY: the only writer; what is retired is dropped after the readers.
    unsafe { index.insert(&key(number), number, &guard) }.expect("a new key")
}

/// Inserts and removes waves of keys above the stable ones, some of them twice.
fn write(index: &KeyedIndex<u64>, done: &AtomicBool) -> Vec<RetiredParts<u64>> {
    let (mut quarantine, mut seed, end) = (Vec::new(), 0x5eed_u64, Instant::now() + RUN);
    while Instant::now() < end {
        let last = STABLE + 1 + next(&mut seed) % 5_000;
        (STABLE..last).for_each(|number| quarantine.extend(insert(index, number)));
        for number in STABLE..last {
            let guard = crossbeam_epoch::pin();
            // SAFETY: as in `insert`.
            quarantine.extend(unsafe { index.remove(&key(number), &guard) });
        }
    }
    done.store(true, Ordering::Release);
    quarantine
}

fn read(index: &KeyedIndex<u64>, done: &AtomicBool, mut seed: u64) -> u64 {
    let mut reads = 0;
    while !done.load(Ordering::Acquire) {
        let stable = next(&mut seed) % STABLE;
        // SAFETY: what leaves the index is dropped after the readers are joined.
        assert_eq!(unsafe { index.get(&key(stable)) }, Some(&stable));
        let other = STABLE + next(&mut seed) % 5_000;
        // SAFETY: as above.
        let found = unsafe { index.get(&key(other)) };
        assert!(found.is_none_or(|found| *found == other), "{other} is {found:?}");
        reads += 1;
    }
    reads
}

#[test]
fn readers_beside_a_writer_find_what_stays() {
    run(&KeyedIndex::new(3));
}

/// As usual ones do in databases of millions of keys.
#[test]
fn readers_beside_a_writer_that_splits_small_tables() {
    run(&KeyedIndex::with_node_capacity(4, 3));
}

fn run(index: &KeyedIndex<u64>) {
    let done = AtomicBool::new(false);
    // No reader yet.
    (0..STABLE).for_each(|number| drop(insert(index, number)));
    let quarantine = thread::scope(|scope| {
        let done = &done;
        let readers: Vec<_> = (1..=READERS)
            .map(|seed| scope.spawn(move || read(index, done, seed * 0x9e37)))
            .collect();
        let quarantine = scope.spawn(move || write(index, done)).join();
        for reader in readers {
            assert!(reader.join().expect("a reader does not panic") > 0);
        }
        quarantine.expect("the writer does not panic")
    });
    assert!(quarantine.len() > 1_000, "waves came and went");
    assert_eq!(index.len() as u64, STABLE);
}
