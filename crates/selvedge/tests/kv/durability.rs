//! Entries survive closing, crashes, checkpoints and backups, with their stamps.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use selvedge::env::{Env, SimulatedFiles};
use selvedge::prelude::*;
use selvedge::{Background, Kv, Selection, V8Number, V8Sum, key};

fn open(files: &SimulatedFiles) -> Db {
    let (env, _) = Env::simulated_on(files, 7);
    Db::builder().env(env).background(Background::Manual).open(Path::new("db")).unwrap()
}

/// An entry: its key and value as bytes, its stamp and when it expires.
type Row = (Vec<u8>, Vec<u8>, String, Option<u64>);

/// Every entry.
fn all(kv: &Kv) -> Vec<Row> {
    let entries = kv.list(Selection::all()).unwrap();
    let row = |entry: selvedge::KvEntry<'_>| {
        let stamp = entry.versionstamp().unwrap().to_string();
        (entry.key_bytes().to_vec(), entry.bytes().to_vec(), stamp, entry.expires_at())
    };
    entries.into_iter().map(row).collect()
}

#[test]
fn everything_comes_back_after_a_crash() {
    let files = SimulatedFiles::new(1);
    let db = open(&files);
    let kv = db.kv();
    kv.set(&key!["text"], "a").unwrap();
    kv.set(&key!["gone"], "b").unwrap();
    kv.delete(&key!["gone"]).unwrap();
    kv.sum(&key!["n"], 40).unwrap();
    let sum = V8Sum { operand: V8Number::Number(1.5), min: None, max: None, clamp: false };
    let done = kv
        .atomic()
        .sum(&key!["n"], 2)
        .min(&key!["n"], 41)
        .sum_v8(&key!["v8"], &sum)
        .sum_v8(&key!["v8"], &sum)
        .set_versionstamped(&key!["log"], "entry")
        .set(&key!["later"], "x")
        .expire_in(Duration::from_secs(100))
        .commit()
        .unwrap()
        .committed()
        .unwrap();
    assert_eq!(done.number(&key!["n"]), Some(41));
    let named = db.keyspace("named").unwrap();
    named.set(&key!["text"], "other").unwrap();
    db.transaction(|ctx| {
        ctx.insert_node("User", "alice", doc! {})?;
        ctx.kv().sum(&key!["users"], 1)
    })
    .unwrap();
    let before = (all(&kv), all(&named));
    assert_eq!(before.0.len(), 6);
    std::mem::forget(db);
    files.crash();

    let db = open(&files);
    let kv = db.kv();
    let named = db.existing_keyspace("named").unwrap().expect("made before");
    assert_eq!((all(&kv), all(&named)), before);
    assert!(kv.get(&done.stamped_key(&key!["log"])).unwrap().is_some());
    let newer = kv.atomic().commit().unwrap().committed().unwrap().versionstamp();
    assert!(before.0.iter().all(|(_, _, stamp, _)| *stamp < newer.to_string()));
    db.checkpoint().unwrap();
    std::mem::forget(db);
    files.crash();

    let db = open(&files);
    let named = db.existing_keyspace("named").unwrap().expect("made before");
    assert_eq!((all(&db.kv()), all(&named)), before);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    assert_eq!(db.snapshot().unwrap().count("User").unwrap(), 1);
    db.close().unwrap();
    let db = open(&files);
    assert_eq!(all(&db.kv()), before.0);
}

/// Random changes between checkpoints and crashes, against a map.
#[test]
fn leaves_of_checkpoints_are_cut_and_joined_and_lose_nothing() {
    let files = SimulatedFiles::new(2);
    let mut db = open(&files);
    let mut model = BTreeMap::new();
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..60_u64 {
        let kv = db.kv();
        for _ in 0..random.usize(1..40) {
            // Runs of keys, so that leaves fill up, and empty again.
            let first = random.u64(0..4000);
            let len = random.u64(1..120);
            let remove = random.bool();
            let value = vec![round as u8; if random.u8(0..8) == 0 { 5000 } else { 20 }];
            let mut atomic = kv.atomic();
            for at in first..first + len {
                if remove {
                    atomic = atomic.delete(&key![at]);
                    model.remove(&at);
                } else {
                    atomic = atomic.set(&key![at], &value);
                    model.insert(at, value.clone());
                }
            }
            assert!(atomic.commit().unwrap().is_committed());
        }
        if random.u8(0..10) == 0 {
            kv.delete_range(Selection::all()).unwrap();
            model.clear();
        }
        db.step(1000);
        if random.bool() {
            db.checkpoint().unwrap();
        }
        if random.u8(0..3) == 0 {
            std::mem::forget(db);
            files.crash();
            db = open(&files);
        }
        let entries = db.kv().list(Selection::all()).unwrap();
        let found = entries.iter().map(|entry| (entry.key(), entry.bytes().to_vec()));
        let expected = model.iter().map(|(at, value)| (key![*at], value.clone()));
        assert!(found.eq(expected), "round {round}");
        assert_eq!(db.check().unwrap(), Vec::<String>::new());
    }
}

#[test]
fn a_copy_has_every_keyspace() {
    let files = SimulatedFiles::new(3);
    let db = open(&files);
    let named = db.keyspace("named").unwrap();
    let mut atomic = named.atomic();
    for at in 0..5000_u64 {
        atomic = atomic.set(&key![at], vec![at as u8; 50]);
    }
    atomic.commit().unwrap();
    db.kv().enqueue("a message").unwrap();
    db.backup_to(Path::new("copy")).unwrap();
    let (env, _) = Env::simulated_on(&files, 8);
    let builder = Db::builder().env(env).background(Background::Manual);
    let copy = builder.open(Path::new("copy")).unwrap();
    let copied = copy.existing_keyspace("named").unwrap().expect("copied");
    assert_eq!(all(&copied), all(&named));
    assert!(copy.kv().dequeue().unwrap().is_some());
    copy.checkpoint().unwrap();
    assert_eq!(copy.check().unwrap(), Vec::<String>::new());
}

/// A keyspace that is empty again leaves nothing in files that checkpoints give up.
#[test]
fn files_go_after_the_last_entry() {
    let files = SimulatedFiles::new(4);
    let db = open(&files);
    db.kv().set(&key!["a"], 1_u64).unwrap();
    db.checkpoint().unwrap();
    db.kv().delete(&key!["a"]).unwrap();
    while db.step(1000) {}
    assert_eq!(db.statistics().entries, 0);
    let node = db.insert_node("Page", None, doc! {}).unwrap();
    for round in 0..40 {
        db.set(node, "text", "x".repeat(3000 + round)).unwrap();
        db.checkpoint().unwrap();
    }
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    std::mem::forget(db);
    files.crash();
    let db = open(&files);
    assert_eq!(db.kv().count(Selection::all()).unwrap(), 0);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    db.kv().set(&key!["a"], 2_u64).unwrap();
    db.checkpoint().unwrap();
}
