//! Entries that expire: unseen from the very millisecond on, and then removed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use selvedge::env::{Env, SimulatedClock, SimulatedFiles};
use selvedge::prelude::*;
use selvedge::{Background, Selection, key};

fn simulated() -> (Db, Arc<SimulatedClock>) {
    let (env, clock) = Env::simulated(3);
    clock.advance(Duration::from_secs(1000));
    (Db::builder().env(env).background(Background::Manual).in_memory(), clock)
}

#[test]
fn an_entry_is_there_until_it_is_not() {
    let (db, clock) = simulated();
    let kv = db.kv();
    kv.set_for(&key!["a"], 1_u64, Duration::from_millis(10)).unwrap();
    kv.set(&key!["b"], 2_u64).unwrap();
    let stamp = kv.get(&key!["a"]).unwrap().unwrap().versionstamp();
    let before = db.snapshot().unwrap();
    assert_eq!(before.kv().count(Selection::all()).unwrap(), 2);
    clock.advance(Duration::from_micros(9999));
    assert!(kv.get(&key!["a"]).unwrap().is_some());
    clock.advance(Duration::from_micros(1));
    assert!(kv.get(&key!["a"]).unwrap().is_none());
    assert_eq!(kv.count(Selection::all()).unwrap(), 1);
    assert!(!kv.atomic().check(&key!["a"], stamp).commit().unwrap().is_committed());
    assert!(before.kv().get(&key!["a"]).unwrap().is_some(), "a snapshot's time stands still");
    // Computed on, an expired number is absent; without an expiry the new one stays.
    assert_eq!(kv.sum(&key!["a"], 5).unwrap(), 5);
    clock.advance(Duration::from_secs(1));
    assert_eq!(kv.get(&key!["a"]).unwrap().unwrap().number(), Some(5));
}

#[test]
fn expired_entries_are_removed_by_maintenance() {
    let (db, clock) = simulated();
    let kv = db.kv();
    for at in 0..2500_u64 {
        kv.set_for(&key![at], at, Duration::from_secs(1 + at % 2)).unwrap();
    }
    kv.set_for(&key![1], 1_u64, Duration::from_secs(60)).unwrap();
    kv.set(&key![3], 3_u64).unwrap();
    clock.advance(Duration::from_secs(5));
    let before = db.timestamp();
    while db.step(1000) {}
    assert!(db.timestamp() > before, "an expiry has a stamp of its own");
    assert_eq!(kv.count(Selection::all()).unwrap(), 2);
    assert_eq!(db.statistics().versions_retained, 0);
    let after = db.timestamp();
    while db.step(1000) {}
    assert_eq!(db.timestamp(), after, "nothing is left to expire");
}

#[test]
fn expired_entries_do_not_come_back_with_an_earlier_clock() {
    let files = SimulatedFiles::new(1);
    let open = |millis| {
        let (env, clock) = Env::simulated_on(&files, 7);
        clock.advance(Duration::from_millis(millis));
        let builder = Db::builder().env(env).background(Background::Manual);
        (builder.open(Path::new("db")).unwrap(), clock)
    };
    let (db, clock) = open(10_000);
    db.kv().set_for(&key!["a"], 1_u64, Duration::from_millis(500)).unwrap();
    db.kv().set_for(&key!["b"], 1_u64, Duration::from_secs(500)).unwrap();
    clock.advance(Duration::from_secs(1));
    db.kv().set(&key!["c"], 1_u64).unwrap();
    std::mem::forget(db);
    files.crash();
    let (db, _) = open(10_100);
    assert!(db.kv().get(&key!["a"]).unwrap().is_none());
    assert!(db.kv().get(&key!["b"]).unwrap().is_some());
    db.close().unwrap();
    let (db, clock) = open(10_100);
    assert!(db.kv().get(&key!["a"]).unwrap().is_none());
    clock.advance(Duration::from_secs(1000));
    while db.step(1000) {}
    assert_eq!(db.kv().keys(Selection::all()).unwrap(), [key!["c"].into_bytes()]);
}

#[test]
fn a_thread_removes_what_has_expired() {
    let db = Db::in_memory();
    let kv = db.kv();
    let mut watch = kv.watch([key!["a"]]).unwrap();
    assert!(watch.next().unwrap().unwrap()[0].is_none());
    kv.set_for(&key!["a"], 1_u64, Duration::from_millis(300)).unwrap();
    let written = db.timestamp();
    // On a slow machine it may be gone before anybody looks.
    let mut seen = watch.next_within(Duration::from_secs(60)).unwrap();
    if seen.as_ref().is_some_and(|seen| seen[0].is_some()) {
        seen = watch.next_within(Duration::from_secs(60)).unwrap();
    }
    assert!(seen.is_none_or(|seen| seen[0].is_none()), "watchers wake");
    while db.timestamp() == written {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(kv.get(&key!["a"]).unwrap().is_none());
}
