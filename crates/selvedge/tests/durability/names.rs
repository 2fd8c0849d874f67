//! Names, and entities of every shape and size, through the log and through data files.

use selvedge::prelude::*;
use selvedge::{Result, SyncLevel, limits};

use crate::machine::{DIR, Machine};
use crate::state::State;

/// Compares memory with what a crash leaves, and with what a close leaves.
fn expect_survival(machine: &Machine, db: Db) -> Result<Db> {
    let state = State::checked(&db)?;
    let db = machine.crash_and_open(db)?;
    assert_eq!(State::checked(&db)?, state, "from the log");
    db.checkpoint()?;
    assert_eq!(State::checked(&db)?, state, "from memory, with documents let go of");
    let db = machine.crash_and_open(db)?;
    assert_eq!(State::checked(&db)?, state, "from the checkpoint");
    db.close()?;
    let db = machine.open()?;
    assert_eq!(State::checked(&db)?, state, "after closing");
    Ok(db)
}

/// Labels and edge types, with their definitions, also where nothing has them any more;
/// and the rules that they make hold on.
#[test]
fn labels_and_edge_types() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    db.define_edge_type("PAID", EdgeTypeDef::multi().from("User").to("Shop")).unwrap();
    db.define_edge_type("LIKES", EdgeTypeDef::unique().from("User")).unwrap();
    db.define_edge_type("UNUSED", EdgeTypeDef::multi().to("Nobody")).unwrap();
    let user = db.insert_node("User", "u", doc! {}).unwrap();
    let shop = db.insert_node("Shop", "s", doc! {}).unwrap();
    let gone = db.insert_node("Gone", None, doc! {}).unwrap();
    db.link_nodes(user, "IMPLIED", gone, doc! {}).unwrap();
    db.delete_node(gone).unwrap();
    for amount in 0..3 {
        db.link_nodes(user, "PAID", shop, doc! { "amount": amount }).unwrap();
    }
    db.link_nodes(user, "PAID", shop, doc! {}).unwrap();
    db.link_nodes(user, "LIKES", user, doc! { "why": "self" }).unwrap();
    let db = expect_survival(&machine, db).unwrap();
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.edge_types().unwrap(), ["IMPLIED", "LIKES", "PAID", "UNUSED"]);
    assert_eq!(snapshot.labels().unwrap(), ["Gone", "Shop", "User"]);
    assert_eq!(snapshot.edges_between(user, "PAID", shop).unwrap().len(), 4);
    let wrong = [
        db.link_nodes(shop, "PAID", user, doc! {}).map(drop),
        db.link_nodes(shop, "LIKES", user, doc! {}).map(drop),
        db.define_edge_type("PAID", EdgeTypeDef::unique()),
    ];
    assert!(wrong.iter().all(Result::is_err), "{wrong:?}");
    db.define_edge_type("LIKES", EdgeTypeDef::unique().from("User")).unwrap();
    // Unique: linked again, the one edge has a new document.
    db.link_nodes(user, "LIKES", user, doc! { "why": "new" }).unwrap();
    assert_eq!(db.snapshot().unwrap().count_edges("LIKES").unwrap(), 1);
    expect_survival(&machine, db).unwrap();
}

/// Names that only rolled-back or refused transactions used leave no trace.
#[test]
fn rolled_back_names_leave_no_trace() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let kept = db.insert_node("Kept", "k", doc! {}).unwrap();
    let mut transaction = db.begin(&TransactionOptions::new()).unwrap();
    let node = transaction.insert_node("Ghost", "g", doc! {}).unwrap();
    transaction.link_nodes(kept, "HAUNTS", node, doc! {}).unwrap();
    transaction.define_edge_type("DEFINED", EdgeTypeDef::multi()).unwrap();
    db.checkpoint().unwrap();
    drop(transaction);
    let mut refused = db.begin(&TransactionOptions::new()).unwrap();
    refused.insert_node("Refused", None, doc! {}).unwrap();
    refused.set(kept, "n", 1).unwrap();
    db.set(kept, "n", 2).unwrap();
    refused.commit().unwrap_err();
    // In a commit that did happen, what it undid is no part of it.
    db.transaction(|ctx| {
        let savepoint = ctx.savepoint()?;
        ctx.insert_node("Undone", None, doc! {})?;
        ctx.rollback_to(savepoint)?;
        let node = ctx.insert_node("Brief", None, doc! {})?;
        ctx.delete_node(node)?;
        ctx.set(kept, "n", 3)
    })
    .unwrap();
    let labels = db.snapshot().unwrap().labels().unwrap();
    let db = expect_survival(&machine, db).unwrap();
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.labels().unwrap(), labels);
    assert!(!labels.iter().any(|label| ["Ghost", "Refused", "Undone"].contains(&&**label)));
    assert_eq!(snapshot.edge_types().unwrap(), Vec::<String>::new());
    // Their numbers are free for others.
    db.insert_node("Another", None, doc! {}).unwrap();
    db.link_nodes(kept, "ANOTHER", kept, doc! {}).unwrap();
    expect_survival(&machine, db).unwrap();
}

/// Two transactions that reserve the same new name, one of which commits.
#[test]
fn a_name_that_two_reserved() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let mut first = db.begin(&TransactionOptions::new()).unwrap();
    let mut second = db.begin(&TransactionOptions::new()).unwrap();
    let a = first.insert_node("New", "a", doc! {}).unwrap();
    let b = second.insert_node("New", "b", doc! {}).unwrap();
    first.link_nodes(a, "TIE", a, doc! {}).unwrap();
    second.link_nodes(b, "TIE", b, doc! { "n": 1 }).unwrap();
    second.commit().unwrap();
    let _ = first.commit();
    expect_survival(&machine, db).unwrap();
}

/// Names and keys of all lengths and characters.
#[test]
fn names_and_keys_of_all_sorts() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let longest_name = "n".repeat(limits::NAME_BYTES_MAX);
    let longest_key = "k".repeat(limits::NODE_KEY_BYTES_MAX);
    for label in ["N", "名前", "a b\tc", "\0", &longest_name] {
        let mut last = None;
        for key in ["", "k", "ключ 🔑", "a/b", "\0\0", &longest_key] {
            let node = db.insert_node(label, key, doc! { "key": key }).unwrap();
            db.link_nodes(node, label, last.unwrap_or(node), doc! {}).unwrap();
            last = Some(node);
        }
    }
    expect_survival(&machine, db).unwrap();
}

/// A hub, loops, edges of several types and directions, with and without documents, and
/// what was unlinked, deleted and made again.
#[test]
fn edges_of_all_sorts() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    db.define_edge_type("MULTI", EdgeTypeDef::multi()).unwrap();
    let hub = db.insert_node("Hub", "hub", doc! {}).unwrap();
    let leaves = db
        .transaction(|ctx| {
            let leaves: Vec<_> = (0..5_000)
                .map(|_| ctx.insert_node("Leaf", None, doc! {}))
                .collect::<Result<_>>()?;
            for (n, leaf) in leaves.iter().enumerate() {
                let document = if n % 10 == 0 {
                    doc! { "n": n as i64 }
                } else {
                    doc! {}
                };
                ctx.link_nodes(hub, if n % 2 == 0 { "EVEN" } else { "ODD" }, *leaf, document)?;
            }
            Ok::<_, Error>(leaves)
        })
        .unwrap();
    let loops: Vec<_> =
        (0..3).map(|n| db.link_nodes(hub, "MULTI", hub, doc! { "n": n }).unwrap()).collect();
    db.unlink_edge(loops[1]).unwrap();
    db.set_edge(loops[2], doc! { "more": "x".repeat(500) }).unwrap();
    db.unlink_nodes(hub, "EVEN", leaves[0]).unwrap();
    db.link_nodes(hub, "EVEN", leaves[0], doc! { "again": true }).unwrap();
    db.delete_node(leaves[2]).unwrap();
    db.unlink_nodes(hub, "ODD", leaves[1]).unwrap();
    db.compact().unwrap();
    let db = expect_survival(&machine, db).unwrap();
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.degree(hub, Direction::Out, None).unwrap(), 5_000 - 2 + 2);
    drop(snapshot);
    db.delete_node(hub).unwrap();
    let db = expect_survival(&machine, db).unwrap();
    assert_eq!(db.snapshot().unwrap().edge_count().unwrap(), 0);
}

/// Documents from the empty to the largest there may be.
#[test]
fn documents_of_all_sizes() {
    let machine = Machine::new(1);
    let db = machine.builder().log_segment_bytes(1 << 20).open(DIR).unwrap();
    let mut text = limits::DOCUMENT_BYTES_MAX - 64;
    let largest = loop {
        match db.insert_node("N", "largest", doc! { "text": "x".repeat(text) }) {
            Ok(node) => break node,
            Err(_) => text -= 16,
        }
    };
    for bytes in (0..80).chain([255, 256, 4095, 4096, 65_535, 65_536, 1 << 20]) {
        let node =
            db.insert_node("N", &*format!("{bytes}"), doc! { "t": "y".repeat(bytes) }).unwrap();
        db.link_nodes(largest, "TO", node, doc! { "t": "z".repeat(bytes) }).unwrap();
    }
    db.insert_node("N", "empty", doc! {}).unwrap();
    expect_survival(&machine, db).unwrap();
}

/// Commits larger than a segment, and larger than what may wait in memory; also such that
/// nobody waits for, with others on both sides.
#[test]
fn commits_larger_than_the_buffer() {
    let machine = Machine::new(1);
    let db = machine.builder().log_segment_bytes(1 << 20).open(DIR).unwrap();
    for (round, level) in [SyncLevel::Full, SyncLevel::Off].into_iter().enumerate() {
        let options = TransactionOptions::new().sync(level);
        db.insert_node("N", None, doc! { "round": round as i64 }).unwrap();
        db.transaction_with(&options, |ctx| {
            (0..9).try_for_each(|n| {
                let text = "t".repeat(2 << 20);
                ctx.insert_node("Big", &*format!("{round} {n}"), doc! { "text": text }).map(drop)
            })
        })
        .unwrap();
        db.insert_node("N", None, doc! { "round": round as i64 }).unwrap();
    }
    let count = |db: &Db| db.snapshot().unwrap().count("Big").unwrap();
    assert_eq!(count(&db), 18);
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(count(&db), 18);
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}
