//! The schema survives what data survives, and each snapshot has its own.

use selvedge::prelude::*;
use selvedge::{FieldDef, NodeDef};

fn user() -> NodeDef {
    NodeDef::new("User").field(FieldDef::int("age"))
}

fn is_enforced(db: &Db) {
    assert!(db.schema().expect("few are open").node("User").is_some());
    assert!(db.insert_node("User", None, doc! {}).is_err_and(|error| error.input().is_some()));
    db.insert_node("User", None, doc! { "age": 1 }).expect("fits");
    assert_eq!(db.check(), Ok(vec![]));
}

#[test]
fn it_is_there_after_the_log_is_replayed() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Db::open(dir.path()).expect("new");
    db.define([user()]).expect("new");
    drop(db);
    let db = Db::open(dir.path()).expect("closed");
    is_enforced(&db);
    db.reopen().expect("well");
    is_enforced(&db);
}

#[test]
fn it_is_there_after_a_checkpoint_a_backup_and_read_only() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, copy, restored) =
        (dir.path().join("db"), dir.path().join("copy"), dir.path().join("restored"));
    let db = Db::open(&path).expect("new");
    db.define([user()]).expect("new");
    db.checkpoint().expect("open");
    db.backup_to(&copy).expect("new");
    db.close().expect("open");
    let read_only = Db::builder().read_only().open(&path).expect("closed");
    assert!(read_only.schema().expect("few are open").node("User").is_some());
    read_only.define([user()]).expect("there is nothing to write");
    assert_eq!(read_only.define([NodeDef::new("City")]), Err(Error::Closed));
    drop(read_only);
    is_enforced(&Db::open(&path).expect("closed"));
    is_enforced(&Db::open(&copy).expect("complete"));
    Db::restore(&copy, &restored).expect("closed");
    is_enforced(&Db::open(&restored).expect("complete"));
}

#[test]
fn a_backup_of_a_database_in_memory_has_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Db::in_memory();
    db.define([user()]).expect("new");
    db.backup_to(dir.path().join("copy")).expect("new");
    is_enforced(&Db::open(dir.path().join("copy")).expect("complete"));
}

#[test]
fn a_snapshot_has_the_schema_of_its_time() {
    let db = Db::in_memory();
    let before = db.snapshot().expect("few are open");
    db.define([user()]).expect("new");
    let between = db.snapshot().expect("few are open");
    db.define([NodeDef::new("City").field(FieldDef::string("name"))]).expect("new");
    let after = db.snapshot().expect("few are open");
    let labels = |at: &Snapshot<'_>| {
        at.schema().expect("in memory").labels().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(labels(&before), Vec::<String>::new());
    assert_eq!(labels(&between), ["User"]);
    assert_eq!(labels(&after), ["City", "User"]);
}
