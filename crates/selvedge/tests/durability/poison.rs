//! A write or sync that fails: nobody knows what is on the disk, until the database is
//! opened again.

use std::thread;

use selvedge::env::{Fault, OperationKind};
use selvedge::prelude::*;
use selvedge::{ErrorKind, Result, StorageError, SyncLevel};
use selvedge_testkit::threads;

use crate::machine::{DIR, Machine};
use crate::state::State;

fn n(reader: &impl Read, node: NodeId) -> Option<i64> {
    let node = reader.node(node).expect("a node can be read").expect("it was inserted");
    node.typed("n").expect("a number")
}

/// A database with a node whose `n` is 1, durably.
fn begin() -> Result<(Machine, Db, NodeId)> {
    let machine = Machine::new(5);
    let db = machine.open()?;
    let node = db.insert_node("N", "node", doc! { "n": 1 })?;
    Ok((machine, db, node))
}

/// Lets the commit that sets `n` to 2 fail while it is synced.
fn fail_a_sync(machine: &Machine, db: &Db, node: NodeId) -> Error {
    machine.0.plan_next(OperationKind::Sync, Fault::Io);
    let error = db.set(node, "n", 2).expect_err("its sync fails");
    machine.0.clear_faults();
    error
}

/// A commit whose sync fails says that its outcome is unknown, and how to go on.
#[test]
fn a_commit_whose_sync_fails_has_an_unknown_outcome() {
    let (machine, db, node) = begin().unwrap();
    let error = fail_a_sync(&machine, &db, node);
    assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Reopen);
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("unknown") && text.contains("log-0000000000000000"), "{text}");
}

/// After a failed sync nothing can be written, in whatever way it is tried, and every
/// refusal says to reopen.
#[test]
fn after_a_failed_sync_every_write_is_refused() {
    let (machine, db, node) = begin().unwrap();
    let mut begun = db.begin(&TransactionOptions::new()).unwrap();
    begun.set(node, "n", 3).unwrap();
    let mut begun_to_insert = db.begin(&TransactionOptions::new()).unwrap();
    fail_a_sync(&machine, &db, node);
    begun_to_insert.insert_node("N", "another", doc! {}).unwrap();
    let refusals = [
        db.set(node, "n", 4).unwrap_err(),
        db.insert_node("N", None, doc! {}).unwrap_err(),
        db.upsert_node("N", "node", doc! {}).map(drop).unwrap_err(),
        db.link_nodes(node, "TO", node, doc! {}).map(drop).unwrap_err(),
        db.link_nodes(node, "TO", node, doc! { "n": 1 }).map(drop).unwrap_err(),
        db.delete_node(node).map(drop).unwrap_err(),
        db.define_edge_type("TO", EdgeTypeDef::multi()).unwrap_err(),
        db.batch([Op::insert_node("N", None, doc! {})]).map(drop).unwrap_err(),
        db.transaction_retry(RetryPolicy::default(), |ctx| ctx.set(node, "n", 4)).unwrap_err(),
        begun.commit().unwrap_err(),
        begun_to_insert.commit().unwrap_err(),
    ];
    for (at, refusal) in refusals.iter().enumerate() {
        assert_eq!(refusal.kind(), ErrorKind::Reopen, "{at}: {refusal}");
    }
    // No write, but no success either.
    let unwritten = [db.checkpoint().map(drop), db.snapshot_durable().map(drop)];
    for (at, done) in unwritten.into_iter().enumerate() {
        if let Err(error) = done {
            assert!(matches!(error.kind(), ErrorKind::Reopen | ErrorKind::Usage), "{at}: {error}");
        }
    }
    db.reopen().unwrap();
    let found = n(&db.snapshot().unwrap(), node);
    assert!(found == Some(1) || found == Some(2), "{found:?}: nothing refused was applied");
    assert_eq!(db.snapshot().unwrap().count("N").unwrap(), 1);
}

/// New snapshots see what is surely durable: not the commit of unknown outcome, which a
/// snapshot that was open may have seen.
#[test]
fn new_snapshots_see_the_durable_state_and_old_ones_what_they_saw() {
    let (machine, db, node) = begin().unwrap();
    let before = db.snapshot().unwrap();
    db.checkpoint().unwrap();
    let level = TransactionOptions::new().sync(SyncLevel::Off);
    db.transaction_with(&level, |ctx| ctx.set(node, "n", 5)).unwrap();
    let unsynced = db.snapshot().unwrap();
    assert_eq!(n(&unsynced, node), Some(5));
    fail_a_sync(&machine, &db, node);
    for _ in 0..3 {
        assert_eq!(n(&before, node), Some(1));
        assert_eq!(n(&unsynced, node), Some(5), "what it saw, it sees");
        assert_eq!(n(&db.snapshot().unwrap(), node), Some(1), "and nobody else");
        assert_eq!(n(&db.clone().snapshot().unwrap(), node), Some(1));
        assert_eq!(db.view(|view| Ok::<_, Error>(n(view, node))).unwrap(), Some(1));
    }
    assert!(db.timestamp() < unsynced.timestamp());
    assert_eq!(State::checked(&db).unwrap().nodes.len(), 1);
    db.reopen().unwrap();
    assert_eq!((n(&before, node), n(&unsynced, node)), (Some(1), Some(5)));
    drop((before, unsynced));
}

/// A reopen serves every handle, in every thread, and is done once however many ask.
#[test]
fn a_reopen_serves_clones_in_all_threads_and_the_second_does_nothing() {
    let (machine, db, node) = begin().unwrap();
    let clones: Vec<_> = (0..4).map(|_| db.clone()).collect();
    fail_a_sync(&machine, &db, node);
    threads::scope(|scope| {
        for (number, clone) in clones.iter().enumerate() {
            scope.spawn(move || {
                assert!(matches!(n(&clone.snapshot().unwrap(), node), Some(1 | 2)));
                clone.reopen().unwrap();
                assert!(matches!(n(&clone.snapshot().unwrap(), node), Some(1 | 2)));
                clone.insert_node("M", &*format!("{number}"), doc! {}).unwrap();
            });
        }
    });
    let incarnation = |db: &Db| db.statistics().storage.unwrap().incarnation;
    assert_eq!(incarnation(&db), 2, "reopened once");
    let locks = machine.operations(OperationKind::Lock);
    for clone in &clones {
        clone.reopen().unwrap();
        assert_eq!(clone.snapshot().unwrap().count("M").unwrap(), 4);
        assert_eq!(incarnation(clone), 2);
    }
    assert_eq!(machine.operations(OperationKind::Lock), locks, "there was nothing to open");
    let state = State::checked(&db).unwrap();
    drop(clones);
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// Reopening a database that is well does nothing; reopening one again and again after
/// one failure after the other works.
#[test]
fn failures_and_reopens_in_turn() {
    let (machine, db, node) = begin().unwrap();
    db.reopen().unwrap();
    assert_eq!(db.statistics().storage.unwrap().incarnation, 1);
    for round in 2..6 {
        let error = fail_a_sync(&machine, &db, node);
        assert_eq!(error.kind(), ErrorKind::Reopen, "in round {round}: {error}");
        db.reopen().unwrap();
        assert_eq!(db.statistics().storage.unwrap().incarnation, round);
        db.set(node, "n", 1).unwrap();
        assert_eq!(State::checked(&db).unwrap().nodes.len(), 1);
    }
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(n(&db.snapshot().unwrap(), node), Some(1));
}

/// A transaction that began before the failure cannot commit after the reopen: it may
/// have read what is not there any more. It can read on, and the next one works.
#[test]
fn a_transaction_from_before_the_failure_cannot_commit_after_the_reopen() {
    let (machine, db, node) = begin().unwrap();
    let mut begun = db.begin(&TransactionOptions::new()).unwrap();
    begun.set(node, "n", 9).unwrap();
    fail_a_sync(&machine, &db, node);
    db.reopen().unwrap();
    let reopened = n(&db.snapshot().unwrap(), node);
    assert_eq!(n(&begun, node), Some(9), "it reads on, with its own writes");
    begun.set(node, "n", 10).unwrap();
    begun.insert_node("N", "late", doc! {}).unwrap();
    let error = begun.commit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reopen, "{error}");
    assert_eq!(n(&db.snapshot().unwrap(), node), reopened, "nothing of it was applied");
    assert_eq!(db.snapshot().unwrap().count("N").unwrap(), 1);
    db.set(node, "n", 10).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(n(&db.snapshot().unwrap(), node), Some(10));
}

/// A reopen that fails, because the disk still does, can be tried again; until one
/// succeeds, the durable state can be read.
#[test]
fn a_reopen_that_fails_can_be_tried_again() {
    let (machine, db, node) = begin().unwrap();
    fail_a_sync(&machine, &db, node);
    for kind in [OperationKind::Lock, OperationKind::Read, OperationKind::Sync] {
        machine.0.plan_next(kind, Fault::Io);
        let error = db.reopen().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::System | ErrorKind::Reopen), "{error}");
        machine.0.clear_faults();
        assert_eq!(n(&db.snapshot().unwrap(), node), Some(1));
        assert_eq!(db.set(node, "n", 3).unwrap_err().kind(), ErrorKind::Reopen);
    }
    db.reopen().unwrap();
    db.set(node, "n", 3).unwrap();
    assert_eq!(n(&db.snapshot().unwrap(), node), Some(3));
}

/// If it is unknown which manifest is durable, commits are refused from then on: also
/// that of a transaction which began before, since new snapshots would not see it.
#[test]
fn a_checkpoint_of_unknown_outcome_refuses_commits() {
    let (machine, db, node) = begin().unwrap();
    let mut begun = db.begin(&TransactionOptions::new()).unwrap();
    begun.set(node, "n", 2).unwrap();
    // The operation behind the rename makes the new name durable.
    let ahead = operations_to_rename().unwrap();
    machine.0.plan(machine.0.operation_count() + ahead + 1, Fault::Io);
    let error = db.checkpoint().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reopen, "{error}");
    let Error::Storage(storage) = &error else { panic!("{error:?}") };
    assert!(matches!(**storage, StorageError::Poisoned { .. }), "{error}");
    let reason = "cannot sync db: ";
    assert!(error.to_string().contains(reason), "of the directory: {error}");
    assert_eq!(n(&db.snapshot().unwrap(), node), Some(1));
    let refused = begun.commit().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Reopen, "{refused}");
    assert_eq!(n(&db.snapshot().unwrap(), node), Some(1));
    db.reopen().unwrap();
    assert_eq!(n(&db.snapshot().unwrap(), node), Some(1), "a refused commit was not applied");
    db.checkpoint().unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(n(&db.snapshot().unwrap(), node), Some(1));
}

/// How many operations of a checkpoint come before the rename of the manifest.
fn operations_to_rename() -> Result<u64> {
    let (machine, db, _) = begin()?;
    let before = machine.0.operation_count();
    db.checkpoint()?;
    let operations = machine.0.operations();
    let rename = operations.iter().rfind(|one| one.kind == OperationKind::Rename);
    Ok(rename.expect("a checkpoint renames").number - before)
}

/// A database that failed and is closed instead of reopened: the directory is free at
/// once, closing tells that not everything is durable, and what was acknowledged is.
#[test]
fn a_database_that_failed_can_be_closed_instead() {
    let (machine, db, node) = begin().unwrap();
    fail_a_sync(&machine, &db, node);
    let snapshot = db.snapshot().unwrap();
    let closed = db.clone().close();
    assert!(closed.is_err_and(|error| error.kind() == ErrorKind::Reopen));
    assert_eq!(n(&snapshot, node), Some(1));
    assert!(matches!(db.reopen(), Err(Error::Closed)));
    assert!(matches!(db.snapshot(), Err(Error::Closed)));
    let other = machine.open().unwrap();
    assert!(matches!(n(&other.snapshot().unwrap(), node), Some(1 | 2)));
}

/// Many writers when the sync fails: each learns that its outcome is unknown, or that
/// it was refused; all that were acknowledged are there after a reopen.
#[test]
fn writers_in_a_failed_group_are_all_told() {
    let machine = Machine::new(8);
    // One segment for all of it: the sync that fails is not that of a new one.
    let db = machine.builder().log_segment_bytes(8 << 20).open(DIR).unwrap();
    let acknowledged: Vec<NodeId> = threads::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let db = &db;
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    loop {
                        match db.insert_node("N", None, doc! {}) {
                            Ok(node) => acknowledged.push(node),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::Reopen, "{error}");
                                return acknowledged;
                            }
                        }
                    }
                })
            })
            .collect();
        while db.timestamp() < Timestamp::new(50) {
            thread::yield_now();
        }
        machine.0.plan_next(OperationKind::Sync, Fault::Io);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let shown = db.snapshot().unwrap();
    assert_eq!(shown.count("N").unwrap(), acknowledged.len() as u64, "those and no others");
    db.reopen().unwrap();
    let reopened = db.snapshot().unwrap();
    for node in acknowledged {
        assert!(shown.contains(node).unwrap() && reopened.contains(node).unwrap());
    }
    assert!(reopened.count("N").unwrap() <= shown.count("N").unwrap() + 4);
    State::checked(&db).unwrap();
}
