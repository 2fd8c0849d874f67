//! What a database in memory makes of the operations of one on disk.

use selvedge::prelude::*;
use selvedge::{Background, Db, SyncLevel};

use crate::machine::Machine;
use crate::state::State;

/// There is no file to write a checkpoint to; checks, durable snapshots and sync levels
/// work as they do on disk, as far as they can.
#[test]
fn operations_of_disks_in_memory() {
    let db = Db::in_memory();
    let node = db.insert_node("N", "node", doc! { "n": 1 }).unwrap();
    assert!(matches!(db.checkpoint(), Err(Error::Closed)));
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
    db.reopen().unwrap();
    for level in [SyncLevel::Full, SyncLevel::Off] {
        let options = TransactionOptions::new().sync(level);
        db.transaction_with(&options, |ctx| ctx.set(node, "n", 2)).unwrap();
    }
    assert_eq!(db.snapshot_durable().unwrap().count("N").unwrap(), 1);
    assert!(db.statistics().storage.is_none());
}

/// Closed is closed: snapshots are read on, nothing is begun or committed.
#[test]
fn closing_in_memory() {
    let db = Db::builder().background(Background::Manual).in_memory();
    let node = db.insert_node("N", "node", doc! { "n": 1 }).unwrap();
    let (snapshot, clone) = (db.snapshot().unwrap(), db.clone());
    let mut begun = db.begin(&TransactionOptions::new()).unwrap();
    begun.set(node, "n", 2).unwrap();
    db.close().unwrap();
    assert_eq!(State::of(&snapshot).unwrap().nodes.len(), 1);
    assert!(matches!(begun.commit(), Err(Error::Closed)));
    assert!(matches!(clone.insert_node("N", None, doc! {}), Err(Error::Closed)));
    assert!(matches!(clone.snapshot(), Err(Error::Closed)));
    assert!(matches!(clone.snapshot_durable(), Err(Error::Closed)));
    assert!(matches!(clone.check(), Err(Error::Closed)));
    assert!(matches!(clone.compact(), Err(Error::Closed)));
    assert!(matches!(clone.reopen(), Err(Error::Closed)));
    assert!(!clone.step(10));
    assert_eq!(clone.statistics().commits, 1);
    clone.close().unwrap();
    assert_eq!(State::of(&snapshot).unwrap().nodes.len(), 1);
}

/// A database in memory touches no file.
#[test]
fn memory_touches_no_file() {
    let machine = Machine::new(1);
    let db = machine.builder().in_memory();
    db.insert_node("N", None, doc! { "text": "x".repeat(1000) }).unwrap();
    db.step(10);
    db.close().unwrap();
    assert_eq!(machine.0.operation_count(), 0);
}
