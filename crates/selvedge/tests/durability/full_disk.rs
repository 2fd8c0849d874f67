//! A disk without space: told, survived, and over once there is space again.

use std::path::Path;
use std::sync::Arc;

use selvedge::env::{FileSystem, OpenMode};
use selvedge::prelude::*;
use selvedge::{ErrorKind, Result, StorageError};

use crate::machine::{DIR, Machine};
use crate::state::State;

fn is_no_space(error: &Error) -> bool {
    let Error::Storage(storage) = error else { return false };
    matches!(**storage, StorageError::NoSpace { .. }) && error.kind() == ErrorKind::System
}

fn insert(db: &Db, n: i64) -> Result<NodeId> {
    db.insert_node("N", &*format!("{n}"), doc! { "n": n, "text": "x".repeat(500) })
}

/// Fills the disk up to what is used now, and `more`.
fn limit(machine: &Machine, more: u64) {
    let used: u64 = machine.0.files().iter().map(|(_, bytes)| bytes).sum();
    machine.0.set_capacity(Some(used + more));
}

/// A load that fills the disk: the commit that finds no space is refused as a whole,
/// before anything of it is applied; reads go on; with space again, so does the load,
/// and nothing had to be reopened.
#[test]
fn a_load_that_fills_the_disk_goes_on_once_there_is_space() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    insert(&db, 0).unwrap();
    let mut next = 1;
    for _ in 0..5 {
        limit(&machine, 20_000);
        let error = loop {
            match insert(&db, next) {
                Ok(_) => next += 1,
                Err(error) => break error,
            }
        };
        assert!(is_no_space(&error), "{error:?}");
        assert!(error.to_string().contains("no space"), "{error}");
        let state = State::checked(&db).unwrap();
        assert_eq!(state.nodes.len(), next as usize, "nothing of it was applied");
        let conflicting = db.begin(&TransactionOptions::new()).unwrap();
        drop(conflicting);
        assert!(is_no_space(&insert(&db, next).unwrap_err()), "it stays so");
        assert_eq!(State::checked(&db).unwrap(), state);
        machine.0.set_capacity(None);
        insert(&db, next).unwrap();
        next += 1;
    }
    assert_eq!(db.statistics().storage.unwrap().incarnation, 1, "nothing was reopened");
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// The disk is still full when the database is opened again: everything acknowledged is
/// there, and can at least be read.
#[test]
fn what_was_acknowledged_is_there_with_the_disk_still_full() {
    let machine = Machine::new(2);
    let db = machine.open().unwrap();
    limit(&machine, 30_000);
    let mut acknowledged = 0;
    while insert(&db, acknowledged).is_ok() {
        acknowledged += 1;
    }
    limit(&machine, 0);
    let state = State::checked(&db).unwrap();
    let error = db.close();
    assert!(error.is_err_and(|error| is_no_space(&error)), "there was no space for a checkpoint");
    let reader = machine.builder().read_only().open(DIR).unwrap();
    assert_eq!(State::checked(&reader).unwrap(), state);
    drop(reader);
    match machine.open() {
        Ok(db) => assert_eq!(State::checked(&db).unwrap(), state),
        Err(error) => assert!(is_no_space(&error), "{error}"),
    }
    machine.0.set_capacity(None);
    let db = machine.open().unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
    insert(&db, acknowledged).unwrap();
    db.close().unwrap();
}

/// A checkpoint that finds no space changes nothing, leaves nothing behind, and succeeds
/// later; commits go on meanwhile.
#[test]
fn a_checkpoint_without_space_changes_nothing() {
    let machine = Machine::new(3);
    let db = machine.open().unwrap();
    for n in 0..100 {
        insert(&db, n).unwrap();
    }
    db.checkpoint().unwrap();
    for n in 100..150 {
        insert(&db, n).unwrap();
    }
    let files = machine.files("data-");
    for more in [0, 100, 5_000, 20_000] {
        limit(&machine, more);
        let error = db.checkpoint().unwrap_err();
        assert!(is_no_space(&error), "with {more} bytes: {error:?}");
        assert_eq!(machine.files("data-"), files, "with {more} bytes");
        assert!(machine.files("MANIFEST.new").is_empty());
        machine.0.set_capacity(None);
        db.set(db.snapshot().unwrap().get_node("N", "3").unwrap().unwrap().id(), "n", 3).unwrap();
    }
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
    db.checkpoint().unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
    assert_eq!(db.statistics().storage.unwrap().recovery.commits, 0);
}

/// What the failed checkpoint should have written is written by the next one, whatever
/// did not change in between.
#[test]
fn what_a_failed_checkpoint_did_not_write_the_next_one_does() {
    let machine = Machine::new(4);
    let db = machine.open().unwrap();
    for n in 0..20 {
        insert(&db, n).unwrap();
    }
    limit(&machine, 0);
    db.checkpoint().unwrap_err();
    machine.0.set_capacity(None);
    db.checkpoint().unwrap();
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(db.statistics().storage.unwrap().recovery.commits, 0, "all of it");
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// Automatic checkpoints that fail for lack of space: commits go on as long as the log
/// has space, and are refused then; with space, everything catches up.
#[test]
fn automatic_checkpoints_catch_up() {
    let machine = Machine::new(5);
    let db = machine.builder().checkpoint_bytes(8_192).open(DIR).unwrap();
    // What is left is too little for a data file, but enough for some of the log.
    limit(&machine, 40_000);
    let mut n = 0;
    let error = loop {
        match insert(&db, n) {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
        db.step(100);
    };
    assert!(is_no_space(&error), "{error:?}");
    machine.0.set_capacity(None);
    insert(&db, n).unwrap();
    for _ in 0..3 {
        db.step(100);
    }
    let storage = db.statistics().storage.unwrap();
    assert!(storage.log_bytes_to_replay < 16_384, "{storage:?}");
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// Somebody else takes the space, and gives it back by removing a file.
#[test]
fn space_that_another_program_takes_and_gives_back() {
    let machine = Machine::new(6);
    let db = machine.open().unwrap();
    let hog: Arc<dyn FileSystem> = machine.0.process();
    machine.0.set_capacity(Some(200_000));
    let file = hog.open(Path::new("hog"), OpenMode::Create).unwrap();
    let mut offset = 0;
    while file.write_all_at(&[1; 512], offset).is_ok() {
        offset += 512;
    }
    drop(file);
    let mut n = 0;
    while insert(&db, n).is_ok() {
        n += 1;
    }
    hog.remove(Path::new("hog")).unwrap();
    insert(&db, n).unwrap();
    db.close().unwrap();
    assert_eq!(machine.open().unwrap().snapshot().unwrap().count("N").unwrap(), n as u64 + 1);
}

/// No space to make a database: there is none then, and nothing in the way of the next
/// attempt.
#[test]
fn no_space_to_make_a_database() {
    for bytes in (0..9_000).step_by(250) {
        let machine = Machine::new(7);
        machine.0.set_capacity(Some(bytes));
        let Err(error) = machine.open() else { break };
        assert!(is_no_space(&error), "with {bytes} bytes: {error:?}");
        machine.0.set_capacity(None);
        let db = machine.open().unwrap();
        insert(&db, 1).unwrap();
        let db = machine.crash_and_open(db).unwrap();
        assert_eq!(db.snapshot().unwrap().count("N").unwrap(), 1);
    }
}
