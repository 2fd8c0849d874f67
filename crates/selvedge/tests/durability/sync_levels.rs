//! When a commit is durable: what each level promises, and what it may lose.

use std::time::Duration;

use selvedge::env::{Env, Fault, OperationKind, SimulatedClock};
use selvedge::prelude::*;
use selvedge::{Background, ErrorKind, Result, SyncLevel};

use crate::machine::{DIR, Machine};
use crate::state::State;

const OFF: SyncLevel = SyncLevel::Off;
const FULL: SyncLevel = SyncLevel::Full;

fn normal(millis: u64) -> SyncLevel {
    SyncLevel::Normal { every: Duration::from_millis(millis) }
}

fn open(machine: &Machine, level: SyncLevel) -> Result<(Db, std::sync::Arc<SimulatedClock>)> {
    let (env, clock) = Env::simulated_on(&machine.0, 7);
    let builder = Db::builder().env(env).background(Background::Manual);
    Ok((builder.log_segment_bytes(4096).sync(level).open(DIR)?, clock))
}

/// Commit number `n` changes everything that the others do: a hole would show.
fn commit(db: &Db, n: i64, level: Option<SyncLevel>) -> Result<()> {
    let options = TransactionOptions::new();
    let options = level.map_or(options.clone(), |level| options.sync(level));
    db.transaction_with(&options, |ctx| {
        let counter = ctx.upsert_node("Counter", "one", doc! { "n": n })?.id;
        let text = "t".repeat(n as usize * 17 % 700);
        let node = ctx.insert_node("N", &*format!("{n}"), doc! { "n": n, "text": text })?;
        ctx.link_nodes(counter, "HAS", node, doc! { "n": n })?;
        Ok(())
    })
}

/// How many commits there are: all up to some one, and nothing of those behind it.
fn prefix(db: &Db) -> Result<i64> {
    let state = State::checked(db)?;
    let snapshot = db.snapshot()?;
    let Some(counter) = snapshot.get_node("Counter", "one")? else {
        assert_eq!(state.nodes.len(), 0);
        return Ok(0);
    };
    let last = counter.typed::<i64>("n")?.expect("a number");
    assert_eq!(snapshot.count("N")?, last as u64, "a hole, or half a commit");
    assert_eq!(snapshot.degree(counter.id(), Direction::Out, "HAS")?, last as u64);
    for n in 1..=last {
        assert!(snapshot.get_node("N", &n.to_string())?.is_some(), "{n} of {last}");
    }
    Ok(last)
}

/// Without syncs a crash loses some last commits, and never one in between.
#[test]
fn off_loses_a_suffix_and_never_a_hole() {
    let mut found = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let machine = Machine::new(seed);
        let (db, _) = open(&machine, OFF).unwrap();
        for n in 1..=30 {
            commit(&db, n, None).unwrap();
            if n % 5 == 0 {
                // Gives what there is to the system, and does not wait for it.
                db.step(10);
            }
        }
        let db = machine.crash_and_open(db).unwrap();
        let last = prefix(&db).unwrap();
        found.insert(last);
        commit(&db, last + 1, Some(FULL)).unwrap();
        let db = machine.crash_and_open(db).unwrap();
        assert_eq!(prefix(&db).unwrap(), last + 1);
    }
    assert!(found.contains(&0) && found.len() > 3, "all kinds of crashes: {found:?}");
}

/// A killed process loses only what it had not given to the system yet.
#[test]
fn off_loses_nothing_that_was_written_out_when_the_process_is_killed() {
    let machine = Machine::new(1);
    let (db, _) = open(&machine, OFF).unwrap();
    (1..=10).for_each(|n| commit(&db, n, None).unwrap());
    db.step(10);
    (11..=13).for_each(|n| commit(&db, n, None).unwrap());
    let db = machine.kill_and_open(db).unwrap();
    let last = prefix(&db).unwrap();
    assert_eq!(last, 10);
    // What recovery has accepted does not vanish by a later power cut.
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(prefix(&db).unwrap(), last);
}

/// Normal: what is older than its time, and maintenance has run since, is there.
#[test]
fn normal_loses_no_more_than_its_time() {
    for seed in 0..20 {
        let machine = Machine::new(seed);
        let (db, clock) = open(&machine, normal(100)).unwrap();
        let mut synced = 0;
        for n in 1..=30 {
            commit(&db, n, None).unwrap();
            clock.advance(Duration::from_millis(30));
            let before = machine.operations(OperationKind::Sync);
            db.step(10);
            if machine.operations(OperationKind::Sync) > before {
                synced = n;
            }
            assert!(n - synced < 4, "{n} commits, and the first {synced} synced");
        }
        let db = machine.crash_and_open(db).unwrap();
        assert!(prefix(&db).unwrap() >= synced);
    }
}

/// One transaction that asks for it is durable in a database that syncs nothing, and so
/// is everything before it; one that waives it waits for no sync.
#[test]
fn a_transaction_may_ask_for_another_level() {
    for seed in 0..10 {
        let machine = Machine::new(seed);
        let (db, _) = open(&machine, OFF).unwrap();
        (1..=7).for_each(|n| commit(&db, n, None).unwrap());
        commit(&db, 8, Some(FULL)).unwrap();
        (9..=12).for_each(|n| commit(&db, n, Some(normal(1))).unwrap());
        let db = machine.crash_and_open(db).unwrap();
        let last = prefix(&db).unwrap();
        assert!(last >= 8, "{last}");

        drop(db);
        let (db, _) = open(&machine, FULL).unwrap();
        let syncs = machine.operations(OperationKind::Sync);
        commit(&db, last + 1, Some(OFF)).unwrap();
        assert_eq!(machine.operations(OperationKind::Sync), syncs);
        commit(&db, last + 2, None).unwrap();
        let db = machine.crash_and_open(db).unwrap();
        assert_eq!(prefix(&db).unwrap(), last + 2);
    }
}

/// Closing makes everything durable, whatever the level, and so does dropping the last
/// handle.
#[test]
fn closing_makes_everything_durable() {
    for (level, closes) in [(OFF, true), (OFF, false), (normal(3_600_000), true)] {
        let machine = Machine::new(1);
        let (db, _) = open(&machine, level).unwrap();
        (1..=20).for_each(|n| commit(&db, n, None).unwrap());
        if closes {
            db.close().unwrap();
        } else {
            drop(db);
        }
        machine.0.crash();
        assert_eq!(prefix(&machine.open().unwrap()).unwrap(), 20, "{level:?} {closes}");
    }
}

/// A checkpoint makes everything durable that it holds.
#[test]
fn a_checkpoint_makes_everything_durable() {
    let machine = Machine::new(1);
    let (db, _) = open(&machine, OFF).unwrap();
    (1..=20).for_each(|n| commit(&db, n, None).unwrap());
    db.checkpoint().unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(prefix(&db).unwrap(), 20);
}

/// What a durable snapshot has seen is there after a crash.
#[test]
fn what_a_durable_snapshot_sees_survives() {
    for seed in 0..10 {
        let machine = Machine::new(seed);
        let (db, _) = open(&machine, OFF).unwrap();
        (1..=9).for_each(|n| commit(&db, n, None).unwrap());
        let seen = db.snapshot_durable().unwrap();
        assert_eq!(seen.count("N").unwrap(), 9, "it waits, and does not look back");
        (10..=12).for_each(|n| commit(&db, n, None).unwrap());
        let syncs = machine.operations(OperationKind::Sync);
        drop(db.snapshot().unwrap());
        assert_eq!(machine.operations(OperationKind::Sync), syncs, "others do not wait");
        let db = machine.crash_and_open(db).unwrap();
        assert!(prefix(&db).unwrap() >= 9);
        assert_eq!(seen.count("N").unwrap(), 9);
    }
}

/// A durable snapshot whose sync fails is refused, not handed out.
#[test]
fn a_durable_snapshot_whose_sync_fails_is_refused() {
    let machine = Machine::new(1);
    let (db, _) = open(&machine, OFF).unwrap();
    commit(&db, 1, Some(FULL)).unwrap();
    commit(&db, 2, None).unwrap();
    machine.0.plan_next(OperationKind::Sync, Fault::Io);
    let error = db.snapshot_durable().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reopen, "{error}");
    assert_eq!(prefix(&db).unwrap(), 1, "and what is shown is durable");
    assert_eq!(db.snapshot_durable().unwrap().count("N").unwrap(), 1);
    assert_eq!(db.statistics().snapshots_open, 0);
}

/// A sync in the background fails, and nobody commits any more: closing tells that what
/// was acknowledged at a lower level may be lost.
#[test]
fn closing_tells_of_a_sync_that_failed_in_the_background() {
    let machine = Machine::new(1);
    let (db, clock) = open(&machine, normal(10)).unwrap();
    commit(&db, 1, None).unwrap();
    clock.advance(Duration::from_millis(20));
    machine.0.plan_next(OperationKind::Sync, Fault::Io);
    db.step(10);
    let error = db.close().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reopen, "{error}");
    let found = prefix(&machine.open().unwrap()).unwrap();
    assert!(found <= 1);
}
