//! Nodes: inserted, read, changed, deleted.

use std::collections::{BTreeMap, HashMap};

use selvedge::prelude::*;
use selvedge::{DateTime, TypedError, Vector, to_value};
use serde::{Deserialize, Serialize};

use crate::{Account, Event, User, people};

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Address {
    city: String,
    lines: Vec<String>,
    zip: Option<u32>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
enum State {
    New,
    Active { since: u16 },
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Score(f32);

mod as_bytes {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Vec::deserialize(from)
    }
}

/// A field of every type.
#[derive(Serialize, Deserialize, Node, Clone, PartialEq, Debug)]
#[serde(rename_all = "camelCase")]
struct Everything {
    #[node(key)]
    the_key: String,
    truth: bool,
    small: i8,
    minus: i64,
    big: u64,
    half: f64,
    letter: char,
    #[serde(rename = "words")]
    text: String,
    moment: DateTime,
    vector: Vector,
    #[serde(with = "as_bytes")]
    #[node(field_type = selvedge::FieldType::Bytes)]
    bytes: Vec<u8>,
    list: Vec<Option<u16>>,
    counts: HashMap<String, u32>,
    sorted: BTreeMap<u8, bool>,
    address: Address,
    state: State,
    score: Score,
    whatever: Value,
    r#type: Box<str>,
    missing: Option<Address>,
    there: Option<DateTime>,
    #[serde(skip)]
    cached: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    few: Vec<u8>,
}

fn everything() -> Everything {
    Everything {
        the_key: "k".to_owned(),
        truth: true,
        small: -7,
        minus: i64::MIN,
        big: u64::MAX,
        half: 0.5,
        letter: 'é',
        text: "text".to_owned(),
        moment: DateTime::from_micros(5),
        vector: Vector::from(vec![1.0, -2.5]),
        bytes: vec![0, 255],
        list: vec![Some(1), None],
        counts: HashMap::from([("a".to_owned(), 1)]),
        sorted: BTreeMap::from([(3, true)]),
        address: Address { city: "Oslo".to_owned(), lines: vec!["1".to_owned()], zip: None },
        state: State::Active { since: 2020 },
        score: Score(0.25),
        whatever: Value::Null,
        r#type: "t".into(),
        missing: None,
        there: Some(DateTime::from_micros(-1)),
        cached: 0,
        few: Vec::new(),
    }
}

#[test]
fn every_field_comes_back() {
    let db = Db::in_memory();
    let id = db.insert(&everything()).unwrap();
    let read = db.get::<Everything>("k").unwrap().expect("inserted");
    assert_eq!(*read, everything());
    assert_eq!(read.id(), id);
    assert_eq!(read.version(), Some(db.timestamp()));
    assert_eq!(read.into_value(), everything());

    // What serde skips comes back as its default.
    let cached = Everything { cached: 9, few: vec![1], ..everything() };
    db.upsert(&cached).unwrap();
    assert_eq!(*db.get::<Everything>(id).unwrap().unwrap(), Everything { cached: 0, ..cached });
}

#[test]
fn fields_are_stored_under_the_names_of_serde() {
    let db = Db::in_memory();
    let id = db.insert(&everything()).unwrap();
    let snapshot = db.snapshot().unwrap();
    let node = snapshot.node(id).unwrap().expect("inserted");
    assert_eq!(node.label(), "Everything");
    assert_eq!(node.key(), Some("k"));
    let mut defined: Vec<String> = Vec::new();
    for field in Everything::definition().document().fields() {
        defined.push(field.name().to_owned());
    }
    let stored: Vec<String> = node.document().iter().map(|(name, _)| name.to_owned()).collect();
    let absent = ["few", "missing"];
    assert_eq!(
        stored,
        defined.iter().filter(|name| !absent.contains(&&***name)).cloned().collect::<Vec<_>>()
    );
    assert!(defined.contains(&"theKey".to_owned()) && defined.contains(&"words".to_owned()));
    assert!(defined.contains(&"type".to_owned()) && !defined.contains(&"cached".to_owned()));
    // An option that is none is absent; what is null otherwise is null.
    assert_eq!(node.get("missing"), None);
    assert!(node.get("whatever").is_some_and(|value| value.is_null()));
    assert_eq!(node.get("bytes").and_then(|value| value.as_bytes()), Some(&[0, 255][..]));
}

#[test]
fn nodes_are_found_in_every_way() {
    let (db, alice, _) = people();
    let snapshot = db.snapshot().unwrap();
    let user = User::new("alice", 31);
    let read = snapshot.get::<User>("alice").unwrap().expect("inserted");
    assert_eq!(*read, user);
    let name = "alice".to_owned();
    for found in [
        snapshot.get::<User>(alice),
        snapshot.get::<User>(&name),
        snapshot.get::<User>(name.clone()),
        snapshot.get::<User>(&user),
        snapshot.get::<User>(&read),
        db.get::<User>("alice"),
    ] {
        assert_eq!(found.unwrap().expect("found"), read);
    }
    assert_eq!(snapshot.get::<User>("nobody"), Ok(None));
    assert_eq!(snapshot.get::<User>(NodeId::new(1 << 40)), Ok(None));

    let account = Account { number: 42, balance: -1 };
    let id = db.insert(&account).unwrap();
    assert_eq!(*db.get::<Account>(42).unwrap().expect("inserted"), account);
    assert_eq!(db.get::<Account>(&account).unwrap().expect("inserted").id(), id);
    assert_eq!(db.snapshot().unwrap().get_node("Account", "42").unwrap().unwrap().id(), id);
}

#[test]
fn all_nodes_of_a_type_and_no_others() {
    let (db, ..) = people();
    db.insert(&Event { at: 1 }).unwrap();
    db.insert_node("Login", None, doc! { "at": 2 }).unwrap();
    let snapshot = db.snapshot().unwrap();
    let names = |snapshot: &Snapshot<'_>| -> Vec<String> {
        snapshot.all::<User>().unwrap().map(|user| user.unwrap().into_value().name).collect()
    };
    assert_eq!(names(&snapshot), ["alice", "bob"]);
    let at: Vec<u64> = snapshot.all::<Event>().unwrap().map(|event| event.unwrap().at).collect();
    assert_eq!(at, [1, 2]);
    assert_eq!(snapshot.all::<Account>().unwrap().count(), 0);

    // One that does not read as the type is an error in its place.
    let odd = db.insert_node("Login", None, doc! { "at": "noon" }).unwrap();
    let read: Vec<_> = db.snapshot().unwrap().all::<Event>().unwrap().collect();
    assert_eq!(read.len(), 3);
    let error = read[2].as_ref().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "node {odd} with label \"Login\" does not read as its type: \
             `at` is string, expected u64"
        )
    );
}

#[test]
fn a_key_is_read_where_the_document_lacks_it() {
    let db = Db::in_memory();
    db.insert_node("User", "carol", doc! { "age": 5 }).unwrap();
    assert_eq!(*db.get::<User>("carol").unwrap().unwrap(), User::new("carol", 5));
    db.insert_node("Account", "7", doc! { "balance": 5 }).unwrap();
    assert_eq!(db.get::<Account>(7).unwrap().unwrap().number, 7);
    db.insert_node("Account", "seven", doc! { "balance": 5 }).unwrap();
    let error = db.get::<Account>(db.snapshot().unwrap().scan("Account").unwrap().last().unwrap());
    let error = error.unwrap_err().to_string();
    assert!(
        error.ends_with("does not read as its type: `number` is string, expected u64"),
        "{error}"
    );
}

#[test]
fn updates_change_what_they_say() {
    let (db, alice, _) = people();
    let read = || db.get::<User>("alice").unwrap().unwrap().into_value();
    let done = db.update::<User>("alice").set("age", 32).set("nick", "al").execute();
    assert_eq!(done, Ok(alice));
    assert_eq!((read().age, read().nick), (32, Some("al".to_owned())));

    let update = db.update::<User>(alice).set("age", 33).unset("nick").set_path("tags", ["a"]);
    update.execute().unwrap();
    assert_eq!(read(), User { tags: vec!["a".to_owned()], ..User::new("alice", 33) });

    // An option that is none is taken away, as in a value that is stored.
    db.update::<User>(&read()).set("nick", "x").execute().unwrap();
    db.update::<User>(&read()).set("nick", None::<String>).execute().unwrap();
    assert_eq!(db.snapshot().unwrap().node(alice).unwrap().unwrap().get("nick"), None);

    // The key may be set to what it is.
    db.update::<User>("alice").set("name", "alice").execute().unwrap();
    db.update::<Account>(db.insert(&Account { number: 1, balance: 0 }).unwrap())
        .set("number", 1)
        .execute()
        .unwrap();

    // The whole value, and changes on top of it; what was set before is gone.
    let user = User { nick: Some("b".to_owned()), ..User::new("alice", 1) };
    db.update::<User>("alice").set("extra", 1).set_all(&user).set("age", 2).execute().unwrap();
    assert_eq!(read(), User { age: 2, ..user });
    let node = db.snapshot().unwrap();
    assert_eq!(node.node(alice).unwrap().unwrap().get("extra"), None);

    // Nothing to do is nothing done, but for a node that is not there.
    let before = db.timestamp();
    db.update::<User>("alice").execute().unwrap();
    assert_eq!(db.timestamp(), before);
    assert!(db.update::<User>("nobody").execute().is_err());
}

#[test]
fn fields_of_structs_are_set_by_serde() {
    let db = Db::in_memory();
    db.insert(&everything()).unwrap();
    let address = Address { city: "Rome".to_owned(), lines: vec![], zip: Some(1) };
    db.update::<Everything>("k")
        .set("address", to_value(&address).unwrap())
        .set("state", to_value(&State::New).unwrap())
        .execute()
        .unwrap();
    let read = db.get::<Everything>("k").unwrap().unwrap();
    assert_eq!((&read.address, read.state), (&address, State::New));
    db.update::<Everything>("k").set_path("address.city", "Oslo").execute().unwrap();
    assert_eq!(db.get::<Everything>("k").unwrap().unwrap().address.city, "Oslo");
}

#[test]
fn upserts_insert_or_replace() {
    let (db, alice, _) = people();
    let upserted = db.upsert(&User::new("alice", 99)).unwrap();
    assert_eq!((upserted.id, upserted.created), (alice, false));
    let upserted = db.upsert(&User::new("carol", 1)).unwrap();
    assert!(upserted.created);
    assert_eq!(db.get::<User>("alice").unwrap().unwrap().age, 99);
    assert_eq!(db.snapshot().unwrap().count("User").unwrap(), 3);
}

#[test]
fn deleted_nodes_are_gone_with_their_edges() {
    let (db, alice, _) = people();
    db.link("alice", crate::Knows::since(2020), "bob").unwrap();
    assert_eq!(db.delete::<User>("alice"), Ok(1));
    assert_eq!(db.get::<User>(alice), Ok(None));
    assert_eq!(
        db.delete::<User>("alice").unwrap_err().to_string(),
        "key \"alice\" of label \"User\" does not exist at this snapshot"
    );
    assert_eq!(db.delete::<User>(&User::new("bob", 0)), Ok(0));
    assert_eq!(db.snapshot().unwrap().node_count().unwrap(), 0);
}

#[test]
fn a_transaction_sees_its_own_writes() {
    let (db, alice, _) = people();
    db.transaction(|ctx| {
        let carol = ctx.insert(&User::new("carol", 1))?;
        ctx.update::<User>(carol).set("age", 2).execute()?;
        let read = ctx.get::<User>("carol")?.expect("inserted");
        assert_eq!((read.age, read.version()), (2, None));
        ctx.delete::<User>("alice")?;
        assert_eq!(ctx.get::<User>(alice)?, None);
        let names: Vec<String> = ctx
            .all::<User>()?
            .map(|user| Ok(user?.into_value().name))
            .collect::<Result<_, Error>>()?;
        assert_eq!(names, ["bob", "carol"]);
        // Nobody else sees them.
        assert_eq!(db.get::<User>("carol")?, None);
        assert!(db.get::<User>("alice")?.is_some());
        Ok::<_, Error>(())
    })
    .unwrap();
    assert!(db.get::<User>("carol").unwrap().is_some());
}

#[test]
fn a_snapshot_keeps_what_it_saw() {
    let (db, ..) = people();
    let snapshot = db.snapshot().unwrap();
    db.update::<User>("alice").set("age", 99).execute().unwrap();
    db.delete::<User>("bob").unwrap();
    assert_eq!(snapshot.get::<User>("alice").unwrap().unwrap().age, 31);
    assert_eq!(snapshot.all::<User>().unwrap().count(), 2);
}

#[test]
fn versions_are_checked() {
    let (db, ..) = people();
    let alice = db.get::<User>("alice").unwrap().unwrap();
    db.update::<User>("alice").set("age", 50).execute().unwrap();
    let stale = db.transaction(|ctx| {
        ctx.check(alice.id(), alice.version());
        ctx.update::<User>(&alice).set("age", alice.age + 1).execute()
    });
    assert!(matches!(stale, Err(Error::CheckFailed { .. })));
    assert_eq!(db.get::<User>("alice").unwrap().unwrap().age, 50);
}

#[test]
fn concurrent_upserts_of_a_key_make_one_node() {
    let db = Db::in_memory();
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let db = &db;
            scope.spawn(move || {
                for round in 0..20 {
                    let user = User::new("alice", thread * 20 + round);
                    let upsert = |ctx: &mut Transaction<'_>| ctx.upsert(&user);
                    db.transaction_retry(RetryPolicy::default().attempts_max(10_000), upsert)
                        .expect("retried");
                }
            });
        }
    });
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.count("User").unwrap(), 1);
    assert_eq!(snapshot.all::<User>().unwrap().count(), 1);
    assert_eq!(snapshot.get::<User>("alice").unwrap().unwrap().age % 20, 19);
}

#[test]
fn many_are_inserted_or_none() {
    let (db, ..) = people();
    let users: Vec<User> = (0..100).map(|n| User::new(&format!("user {n}"), n)).collect();
    let ids = db.insert_many::<User>(&users).unwrap();
    for (id, user) in ids.iter().zip(&users) {
        assert_eq!(*db.get::<User>(*id).unwrap().unwrap(), *user);
    }
    db.transaction(|ctx| {
        let some = ["x", "y", "bob", "z"].map(|name| User::new(name, 0));
        let error = ctx.insert_many(some).unwrap_err();
        assert!(matches!(&error, Error::Batch { index: 2, .. }), "{error}");
        assert!(error.to_string().starts_with(
            "operation 2 of the batch: a node with label \"User\" and key \"bob\" exists already"
        ));
        // Nothing of it is staged, and the transaction goes on.
        assert_eq!(ctx.get::<User>("x")?, None);
        ctx.insert(&User::new("w", 0)).map(drop)
    })
    .unwrap();
    assert_eq!(db.snapshot().unwrap().count("User").unwrap(), 103);
    assert!(matches!(
        db.get::<Account>(db.get::<User>("w").unwrap().unwrap().id()),
        Err(Error::Typed(error)) if matches!(*error, TypedError::Label { .. })
    ));
}

/// The crate under another name.
mod renamed {
    pub(super) use selvedge as database;
}

#[derive(Serialize, Deserialize, Node, Edge)]
#[node(crate = renamed::database)]
#[edge(crate = renamed::database)]
struct Elsewhere {
    #[node(default = 1)]
    field: u8,
}

#[test]
fn the_crate_may_have_another_name() {
    assert_eq!((Elsewhere::LABEL, Elsewhere::TYPE), ("Elsewhere", "ELSEWHERE"));
    let id = Db::in_memory().insert(&Elsewhere { field: 1 });
    assert!(id.is_ok());
}

#[test]
fn nodes_on_disk_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let open = || -> Db {
        let db = Db::open(dir.path().join("db")).unwrap();
        db.define([Define::node::<Everything>()]).unwrap();
        db.define([Define::edge::<crate::DidSee>()]).unwrap();
        db
    };
    let db = open();
    let id = db.insert(&everything()).unwrap();
    db.insert(&User::new("alice", 1)).unwrap();
    db.link("alice", crate::DidSee, id).unwrap();
    db.checkpoint().unwrap();
    db.update::<Everything>("k").set("truth", false).unset("there").execute().unwrap();
    db.close().unwrap();
    let db = open();
    let read = db.get::<Everything>(id).unwrap().unwrap();
    assert_eq!(*read, Everything { truth: false, there: None, ..everything() });
    assert_eq!(db.snapshot().unwrap().out::<crate::DidSee>("alice").unwrap().len(), 1);
    let error = db.update::<Everything>("k").set("truth", 1).execute().unwrap_err();
    assert_eq!(error.to_string(), "label \"Everything\", field `truth`: expected bool, found int");
}

/// A name with a dot in it is a name where a field is named, and a path where a path is:
/// on labels with and without definitions, in typed updates as in others. Paths with empty
/// steps made maps with empty names.
#[test]
fn a_dot_is_part_of_a_name_and_divides_a_path() {
    let (db, alice, _) = people();
    let loose = db.insert_node("Loose", None, doc! {}).unwrap();
    db.transaction(|ctx| {
        ctx.set(loose, "a.b", 1)?;
        ctx.set_path(loose, "a.b", 2)?;
        ctx.set_many(loose, doc! { "c.d": 3, "e[0]": 4 })
    })
    .unwrap();
    db.update::<User>(alice).set("a.b", 1).set_path("a.b", 2).execute().unwrap();
    let snapshot = db.snapshot().unwrap();
    let document = snapshot.node(loose).unwrap().unwrap().document().to_document();
    assert_eq!(document, doc! { "a": { "b": 2 }, "a.b": 1, "c.d": 3, "e[0]": 4 });
    // Queries take paths, and reach no such names.
    let of = |path: &str| snapshot.query().from(loose).has(path, selvedge::query::exists());
    assert_eq!(of("a.b").count().unwrap(), 1);
    assert_eq!(of("c.d").count().unwrap() + of("e[0]").count().unwrap(), 0);
    let alice_stored = snapshot.node(alice).unwrap().unwrap().document().to_document();
    assert_eq!(alice_stored.get("a.b"), Some(&1.into()));
    assert_eq!(alice_stored.get("a"), Some(&doc! { "b": 2 }.into()));
    // `unset` names fields, too.
    db.transaction(|ctx| ctx.unset(loose, "a.b")).unwrap();
    let left = db.snapshot().unwrap().node(loose).unwrap().unwrap().document().to_document();
    assert_eq!(left, doc! { "a": { "b": 2 }, "c.d": 3, "e[0]": 4 });

    let before = db.timestamp();
    for (path, step) in [("", 1), (".a", 1), ("a.", 2), ("a..b", 2), ("a.b.", 3), ("a[", 2)] {
        let text = format!(
            "the document of node {loose} cannot be stored: {path:?} is not a path to a field, \
             for its step {step}: names have dots between them and positions such as [0] behind \
             them, and none is empty"
        );
        let refused = db.transaction(|ctx| ctx.set_path(loose, path, 1)).unwrap_err();
        assert_eq!((refused.kind(), refused.to_string()), (selvedge::ErrorKind::Input, text));
        let update = db.update::<User>(alice).set("age", 1).set_path(path, 1);
        let refused = update.execute().unwrap_err().to_string();
        assert!(refused.contains(&format!("{path:?} is not a path to a field")), "{refused}");
    }
    let refused = db.update::<User>(alice).set_path("tags[0]", "x").execute().unwrap_err();
    assert!(refused.to_string().contains("`tags[0]` names a list element"), "{refused}");
    assert_eq!(db.timestamp(), before);
    // With a definition neither is a field.
    db.define([Define::node::<Account>()]).unwrap();
    db.insert(&Account { number: 1, balance: 0 }).unwrap();
    for refused in [
        db.update::<Account>(1).set("balance.of", 1).execute(),
        db.update::<Account>(1).set_path("of.balance", 1).execute(),
    ] {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("label \"Account\", field `"), "{refused}");
        assert!(refused.contains("the definition has no such field"), "{refused}");
    }
}
