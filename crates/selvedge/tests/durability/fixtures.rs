//! The format of the files, pinned: a database that an earlier version has made is read
//! as it was written.

use std::fs;
use std::path::{Path, PathBuf};

use selvedge::prelude::*;
use selvedge::{DateTime, Result, limits};

use crate::machine::Place;
use crate::state::State;

/// The database of a format: made by the first version that has it, never again.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A document with a value of every type.
fn everything() -> Document {
    let at = DateTime::from_micros(1_700_000_000_123_456);
    doc! {
        "null": Value::Null,
        "bool": true,
        "i64": i64::MIN,
        "u64": u64::MAX,
        "f64": -0.5,
        "string": "žluťoučký 🐎",
        "bytes": Value::Bytes(vec![0, 255, 7]),
        "timestamp": at,
        "vector": Value::Vector(vec![1.0, -2.5, 0.0]),
        "list": Value::List(vec![Value::I64(1), Value::from("two"), Value::List(Vec::new())]),
        "map": Value::Map(doc! { "inner": doc! { "n": 1 } }),
    }
}

/// What the database of format 1 contains: some of it in a checkpoint, some in a second
/// one, some in the log.
fn fill_1(db: &Db) -> Result<()> {
    db.define_edge_type("PAID", EdgeTypeDef::multi().from("User").to("Shop"))?;
    let (alice, shop) = db.transaction(|ctx| {
        let alice = ctx.insert_node("User", "alice", everything())?;
        let shop =
            ctx.insert_node("Shop", "shop", doc! { "name": "Corner", "text": "s".repeat(300) })?;
        let nobody = ctx.insert_node("User", None, doc! {})?;
        ctx.link_nodes(alice, "PAID", shop, doc! { "amount": 10 })?;
        ctx.link_nodes(alice, "PAID", shop, doc! { "amount": 20, "text": "p".repeat(200) })?;
        ctx.link_nodes(alice, "PAID", shop, doc! {})?;
        ctx.link_nodes(alice, "KNOWS", nobody, doc! { "since": 2020 })?;
        ctx.link_nodes(nobody, "KNOWS", nobody, doc! {})?;
        Ok::<_, Error>((alice, shop))
    })?;
    let brief = db.insert_node("Brief", "brief", doc! { "text": "b".repeat(400) })?;
    db.checkpoint()?;
    db.delete_node(brief)?;
    db.set(shop, "name", "Market")?;
    for n in 0..40 {
        db.insert_node(
            "Many",
            &*format!("{n}"),
            doc! { "n": n, "text": "m".repeat(n as usize * 3) },
        )?;
    }
    db.checkpoint()?;
    db.transaction(|ctx| {
        let bob = ctx.insert_node("User", "bob", everything())?;
        ctx.link_nodes(bob, "KNOWS", alice, doc! { "since": 2021 })?;
        ctx.link_nodes(bob, "PAID", shop, doc! { "amount": 30 })?;
        let key = "k".repeat(limits::NODE_KEY_BYTES_MAX / 4);
        ctx.insert_node("Many", &*key, doc! {})?;
        Ok::<_, Error>(())
    })?;
    let many = db.snapshot()?.get_node("Many", "7")?.expect("inserted").id();
    db.delete_node(many)?;
    db.unset(shop, "text")?;
    Ok(())
}

/// Makes the database of format 1. Only to be run if format 1 changes, which it must not
/// once anybody has files of it.
#[test]
#[ignore = "makes the fixture; its files are pinned"]
fn make_format_1() {
    let path = fixture("format-1");
    let _ = fs::remove_dir_all(&path);
    let db = Db::builder().log_segment_bytes(4096).open(&path).unwrap();
    fill_1(&db).unwrap();
    drop(db);
    fs::remove_file(path.join("lock")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the fixture") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("there is space");
    }
}

/// The database of format 1 is read as it was written, down to ids and versions; and can
/// be written on.
#[test]
fn format_1_is_read() {
    let place = Place::new();
    copy(&fixture("format-1"), &place.path());
    // What this version makes of the same commits.
    let fresh = Db::open(place.path_of("fresh")).unwrap();
    fill_1(&fresh).unwrap();
    let reader = Db::builder().read_only().open(place.path()).unwrap();
    let found = State::checked(&reader).unwrap();
    assert_eq!(found, State::checked(&fresh).unwrap());
    drop(reader);
    let db = Db::builder().existing().open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap(), found);
    assert!(db.statistics().storage.unwrap().recovery.commits > 0, "some of it from the log");
    expect_by_hand(&db).unwrap();
    let next = db.insert_node("User", "next", doc! {}).unwrap();
    assert_eq!(next.get(), found.nodes.keys().last().unwrap().get() + 1, "it was closed cleanly");
    db.close().unwrap();
    let db = Db::open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap().nodes.len(), found.nodes.len() + 1);
}

/// Some of it spelled out, so that no mistake is made twice.
fn expect_by_hand(db: &Db) -> Result<()> {
    let snapshot = db.snapshot()?;
    let alice = snapshot.get_node("User", "alice")?.expect("alice");
    assert_eq!((alice.id().get(), alice.version()), (1, Some(Timestamp::new(2))));
    let document = alice.document().to_document();
    assert_eq!(document, everything());
    assert_eq!(document.len(), 11);
    assert_eq!(document.get("i64"), Some(&Value::I64(i64::MIN)));
    let bob = snapshot.get_node("User", "bob")?.expect("bob");
    assert_eq!(bob.document().to_document(), everything());
    let shop = snapshot.get_node("Shop", "shop")?.expect("the shop");
    assert_eq!(shop.document().to_document(), doc! { "name": "Market" });
    let paid = snapshot.edges_between(alice.id(), "PAID", shop.id())?;
    let amounts: Vec<_> = paid.iter().map(|edge| edge.get("amount")?.as_i64()).collect();
    assert_eq!(amounts, [Some(10), Some(20), None]);
    let def = snapshot.edge_type_def("PAID")?.expect("defined");
    assert_eq!(def, EdgeTypeDef::multi().from("User").to("Shop"));
    assert_eq!(snapshot.count("Many")?, 40);
    assert_eq!(snapshot.count("Brief")?, 0);
    assert!(
        snapshot.get_node("Many", "7")?.is_none() && snapshot.get_node("Brief", "brief")?.is_none()
    );
    assert_eq!(snapshot.labels()?, ["Brief", "Many", "Shop", "User"]);
    assert_eq!(snapshot.edge_types()?, ["KNOWS", "PAID"]);
    assert_eq!(snapshot.timestamp(), Timestamp::new(48));
    Ok(())
}
