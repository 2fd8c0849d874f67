//! A rate limiter: so many requests of a client in a window of time.
//!
//! ```text
//! cargo run --release --example rate_limiter
//! ```
//!
//! Each client has a counter for each window; those of windows that are over are removed
//! together. Counting is a blind sum: however many threads count at once, none conflicts,
//! and the sum that the commit gives says whether the request was one too many.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use selvedge::prelude::*;
use selvedge::{Kv, Selection, key};

const WINDOW: Duration = Duration::from_millis(400);
const REQUESTS_MAX: u64 = 100;

/// Counts a request; whether it may go on.
fn admit(kv: &Kv, client: &str, window: u64) -> Result<bool, Error> {
    Ok(kv.sum(&key!["requests", client, window], 1)? <= REQUESTS_MAX)
}

/// Forgets counters of windows that are over.
fn forget(kv: &Kv, client: &str, before: u64) -> Result<u64, Error> {
    let counters = Selection::prefix(&key!["requests", client]);
    kv.delete_range(counters.end(&key!["requests", client, before]))
}

fn window_of_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_millis() / WINDOW.as_millis()) as u64
}

fn run() -> Result<(), Error> {
    let db = Db::in_memory();
    let kv = db.keyspace("limits")?;
    let (admitted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let window = window_of_now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..60 {
                        let counter =
                            if admit(&kv, "alice", window)? { &admitted } else { &refused };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok::<_, Error>(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    let (admitted, refused) = (admitted.into_inner(), refused.into_inner());
    assert_eq!((admitted, refused), (REQUESTS_MAX, 240 - REQUESTS_MAX));
    assert!(admit(&kv, "bob", window)?, "another client has a counter of its own");
    println!("{admitted} requests admitted, {refused} refused");

    thread::sleep(WINDOW + Duration::from_millis(10));
    assert!(admit(&kv, "alice", window_of_now())?, "the next window");
    assert_eq!(forget(&kv, "alice", window_of_now())?, 1);
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
