//! Keyspaces and the graph in one transaction, at both levels of isolation.

use selvedge::prelude::*;
use selvedge::{Selection, key};

#[test]
fn both_change_together_or_not_at_all() {
    let db = Db::in_memory();
    let stamp = db.kv().atomic().set(&key!["a"], 1_u64).commit().unwrap().committed().unwrap();
    let failed = db.transaction(|ctx| {
        ctx.insert_node("User", "alice", doc! {})?;
        ctx.kv().set(&key!["b"], 1_u64)?;
        ctx.kv().check(&key!["a"], None)?;
        Ok::<_, Error>(())
    });
    assert_eq!(failed, Err(Error::ChecksFailed(vec![0])));
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.count("User").unwrap(), 0);
    assert!(snapshot.kv().get(&key!["b"]).unwrap().is_none());
    db.transaction(|ctx| {
        ctx.insert_node("User", "alice", doc! {})?;
        ctx.kv().set(&key!["b"], 1_u64)?;
        ctx.kv().check(&key!["a"], Some(stamp.versionstamp()))?;
        Ok::<_, Error>(())
    })
    .unwrap();
    let snapshot = db.snapshot().unwrap();
    let written = snapshot.kv().get(&key!["b"]).unwrap().unwrap();
    assert_eq!(written.versionstamp().unwrap().timestamp(), snapshot.timestamp());
}

#[test]
fn the_first_committer_wins() {
    let db = Db::in_memory();
    let options = TransactionOptions::new();
    let (mut one, mut other) = (db.begin(&options).unwrap(), db.begin(&options).unwrap());
    one.kv().set(&key!["a"], 1_u64).unwrap();
    other.kv().set(&key!["a"], 2_u64).unwrap();
    one.kv().sum(&key!["n"], 1).unwrap();
    one.commit().unwrap();
    let conflict = other.commit().unwrap_err();
    assert!(conflict.is_retryable());
    assert!(conflict.to_string().contains(r#"entry ["a"]"#), "{conflict}");
    // Sums do not conflict.
    let (mut one, mut other) = (db.begin(&options).unwrap(), db.begin(&options).unwrap());
    one.kv().sum(&key!["n"], 1).unwrap();
    other.kv().sum(&key!["n"], 1).unwrap();
    one.commit().unwrap();
    other.commit().unwrap();
    assert_eq!(db.kv().get(&key!["n"]).unwrap().unwrap().number(), Some(3));
}

#[test]
fn serializable_transactions_validate_what_they_read() {
    let db = Db::in_memory();
    db.kv().set(&key!["on", 1], 1_u64).unwrap();
    let options = TransactionOptions::serializable();
    for by_range in [false, true] {
        let mut reads = db.begin(&options).unwrap();
        let mut kv = reads.kv();
        if by_range {
            assert_eq!(kv.view().count(Selection::prefix(&key!["on"])).unwrap(), 1);
        } else {
            assert!(kv.get(&key!["on", 2]).unwrap().is_none());
        }
        kv.set(&key!["other"], 1_u64).unwrap();
        db.kv().set(&key!["on", 2], 1_u64).unwrap();
        assert!(reads.commit().unwrap_err().is_retryable(), "by range: {by_range}");
        db.kv().delete(&key!["on", 2]).unwrap();
    }
    // What was not looked at may change.
    let mut reads = db.begin(&options).unwrap();
    let first = reads.kv().range(Selection::prefix(&key!["on"])).unwrap().next().is_some();
    assert!(first);
    reads.kv().set(&key!["other"], 2_u64).unwrap();
    db.kv().set(&key!["on", 2], 1_u64).unwrap();
    reads.commit().unwrap();
    // One that only reads is consistent in itself.
    let mut reads = db.begin(&options).unwrap();
    assert!(reads.kv().get(&key!["on", 2]).unwrap().is_some());
    db.kv().delete(&key!["on", 2]).unwrap();
    let at = db.timestamp();
    reads.commit().unwrap();
    assert_eq!(db.timestamp(), at, "and commits nothing");
}

#[test]
fn savepoints_undo_entries_as_well() {
    let db = Db::in_memory();
    db.transaction(|ctx| {
        ctx.kv().set(&key!["a"], 1_u64)?;
        let before = ctx.savepoint()?;
        ctx.kv().set(&key!["a"], 2_u64)?;
        ctx.kv().set(&key!["b"], 2_u64)?;
        ctx.insert_node("User", "bob", doc! {})?;
        assert_eq!(ctx.kv().get(&key!["a"])?.and_then(|a| a.number()), Some(2));
        ctx.rollback_to(before)?;
        assert_eq!(ctx.kv().get(&key!["a"])?.and_then(|a| a.number()), Some(1));
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!(db.kv().count(Selection::all()).unwrap(), 1);
    assert_eq!(db.snapshot().unwrap().count("User").unwrap(), 0);
}
