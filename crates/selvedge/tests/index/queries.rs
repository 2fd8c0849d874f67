//! Queries that go through indexes find what they find without.

use super::{assert_sound, users, with_users};
use selvedge::prelude::*;
use selvedge::query::{
    Order, PageCursor, Predicate, between, contains, eq, gt, gte, lt, prefix, within,
};
use selvedge::{IndexDef, NodeDef};

fn keys<R: Read>(reader: &R, tests: &[(&str, Predicate)]) -> Result<(String, Vec<String>), Error> {
    let mut query = reader.query().from_label("User");
    for (field, predicate) in tests {
        query = query.has(*field, predicate.clone());
    }
    let query = query.order_by("age", Order::Desc);
    let found = query.nodes()?.map(|node| Ok(node?.key().unwrap_or_default().to_owned()));
    Ok((query.explain()?, found.collect::<Result<_, Error>>()?))
}

#[test]
fn plans_use_what_is_ready() -> Result<(), Error> {
    let db = with_users()?;
    let snapshot = db.snapshot()?;
    let (plan, found) = keys(&snapshot, &[("age", gte(25)), ("address.city", eq("Oslo"))])?;
    let expected = "index \"city_age\" on \"User\" (address.city, age): \
                    address.city = \"Oslo\", age >= 25, reversed, in the order asked for\n";
    assert_eq!((&*plan, found), (expected, vec!["alice".to_owned(), "bob".into()]));
    let (plan, found) = keys(&snapshot, &[("email", eq("bob@example.org")), ("age", gt(3))])?;
    assert!(
        plan.starts_with("index \"email\" on \"User\" (email): email = \"bob@example.org\""),
        "{plan}"
    );
    assert_eq!(found, ["bob"]);
    let (plan, found) = keys(&snapshot, &[("tags", contains("red"))])?;
    assert!(plan.starts_with("index \"tags\" on \"User\" (tags): tags = \"red\""), "{plan}");
    assert_eq!(found, ["alice", "dave", "bob"]);
    Ok(())
}

/// The same nodes in two databases, of which one has indexes.
#[test]
fn results_and_pages_do_not_depend_on_indexes() -> Result<(), Error> {
    let bare = Db::in_memory();
    let indexed = Db::in_memory();
    indexed.define([users().index(IndexDef::on(["age", "email"]))])?;
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..150 {
        let mut document = doc! { "email": format!("{number}") };
        if random.u8(..4) > 0 {
            document.set("age", random.i64(..12));
        }
        let city = ["Oslo", "Rome", "Paris"][random.usize(..3)];
        document.set("address", doc! { "city": city });
        let tags: Vec<Value> =
            (0..random.u8(..3)).map(|_| ["a", "b"][random.usize(..2)].into()).collect();
        document.set("tags", tags);
        for db in [&bare, &indexed] {
            db.insert_node("User", &*number.to_string(), document.clone())?;
        }
    }
    let mut used = 0;
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut tests: Vec<(&str, Predicate)> = Vec::new();
        for _ in 0..random.u8(1..4) {
            let age = random.i64(..12);
            tests.push(match random.u8(..8) {
                0 => ("age", eq(age)),
                1 => ("age", gt(age)),
                2 => ("age", between(age, age + 4)),
                3 => ("age", within([age, 3, 11])),
                4 => ("address.city", eq("Oslo")),
                5 => ("email", prefix("1")),
                6 => ("tags", contains("a")),
                _ => ("age", lt(age)),
            });
        }
        let order = if random.bool() { Order::Asc } else { Order::Desc };
        let sorted = random.bool();
        let read = |db: &Db| -> Result<(String, Vec<String>), Error> {
            let snapshot = db.snapshot()?;
            let mut query = snapshot.query().from_label("User");
            for (field, predicate) in &tests {
                query = query.has(*field, predicate.clone());
            }
            if sorted {
                query = query.order_by("age", order);
            }
            let (mut found, mut cursor) = (Vec::new(), None::<PageCursor>);
            loop {
                let page = query.page(cursor.as_ref(), 7)?;
                found
                    .extend(page.rows.iter().map(|node| node.key().unwrap_or_default().to_owned()));
                match page.cursor {
                    Some(next) => cursor = Some(next),
                    None => return Ok((query.explain()?, found)),
                }
            }
        };
        let ((_, without), (plan, with)) = (read(&bare)?, read(&indexed)?);
        used += u32::from(plan.starts_with("index"));
        assert_eq!(with, without, "seed {seed}: {plan}");
    }
    assert!(used > 200, "{used} plans used an index");
    assert_sound(&indexed);
    Ok(())
}

#[test]
fn own_writes_are_found_through_an_index() -> Result<(), Error> {
    let db = with_users()?;
    db.transaction(|ctx| {
        let erin = ctx.get_node("User", "erin")?.expect("inserted").id();
        ctx.set(erin, "age", 39)?;
        let (plan, found) = keys(ctx, &[("age", gt(30))])?;
        assert!(plan.starts_with("index \"age\""), "{plan}");
        assert_eq!(found, ["carol", "erin", "alice"]);
        Ok::<_, Error>(())
    })?;
    // A label without indexes is scanned.
    db.define([NodeDef::new("Plain").allow_unknown_fields()])?;
    let snapshot = db.snapshot()?;
    let plan = snapshot.query().from_label("Plain").has("age", eq(1)).explain()?;
    assert_eq!(plan, "scan of label \"Plain\"\nkeep age = 1\n");
    Ok(())
}
