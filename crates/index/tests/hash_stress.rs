//! One writer beside readers of the hash index.
#![expect(unsafe_code, reason = "the index's contract is kept by a quarantine of retired tables")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use selvedge_index::{HashIndex, RetiredTable};

const READERS: u64 = 3;
/// Ids below this are there from the start to the end.
const STABLE: u64 = 2_000;
const RUN: Duration = Duration::from_millis(1_500);

/// Pairs of neighbouring ids share a hash; four shards, so that they are rebuilt
/// often.
fn hash(id: u64) -> u64 {
    let mixed = (id / 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> 62 << 62 | mixed << 2 >> 6
}

/// The obvious generator (xorshift64).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Inserts and removes waves of ids above the stable ones; the retired tables
/// come back, to be dropped when the readers are gone.
fn write(index: &HashIndex, inserted: &AtomicU64, done: &AtomicBool) -> Vec<RetiredTable> {
    let mut quarantine = Vec::new();
    let mut seed = 0x5eed_u64;
    let end = Instant::now() + RUN;
    let mut first = STABLE;
    while Instant::now() < end {
        let last = first + 1 + next(&mut seed) % 20_000;
        for id in first..last {
            // SAFETY: the only writer; the quarantine outlives the readers.
            quarantine.extend(unsafe { index.insert(hash(id), id) });
            inserted.store(id, Ordering::Release);
        }
        for id in first..last {
            // SAFETY: as above.
            let (removed, retired) = unsafe { index.remove(hash(id), id) };
            assert!(removed);
            quarantine.extend(retired);
        }
        first = last;
    }
    done.store(true, Ordering::Release);
    quarantine
}

fn read(index: &HashIndex, inserted: &AtomicU64, done: &AtomicBool, mut seed: u64) -> u64 {
    let mut reads = 0;
    while !done.load(Ordering::Acquire) {
        let id = 1 + next(&mut seed) % (STABLE - 1);
        // SAFETY: retired tables are dropped after the readers are joined.
        let found: Vec<u64> = unsafe { index.candidates(hash(id)) }.collect();
        assert!(found.contains(&id), "stable id {id} is missing from {found:?}");
        assert!(found.iter().all(|&other| hash(other) == hash(id)), "{id} gave {found:?}");
        let recent = inserted.load(Ordering::Acquire).max(1);
        // SAFETY: as above.
        for other in unsafe { index.candidates(hash(recent)) } {
            assert_eq!(other / 2, recent / 2, "an id of another hash");
        }
        reads += 1;
    }
    reads
}

#[test]
fn readers_beside_a_writer_find_what_stays() {
    let index = HashIndex::new();
    for id in 1..STABLE {
        // SAFETY: no reader yet.
        drop(unsafe { index.insert(hash(id), id) });
    }
    let (inserted, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let quarantine = thread::scope(|scope| {
        let (index, inserted, done) = (&index, &inserted, &done);
        let readers: Vec<_> = (1..=READERS)
            .map(|seed| scope.spawn(move || read(index, inserted, done, seed * 0x9e37)))
            .collect();
        let quarantine = scope.spawn(move || write(index, inserted, done)).join();
        for reader in readers {
            assert!(reader.join().expect("a reader does not panic") > 0);
        }
        quarantine.expect("the writer does not panic")
    });
    assert!(!quarantine.is_empty(), "tables were replaced");
    assert_eq!(index.len() as u64, STABLE - 1);
}
