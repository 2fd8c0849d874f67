//! Indexes across openings, checkpoints and backups.

use super::{assert_sound, keys, users};
use selvedge::prelude::*;
use selvedge::query::{Order, eq};
use selvedge::{FieldDef, IndexDef, NodeDef};

#[test]
fn entries_survive_with_the_documents() -> Result<(), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    {
        let db = Db::open(&path)?;
        db.define([users()])?;
        db.insert_node("User", "alice", doc! { "age": 31, "email": "a" })?;
        db.checkpoint()?;
        db.insert_node("User", "bob", doc! { "age": 25, "email": "b" })?;
        let alice = db.snapshot()?.get_node("User", "alice")?.expect("inserted").id();
        db.set(alice, "age", 32)?;
        // No checkpoint at the end: what follows is read from that one, and the log.
    }
    let backup = folder.path().join("backup");
    {
        let db = Db::builder().read_only().open(&path)?;
        let snapshot = db.snapshot()?;
        assert_eq!(keys(snapshot.index("User", "age")?.scan())?, ["bob", "alice"]);
        assert_sound(&db);
        db.backup_to(&backup)?;
    }
    for path in [&path, &backup] {
        let db = Db::open(path)?;
        assert_sound(&db);
        let snapshot = db.snapshot()?;
        assert_eq!(keys(snapshot.index("User", "age")?.range(26..))?, ["alice"]);
        let taken = db.insert_node("User", "eve", doc! { "email": "b" });
        assert!(taken.is_err_and(|error| error.input().is_some()));
        // Defining it again is nothing new.
        db.define([users()])?;
    }
    Ok(())
}

/// The index of a field that was renamed kept the name of the old one: a definition with
/// the new name asked for another index, and errors spoke of a field that is not there.
#[test]
fn an_index_named_after_its_field_is_renamed_with_it() -> Result<(), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let song = |nr: &str, by: &str| {
        NodeDef::new("Song")
            .field(FieldDef::int(nr).unique())
            .field(FieldDef::string("title"))
            .index(IndexDef::on(["title", nr]))
            .index(IndexDef::on([nr]).named(by))
    };
    let number = {
        let db = Db::open(&path)?;
        db.define([song("nr", "by_nr")])?;
        for (key, nr) in [("b", 2), ("a", 1)] {
            db.insert_node("Song", key, doc! { "nr": nr, "title": "x" })?;
        }
        let number = db.schema()?.node("Song").and_then(|song| song.index("nr")?.number());
        db.migrate("Song").rename_field("nr", "track").run()?;
        number
    };
    for checkpoint in [true, false] {
        let db = Db::open(&path)?;
        let schema = db.schema()?;
        let indexes = schema.node("Song").expect("defined").indexes();
        let shown: Vec<_> = indexes.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["by_nr on track", "title_track on title, track", "track on track, unique"]
        );
        assert_eq!(indexes[2].number(), number, "it is the same one, and was not built anew");
        let snapshot = db.snapshot()?;
        assert_eq!(keys(snapshot.index("Song", "track")?.scan())?, ["a", "b"]);
        assert_eq!(keys(snapshot.index("Song", "by_nr")?.scan())?, ["a", "b"]);
        let gone = snapshot.index("Song", "nr").unwrap_err().to_string();
        assert!(gone.contains("there is no index \"nr\" of \"Song\""), "{gone}");
        let one = snapshot.query().from_label("Song").has("track", eq(2));
        assert_eq!(one.explain()?, "index \"track\" on \"Song\" (track): track = 2\n");
        let titled = snapshot.query().from_label("Song").has("title", eq("x"));
        let titled = titled.order_by("track", Order::Asc).explain()?;
        assert!(titled.starts_with("index \"title_track\" on \"Song\""), "{titled}");
        let taken = db.insert_node("Song", "c", doc! { "track": 2, "title": "y" });
        let taken = taken.unwrap_err().to_string();
        assert!(
            taken.ends_with("has 2 in the unique index \"track\" of \"Song\" already"),
            "{taken}"
        );
        // The definition with the new name is the one that is stored.
        let before = db.timestamp();
        db.define([song("track", "by_nr")])?;
        assert_eq!(db.timestamp(), before);
        assert_sound(&db);
        if checkpoint {
            db.checkpoint()?;
        }
    }
    let db = Db::open(&path)?;
    db.migrate("Song").add_field(FieldDef::int("by").optional()).run()?;
    db.migrate("Song").add_index(IndexDef::on(["by"]).named("side")).run()?;
    let refused = db.migrate("Song").rename_field("track", "side").run().unwrap_err().to_string();
    assert!(
        refused.contains(
            "rename field track to side: an index is named after its paths, and would become \
             \"side\", which another is; drop one of them first"
        ),
        "{refused}"
    );
    assert_sound(&db);
    Ok(())
}
