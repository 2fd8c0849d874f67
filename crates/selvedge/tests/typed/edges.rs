//! Edges: linked, read, changed, unlinked.

use selvedge::prelude::*;

use crate::{Account, DidSee, Event, Knows, Payment, User, people};

#[test]
fn edges_run_between_whatever_finds_their_ends() {
    let (db, alice, bob) = people();
    let (alice_value, bob_value) = (User::new("alice", 31), User::new("bob", 40));
    let alice_read = db.get::<User>("alice").unwrap().unwrap();
    let edge = db.link(alice, Knows::since(1), bob).unwrap();
    // The type is unique: linking again replaces the value.
    for again in [
        db.link("alice", Knows::since(2), bob),
        db.link(&alice_value, Knows::since(3), "bob"),
        db.link(&alice_read, Knows::since(4), &bob_value),
    ] {
        assert_eq!(again, Ok(edge));
    }
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.count_edges("KNOWS").unwrap(), 1);
    let knows = snapshot.get_edge::<Knows>(&alice_read, "bob").unwrap().expect("linked");
    assert_eq!((*knows).clone(), Knows::since(4));
    assert_eq!((knows.edge(), knows.source(), knows.target()), (edge, alice, bob));
    assert_eq!(snapshot.get_edge::<Knows>("bob", "alice"), Ok(None));
    assert_eq!(snapshot.get_edge::<Knows>("bob", "nobody"), Ok(None));
    assert_eq!(knows.into_value().note, None);
}

#[test]
fn several_edges_of_a_multi_type() {
    let db = Db::in_memory();
    db.insert_many([1, 2].map(|number| Account { number, balance: 0 })).unwrap();
    let first = db.link(1, Payment { amount: 10 }, 2).unwrap();
    let second = db.link(1, Payment { amount: 20 }, 2).unwrap();
    assert_ne!(first, second);
    let def = db.snapshot().unwrap().edge_type_def("PAID").unwrap().expect("by the first link");
    assert_eq!(def, EdgeTypeDef::multi().from("Account").to("Account"));
    db.update_edge_at::<Payment>(second).set("amount", 21).execute().unwrap();
    let snapshot = db.snapshot().unwrap();
    let amounts: Vec<u32> =
        snapshot.get_edges::<Payment>(1, 2).unwrap().iter().map(|paid| paid.amount).collect();
    assert_eq!(amounts, [10, 21]);
    assert_eq!(snapshot.get_edge::<Payment>(1, 2).unwrap().unwrap().amount, 10);
    assert_eq!(db.unlink::<Payment>(1, 2), Ok(2));
    let third = db.link(1, Payment { amount: 30 }, 2).unwrap();
    db.batch([Op::update_edge_at::<Payment>(third).set("amount", 31).into()]).unwrap();
    assert_eq!(db.snapshot().unwrap().get_edge::<Payment>(1, 2).unwrap().unwrap().amount, 31);
    let error = db.update_edge_at::<Payment>(second).set("amount", 1).execute().unwrap_err();
    assert!(error.to_string().ends_with("does not exist at this snapshot"), "{error}");
}

#[test]
fn edges_without_fields_and_with_any_end() {
    let (db, alice, bob) = people();
    let event = db.insert(&Event { at: 1 }).unwrap();
    db.link("alice", DidSee, event).unwrap();
    db.link("alice", DidSee, &db.get::<User>("bob").unwrap().unwrap()).unwrap();
    db.link("bob", DidSee, &User::new("alice", 0)).unwrap();
    db.link("bob", DidSee, ("User", "bob")).unwrap();
    let snapshot = db.snapshot().unwrap();
    let seen = |who: &str| -> Vec<NodeId> {
        snapshot.out::<DidSee>(who).unwrap().map(|saw| saw.unwrap().target()).collect()
    };
    assert_eq!(seen("alice"), [bob, event]);
    assert_eq!(seen("bob"), [alice, bob]);
    assert_eq!(*snapshot.get_edge::<DidSee>("alice", event).unwrap().unwrap(), DidSee);
}

#[test]
fn neighbours_are_read_as_their_types() {
    let (db, ..) = people();
    db.insert(&User::new("carol", 7)).unwrap();
    for (who, year, whom) in [("alice", 1, "bob"), ("alice", 2, "carol"), ("carol", 3, "bob")] {
        db.link(who, Knows::since(year), whom).unwrap();
    }
    let snapshot = db.snapshot().unwrap();
    let years = |edges: Vec<Result<StoredEdge<Knows>, Error>>| -> Vec<u16> {
        edges.into_iter().map(|knows| knows.unwrap().since).collect()
    };
    assert_eq!(years(snapshot.out::<Knows>("alice").unwrap().collect()), [1, 2]);
    assert_eq!(years(snapshot.in_::<Knows>("bob").unwrap().collect()), [1, 3]);
    assert_eq!(snapshot.out::<Knows>("alice").unwrap().len(), 2);
    let names = |nodes: Vec<Result<Stored<User>, Error>>| -> Vec<String> {
        nodes.into_iter().map(|user| user.unwrap().into_value().name).collect()
    };
    assert_eq!(names(snapshot.out_nodes::<Knows>("alice").unwrap().collect()), ["bob", "carol"]);
    assert_eq!(names(snapshot.in_nodes::<Knows>("bob").unwrap().collect()), ["alice", "carol"]);
    assert_eq!(snapshot.out::<Knows>("nobody").unwrap().len(), 0);
    assert_eq!(snapshot.out_nodes::<Knows>("nobody").unwrap().count(), 0);

    // Inside a transaction, own links and unlinks count.
    db.transaction(|ctx| {
        ctx.unlink::<Knows>("alice", "bob")?;
        ctx.link("bob", Knows::since(9), "alice")?;
        assert_eq!(years(ctx.out::<Knows>("alice")?.collect()), [2]);
        assert_eq!(names(ctx.in_nodes::<Knows>("alice")?.collect()), ["bob"]);
        Ok::<_, Error>(())
    })
    .unwrap();
}

#[test]
fn edges_are_updated() {
    let (db, ..) = people();
    db.link("alice", Knows { since: 1, note: Some("school".to_owned()) }, "bob").unwrap();
    let read = || db.snapshot().unwrap().get_edge::<Knows>("alice", "bob").unwrap().unwrap();
    db.update_edge::<Knows>("alice", "bob").set("since", 2).execute().unwrap();
    assert_eq!(read().since, 2);
    db.update_edge::<Knows>("alice", "bob").unset("note").execute().unwrap();
    assert_eq!(*read(), Knows::since(2));
    let update = db.update_edge::<Knows>("alice", "bob").set("note", "work").set("since", 3);
    update.unset("note").execute().unwrap();
    assert_eq!(*read(), Knows::since(3));
    db.update_edge::<Knows>("alice", "bob").set("note", "x").execute().unwrap();
    db.update_edge::<Knows>("alice", "bob").set("note", None::<String>).execute().unwrap();
    let all = Knows { since: 4, note: Some("all".to_owned()) };
    db.update_edge::<Knows>("alice", "bob").set("since", 9).set_all(&all).execute().unwrap();
    assert_eq!(*read(), all);
}

#[test]
fn a_link_that_fails_does_not_define_its_type() {
    let (db, alice, bob) = people();
    db.transaction(|ctx| {
        ctx.delete_node(bob)?;
        assert!(ctx.link(alice, DidSee, bob).is_err());
        assert_eq!(ctx.edge_type_def("DID_SEE")?, None);
        ctx.link(alice, DidSee, alice).map(drop)
    })
    .unwrap();
    assert_eq!(
        db.snapshot().unwrap().edge_type_def("DID_SEE"),
        Ok(Some(EdgeTypeDef::unique().from("User")))
    );
}

#[test]
fn concurrent_first_links_define_the_type_once() {
    for _ in 0..20 {
        let db = Db::in_memory();
        db.insert_many((0..4).map(|number| Account { number, balance: 0 })).unwrap();
        std::thread::scope(|scope| {
            for from in 0..4_u64 {
                let db = &db;
                scope.spawn(move || {
                    let link = |ctx: &mut Transaction<'_>| {
                        ctx.link(from, Payment { amount: 1 }, (from + 1) % 4)
                    };
                    db.transaction_retry(RetryPolicy::default(), link).expect("retried");
                });
            }
        });
        let snapshot = db.snapshot().unwrap();
        assert_eq!(snapshot.count_edges("PAID").unwrap(), 4);
        assert!(snapshot.edge_type_def("PAID").unwrap().unwrap().is_multi());
    }
}

#[test]
fn a_neighbour_of_another_type_is_an_error_in_its_place() {
    let (db, alice, bob) = people();
    let event = db.insert(&Event { at: 1 }).unwrap();
    // An untyped link leaves the type open to all labels.
    db.link_nodes(alice, "KNOWS", event, doc! { "since": 1 }).unwrap();
    db.link("alice", Knows::since(2), bob).unwrap();
    let snapshot = db.snapshot().unwrap();
    let known: Vec<_> = snapshot.out_nodes::<Knows>("alice").unwrap().collect();
    assert_eq!(known[0].as_ref().unwrap().id(), bob);
    assert_eq!(
        known[1].as_ref().unwrap_err().to_string(),
        format!("node {event} has label \"Login\", not \"User\"")
    );
    assert_eq!(snapshot.out::<Knows>("alice").unwrap().filter(Result::is_ok).count(), 2);
}
