//! Jobs for workers: done at least once, again when they fail, and put aside in the end.
//!
//! ```text
//! cargo run --release --example job_queue
//! ```
//!
//! A job is put into the queue in the same commit as the order that it is for, so that
//! there is never one without the other. Workers take jobs and finish them; one fails the
//! first time, one always.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use selvedge::prelude::*;
use selvedge::{Delivery, Kv, KvValue, Message, Selection, key};

const ORDERS: u64 = 200;
const FAILS_ONCE: u64 = 7;
const FAILS_ALWAYS: u64 = 13;

fn order(kv: &Kv, number: u64) -> Result<(), Error> {
    let job = Message::new(number)
        .backoff([Duration::from_millis(5), Duration::from_millis(10)])
        .if_undelivered(key!["failed", number]);
    let order = doc! { "state": "ordered" };
    kv.atomic().set(&key!["order", number], order).enqueue(job).commit().map(drop)
}

/// Does a job; whether there was nothing wrong with it.
fn ship(kv: &Kv, job: &Delivery) -> Result<bool, Error> {
    let KvValue::U64(number) = job.value()? else { return Ok(false) };
    if number == FAILS_ALWAYS || (number == FAILS_ONCE && job.failures() == 0) {
        return Ok(false);
    }
    // Doing it twice does no harm.
    kv.set(&key!["order", number], doc! { "state": "shipped" })?;
    Ok(true)
}

fn run() -> Result<(), Error> {
    let db = Db::in_memory();
    let kv = db.keyspace("orders")?;
    let finished = AtomicU64::new(0);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(job) = kv.dequeue_within(Duration::from_millis(300))? {
                        if ship(&kv, &job)? {
                            job.finish()?;
                            finished.fetch_add(1, Ordering::Relaxed);
                        } else {
                            job.fail()?;
                        }
                    }
                    Ok::<_, Error>(())
                })
            })
            .collect();
        (0..ORDERS).try_for_each(|number| order(&kv, number))?;
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    let mut shipped = 0;
    for order in kv.list(Selection::prefix(&key!["order"]))? {
        let state =
            order.document()?.get("state").and_then(|state| state.as_str().map(String::from));
        shipped += u64::from(state.as_deref() == Some("shipped"));
    }
    let failed = kv.keys(Selection::prefix(&key!["failed"]))?;
    assert_eq!(failed, [key!["failed", FAILS_ALWAYS].into_bytes()]);
    assert_eq!((shipped, finished.into_inner()), (ORDERS - 1, ORDERS - 1));
    println!("{shipped} of {ORDERS} orders shipped, {} put aside", failed.len());
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
