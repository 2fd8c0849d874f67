//! Every way to write keeps the definition, and stages nothing when it does not.

use selvedge::prelude::*;
use selvedge::{Define, EdgeDef, ErrorKind, FieldDef, NodeDef};

fn user() -> NodeDef {
    NodeDef::new("User")
        .field(FieldDef::string("name"))
        .field(FieldDef::int("age").optional().min(0).max(150))
        .field(FieldDef::bool("active").default(true))
        .field(FieldDef::map("address").optional())
}

fn knows() -> EdgeDef {
    EdgeDef::unique("KNOWS").from("User").to("User").field(FieldDef::int("since").min(1900))
}

fn database() -> Db {
    let db = Db::in_memory();
    db.define([Define::from(user()), knows().into()]).expect("nothing is there yet");
    db
}

fn document(db: &Db, node: NodeId) -> Document {
    let snapshot = db.snapshot().expect("few are open");
    snapshot.node(node).expect("in memory").expect("inserted").document().to_document()
}

const NAME_MISSING: &str = "label \"User\", field `name`: a required string is missing";
const AGE_IS_TEXT: &str = "label \"User\", field `age`: expected int, found string";
const SINCE_MISSING: &str = "edge type \"KNOWS\", field `since`: a required int is missing";

fn refused<T: std::fmt::Debug>(result: selvedge::Result<T>, expected: &str) {
    let error = result.expect_err(expected);
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.kind(), ErrorKind::Input);
}

#[test]
fn single_operations_keep_it() {
    let db = database();
    refused(db.insert_node("User", "a", doc! {}), NAME_MISSING);
    refused(
        db.upsert_node("User", "a", doc! { "nam": "x" }),
        "label \"User\", field `nam`: the definition has no such field; did you mean `name`?",
    );
    let node = db.insert_node("User", "a", doc! { "name": "A" }).expect("fits");
    assert_eq!(document(&db, node), doc! { "active": true, "name": "A" });
    refused(db.set(node, "age", "31"), AGE_IS_TEXT);
    refused(
        db.set(node, "age", 151),
        "label \"User\", field `age`: 151 is not within the maximum 150",
    );
    refused(
        db.set_many(node, doc! { "age": 3, "agee": 3 }),
        "label \"User\", field `agee`: the definition has no such field; did you mean `age`?",
    );
    refused(db.unset(node, "name"), NAME_MISSING);
    refused(db.replace(node, doc! { "age": 3 }), NAME_MISSING);
    refused(db.upsert_node("User", "a", doc! {}), NAME_MISSING);
    assert_eq!(document(&db, node), doc! { "active": true, "name": "A" });
    db.set(node, "active", false).expect("fits");
    assert!(db.unset(node, "active").expect("there"), "and gets its default again");
    assert_eq!(document(&db, node), doc! { "active": true, "name": "A" });
    // Labels without a definition take anything.
    db.insert_node("Other", None, doc! { "age": "31" }).expect("undefined");
}

#[test]
fn edges_keep_it() {
    let db = database();
    let user = |key: &str| db.insert_node("User", key, doc! { "name": key }).expect("fits");
    let (a, b) = (user("a"), user("b"));
    refused(db.link_nodes(a, "KNOWS", b, doc! {}), SINCE_MISSING);
    let other = db.insert_node("Other", None, doc! {}).expect("undefined");
    assert!(db.link_nodes(a, "KNOWS", other, doc! { "since": 2020 }).is_err());
    let edge = db.link_nodes(a, "KNOWS", b, doc! { "since": 2020 }).expect("fits");
    refused(
        db.set_edge(edge, doc! { "since": 1 }),
        "edge type \"KNOWS\", field `since`: 1 is below the minimum 1900",
    );
    db.transaction(|ctx| {
        refused(ctx.unset_edge(edge, "since"), SINCE_MISSING);
        refused(ctx.replace_edge(edge, doc! {}), SINCE_MISSING);
        refused(ctx.link_nodes(a, "KNOWS", b, doc! {}), SINCE_MISSING);
        ctx.set_edge(edge, doc! { "since": 2021 })
    })
    .expect("what was refused left nothing");
    let snapshot = db.snapshot().expect("few are open");
    let edge = snapshot.edge(a, "KNOWS", b).expect("in memory").expect("linked");
    assert_eq!(edge.document().to_document(), doc! { "since": 2021 });
}

#[test]
fn batches_keep_it_as_a_whole() {
    let db = database();
    let ops =
        [Op::insert_node("User", "a", doc! { "name": "A" }), Op::set(("User", "a"), "age", "31")];
    refused(db.batch(ops), &format!("operation 1 of the batch: {AGE_IS_TEXT}"));
    assert_eq!(db.snapshot().and_then(|at| at.count("User")), Ok(0));
}

#[test]
fn a_transaction_goes_on_after_a_refusal() {
    let db = database();
    let node = db
        .transaction(|ctx| {
            let node = ctx.insert_node("User", "a", doc! { "name": "A" })?;
            let before = ctx.savepoint()?;
            refused(ctx.set_path(node, "address.city", 3).and(ctx.set(node, "age", "31")), AGE_IS_TEXT);
            refused(ctx.insert_node("User", "b", doc! {}), NAME_MISSING);
            assert_eq!(ctx.count("User")?, 1);
            assert!(ctx.get_node("User", "b")?.is_none());
            ctx.rollback_to(before)?;
            ctx.set_path(node, "address.city", "Oslo")?;
            refused(ctx.set_path(node, "adress.city", 3), "label \"User\", field `adress`: the definition has no such field; did you mean `address`?");
            Ok::<_, Error>(node)
        })
        .expect("what was refused left nothing");
    let expected = doc! { "active": true, "address": { "city": "Oslo" }, "name": "A" };
    assert_eq!(document(&db, node), expected);
    db.delete_node(node).expect("there");
}

#[test]
fn a_key_stands_for_its_field() {
    let db = Db::in_memory();
    db.define([NodeDef::new("City").key("name")]).expect("nothing is there yet");
    refused(
        db.insert_node("City", None, doc! {}),
        "label \"City\", key field `name`: the node has no key; insert it with one",
    );
    let city = db.insert_node("City", "oslo", doc! { "name": "oslo" }).expect("the same");
    refused(
        db.set(city, "name", "bergen"),
        "label \"City\", field `name`: it stands for the key, which is \"oslo\", but holds \"bergen\"",
    );
}

/// A transaction that began before a label was defined must not commit what the
/// definition forbids, whatever it wrote.
#[test]
fn what_was_defined_meanwhile_is_a_conflict() {
    let db = Db::in_memory();
    let document = doc! { "active": true, "name": "old" };
    let old = db.insert_node("User", "old", document).expect("undefined");
    let options = TransactionOptions::new();
    let begin = || db.begin(&options).expect("few are open");
    let (mut inserts, mut sets, mut deletes, mut links, mut elsewhere) =
        (begin(), begin(), begin(), begin(), begin());
    inserts.insert_node("User", "new", doc! { "age": "31" }).expect("undefined");
    sets.set(old, "age", "31").expect("undefined");
    deletes.delete_node(old).expect("there");
    links.link_nodes(old, "KNOWS", old, doc! {}).expect("undefined");
    elsewhere.insert_node("Other", None, doc! {}).expect("undefined");
    db.define([
        Define::from(user()),
        EdgeDef::unique("KNOWS").field(FieldDef::int("since")).into(),
    ])
    .expect("what is there fits");
    for refused in [inserts, sets, deletes, links] {
        let error = refused.commit().expect_err("defined meanwhile");
        assert!(error.is_retryable(), "{error}");
        let conflict = error.conflict().expect("is one");
        assert_eq!(conflict.kind, selvedge::ConflictKind::Definition);
    }
    assert_eq!(db.statistics().conflicts_definition, 4);
    elsewhere.commit().expect("another label");
    assert_eq!(db.check(), Ok(vec![]));
}
