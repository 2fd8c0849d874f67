//! How long single inserts into a keyed index take, in time of the processor: that of
//! most, and those that rebuild a table, which whoever commits meanwhile waits for.
//!
//! ```sh
//! cargo run -p selvedge-index --release --example insert_pause -- 1000000
//! ```
#![expect(unsafe_code, reason = "one thread, so there is one writer and no reader; a system call")]

use std::time::Duration;

use selvedge_index::KeyedIndex;

/// As on 64-bit Linux.
#[repr(C)]
#[derive(Default)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

const CLOCK_THREAD_CPUTIME_ID: i32 = 3;

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Time) -> i32;
}

/// What this thread has had of a processor.
fn processor_time() -> Duration {
    let mut time = Time::default();
    // SAFETY: the time may be written.
    assert_eq!(unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.seconds.unsigned_abs(), time.nanoseconds.unsigned_abs() as u32)
}

fn main() {
    let keys = std::env::args().nth(1).map_or(1_000_000, |keys| keys.parse().expect("a number"));
    let index = KeyedIndex::new(0x5eed);
    let mut taken = Vec::with_capacity(keys);
    for number in 0..keys as u64 {
        let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let began = processor_time();
        let guard = crossbeam_epoch::pin();
        // SAFETY: one thread, that holds nothing from the index.
        drop(unsafe { index.insert(&key, number, &guard) }.expect("a new key"));
        taken.push(processor_time() - began);
    }
    taken.sort_unstable();
    let at = |from_end: usize| taken[keys.saturating_sub(from_end + 1)];
    let total: Duration = taken.iter().sum();
    println!("{keys} keys, {:?} an insert", total / u32::try_from(keys).expect("few keys"));
    println!("longest {:?}, tenth {:?}, 64th {:?}", at(0), at(9), at(63));
}
