//! Failures that the simulation of durability and the model checker found, each with its
//! story.

use std::path::PathBuf;
use std::thread;

use selvedge::env::{Env, Fault, SimulatedFiles};
use selvedge::prelude::*;
use selvedge::{Background, ErrorKind, SyncLevel};

/// A database on a machine whose files may fail.
fn database(files: &SimulatedFiles) -> Db {
    let (env, _) = Env::simulated_on(files, 7);
    let builder = Db::builder().background(Background::Manual).env(env);
    builder.log_segment_bytes(4096).open("/db.selvedge").expect("a new disk")
}

/// The last sync of a backup failed, so that nobody knew whether the copy had a
/// manifest: the copy's store was poisoned. The error said of the database itself that
/// it had to be opened again, though nothing was wrong with it.
#[test]
fn a_backup_that_fails_is_no_failure_of_the_database() {
    let files = SimulatedFiles::new(7);
    let db = database(&files);
    db.insert_node("N", "a", doc! { "text": "x".repeat(1000) }).unwrap();
    for nth in 0.. {
        files.plan(files.operation_count() + nth, Fault::Io);
        let copied = db.backup_to(PathBuf::from(format!("/copy-{nth}.selvedge")));
        files.clear_faults();
        db.insert_node("N", None, doc! {}).expect("nothing is wrong with the database");
        match copied {
            Ok(_) if nth > 10 => break,
            // Of removing what is left of an attempt, nobody is told.
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::System, "{error:?}"),
        }
    }
}

/// A commit met the closing of the database between the look whether it is closed and
/// the reservation of room in the log. Closing ends the log by poisoning it, so the
/// commit was told of an earlier failure, and to open the database again; one that does
/// not wait for the disk, that its outcome was unknown, though it was durable.
#[test]
fn a_commit_that_meets_the_closing_is_told_of_no_failure() {
    for round in 0..100 {
        let files = SimulatedFiles::new(7);
        let db = database(&files);
        let level = if round % 2 == 0 { SyncLevel::Full } else { SyncLevel::Off };
        let committing = thread::spawn({
            let db = db.clone();
            move || {
                let options = TransactionOptions::new().sync(level);
                let insert =
                    || db.transaction_with(&options, |txn| txn.insert_node("N", None, doc! {}));
                loop {
                    if let Err(error) = insert() {
                        break error;
                    }
                }
            }
        });
        for _ in 0..round % 7 {
            thread::yield_now();
        }
        db.close().expect("nothing fails");
        let error = committing.join().expect("no panic");
        assert!(matches!(error, Error::Closed), "round {round}: {error}");
    }
}
