//! One writer beside readers of the ordered index, and the fate of its values.
#![expect(unsafe_code, reason = "the writer's side of an index is unsafe")]

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_epoch::pin;
use selvedge_index::OrderedIndex;

const READERS: u64 = 3;
/// Numbers below this; every fifth is there from the start to the end.
const NUMBERS: u64 = 5_000;
const RUN: Duration = Duration::from_millis(1_200);

/// Counts itself in and out, and holds what the key says.
struct Counted {
    number: u64,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(number: u64, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self { number, alive: Arc::clone(alive) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.number = u64::MAX;
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("group/{}/{number:06}", number / 1_000).into_bytes()
}

fn is_stable(number: u64) -> bool {
    number.is_multiple_of(5)
}

/// The obvious generator (xorshift64).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Waves of insertions and removals between the stable keys.
fn write(index: &OrderedIndex<Counted>, alive: &Arc<AtomicUsize>, done: &AtomicBool) {
    let mut seed = 0x5eed_u64;
    let end = Instant::now() + RUN;
    while Instant::now() < end {
        let inserting = next(&mut seed).is_multiple_of(2);
        for _ in 0..200 {
            let guard = pin();
            if inserting {
                // SAFETY: the only writer, here and below.
                let mut edit = unsafe { index.edit(&guard) };
                for _ in 0..next(&mut seed) % 20 {
                    let number = next(&mut seed) % NUMBERS;
                    if !is_stable(number) {
                        let _ = edit.insert(&key(number), Counted::new(number, alive));
                    }
                }
                continue;
            }
            for _ in 0..10 {
                let number = next(&mut seed) % NUMBERS;
                if !is_stable(number) {
                    // SAFETY: as above.
                    unsafe { index.remove(&key(number), &guard) };
                }
            }
        }
    }
    done.store(true, Ordering::SeqCst);
}

fn assert_range(index: &OrderedIndex<Counted>, low: u64, high: u64, backwards: bool) {
    let guard = pin();
    let (low_key, high_key) = (key(low), key(high));
    let bounds = (Bound::Included(&low_key[..]), Bound::Excluded(&high_key[..]));
    let numbers = index.range(bounds, &guard).map(|(found, value)| {
        assert_eq!(found, key(value.number));
        value.number
    });
    let numbers: Vec<u64> = if backwards {
        let mut numbers: Vec<u64> =
            index.range(bounds, &guard).rev().map(|(_, v)| v.number).collect();
        numbers.reverse();
        numbers
    } else {
        numbers.collect()
    };
    assert!(numbers.is_sorted_by(|a, b| a < b), "sorted, each once: {numbers:?}");
    assert!(numbers.iter().all(|number| (low..high).contains(number)));
    let stable = numbers.into_iter().filter(|&number| is_stable(number));
    assert!(stable.eq((low..high).filter(|&number| is_stable(number))), "all stable keys");
}

fn read(index: &OrderedIndex<Counted>, done: &AtomicBool, mut seed: u64) -> u64 {
    let mut rounds = 0;
    while !done.load(Ordering::SeqCst) {
        for _ in 0..50 {
            let number = next(&mut seed) % NUMBERS / 5 * 5;
            let guard = pin();
            let value = index.get(&key(number), &guard).expect("a stable key is there");
            assert_eq!(value.number, number);
        }
        let low = next(&mut seed) % NUMBERS;
        let high = low + next(&mut seed) % (NUMBERS - low);
        assert_range(index, low, high, seed.is_multiple_of(2));
        rounds += 1;
    }
    rounds
}

/// Runs the epochs until they have freed what they can.
fn settle(alive: &AtomicUsize, expected: usize) {
    for _ in 0..10_000 {
        if alive.load(Ordering::SeqCst) == expected {
            return;
        }
        pin().flush();
        thread::yield_now();
    }
    panic!("{} values alive instead of {expected}", alive.load(Ordering::SeqCst));
}

fn stress(capacity: usize) {
    let alive = Arc::new(AtomicUsize::new(0));
    let index = OrderedIndex::with_node_capacity(capacity);
    for number in (0..NUMBERS).filter(|&number| is_stable(number)) {
        let guard = pin();
        // SAFETY: no other thread yet.
        let added = unsafe { index.insert(&key(number), Counted::new(number, &alive), &guard) };
        assert!(added.is_ok());
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (index, alive, done) = (&index, &alive, &done);
        let readers: Vec<_> = (1..=READERS)
            .map(|seed| scope.spawn(move || read(index, done, seed * 0x9e37)))
            .collect();
        scope.spawn(move || write(index, alive, done)).join().expect("the writer does not panic");
        for reader in readers {
            assert!(reader.join().expect("a reader does not panic") > 0);
        }
    });
    settle(&alive, index.len());
    drop(index);
    assert_eq!(alive.load(Ordering::SeqCst), 0, "dropping the index drops every value");
}

#[test]
fn readers_beside_a_writer_with_small_nodes() {
    stress(4);
}

#[test]
fn readers_beside_a_writer_with_usual_nodes() {
    stress(60);
}

#[test]
fn values_are_dropped_once_and_not_under_a_guard() {
    let alive = Arc::new(AtomicUsize::new(0));
    let index = OrderedIndex::with_node_capacity(4);
    for number in 0..500 {
        let guard = pin();
        // SAFETY: one thread, so one writer.
        let added = unsafe { index.insert(&key(number), Counted::new(number, &alive), &guard) };
        assert!(added.is_ok());
        // SAFETY: as above.
        let again = unsafe { index.insert(&key(number), Counted::new(number, &alive), &guard) };
        assert!(again.is_err_and(|value| value.number == number), "the value comes back");
    }
    settle(&alive, 500);
    let guard = pin();
    let held = index.get(&key(77), &guard).expect("it is there");
    for number in 0..400 {
        // SAFETY: as above.
        assert!(unsafe { index.remove(&key(number), &pin()) });
    }
    for _ in 0..100 {
        pin().flush();
    }
    assert_eq!(held.number, 77, "a removed value lives while a guard may reach it");
    drop(guard);
    settle(&alive, 100);
    drop(index);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
