//! Typed operations in batches.

use selvedge::prelude::*;
use selvedge::{OpResult, Target};

use crate::{Account, DidSee, Event, Knows, User, people};

#[test]
fn a_batch_does_it_all() {
    let (db, alice, bob) = people();
    let done = db
        .batch([
            Op::insert(&User::new("carol", 1)),
            Op::insert(&Event { at: 5 }),
            Op::upsert(&User::new("bob", 41)),
            Op::update::<User>("alice").set("age", 32).unset("nick").into(),
            Op::link("alice", Knows::since(2020), Target::Inserted(0)),
            Op::link("carol", DidSee, Target::Inserted(1)),
            Op::update_edge::<Knows>("alice", "carol").set("since", 2021).into(),
            Op::link(alice, Knows::since(1), bob),
            Op::unlink::<Knows>("alice", "bob"),
            Op::delete::<User>("bob"),
        ])
        .unwrap();
    assert_eq!(done.len(), 10);
    assert!(matches!(done[0], OpResult::Inserted(_)));
    assert_eq!(done[2], OpResult::Updated(bob));
    assert_eq!(done[3], OpResult::Updated(alice));
    assert!(matches!(done[6], OpResult::UpdatedEdge(_)));
    assert_eq!(done[8], OpResult::Unlinked(1));
    assert_eq!(done[9], OpResult::Deleted { node: bob, edges: 0 });
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.get::<User>("alice").unwrap().unwrap().age, 32);
    assert_eq!(snapshot.get_edge::<Knows>("alice", "carol").unwrap().unwrap().since, 2021);
    assert_eq!(snapshot.out::<DidSee>("carol").unwrap().len(), 1);
    assert_eq!(snapshot.get::<User>("bob"), Ok(None));
}

#[test]
fn a_batch_that_fails_does_nothing() {
    let (db, alice, _) = people();
    let before = db.timestamp();
    let account = Op::insert(&Account { number: 1, balance: 0 });
    for (refused, message) in [
        (
            Op::insert(&User::new("bob", 1)),
            ": a node with label \"User\" and key \"bob\" exists already: n2",
        ),
        (
            Op::update::<User>("nobody").set("age", 1).into(),
            ": key \"nobody\" of label \"User\" does not exist at this snapshot",
        ),
        (Op::delete::<Account>(alice), ": node n1 has label \"User\", not \"Account\""),
        (
            Op::link(alice, Knows::since(1), Target::Inserted(0)),
            "has label \"Account\", not \"User\"",
        ),
        (
            Op::link("alice", Knows::since(1), Target::Inserted(7)),
            "operation 7 of the batch did not insert a node before this one",
        ),
        (
            Op::update_edge::<Knows>("alice", "bob").set("since", 1).into(),
            "there is no edge n1 -KNOWS-> n2",
        ),
    ] {
        let error = db.batch([account.clone(), refused]).unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("operation 1 of the batch: "), "{told}");
        assert!(told.ends_with(message), "{told}");
        assert_eq!(db.timestamp(), before);
    }
    assert_eq!(db.get::<Account>(1), Ok(None));
}
