//! Indexes of labels that have nodes already.

use super::{assert_sound, keys};
use selvedge::prelude::*;
use selvedge::{FieldDef, IndexDef, InputError, MigrationStage, NodeDef};

fn def() -> NodeDef {
    NodeDef::new("N").fields([FieldDef::int("n").indexed(), FieldDef::string("s").unique()])
}

#[test]
fn what_is_there_gets_its_entries() -> Result<(), Error> {
    let db = Db::in_memory();
    // More than one commit of the build takes.
    for number in 0..1500_i64 {
        db.insert_node("N", None, doc! { "n": number % 100, "s": number.to_string() })?;
    }
    let before = db.snapshot()?;
    db.define([def()])?;
    assert!(before.index("N", "n").is_err(), "it was not there then");
    let snapshot = db.snapshot()?;
    assert_eq!(snapshot.index("N", "n")?.equal(7).count()?, 15);
    assert_eq!(snapshot.index("N", "n")?.scan().count()?, 1500);
    let found = snapshot.index("N", "s")?.find("1234")?.expect("there");
    assert_eq!(found.typed::<i64>("n")?, Some(34));
    assert_sound(&db);
    Ok(())
}

#[test]
fn a_duplicate_ends_the_build_and_the_index() -> Result<(), Error> {
    let db = Db::in_memory();
    let first = db.insert_node("N", "a", doc! { "n": 1, "s": "same" })?;
    db.insert_node("N", "b", doc! { "n": 2, "s": "other" })?;
    let last = db.insert_node("N", "c", doc! { "n": 3, "s": "same" })?;
    let refused = db.define([def()]).unwrap_err();
    let taken = InputError::Duplicate {
        label: "N".into(),
        index: "s".into(),
        values: "\"same\"".into(),
        nodes: [first, last],
    };
    assert_eq!(refused.input(), Some(&taken));
    assert_eq!(
        refused.to_string(),
        format!(
            "index \"s\" of \"N\" cannot be unique: {first} and {last} both have \"same\"; \
             make them differ, then define it again"
        )
    );
    // Nothing is defined then.
    assert!(db.snapshot()?.index("N", "s").is_err());
    assert!(db.schema()?.node("N").is_none());
    db.set(last, "s", "unique")?;
    db.define([def()])?;
    assert_sound(&db);
    Ok(())
}

#[test]
fn migrations_add_and_drop_indexes() -> Result<(), Error> {
    let db = Db::in_memory();
    db.define([NodeDef::new("N").fields([FieldDef::int("n"), FieldDef::string("s")])])?;
    for number in 0..700_i64 {
        db.insert_node("N", None, doc! { "n": number, "s": (number % 7).to_string() })?;
    }
    let mut stages = Vec::new();
    db.migrate("N")
        .add_index(IndexDef::on(["s", "n"]).named("by_s").unique())
        .on_progress(|progress| stages.push((progress.stage, progress.done, progress.of)))
        .run()?;
    assert_eq!(stages.last(), Some(&(MigrationStage::Indexing, 700, 700)));
    let snapshot = db.snapshot()?;
    assert_eq!(snapshot.index("N", "by_s")?.equal("3").range(100..).count()?, 86);
    drop(snapshot);
    // Renaming a field renames what is indexed, and changes no entry.
    db.migrate("N").rename_field("s", "t").run()?;
    assert_eq!(db.snapshot()?.index("N", "by_s")?.equal("3").range(100..).count()?, 86);
    assert_sound(&db);

    let duplicate = db.migrate("N").add_index(IndexDef::on(["t"]).unique()).run();
    assert!(matches!(duplicate.unwrap_err().input(), Some(InputError::Duplicate { .. })));
    assert!(db.snapshot()?.index("N", "t").is_err());
    db.migrate("N").drop_index("by_s").run()?;
    assert!(db.snapshot()?.index("N", "by_s").is_err());
    while db.step(10_000) {}
    assert_eq!(db.statistics().entries, 1, "only the schema is left");
    assert_sound(&db);
    Ok(())
}

#[test]
fn writes_of_older_transactions_are_refused() -> Result<(), Error> {
    let db = Db::in_memory();
    let node = db.insert_node("N", "a", doc! { "n": 1, "s": "x" })?;
    let mut older = db.begin(&TransactionOptions::new())?;
    older.set(node, "n", 2)?;
    let mut elsewhere = db.begin(&TransactionOptions::new())?;
    elsewhere.insert_node("M", None, doc! {})?;
    db.define([def()])?;
    assert!(older.commit().is_err_and(|error| error.is_retryable()));
    elsewhere.commit()?;
    let snapshot = db.snapshot()?;
    assert_eq!(keys(snapshot.index("N", "n")?.scan())?, ["a"]);
    assert_sound(&db);
    Ok(())
}

/// Two nodes without a value, one of them written while the others were verified, got the
/// same default in a unique index: the second could not be converted, whoever tried.
#[test]
fn a_default_that_cannot_be_unique_ends_the_index_and_not_the_migration() -> Result<(), Error> {
    let db = Db::in_memory();
    db.define([NodeDef::new("N").field(FieldDef::int("n"))])?;
    let first = db.insert_node("N", "a", doc! { "n": 1 })?;
    let mut second = None;
    let report = |progress: selvedge::MigrationProgress| {
        if progress.stage == MigrationStage::Verifying {
            second = Some(db.insert_node("N", "b", doc! { "n": 2 }).expect("it is free"));
        }
    };
    let field = FieldDef::string("s").default("same").unique();
    let refused = db.migrate("N").add_field(field).on_progress(report).run().unwrap_err();
    let told = refused.input().expect("it is about what is there");
    assert!(
        matches!(told, InputError::UniqueViolation { holder, .. } if *holder == first),
        "{told}"
    );
    let snapshot = db.snapshot()?;
    for node in [Some(first), second].into_iter().flatten() {
        let node = snapshot.node(node)?.expect("inserted");
        assert_eq!(node.typed::<String>("s")?.as_deref(), Some("same"));
    }
    assert!(snapshot.index("N", "s").is_err());
    assert_eq!(db.schema()?.changes().count(), 0, "nothing is under way");
    assert_sound(&db);

    // Those that are there already are seen before anything is changed.
    db.migrate("N").add_field(FieldDef::string("t").optional().unique()).run()?;
    let twice = FieldDef::string("t").default("same");
    let refused = db.migrate("N").change_field(twice).run().unwrap_err();
    assert!(matches!(refused.input(), Some(InputError::Duplicate { .. })), "{refused}");
    assert_eq!(db.schema()?.changes().count(), 0, "nothing is under way");
    assert_sound(&db);
    Ok(())
}

/// An index that was dropped, and came again in the same migration under its old name,
/// kept its entries, though the field had been renamed.
#[test]
fn an_index_that_comes_again_is_another_one() -> Result<(), Error> {
    let db = Db::in_memory();
    let on_a = || IndexDef::on(["a"]).named("it");
    let open = NodeDef::new("N").field(FieldDef::int("a").optional()).index(on_a());
    db.define([open.allow_unknown_fields()])?;
    db.insert_node("N", "one", doc! { "a": 5 })?;
    db.migrate("N").rename_field("a", "b").drop_index("it").add_index(on_a()).run()?;
    assert_eq!(db.snapshot()?.index("N", "it")?.scan().count()?, 0);
    assert_sound(&db);
    Ok(())
}
