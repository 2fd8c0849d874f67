//! Typed operations on labels and edge types whose definitions are stored.

use selvedge::prelude::*;
use selvedge::{EdgeDef, ErrorKind, FieldDef, MigrationProgress, MigrationStage, NodeDef, Owner};
use serde::{Deserialize, Serialize};

use crate::{Account, Event, Knows, Payment, User};

#[derive(Serialize, Deserialize, Node, Clone, PartialEq, Debug)]
struct Job {
    #[node(default = 3)]
    retries: u8,
    #[node(length = ..=2)]
    steps: Vec<String>,
}

fn defined() -> Db {
    let db = Db::in_memory();
    db.define(definitions()).expect("nothing is there yet");
    db.insert_many([User::new("alice", 31), User::new("bob", 40)]).unwrap();
    db
}

fn definitions() -> [Define; 6] {
    [
        Define::node::<User>(),
        Define::node::<Account>(),
        Define::node::<Event>(),
        Define::node::<Job>(),
        Define::edge::<Knows>(),
        Define::edge::<Payment>(),
    ]
}

#[test]
fn values_keep_their_definitions() {
    let db = defined();
    db.insert(&Event { at: u64::MAX }).unwrap();
    db.insert(&Account { number: u64::MAX, balance: i64::MIN }).unwrap();
    db.insert(&User { nick: Some("n".to_owned()), tags: vec![String::new()], ..User::new("c", 0) })
        .unwrap();
    db.link("alice", Knows { since: 1, note: Some(String::new()) }, "bob").unwrap();
    db.update::<User>("alice")
        .set("age", 32)
        .set("tags", ["a"])
        .set("nick", "al")
        .execute()
        .unwrap();
    // The rules see what an update comes to, not its steps.
    db.update::<User>("alice")
        .unset("age")
        .set("extra", 1)
        .set("age", 33)
        .unset("extra")
        .execute()
        .unwrap();
    assert_eq!(db.get::<User>("alice").unwrap().unwrap().age, 33);
    // Nothing new is nothing done.
    let before = db.timestamp();
    db.define(definitions()).unwrap();
    assert_eq!(db.timestamp(), before);
}

#[test]
fn what_breaks_them_is_refused() {
    let db = defined();
    db.link("alice", Knows::since(1), "bob").unwrap();
    let alice = db.get::<User>("alice").unwrap().unwrap();
    let before = db.timestamp();
    let id = |done: Result<NodeId, Error>| done.map(drop);
    for (refused, message) in [
        (
            id(db.insert(&User::new("c", 151))),
            "label \"User\", field `age`: 151 is not within the maximum 150",
        ),
        (
            id(db.insert(&User { nick: Some("elevenchars".to_owned()), ..User::new("c", 1) })),
            "label \"User\", field `nick`: the length is 11, allowed are 1 to 10",
        ),
        (
            id(db.update::<User>("alice").set("age", "old").execute()),
            "label \"User\", field `age`: expected uint, found string",
        ),
        (
            id(db.update::<User>("alice").set("age", -1).execute()),
            "label \"User\", field `age`: expected uint, found int; it may not be negative",
        ),
        (
            id(db.update::<User>("alice").set("agee", 1).execute()),
            "label \"User\", field `agee`: the definition has no such field; did you mean `age`?",
        ),
        (
            id(db.update::<User>("alice").unset("age").execute()),
            "label \"User\", field `age`: a required uint is missing",
        ),
        (
            id(db.update::<User>("alice").set("tags", Value::from_iter([1])).execute()),
            "label \"User\", field `tags[0]`: expected string, found int",
        ),
        (
            db.update_edge::<Knows>("alice", "bob").set("since", 0.5).execute().map(drop),
            "edge type \"KNOWS\", field `since`: expected uint, found float",
        ),
        (
            id(db.insert_node("User", None, doc! { "age": 1 })),
            "label \"User\", key field `name`: the node has no key; insert it with one",
        ),
        (
            db.set(alice.id(), "name", "eve"),
            "label \"User\", field `name`: it stands for the key, which is \"alice\", but holds \"eve\"",
        ),
        (
            db.batch([
                Op::insert(&Event { at: 1 }),
                Op::update::<User>("bob").set("age", 200).into(),
            ])
            .map(drop),
            "operation 1 of the batch: label \"User\", field `age`: 200 is not within the maximum 150",
        ),
        (
            db.insert_many([User::new("c", 1), User::new("d", 255)]).map(drop),
            "operation 1 of the batch: label \"User\", field `age`: 255 is not within the maximum 150",
        ),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), ErrorKind::Input, "{message}");
    }
    assert_eq!(db.timestamp(), before);
    assert_eq!(*db.get::<User>("alice").unwrap().unwrap(), *alice);
}

#[test]
fn a_transaction_goes_on_after_a_refusal() {
    let db = defined();
    db.transaction(|ctx| {
        ctx.insert(&User::new("carol", 1))?;
        assert!(ctx.update::<User>("carol").set("age", 200).execute().is_err());
        assert!(ctx.insert_many([User::new("d", 1), User::new("e", 200)]).is_err());
        assert_eq!(ctx.get::<User>("d")?, None);
        ctx.update::<User>("carol").set("age", 2).execute().map(drop)
    })
    .unwrap();
    assert_eq!(db.get::<User>("carol").unwrap().unwrap().age, 2);
    assert_eq!(db.snapshot().unwrap().count("User").unwrap(), 3);
}

#[test]
fn defaults_are_stored() {
    let db = defined();
    let id = db.insert_node("Job", None, doc! { "steps": Value::List([].into()) }).unwrap();
    assert_eq!(*db.get::<Job>(id).unwrap().unwrap(), Job { retries: 3, steps: vec![] });
    db.update::<Job>(id).set("retries", 1).execute().unwrap();
    db.update::<Job>(id).unset("retries").execute().unwrap();
    assert_eq!(db.get::<Job>(id).unwrap().unwrap().retries, 3);
}

mod newer {
    use super::{Deserialize, Node, Serialize};

    #[derive(Serialize, Deserialize, Node)]
    pub(super) struct User {
        #[node(key)]
        name: String,
        age: i16,
    }
}

#[test]
fn a_type_that_has_changed_is_told_from_the_stored_one() {
    let db = defined();
    let error = db.define([Define::node::<newer::User>()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "what is wanted differs from what is stored; change it by a migration, or the program.\n\
         label \"User\":\n\
         - field age: uint, required, max 150\n\
         + field age: int, required\n\
         - field nick: string, optional, length 1 to 10\n\
         - field tags: list of string, optional"
    );
    // By builders it is the same definition.
    let event = NodeDef::new("Login").field(FieldDef::uint("at"));
    db.define([event]).unwrap();
}

#[derive(Serialize, Deserialize, Node)]
struct Senseless {
    #[node(default = 200, max = 150)]
    age: u8,
}

#[derive(Serialize, Deserialize, Node)]
struct Unstorable {
    #[node(default = u128::MAX)]
    number: u128,
}

#[test]
fn definitions_that_make_no_sense() {
    let db = Db::in_memory();
    for (refused, message) in [
        (
            db.define([Define::node::<Senseless>()]),
            "the definition of label \"Senseless\": the default of field `age`: \
             200 is not within the maximum 150",
        ),
        (
            db.define([Define::node::<Unstorable>()]),
            "the definition of label \"Unstorable\": the default of field `number`: \
             expected uint, found null; leave it out, or make the field nullable",
        ),
    ] {
        assert_eq!(refused.unwrap_err().to_string(), message);
    }
}

#[derive(Serialize, Deserialize, Node)]
struct Song {
    #[node(key)]
    title: String,
    track: u32,
    note: Option<String>,
}

#[derive(Serialize, Deserialize, Edge)]
struct Plays {
    track: u32,
    note: Option<String>,
}

/// An update begins with what a document has become, also one that is staged as a whole:
/// such an update was refused for the old name of a field, which it had not set.
#[test]
fn updates_go_on_while_documents_are_converted() {
    let db = Db::in_memory();
    let fields = || [FieldDef::uint("nr"), FieldDef::string("note").optional()];
    let songs = NodeDef::new("Song").key("title").fields(fields()).field(FieldDef::string("title"));
    db.define([Define::from(songs), EdgeDef::unique("PLAYS").fields(fields()).into()]).unwrap();
    let player = db.insert_node("Player", None, doc! {}).unwrap();
    db.transaction(|ctx| {
        for nr in 0..300_i64 {
            let title = nr.to_string();
            let song = doc! { "title": title.as_str(), "nr": nr, "note": "x" };
            let song = ctx.insert_node("Song", &*title, song)?;
            ctx.link_nodes(player, "PLAYS", song, doc! { "nr": nr, "note": "x" })?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    // The last one is not converted when the first report comes.
    let last = db.snapshot().unwrap().get_node("Song", "299").unwrap().unwrap().id();
    let update = |progress: MigrationProgress| {
        if progress.stage == MigrationStage::Converting && progress.done < progress.of {
            match progress.owner {
                Owner::Label(_) => {
                    db.update::<Song>("299").set("track", 7).unset("note").execute().unwrap();
                }
                Owner::EdgeType(_) => {
                    let plays = db.update_edge::<Plays>(player, last);
                    plays.set("track", 7).unset("note").execute().unwrap();
                }
            }
        }
    };
    db.migrate("Song").rename_field("nr", "track").on_progress(update).run().unwrap();
    db.migrate_edges("PLAYS").rename_field("nr", "track").on_progress(update).run().unwrap();
    let snapshot = db.snapshot().unwrap();
    let song = snapshot.get::<Song>("299").unwrap().unwrap();
    assert_eq!((song.track, &song.note), (7, &None));
    let plays = snapshot.get_edge::<Plays>(player, last).unwrap().unwrap();
    assert_eq!((plays.track, &plays.note), (7, &None));
}
