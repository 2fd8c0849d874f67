//! Closing, and what is there afterwards.

use std::time::{Duration, Instant};

use selvedge::prelude::*;
use selvedge::{ErrorKind, Result, SyncLevel};

use crate::machine::{Machine, Place};
use crate::state::State;

fn fill(db: &Db, nodes: usize) -> Result<Vec<NodeId>> {
    db.transaction(|ctx| {
        let insert = |n: usize| {
            let text = "x".repeat(n % 300);
            ctx.insert_node("N", format!("n{n}").as_str(), doc! { "n": n as i64, "text": text })
        };
        let ids: Vec<_> = (0..nodes).map(insert).collect::<Result<_, _>>()?;
        for pair in ids.windows(2) {
            ctx.link_nodes(pair[0], "NEXT", pair[1], doc! { "weight": 1 })?;
        }
        Ok(ids)
    })
}

/// A closed database has a checkpoint of everything: the next opening replays nothing.
#[test]
fn what_was_committed_is_there_after_closing() {
    let place = Place::new();
    let db = Db::open(place.path()).unwrap();
    fill(&db, 1500).unwrap();
    let state = State::checked(&db).unwrap();
    db.close().unwrap();
    let db = Db::open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
    let storage = db.statistics().storage.unwrap();
    assert_eq!(storage.recovery.commits, 0, "a checkpoint was written on close");
    drop(db);
    assert_eq!(State::checked(&Db::open(place.path()).unwrap()).unwrap(), state);
}

/// A database that is just dropped is replayed from its log.
#[test]
fn what_was_committed_is_there_without_closing() {
    let place = Place::new();
    let db = Db::open(place.path()).unwrap();
    let ids = fill(&db, 1200).unwrap();
    let state = State::checked(&db).unwrap();
    drop(db);
    let db = Db::open(place.path()).unwrap();
    assert_eq!(db.statistics().storage.unwrap().recovery.commits, 1);
    assert_eq!(State::checked(&db).unwrap(), state);
    db.checkpoint().unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
    db.set(ids[7], "n", 8).unwrap();
    db.checkpoint().unwrap();
    let state = State::checked(&db).unwrap();
    drop(db);
    assert_eq!(State::checked(&Db::open(place.path()).unwrap()).unwrap(), state);
}

/// A snapshot that outlives the last handle, or a close, can be read on; also documents
/// in data files that are mapped.
#[test]
fn snapshots_can_be_read_after_closing() {
    for (closes, checkpoints) in [(false, false), (false, true), (true, false), (true, true)] {
        let place = Place::new();
        let db = Db::open(place.path()).unwrap();
        fill(&db, 150).unwrap();
        if checkpoints {
            db.checkpoint().unwrap();
        }
        let snapshot = db.snapshot().unwrap();
        let state = State::of(&snapshot).unwrap();
        if closes {
            db.close().unwrap();
            // The directory is free: its next owner changes what it likes.
            let next = Db::open(place.path()).unwrap();
            let nodes: Vec<_> = next.snapshot().unwrap().scan("N").unwrap().collect();
            for node in nodes {
                next.replace(node, doc! { "text": "y".repeat(400) }).unwrap();
            }
            next.close().unwrap();
        } else {
            drop(db);
            // A snapshot is a handle like others: the last one closes.
            assert!(Db::open(place.path()).is_err_and(|error| error.kind() == ErrorKind::Busy));
        }
        assert_eq!(State::of(&snapshot).unwrap(), state, "{closes} {checkpoints}");
    }
}

/// A transaction that outlives the last handle keeps the database open, and commits.
#[test]
fn a_transaction_outlives_the_last_handle() {
    let machine = Machine::new(2);
    let db = machine.open().unwrap();
    let mut transaction = db.begin(&TransactionOptions::new()).unwrap();
    drop(db);
    transaction.insert_node("N", "late", doc! {}).unwrap();
    transaction.commit().unwrap();
    let db = machine.open().unwrap();
    assert!(db.snapshot().unwrap().get_node("N", "late").unwrap().is_some());
}

/// Trap 16 (elsewhere closing blocked up to five seconds for a thread): nobody waits for
/// an interval to end, whatever runs in the background.
#[test]
fn trap_16_closing_is_prompt() {
    let place = Place::new();
    let every = Duration::from_secs(3600);
    let started = Instant::now();
    for round in 0..50 {
        let db = Db::builder().sync(SyncLevel::Normal { every }).open(place.path()).unwrap();
        let snapshot = db.snapshot().unwrap();
        let node = db.upsert_node("N", "node", doc! { "round": round }).unwrap().id;
        // A version that the worker waits for.
        db.set(node, "n", 1).unwrap();
        drop(snapshot);
        if round % 2 == 0 {
            db.close().unwrap();
        }
    }
    let took = started.elapsed();
    // A busy machine takes a second for a turn; who waits for the interval, an hour.
    assert!(took < Duration::from_secs(200), "50 times opened and closed in {took:?}");
    let db = Db::open(place.path()).unwrap();
    assert_eq!(db.snapshot().unwrap().count("N").unwrap(), 1);
}

/// Nothing is written by opening and closing an idle database, except its leases; its
/// files do not grow.
#[test]
fn opening_and_closing_an_idle_database_does_not_grow_it() {
    let machine = Machine::new(2);
    let db = machine.open().unwrap();
    fill(&db, 300).unwrap();
    db.close().unwrap();
    let bytes = machine.bytes();
    for _ in 0..40 {
        machine.open().unwrap().close().unwrap();
    }
    assert!(machine.bytes() <= bytes + 16 * 4096, "from {bytes} to {}", machine.bytes());
}
