//! Ids and timestamps are never given out twice, whatever ends the process.

use std::collections::HashSet;

use selvedge::prelude::*;
use selvedge::{EdgeId, SyncLevel};

use crate::machine::{DIR, Machine};

/// All that was ever given out.
#[derive(Default)]
struct Given {
    nodes: HashSet<NodeId>,
    edges: HashSet<EdgeId>,
    timestamps: HashSet<Timestamp>,
}

impl Given {
    /// Takes some of each, in transactions that commit and others that do not.
    fn take(&mut self, db: &Db) -> selvedge::Result<()> {
        for turn in 0..6 {
            let mut transaction = db.begin(&TransactionOptions::new())?;
            let a = transaction.insert_node("N", None, doc! {})?;
            let b = transaction.insert_node("N", None, doc! {})?;
            let edge = transaction.link_nodes(a, "TO", b, doc! { "n": 1 })?;
            for node in [a, b] {
                assert!(self.nodes.insert(node), "{node} came before");
            }
            let edge = edge.id.expect("its type allows several");
            assert!(self.edges.insert(edge), "{edge} came before");
            if turn % 3 < 2 {
                let timestamp = transaction.commit()?;
                assert!(self.timestamps.insert(timestamp), "{timestamp} came before");
            }
        }
        Ok(())
    }
}

/// Crashes, kills and closes in turn, with and without a checkpoint, with and without
/// syncs: also what only a reader saw, or nobody, never comes again.
#[test]
fn nothing_is_given_out_twice() {
    for level in [SyncLevel::Full, SyncLevel::Off] {
        let machine = Machine::new(6);
        let mut given = Given::default();
        for life in 0..24 {
            let db = machine.builder().sync(level).open(DIR).unwrap();
            db.define_edge_type("TO", EdgeTypeDef::multi()).unwrap();
            given.take(&db).unwrap();
            if life % 3 == 1 {
                db.checkpoint().unwrap();
                given.take(&db).unwrap();
            }
            if life % 5 == 2 {
                db.step(10);
            }
            match life % 4 {
                0 => machine.0.crash(),
                1 => machine.0.kill(),
                2 => db.clone().close().unwrap(),
                _ => {}
            }
        }
        let count = given.timestamps.len();
        assert!(count > 100, "{count}");
    }
}

/// After a clean end, by closing or dropping, ids and timestamps go on without a gap.
#[test]
fn after_a_clean_end_there_is_no_gap() {
    let machine = Machine::new(1);
    machine.open().unwrap().define_edge_type("TO", EdgeTypeDef::multi()).unwrap();
    let (mut node, mut timestamp, mut edge) = (0, 1, 0);
    for life in 0..6 {
        let db = machine.open().unwrap();
        assert_eq!(db.timestamp().get(), timestamp);
        let first = db.insert_node("N", None, doc! {}).unwrap();
        let linked = db.link_nodes(first, "TO", first, doc! { "n": 1 }).unwrap().id.unwrap();
        let mut rolled_back = db.begin(&TransactionOptions::new()).unwrap();
        let second = rolled_back.insert_node("N", None, doc! {}).unwrap();
        rolled_back.rollback();
        (node, timestamp, edge) = (node + 2, timestamp + 2, edge + 1);
        assert_eq!((first.get(), second.get(), linked.get()), (node - 1, node, edge));
        if life % 2 == 0 {
            db.close().unwrap()
        } else {
            drop(db)
        }
        machine.0.crash();
    }
}

/// The ids of nodes and edges that were deleted do not come back either, not even when
/// all trace of them is gone from the log and the data files.
#[test]
fn ids_of_what_was_deleted_do_not_come_back() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    db.define_edge_type("TO", EdgeTypeDef::multi()).unwrap();
    let kept = db.insert_node("N", None, doc! {}).unwrap();
    let gone = db.insert_node("N", None, doc! {}).unwrap();
    let edge = db.link_nodes(kept, "TO", gone, doc! { "n": 1 }).unwrap().id;
    db.delete_node(gone).unwrap();
    db.close().unwrap();
    for _ in 0..2 {
        machine.open().unwrap().close().unwrap();
    }
    let db = machine.open().unwrap();
    let next = db.insert_node("N", None, doc! {}).unwrap();
    assert!(next > gone, "{next}");
    assert!(db.link_nodes(kept, "TO", next, doc! { "n": 1 }).unwrap().id > edge);
}

/// Timestamps go forward in every life: a version that somebody remembers from before a
/// crash is never that of something else.
#[test]
fn timestamps_go_forward_over_a_crash() {
    let machine = Machine::new(3);
    let db = machine.builder().sync(SyncLevel::Off).open(DIR).unwrap();
    let node = db.insert_node("N", "node", doc! { "n": 1 }).unwrap();
    let options = TransactionOptions::new().sync(SyncLevel::Full);
    db.transaction_with(&options, |ctx| ctx.set(node, "n", 2)).unwrap();
    let durable = db.timestamp();
    db.set(node, "n", 3).unwrap();
    let lost = db.snapshot().unwrap().node(node).unwrap().unwrap().version();
    let db = machine.crash_and_open(db).unwrap();
    let snapshot = db.snapshot().unwrap();
    let found = snapshot.node(node).unwrap().unwrap();
    assert!(found.version() == Some(durable) || found.version() == lost);
    let is_lost = found.version() != lost;
    assert!(is_lost, "with this seed it is");
    assert!(snapshot.timestamp() > lost.unwrap(), "behind all that was seen");
    db.set(node, "n", 4).unwrap();
    let stale = db.transaction(|ctx| {
        ctx.check(node, lost);
        ctx.set(node, "n", 5)
    });
    assert!(matches!(stale, Err(Error::CheckFailed { .. })), "{stale:?}");
}
