//! What else may be in the directory: nothing, leftovers, and files of others.

use std::path::PathBuf;

use selvedge::env::{Fault, Operation, OperationKind};
use selvedge::prelude::*;

use crate::machine::{DIR, Machine, Place};
use crate::state::State;

fn insert(db: &Db, key: &str) -> NodeId {
    db.insert_node("N", key, doc! { "text": key.repeat(300) }).expect("it can be written")
}

/// An empty directory becomes a database; directories above it are made.
#[test]
fn an_empty_directory() {
    let place = Place::new();
    std::fs::create_dir(place.path()).unwrap();
    insert(&Db::open(place.path()).unwrap(), "a");
    let below = place.path_of("one/two/three");
    insert(&Db::open(&below).unwrap(), "a");
    for path in [place.path(), below] {
        assert_eq!(Db::open(path).unwrap().snapshot().unwrap().count("N").unwrap(), 1);
    }
}

/// Paths with all sorts of characters, and relative ones.
#[test]
fn paths_of_all_sorts() {
    let place = Place::new();
    for name in ["with space", "ünïcödé-名前", "dots.in.name..", "-dash", "log-7", "MANIFEST"]
    {
        let path: PathBuf = place.path_of(name);
        insert(&Db::open(&path).unwrap(), "a");
        assert_eq!(Db::open(&path).unwrap().snapshot().unwrap().count("N").unwrap(), 1, "{name}");
    }
}

/// What processes that ended at the wrong moment leave behind is cleared away, and
/// what is not the database's is left alone.
#[test]
fn leftovers_go_and_the_files_of_others_stay() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    insert(&db, "a");
    db.checkpoint().unwrap();
    insert(&db, "b");
    drop(db);
    let other_file = machine.read("data-0000000000000002");
    machine.write("MANIFEST.new", 0, b"half a manif");
    machine.write("log.new", 0, &[0; 1000]);
    machine.write("data-0000000000000003", 0, &other_file[..100]);
    machine.write("data-0000000000000009", 0, b"");
    machine.write("data-00000000000000ff", 0, &[7; 5000]);
    for name in ["notes.txt", "data-7", "log-7", "MANIFEST.bak", "data-000000000000000G"] {
        machine.write(name, 0, b"mine");
    }
    let db = machine.open().unwrap();
    assert_eq!(State::checked(&db).unwrap().nodes.len(), 2);
    for name in ["data-0000000000000003", "data-0000000000000009", "data-00000000000000ff"] {
        assert!(machine.files(name).is_empty(), "{name} belongs to nothing");
    }
    assert!(machine.files("MANIFEST.new").is_empty());
    // Bigger than all that lies there, so that every kind of file is made.
    insert(&db, &"c".repeat(50));
    db.checkpoint().unwrap();
    db.close().unwrap();
    for name in ["notes.txt", "data-7", "log-7", "MANIFEST.bak", "data-000000000000000G"] {
        assert_eq!(machine.read(name), b"mine", "{name}");
    }
    let db = machine.open().unwrap();
    assert_eq!(State::checked(&db).unwrap().nodes.len(), 3);
}

/// A directory in which the making of a database was cut short is as good as an empty
/// one; at every operation, by a crash or a kill.
#[test]
fn making_is_cut_short() {
    for fault in [Fault::Crash, Fault::Kill] {
        let mut number = 0;
        loop {
            let machine = Machine::new(number);
            machine.0.plan(number, fault);
            let made = machine.open();
            let is_over = made.is_ok() && machine.0.down().is_none();
            drop(made);
            machine.0.recover();
            machine.0.clear_faults();
            let db = machine.open().unwrap();
            insert(&db, "a");
            let db = machine.crash_and_open(db).unwrap();
            assert_eq!(State::checked(&db).unwrap().nodes.len(), 1, "{fault:?} at {number}");
            if is_over {
                break;
            }
            number += 1;
        }
        assert!(number > 10);
    }
}

/// Opening fails at every operation, and succeeds when it is tried again: by the same
/// process.
#[test]
fn opening_fails_and_is_tried_again() {
    let mut later = 0;
    loop {
        let machine = Machine::new(1);
        let db = machine.open().unwrap();
        insert(&db, "a");
        db.checkpoint().unwrap();
        insert(&db, "b");
        let state = State::checked(&db).unwrap();
        machine.0.crash();
        drop(db);
        let before = machine.0.operation_count();
        machine.0.plan(before + later, Fault::Io);
        let builder = machine.builder();
        let opened = builder.clone().open(DIR);
        let count = machine.0.operation_count() - before;
        machine.0.clear_faults();
        if let Err(error) = &opened {
            let kind = error.kind();
            assert!(matches!(kind, selvedge::ErrorKind::System | selvedge::ErrorKind::Reopen));
        }
        drop(opened);
        assert_eq!(State::checked(&builder.open(DIR).unwrap()).unwrap(), state, "at {later}");
        if count <= later {
            break;
        }
        later += 1;
    }
    assert!(later > 15, "{later} operations");
}

/// Rewrites everything, with a checkpoint, over and over.
fn rewrite_often(db: &Db) -> selvedge::Result<()> {
    for round in 0..6_i64 {
        for n in 0..10 {
            let text = format!("{round}").repeat(300);
            db.upsert_node("N", &format!("{n}"), doc! { "text": text })?;
        }
        db.checkpoint()?;
    }
    Ok(())
}

/// Dead files that cannot be removed are in nobody's way, and go later.
#[test]
fn files_that_cannot_be_removed_go_later() {
    let well = Machine::new(1);
    rewrite_often(&well.open().unwrap()).unwrap();
    let operations = well.0.operations();
    let is_of_data = |one: &&Operation| {
        one.kind == OperationKind::Remove && one.path.to_string_lossy().contains("data-")
    };
    let removals: Vec<_> = operations.iter().filter(is_of_data).map(|one| one.number).collect();
    assert!(removals.len() > 2, "{removals:?}");
    for number in removals {
        let machine = Machine::new(1);
        machine.0.plan(number, Fault::Io);
        let db = machine.open().unwrap();
        rewrite_often(&db).unwrap();
        machine.0.clear_faults();
        let state = State::checked(&db).unwrap();
        db.close().unwrap();
        let db = machine.open().unwrap();
        assert_eq!(State::checked(&db).unwrap(), state);
        assert!(machine.files("data-").len() <= 2, "{:?}", machine.files("data-"));
    }
}
