//! Migrations: what they make of documents, what they refuse, and that they are
//! carried out as a whole.

use selvedge::prelude::*;
use selvedge::{Define, EdgeDef, FieldDef, FieldType, MigrationProgress, NodeDef, Owner, Phase};

fn user() -> NodeDef {
    NodeDef::new("User")
        .key("id")
        .field(FieldDef::string("nick"))
        .field(FieldDef::int("age").optional())
        .field(FieldDef::any("old").optional())
}

/// A database of users; the node with number `n` has the document `document(n)`.
fn users(count: usize, document: impl Fn(usize) -> Document) -> (Db, Vec<NodeId>) {
    let db = Db::in_memory();
    db.define([user()]).expect("new");
    let insert = |ctx: &mut Transaction<'_>, n: usize| {
        ctx.insert_node("User", &*format!("u{n}"), document(n))
    };
    let ids = db.transaction(|ctx| (0..count).map(|n| insert(ctx, n)).collect());
    (db, ids.expect("they fit"))
}

fn documents(db: &Db, ids: &[NodeId]) -> Vec<Document> {
    let snapshot = db.snapshot().expect("few are open");
    let node = |id: &NodeId| snapshot.node(*id).expect("in memory").expect("inserted");
    ids.iter().map(|id| node(id).document().to_document()).collect()
}

fn schema_text(db: &Db) -> String {
    let schema = db.schema().expect("few are open");
    let definition = schema.definition(&Owner::Label("User".to_owned())).expect("defined");
    assert!(definition.change().is_none(), "nothing is under way");
    let fields = definition.document().expect("defined").fields().iter();
    fields.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_step_does_what_it_says() {
    let (db, ids) = users(600, |n| doc! { "nick": format!("n{n}"), "old": n as i64 });
    let before = db.snapshot().expect("few are open");
    let mut reports: Vec<MigrationProgress> = Vec::new();
    db.migrate("User")
        .rename_field("nick", "alias")
        .drop_field("old")
        .add_field(FieldDef::new("tags", FieldType::list(FieldType::String)).default(["new"]))
        .change_field(FieldDef::int("age").default(18).min(0))
        .on_progress(|progress| reports.push(progress))
        .run()
        .expect("all of them fit");
    for (n, document) in documents(&db, &ids).into_iter().enumerate() {
        assert_eq!(document, doc! { "age": 18, "alias": format!("n{n}"), "tags": ["new"] });
    }
    let expected = "age: int, default 18, min 0; alias: string, required; \
        id: string, optional; tags: list of string, default [\"new\"]";
    assert_eq!(schema_text(&db), expected);
    let told: Vec<_> = reports.iter().map(ToString::to_string).collect();
    let label = "label \"User\"";
    let expected = ["verified 600", "converted 256", "converted 512", "converted 600"];
    assert_eq!(told, expected.map(|text| format!("{label}: {text} of 600")));
    assert_eq!(reports.first().map(|report| report.phase), Some(Phase::Verifying));
    // Who began before sees what was, and by which definition.
    let old = before.node(ids[7]).expect("in memory").expect("inserted").document().to_document();
    assert_eq!(old, doc! { "nick": "n7", "old": 7 });
    assert!(
        before.schema().expect("in memory").node("User").expect("defined").field("nick").is_some()
    );
    assert_eq!(db.check(), Ok(vec![]));
}

#[test]
fn presence_changes() {
    let (db, ids) = users(3, |n| doc! { "nick": "x", "age": n as i64 });
    db.migrate("User").make_required("age").make_optional("nick").run().expect("all have one");
    assert!(db.unset(ids[0], "age").is_err());
    assert!(db.unset(ids[0], "nick").is_ok());
    db.migrate("User").allow_unknown_fields(true).run().expect("nothing to verify");
    db.set(ids[0], "anything", 1).expect("allowed");
    let refused = db.migrate("User").allow_unknown_fields(false).run().expect_err("there is one");
    let expected = "node n1 does not keep the definition: label \"User\", field `anything`: \
        the definition has no such field; mend it, or define less";
    assert_eq!(refused.to_string(), expected);
}

/// The last node cannot be converted: not one document, and nothing of the schema, is
/// another one afterwards.
#[test]
fn a_migration_that_fails_changes_nothing() {
    let (db, ids) = users(700, |n| match n {
        699 => doc! { "nick": "last" },
        n => doc! { "nick": "x", "age": n as i64 },
    });
    let (before, schema) = (documents(&db, &ids), schema_text(&db));
    let refused = db.migrate("User").drop_field("nick").make_required("age").run();
    let expected = format!(
        "node {} does not keep the definition: label \"User\", field `age`: \
         a required int is missing; mend it, or define less",
        ids[699]
    );
    assert_eq!(refused.expect_err("one lacks it").to_string(), expected);
    assert_eq!((documents(&db, &ids), schema_text(&db)), (before, schema));
    db.set(ids[699], "age", 1).expect("by the old definition");
    db.unset(ids[0], "age").expect("by the old definition");
    db.set(ids[0], "age", 1).expect("by the old definition");
    db.migrate("User").drop_field("nick").make_required("age").run().expect("mended");
    let range = NodeDef::new("Other").field(FieldDef::int("n").max(3));
    db.insert_node("Other", None, doc! { "n": 4 }).expect("undefined");
    assert!(db.define([range]).is_err());
    db.insert_node("Other", None, doc! { "n": 5 }).expect("still undefined");
}

#[test]
fn steps_that_do_not_fit_are_told() {
    let (db, ids) = users(1, |_| doc! { "nick": "x" });
    let said =
        |migration: selvedge::Migration<'_>| migration.run().expect_err("refused").to_string();
    let user = || db.migrate("User");
    let cannot = |rest: &str| format!("the migration of label \"User\" cannot {rest}");
    for (migration, expected) in [
        (user().drop_field("x"), "drop field x: there is no field `x`"),
        (user().drop_field("id"), "drop field id: `id` stands for the key"),
        (
            user().rename_field("nick", "age"),
            "rename field nick to age: there is a field `age` already",
        ),
        (
            user().add_field(FieldDef::int("age")),
            "add field age: int, required: there is a field `age` already",
        ),
        (user().make_required("x"), "make field x required: there is no field `x`"),
        (user().drop_index("x"), "drop index x: there is no index \"x\""),
        (
            user().drop_field("nick").add_field(FieldDef::int("nick").default(0)),
            "drop field nick: another step brings `nick` back; run it on its own, later",
        ),
    ] {
        assert_eq!(said(migration), cannot(expected));
    }
    assert_eq!(
        said(db.migrate("Nobody").drop_field("x")),
        "label \"Nobody\" has no definition that could be changed; define it"
    );
    let added = said(user().add_field(FieldDef::int("n")));
    assert!(added.contains("field `n`: a required int is missing"), "{added}");
    let long = said(user().change_field(FieldDef::string("nick").length(2..=3)));
    assert!(long.contains("field `nick`: the length is 1, allowed are 2 to 3"), "{long}");
    user().run().expect("no steps, and nothing under way");
    assert_eq!(documents(&db, &ids), [doc! { "nick": "x" }]);
}

#[test]
fn edges_are_migrated_too() {
    let db = Db::in_memory();
    db.define([EdgeDef::multi("PAID").field(FieldDef::int("amount"))]).expect("new");
    let node = db.insert_node("N", None, doc! {}).expect("undefined");
    let edges: Vec<_> = (0..300)
        .map(|n| db.link_nodes(node, "PAID", node, doc! { "amount": n }).expect("fits"))
        .collect();
    let refused = db.migrate_edges("PAID").change_field(FieldDef::int("amount").max(298)).run();
    assert!(refused.is_err_and(|error| error.to_string().contains("299 is not within")));
    db.migrate_edges("PAID")
        .rename_field("amount", "cents")
        .add_field(FieldDef::string("currency").default("NOK"))
        .run()
        .expect("all fit");
    let snapshot = db.snapshot().expect("few are open");
    let found = snapshot.edges_between(node, "PAID", node).expect("in memory");
    assert_eq!(found.len(), edges.len());
    for (n, edge) in (0_i64..).zip(found) {
        assert_eq!(edge.document().to_document(), doc! { "cents": n, "currency": "NOK" });
    }
}

#[test]
fn defining_gives_what_is_there_its_defaults() {
    let db = Db::in_memory();
    let node = db.insert_node("City", None, doc! { "name": "Oslo" }).expect("undefined");
    let edge = db.link_nodes(node, "TWIN", node, doc! {}).expect("undefined");
    let city = NodeDef::new("City")
        .field(FieldDef::string("name"))
        .field(FieldDef::int("people").default(0));
    let twin = EdgeDef::unique("TWIN").field(FieldDef::int("since").default(1900));
    db.define([Define::from(city.clone()), twin.clone().into()]).expect("what is there fits");
    assert_eq!(documents(&db, &[node]), [doc! { "name": "Oslo", "people": 0 }]);
    let snapshot = db.snapshot().expect("few are open");
    let found = snapshot.edges_between(node, "TWIN", node).expect("in memory");
    assert_eq!(found[0].edge(), edge);
    assert_eq!(found[0].document().to_document(), doc! { "since": 1900 });
    db.define([Define::from(city), twin.into()]).expect("the same");
}

/// While a change is verified, writes keep the old definition and can be converted;
/// while it is carried out, edits begin with what documents have become.
#[test]
fn writes_beside_a_migration_fit_both_sides_of_it() {
    let (db, ids) = users(600, |n| doc! { "nick": format!("n{n}"), "age": 3 });
    let (last, third) = (ids[599], ids[300]);
    let mut held = None;
    let mut seen = Vec::new();
    let refused = |result: selvedge::Result<()>, expected: &str| {
        assert_eq!(result.expect_err(expected).to_string(), expected);
    };
    let migration = db.migrate("User").rename_field("nick", "alias").drop_field("old");
    let report = |progress: MigrationProgress| match (progress.phase, progress.done) {
        (Phase::Verifying, 600) => {
            seen.push("verified");
            refused(
                db.set(last, "age", 200),
                "label \"User\", field `age`: 200 is not within the maximum 99",
            );
            db.set(last, "nick", "by the old name").expect("and convertible");
            refused(
                db.set(last, "alias", "x"),
                "label \"User\", field `alias`: the definition has no such field",
            );
            held = Some(db.begin(&TransactionOptions::new()).expect("few are open"));
            let held = held.as_mut().expect("just begun");
            held.set(third, "nick", "by the old name").expect("as of its start");
        }
        (Phase::Converting, 256) => {
            seen.push("converting");
            let snapshot = db.snapshot().expect("few are open");
            let stored = snapshot.node(last).expect("in memory").expect("inserted");
            assert!(stored.get("nick").is_some(), "it is not converted yet");
            refused(
                db.set(last, "nick", "x"),
                "label \"User\", field `nick`: the definition has no such field",
            );
            db.set(last, "age", 4).expect("by the new definition");
            let stored = documents(&db, &[last]);
            assert_eq!(stored, [doc! { "age": 4, "alias": "by the old name" }]);
            db.set(third, "alias", "by the new name").expect("not converted yet either");
        }
        _ => {}
    };
    let age = FieldDef::int("age").optional().max(99);
    migration.change_field(age).on_progress(report).run().expect("all fit");
    assert_eq!(seen, ["verified", "converting"]);
    let held = held.expect("begun beside the migration").commit().expect_err("it began before");
    assert!(held.is_retryable(), "{held}");
    let now = documents(&db, &[ids[0], third]);
    let first = doc! { "age": 3, "alias": "n0" };
    assert_eq!(now, [first, doc! { "age": 3, "alias": "by the new name" }]);
}
