//! Watches: first everything, then every last state, each consistent.

use std::time::Duration;

use selvedge::key;
use selvedge::prelude::*;

#[test]
fn first_the_state_then_each_change() {
    let db = Db::in_memory();
    let kv = db.kv();
    kv.set(&key!["a"], 1_u64).unwrap();
    let mut watch = kv.watch([key!["a"], key!["b"]]).unwrap();
    let numbers = |watched: selvedge::Watched| -> Vec<Option<u64>> {
        watched.iter().map(|entry| entry.as_ref().and_then(|entry| entry.number())).collect()
    };
    let within = Duration::from_secs(30);
    assert_eq!(numbers(watch.next_within(within).unwrap().unwrap()), [Some(1), None]);
    assert!(watch.next_within(Duration::from_millis(1)).unwrap().is_none());
    kv.set(&key!["c"], 1_u64).unwrap();
    kv.atomic().set(&key!["a"], 2_u64).set(&key!["b"], 3_u64).commit().unwrap();
    assert_eq!(numbers(watch.next_within(within).unwrap().unwrap()), [Some(2), Some(3)]);
    kv.delete(&key!["a"]).unwrap();
    assert_eq!(numbers(watch.next_within(within).unwrap().unwrap()), [None, Some(3)]);
    let mut stamped = kv.atomic().set_versionstamped(&key!["log"], 1_u64);
    stamped = stamped.set(&key!["b"], 4_u64);
    stamped.commit().unwrap();
    assert_eq!(numbers(watch.next_within(within).unwrap().unwrap()), [None, Some(4)]);
}

#[test]
fn the_last_state_is_never_missed_and_none_is_torn() {
    let db = Db::in_memory();
    let kv = db.kv();
    let keys = [key!["a"], key!["b"]];
    std::thread::scope(|scope| {
        let watches: Vec<_> = (0..3).map(|_| kv.watch(&keys).unwrap()).collect();
        for watch in watches {
            scope.spawn(|| {
                for watched in watch {
                    let watched = watched.unwrap();
                    let pair = watched.iter().map(|entry| entry.as_ref().map(|e| e.number()));
                    let pair: Vec<_> = pair.collect();
                    assert_eq!(pair[0], pair[1]);
                    if pair[0] == Some(Some(500)) {
                        break;
                    }
                }
            });
        }
        for number in 1..=500_u64 {
            kv.atomic().set(&keys[0], number).set(&keys[1], number).commit().unwrap();
        }
    });
}

#[test]
fn a_channel_ends_with_either_side() {
    let db = Db::in_memory();
    let kv = db.kv();
    let changes = kv.watch([key!["a"]]).unwrap().into_channel().unwrap();
    let within = Duration::from_secs(30);
    assert!(changes.recv_timeout(within).unwrap().unwrap()[0].is_none());
    kv.set(&key!["a"], 1_u64).unwrap();
    assert!(changes.recv_timeout(within).unwrap().unwrap()[0].is_some());
    let other = kv.watch([key!["a"]]).unwrap().into_channel().unwrap();
    drop(other);
    db.close().unwrap();
    assert!(changes.recv_timeout(within).is_err(), "closed");
}

#[test]
fn closing_ends_a_watch() {
    let db = Db::in_memory();
    let mut watch = db.kv().watch([key!["a"]]).unwrap();
    assert!(watch.next().is_some());
    let waiting = std::thread::spawn(move || watch.next().is_none());
    std::thread::sleep(Duration::from_millis(20));
    db.close().unwrap();
    assert!(waiting.join().unwrap());
}

#[test]
fn keys_are_limited() {
    let db = Db::in_memory();
    let keys = |count| (0..count).map(|at| key![at]);
    assert!(db.kv().watch(keys(selvedge::WATCHED_KEYS_MAX)).is_ok());
    assert!(matches!(db.kv().watch(keys(selvedge::WATCHED_KEYS_MAX + 1)), Err(Error::Kv(_))));
}
