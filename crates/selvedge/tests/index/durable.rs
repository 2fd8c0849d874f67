//! Indexes across openings, checkpoints and backups.

use super::{assert_sound, keys, users};
use selvedge::prelude::*;

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
