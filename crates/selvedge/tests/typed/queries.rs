//! Queries that begin and end with Rust types; unique values of typed nodes.

use selvedge::prelude::*;
use selvedge::query::{Order, PageCursor, gt};
use selvedge::{ErrorKind, Target, TypedError};
use serde::{Deserialize, Serialize};

use crate::{Account, DidSee, Knows, User, people};

/// Carol knows Alice, who knows Bob and has seen an account.
fn circle() -> (Db, NodeId) {
    let (db, alice, _) = people();
    db.insert(&User::new("carol", 25)).unwrap();
    let account = db.insert(&Account { number: 7, balance: 1 }).unwrap();
    db.link("carol", Knows::since(2019), "alice").unwrap();
    db.link("alice", Knows::since(2020), "bob").unwrap();
    db.link_nodes(alice, "DID_SEE", account, doc! {}).unwrap();
    (db, account)
}

fn names<'a>(users: impl Iterator<Item = selvedge::Result<Stored<User>>> + 'a) -> Vec<String> {
    users.map(|user| user.unwrap().into_value().name).collect()
}

#[test]
fn everything_that_finds_a_node_starts_a_query() {
    let (db, account) = circle();
    let snapshot = db.snapshot().unwrap();
    let query = || snapshot.query();
    let alice = snapshot.get::<User>("alice").unwrap().unwrap();
    for start in [
        query().from(&alice),
        query().from(alice.id()),
        query().from_one::<User>(&alice),
        query().from_one::<User>("alice"),
        query().from_one::<User>(alice.id()),
        query().from_one::<User>(&User::new("alice", 0)),
    ] {
        assert_eq!(names(start.out(Knows::TYPE).nodes_as().unwrap()), ["bob"]);
    }
    assert_eq!(query().from_one::<Account>(7).first_as::<Account>().unwrap().unwrap().balance, 1);
    // Nothing is found by a key that is not there, nor by the id of another type.
    assert!(!query().from_one::<User>("dave").exists().unwrap());
    assert!(!query().from_one::<User>(account).exists().unwrap());
    assert!(!query().from_one::<Account>(Target::Inserted(0)).exists().unwrap());
    let users = query().from_type::<User>().has("age", gt(30)).order_by("age", Order::Desc);
    assert_eq!(names(users.nodes_as().unwrap()), ["bob", "alice"]);
    assert_eq!(users.first_as::<User>().unwrap().unwrap().age, 40);
    assert!(query().from_type::<User>().has("age", gt(99)).first_as::<User>().unwrap().is_none());
}

#[test]
fn pages_and_own_writes_are_of_the_type_too() {
    let (db, _) = circle();
    db.transaction(|ctx| {
        ctx.insert(&User::new("dave", 1))?;
        let users = ctx.query().from_type::<User>().order_by("name", Order::Asc);
        assert_eq!(names(users.nodes_as()?), ["alice", "bob", "carol", "dave"]);
        let (mut found, mut cursor) = (Vec::new(), None::<PageCursor>);
        loop {
            let page = users.page_as::<User>(cursor.as_ref(), 3)?;
            found.extend(page.rows.into_iter().map(|user| user.into_value().name));
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(found, ["alice", "bob", "carol", "dave"]);
        Ok::<_, Error>(())
    })
    .unwrap();
}

#[test]
fn what_is_not_of_the_type_is_an_error_in_its_place() {
    let (db, account) = circle();
    db.insert_node("User", "zed", doc! { "name": "zed", "age": "old" }).unwrap();
    let snapshot = db.snapshot().unwrap();
    let around = snapshot.query().from_one::<User>("alice").out(["DID_SEE", "KNOWS"]);
    let found: Vec<_> = around.nodes_as::<User>().unwrap().collect();
    let message = format!("node {account} has label \"Account\", not \"User\"");
    assert_eq!(found[0].as_ref().unwrap_err().to_string(), message);
    assert_eq!(found[1].as_ref().unwrap().name, "bob", "and what is behind it follows");
    assert_eq!(around.first_as::<User>().unwrap_err().kind(), ErrorKind::Input);
    assert_eq!(around.page_as::<User>(None, 9).unwrap_err().to_string(), message);
    let of_users = around.clone().has_label(User::LABEL);
    assert_eq!(names(of_users.nodes_as().unwrap()), ["bob"]);

    let edges: Vec<_> = around.edges_as::<Knows>().unwrap().collect();
    let alice = snapshot.get::<User>("alice").unwrap().unwrap().id();
    assert_eq!(
        edges[0].as_ref().unwrap_err().to_string(),
        format!("edge {alice} -DID_SEE-> {account} is not of the type \"KNOWS\"")
    );
    assert_eq!(edges[1].as_ref().unwrap().since, 2020);
    assert_eq!(around.edges_as::<DidSee>().unwrap().filter(Result::is_ok).count(), 1);

    let all: Vec<_> = snapshot.query().from_type::<User>().nodes_as::<User>().unwrap().collect();
    let errors: Vec<_> = all.iter().filter_map(|user| user.as_ref().err()).collect();
    assert_eq!((all.len(), errors.len()), (4, 1));
    assert!(matches!(errors[0], Error::Typed(error) if matches!(**error, TypedError::Read { .. })));
    let text = errors[0].to_string();
    assert!(text.contains("key \"zed\"") && text.contains("age"), "{text}");
}

#[derive(Serialize, Deserialize, Node, Clone, PartialEq, Debug)]
#[node(index(on("city", "street"), name = "home", unique))]
struct Member {
    #[node(key)]
    number: u64,
    #[node(unique)]
    email: String,
    city: String,
    street: Option<String>,
}

/// A value that another node has is refused by label, index, value and that node, however it
/// is written, and nothing stays of what was refused.
#[test]
fn a_unique_value_that_is_taken_is_told_with_its_holder() {
    let db = Db::in_memory();
    db.define([Define::node::<Member>()]).unwrap();
    let member = |number: u64, email: &str, street: Option<&str>| Member {
        number,
        email: email.to_owned(),
        city: "Oslo".to_owned(),
        street: street.map(str::to_owned),
    };
    let first = db.insert(&member(1, "a@x.org", Some("Main"))).unwrap();
    // Without a street it has no place in the other index.
    db.insert(&member(2, "b@x.org", None)).unwrap();
    let email =
        format!("{first} has \"a@x.org\" in the unique index \"email\" of \"Member\" already");
    let home = format!(
        "{first} has \"Oslo\", \"Main\" in the unique index \"home\" of \"Member\" already"
    );
    for (refused, message) in [
        (db.insert(&member(3, "a@x.org", None)).map(drop), &email),
        (db.upsert(&member(2, "a@x.org", None)).map(drop), &email),
        (db.update::<Member>(2).set("email", "a@x.org").execute().map(drop), &email),
        (
            db.insert_many([member(3, "c@x.org", None), member(4, "a@x.org", None)]).map(drop),
            &email,
        ),
        (db.batch([Op::insert(&member(3, "a@x.org", None))]).map(drop), &email),
        (db.insert(&member(3, "c@x.org", Some("Main"))).map(drop), &home),
        (db.update::<Member>(2).set("street", "Main").execute().map(drop), &home),
    ] {
        let error = refused.unwrap_err();
        let text = error.to_string();
        // In a batch, behind which operation it was.
        assert!(text == *message || text.ends_with(&format!("of the batch: {message}")), "{text}");
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.count("Member").unwrap(), 2);
    let second = snapshot.get::<Member>(2).unwrap().unwrap();
    assert_eq!(*second, member(2, "b@x.org", None));
    let found = snapshot.index("Member", "email").unwrap().find("a@x.org").unwrap();
    assert_eq!(found.map(|node| node.id()), Some(first));
}
