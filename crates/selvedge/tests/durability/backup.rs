//! Backups and restores.

use std::sync::atomic::{AtomicBool, Ordering};

use selvedge::env::Fault;
use selvedge::prelude::*;
use selvedge::{ErrorKind, Result, StorageError};
use selvedge_testkit::threads;

use crate::machine::{DIR, Machine, Place};
use crate::state::State;

fn fill(db: &Db, nodes: usize) -> Result<Vec<NodeId>> {
    db.transaction(|ctx| {
        let text = |n: usize| "text ".repeat(n % 100);
        let insert = |n: usize| ctx.insert_node("N", &*format!("{n}"), doc! { "text": text(n) });
        let ids: Vec<_> = (0..nodes).map(insert).collect::<Result<_>>()?;
        for pair in ids.windows(2) {
            ctx.link_nodes(pair[0], "NEXT", pair[1], doc! { "n": 1 })?;
        }
        Ok(ids)
    })
}

/// The copy is the database as of one moment, while others write and checkpoints run;
/// it can be opened beside the original.
#[test]
fn online_with_writers_running() {
    let place = Place::new();
    let builder = Db::builder().log_segment_bytes(4096).checkpoint_bytes(10_000);
    let db = builder.open(place.path()).unwrap();
    let ids = fill(&db, 300).unwrap();
    let done = AtomicBool::new(false);
    threads::scope(|scope| {
        scope.spawn(|| {
            for n in (0_i64..).take_while(|_| !done.load(Ordering::Relaxed)) {
                // Both, or neither.
                db.transaction(|ctx| {
                    ctx.set(ids[0], "n", n)?;
                    ctx.set(ids[299], "n", n)?;
                    ctx.upsert_node("N", &format!("{}", n % 200 + 1000), doc! { "n": n }).map(drop)
                })
                .unwrap();
            }
        });
        for round in 0..5 {
            let path = place.path_of(&format!("copy-{round}"));
            let timestamp = db.backup_to(&path).unwrap();
            let copy = Db::open(&path).unwrap();
            assert_eq!(copy.timestamp(), timestamp);
            let state = State::checked(&copy).unwrap();
            let n = |id: NodeId| state.nodes[&id].document.get("n").cloned();
            assert_eq!(n(ids[0]), n(ids[299]));
            assert!(state.nodes.values().all(|node| node.version <= Some(timestamp)));
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// The copy equals the snapshot exactly, ids and versions too; it goes on by itself, with
/// ids that were never given out.
#[test]
fn a_copy_is_equal_and_goes_on() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let ids = fill(&db, 50).unwrap();
    db.checkpoint().unwrap();
    db.set(ids[0], "n", 1).unwrap();
    let gone = db.insert_node("N", "gone", doc! {}).unwrap();
    db.delete_node(gone).unwrap();
    let state = State::checked(&db).unwrap();
    db.backup_to("copy").unwrap();
    let copy = machine.builder().open("copy").unwrap();
    assert_eq!(State::checked(&copy).unwrap(), state);
    let next = copy.insert_node("N", "next", doc! {}).unwrap();
    assert!(next > gone, "{next} of what was deleted before the backup");
    copy.checkpoint().unwrap();
    assert_eq!(State::checked(&db).unwrap(), state, "the original is untouched");
    db.insert_node("N", "mine", doc! {}).unwrap();
    let found = State::checked(&copy).unwrap();
    drop(copy);
    machine.0.crash();
    let copy = machine.builder().open("copy").unwrap();
    assert_eq!(State::checked(&copy).unwrap(), found);
}

/// A database in memory can be kept, too.
#[test]
fn of_a_database_in_memory() {
    let place = Place::new();
    let db = Db::in_memory();
    fill(&db, 100).unwrap();
    let state = State::checked(&db).unwrap();
    assert_eq!(db.backup_to(place.path()).unwrap(), db.timestamp());
    drop(db);
    let db = Db::open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
    fill(&db, 0).unwrap();
    db.insert_node("N", "more", doc! {}).unwrap();
    let state = State::checked(&db).unwrap();
    db.close().unwrap();
    assert_eq!(State::checked(&Db::open(place.path()).unwrap()).unwrap(), state);
}

/// An empty database has a copy as well.
#[test]
fn of_an_empty_database() {
    let place = Place::new();
    Db::in_memory().backup_to(place.path()).unwrap();
    let db = Db::builder().existing().open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap(), State::default());
    db.insert_node("N", None, doc! {}).unwrap();
}

/// A database is never written over by a copy.
#[test]
fn into_an_existing_database_is_refused() {
    let place = Place::new();
    let (path, other) = (place.path(), place.path_of("other"));
    let db = Db::open(&path).unwrap();
    db.insert_node("N", "a", doc! {}).unwrap();
    let kept = Db::open(&other).unwrap();
    kept.insert_node("Kept", "k", doc! {}).unwrap();
    kept.close().unwrap();
    for refused in [db.backup_to(&other), Db::in_memory().backup_to(&other)] {
        let error = refused.unwrap_err();
        let Error::Storage(storage) = &error else { panic!("{error}") };
        assert!(matches!(**storage, StorageError::Exists { .. }), "{error}");
        assert!(error.to_string().contains("other"), "{error}");
    }
    assert!(db.backup_to(&path).is_err_and(|error| error.kind() == ErrorKind::Busy), "its own");
    db.close().unwrap();
    assert!(Db::restore(&path, &other).is_err());
    let kept = Db::open(&other).unwrap();
    assert_eq!(kept.snapshot().unwrap().count("Kept").unwrap(), 1);
}

/// Restored is what was backed up, or closed, or left behind by a crash; nothing that was
/// given out before is given out again.
#[test]
fn restoring() {
    let place = Place::new();
    let db = Db::open(place.path()).unwrap();
    fill(&db, 50).unwrap();
    let gone = db.insert_node("N", "gone", doc! {}).unwrap();
    db.delete_node(gone).unwrap();
    let state = State::checked(&db).unwrap();
    db.backup_to(place.path_of("backup")).unwrap();
    for (closes, from) in [(false, "backup"), (true, "db.selvedge")] {
        if closes {
            db.clone().close().unwrap();
        }
        let to = place.path_of(&format!("restored from {from}"));
        let timestamp = Db::restore(place.path_of(from), &to).unwrap();
        let restored = Db::open(&to).unwrap();
        assert_eq!(restored.timestamp(), timestamp);
        assert_eq!(State::checked(&restored).unwrap(), state);
        let next = restored.insert_node("N", "next", doc! {}).unwrap();
        assert!(next > gone, "{next} after {gone}, from {from}");
    }
}

/// Restoring reads everything: what is damaged is refused, and no database is left that
/// could be taken for one.
#[test]
fn restoring_a_damaged_backup_is_refused() {
    let place = Place::new();
    let db = Db::in_memory();
    fill(&db, 100).unwrap();
    let from = place.path_of("backup");
    db.backup_to(&from).unwrap();
    let data = from.join("data-0000000000000001");
    let bytes = std::fs::read(&data).unwrap();
    let mut refused = 0;
    for offset in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 16;
        std::fs::write(&data, damaged).unwrap();
        let to = place.path_of(&format!("to-{offset}"));
        match Db::restore(&from, &to) {
            Ok(_) => {
                // Padding.
                let restored = Db::open(&to).unwrap();
                assert_eq!(State::checked(&restored).unwrap(), State::checked(&db).unwrap());
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Restore, "byte {offset}: {error}");
                assert!(Db::builder().existing().open(&to).is_err(), "byte {offset}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused} of 60");
    std::fs::write(&data, bytes).unwrap();
    Db::restore(&from, place.path_of("to")).unwrap();
}

/// A backup that is cut short at any operation, by an error, a crash or a kill, is never
/// taken for a database; the original does not notice, and another backup succeeds.
#[test]
fn an_interrupted_backup_is_no_database() {
    for fault in [Fault::Io, Fault::Full, Fault::Crash, Fault::Kill] {
        let mut later = 0;
        while !interrupt(fault, later).unwrap() {
            later += 1;
        }
        assert!(later > 10, "{later} operations");
    }
}

/// Interrupts a backup so many operations after its beginning; whether it was over.
fn interrupt(fault: Fault, later: u64) -> Result<bool> {
    let what = format!("{fault:?} of operation {later}");
    let machine = Machine::new(later);
    let db = machine.open()?;
    fill(&db, 20)?;
    let state = State::checked(&db)?;
    let number = machine.0.operation_count() + later;
    machine.0.plan(number, fault);
    let done = db.backup_to("copy");
    let is_over = machine.0.operation_count() <= number;
    machine.0.clear_faults();
    if machine.0.down().is_some() {
        machine.0.recover();
    } else {
        assert_eq!(State::checked(&db)?, state, "{what}");
        db.insert_node("After", None, doc! {})?;
    }
    drop(db);
    let copy = machine.builder().existing().open("copy");
    match (&copy, &done) {
        (Ok(copy), _) => assert_eq!(State::checked(copy)?, state, "{what}: complete, or none"),
        (Err(error), Ok(_)) => panic!("{what}: it was told to be complete: {error}"),
        (Err(_), Err(_)) => {}
    }
    drop(copy);
    let db = machine.open()?;
    db.backup_to("again")?;
    assert_eq!(State::checked(&machine.builder().open("again")?)?, State::checked(&db)?);
    machine.0.crash();
    assert!(machine.builder().open(DIR).is_ok());
    Ok(is_over)
}

/// A backup to where one was cut short: refused, or made; never a mixture.
#[test]
fn a_backup_to_where_one_was_cut_short() {
    for later in 0..40 {
        let machine = Machine::new(later);
        let db = machine.open().unwrap();
        fill(&db, 20).unwrap();
        machine.0.plan(machine.0.operation_count() + later, Fault::Io);
        let first = db.backup_to("copy");
        machine.0.clear_faults();
        let state = State::checked(&db).unwrap();
        if db.backup_to("copy").is_ok() {
            assert!(first.is_err(), "one of them");
            let copy = machine.builder().existing().open("copy").unwrap();
            assert_eq!(State::checked(&copy).unwrap(), state, "at {later}");
        }
    }
}
