//! One process has a database open at a time, and lets go of it at once.

use std::process::Command;

use selvedge::prelude::*;
use selvedge::{Background, DbBuilder, ErrorKind, StorageError};
use selvedge_testkit::threads;

use crate::machine::{Machine, Place};
use crate::state::State;

fn is_locked(error: &Error) -> bool {
    let Error::Storage(storage) = error else { return false };
    matches!(**storage, StorageError::Locked { .. }) && error.kind() == ErrorKind::Busy
}

/// Whoever opens an open database is refused, for writing and for reading, and told
/// which database it is; a database that is only read is not opened for writing either.
#[test]
fn a_second_handle_is_refused() {
    let place = Place::new();
    let db = Db::open(place.path()).unwrap();
    let node = db.insert_node("N", "node", doc! {}).unwrap();
    let seconds: [DbBuilder; 4] = [
        Db::builder(),
        Db::builder().existing(),
        Db::builder().read_only(),
        Db::builder().until_damage(),
    ];
    for second in &seconds {
        let error = second.clone().open(place.path()).unwrap_err();
        assert!(is_locked(&error), "{error:?}");
        assert!(error.to_string().contains("db.selvedge"), "{error}");
    }
    assert!(is_locked(&Db::restore(place.path(), place.path_of("copy")).unwrap_err()));
    assert!(is_locked(&db.backup_to(place.path()).unwrap_err()));
    db.set(node, "n", 1).unwrap();
    drop(db);
    let reader = Db::builder().read_only().open(place.path()).unwrap();
    for second in seconds {
        assert!(is_locked(&second.open(place.path()).unwrap_err()));
    }
    assert_eq!(reader.snapshot().unwrap().count("N").unwrap(), 1);
    drop(reader);
    Db::open(place.path()).unwrap();
}

const OTHER_PATH: &str = "SELVEDGE_TEST_OTHER_PATH";

/// What another process does: opens the database, and says what came of it.
#[test]
#[ignore = "run by `another_process_is_refused`, in a process of its own"]
fn the_other_process() {
    let Ok(path) = std::env::var(OTHER_PATH) else { return };
    match Db::builder().existing().open(path) {
        Ok(db) => println!("OPENED {}", db.snapshot().unwrap().count("N").unwrap()),
        Err(error) if is_locked(&error) => println!("LOCKED"),
        Err(error) => println!("FAILED {error}"),
    }
}

fn ask_another_process(place: &Place) -> String {
    let exe = std::env::current_exe().expect("this runs");
    let output = Command::new(exe)
        .args(["--exact", "locking::the_other_process", "--ignored", "--nocapture"])
        .env(OTHER_PATH, place.path())
        .output()
        .expect("it can be run once more");
    let said = String::from_utf8(output.stdout).expect("text");
    let told = said.lines().find(|line| line.starts_with(|first: char| first.is_uppercase()));
    told.unwrap_or(&said).to_owned()
}

/// Another process is refused while the database is open, and served when it is closed.
#[test]
fn another_process_is_refused() {
    let place = Place::new();
    let db = Db::open(place.path()).unwrap();
    db.insert_node("N", "node", doc! {}).unwrap();
    assert_eq!(ask_another_process(&place), "LOCKED");
    db.close().unwrap();
    assert_eq!(ask_another_process(&place), "OPENED 1");
}

/// When the last handle is dropped the database can be opened at once: also while the
/// worker and a checkpoint are at work in the background.
#[test]
fn dropped_is_closed_at_once() {
    let place = Place::new();
    let builder = Db::builder().log_segment_bytes(4096).checkpoint_bytes(1);
    for round in 0..200_i64 {
        let db = builder.clone().open(place.path()).unwrap();
        let known = db.snapshot().unwrap().count("N").unwrap();
        assert_eq!(known, round as u64);
        let text = "x".repeat(300 + round as usize % 700);
        db.insert_node("N", &*format!("{round}"), doc! { "text": text }).unwrap();
        if round % 4 == 0 {
            threads::scope(|scope| {
                let clone = db.clone();
                scope.spawn(move || {
                    clone.upsert_node("Other", "one", doc! { "n": round }).map(drop)
                });
                drop(db);
            });
        }
    }
    let db = builder.open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap().nodes.len(), 201);
}

/// Dropped from many threads at once, whoever is the last.
#[test]
fn whichever_thread_drops_the_last_handle() {
    let place = Place::new();
    for round in 0..20_u64 {
        let db = Db::open(place.path()).unwrap();
        threads::scope(|scope| {
            for _ in 0..4 {
                let db = db.clone();
                scope.spawn(move || db.insert_node("N", None, doc! {}).map(drop));
            }
            drop(db);
        });
        let db = Db::open(place.path()).unwrap();
        assert_eq!(db.snapshot().unwrap().count("N").unwrap(), 4 * (round + 1));
    }
}

/// Read-only opening changes nothing on the disk, not even by dropping, and refuses
/// everything that would.
#[test]
fn read_only_changes_nothing() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let node = db.insert_node("N", "node", doc! { "n": 1 }).unwrap();
    db.checkpoint().unwrap();
    db.set(node, "n", 2).unwrap();
    drop(db);
    let count = || {
        let operations = machine.0.operations();
        let changes = operations.iter().filter(|one| one.kind.is_change());
        changes.filter(|one| one.kind != selvedge::env::OperationKind::Lock).count()
    };
    let before = (machine.files(""), count());
    let reader = machine.builder().read_only().open(crate::machine::DIR).unwrap();
    assert_eq!(reader.snapshot().unwrap().count("N").unwrap(), 1);
    let found = reader.snapshot().unwrap().node(node).unwrap().unwrap().typed::<i64>("n");
    assert_eq!(found.unwrap(), Some(2));
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    let refused = [
        reader.set(node, "n", 3).unwrap_err(),
        reader.insert_node("N", None, doc! {}).unwrap_err(),
        reader.delete_node(node).unwrap_err(),
        reader.checkpoint().unwrap_err(),
    ];
    assert!(refused.iter().all(|error| matches!(error, Error::Closed)), "{refused:?}");
    reader.reopen().unwrap();
    reader.step(100);
    let snapshot = reader.snapshot().unwrap();
    reader.close().unwrap();
    assert!(snapshot.node(node).unwrap().is_some());
    drop(snapshot);
    assert_eq!((machine.files(""), count()), before);
}

/// A process that has threads of its own in a database it does not own alone: a clone
/// closed in one thread ends the others' writing, and their reading goes on.
#[test]
fn closing_one_handle_closes_all() {
    let machine = Machine::new(1);
    let db = machine.builder().background(Background::Thread).open(crate::machine::DIR).unwrap();
    let node = db.insert_node("N", None, doc! {}).unwrap();
    let snapshot = db.snapshot().unwrap();
    let mut transaction = db.begin(&TransactionOptions::new()).unwrap();
    transaction.set(node, "n", 1).unwrap();
    db.clone().close().unwrap();
    assert!(matches!(db.insert_node("N", None, doc! {}), Err(Error::Closed)));
    assert!(matches!(db.snapshot(), Err(Error::Closed)));
    assert!(matches!(db.checkpoint(), Err(Error::Closed)));
    assert!(matches!(db.backup_to("copy"), Err(Error::Closed)));
    assert!(matches!(db.check(), Err(Error::Closed)));
    assert!(matches!(db.reopen(), Err(Error::Closed)));
    assert!(matches!(transaction.commit(), Err(Error::Closed)));
    assert!(snapshot.contains(node).unwrap());
    db.clone().close().unwrap();
    let second = machine.open().unwrap();
    assert_eq!(second.snapshot().unwrap().node(node).unwrap().unwrap().document().len(), 0);
}
