//! What readers see of a migration, by when their snapshots began.

use selvedge::prelude::*;
use selvedge::query::{exists, gte};
use selvedge::{FieldDef, MigrationProgress, MigrationStage, NodeDef, Owner, Phase};
use serde::{Deserialize, Serialize};

const USERS: usize = 600;
/// Those that are converted when the first of it is told.
const CONVERTED: usize = 256;

/// Reads both shapes: those of before, and those of after.
#[derive(Serialize, Deserialize, Node, PartialEq, Debug)]
#[node(label = "User")]
struct Person {
    #[node(key)]
    name: String,
    #[serde(alias = "nick")]
    alias: String,
    #[serde(default = "first_level")]
    #[node(default = 1)]
    level: u16,
}

fn first_level() -> u16 {
    1
}

/// Reads the shape of after alone.
#[derive(Serialize, Deserialize, Node, Debug)]
#[node(label = "User")]
struct Strict {
    #[node(key)]
    name: String,
    alias: String,
    level: u16,
}

/// What a snapshot sees: its documents with the fields of before and of after, the fields
/// that its schema names, and how far that says the migration is.
#[derive(PartialEq, Debug)]
struct Seen {
    before: usize,
    after: usize,
    fields: String,
    phase: Option<Phase>,
}

fn seen(snapshot: &Snapshot<'_>) -> Seen {
    let users = || snapshot.query().from_label("User");
    let (mut before, mut after) = (0, 0);
    for node in users().nodes().unwrap() {
        let node = node.unwrap();
        let names: Vec<&str> = node.document().iter().map(|(name, _)| name).collect();
        match &names[..] {
            ["name", "nick"] => before += 1,
            ["alias", "level", "name"] => after += 1,
            other => panic!("{} is half converted: {other:?}", node.id()),
        }
    }
    // Queries test, and indexes lead to, what is stored.
    let with = |field: &str| users().has(field, exists()).count().unwrap() as usize;
    assert_eq!([with("nick"), with("alias"), with("level")], [before, after, after]);
    assert_eq!(users().has("alias", gte("")).count().unwrap() as usize, after);
    // A type that knows both reads all of them, and the same values.
    for user in snapshot.all::<Person>().unwrap() {
        let user = user.unwrap().into_value();
        let same = Person { alias: format!("of {}", user.name), level: 1, ..user };
        let name = same.name.clone();
        assert_eq!(snapshot.get::<Person>(&*name).unwrap().unwrap().into_value(), same);
    }
    // One that knows that of after alone reads those, and names the others.
    for user in snapshot.query().from_label("User").nodes_as::<Strict>().unwrap() {
        match user {
            Ok(_) => after -= 1,
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("with label \"User\" and key "), "{error}");
                assert!(error.contains("does not read as its type: "), "{error}");
            }
        }
    }
    assert_eq!(after, 0);
    let schema = snapshot.schema().unwrap();
    let of = schema.definition(&Owner::Label("User".to_owned())).unwrap();
    let fields: Vec<_> = of.document().unwrap().fields().iter().map(FieldDef::name).collect();
    let phase = of.change().map(selvedge::Change::phase);
    Seen { before, after: with("alias"), fields: fields.join(" "), phase }
}

#[test]
fn a_snapshot_keeps_the_shapes_that_it_began_with() {
    let db = Db::in_memory();
    let user = NodeDef::new("User").key("name");
    let user = user.field(FieldDef::string("name")).field(FieldDef::string("nick").indexed());
    db.define([user]).unwrap();
    db.transaction(|ctx| {
        for number in 0..USERS {
            let (key, nick) = (format!("u{number}"), format!("of u{number}"));
            let document = doc! { "name": key.as_str(), "nick": nick };
            ctx.insert_node("User", &*key, document)?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    let before = db.snapshot().unwrap();
    let (mut verifying, mut converting) = (None, None);
    let report = |progress: MigrationProgress| match (progress.stage, progress.done as usize) {
        (MigrationStage::Verifying, USERS) => verifying = Some(db.snapshot().unwrap()),
        (MigrationStage::Converting, CONVERTED) => converting = Some(db.snapshot().unwrap()),
        _ => {}
    };
    db.migrate("User")
        .rename_field("nick", "alias")
        .add_field(FieldDef::uint("level").default(1))
        .on_progress(report)
        .run()
        .unwrap();
    let after = db.snapshot().unwrap();
    let old = |phase| Seen { before: USERS, after: 0, fields: "name nick".to_owned(), phase };
    let new = |before, phase| Seen {
        before,
        after: USERS - before,
        fields: "alias level name".to_owned(),
        phase,
    };
    // Whenever they are asked, and whatever has come of it since.
    for _ in 0..2 {
        assert_eq!(seen(&before), old(None));
        assert_eq!(seen(verifying.as_ref().unwrap()), old(Some(Phase::Verifying)));
        let mixed = new(USERS - CONVERTED, Some(Phase::Converting));
        assert_eq!(seen(converting.as_ref().unwrap()), mixed);
        assert_eq!(seen(&after), new(0, None));
        db.compact().unwrap();
        while db.step(10_000) {}
    }
    assert_eq!(db.check().unwrap(), Vec::<String>::new());
}
