//! What scans of an index give.

use std::ops::Bound;

use super::{keys, users, with_users};
use selvedge::limits::INDEX_RANGES_MAX;
use selvedge::prelude::*;
use selvedge::query::within;
use selvedge::{DateTime, FieldDef, FieldType, IndexDef, InputError, KvError, NodeDef};

#[test]
fn ranges_are_in_the_order_of_values() -> Result<(), Error> {
    let db = with_users()?;
    let snapshot = db.snapshot()?;
    let age = snapshot.index("User", "age")?;
    assert_eq!(keys(age.scan())?, ["erin", "bob", "dave", "alice", "carol"]);
    assert_eq!(keys(age.scan().reverse())?, ["carol", "alice", "dave", "bob", "erin"]);
    assert_eq!(keys(age.range(25..40))?, ["bob", "dave", "alice"]);
    assert_eq!(keys(age.range(25..=40).limit(2))?, ["bob", "dave"]);
    assert_eq!(keys(age.range(..25))?, ["erin"]);
    assert_eq!(keys(age.range(26.5..))?, ["alice", "carol"]);
    assert_eq!(keys(age.range::<i64>(..).reverse().limit(1))?, ["carol"]);
    let backwards = (Bound::Included(40), Bound::Excluded(25));
    assert_eq!(keys(age.range(backwards))?, Vec::<String>::new());
    assert_eq!(keys(age.equal(25.0))?, ["bob", "dave"]);
    assert_eq!(keys(age.within([40, 25, 40, 7]))?, ["bob", "dave", "carol"]);
    assert_eq!(keys(age.within([40, 25]).reverse().limit(2))?, ["carol", "dave"]);
    assert_eq!((age.equal(25).count()?, age.scan().count()?), (2, 5));
    let first = age.range(26..).first()?.expect("there are two");
    assert_eq!(first.key(), Some("alice"));
    Ok(())
}

#[test]
fn several_paths_are_bound_one_after_the_other() -> Result<(), Error> {
    let db = with_users()?;
    let snapshot = db.snapshot()?;
    let by_city = snapshot.index("User", "city_age")?;
    assert_eq!(keys(by_city.equal("Oslo"))?, ["bob", "alice"]);
    assert_eq!(keys(by_city.equal("Oslo").range(26..))?, ["alice"]);
    assert_eq!(keys(by_city.equal("Oslo").equal(25))?, ["bob"]);
    assert_eq!(keys(by_city.within(["Rome", "Oslo"]).equal(25))?, ["bob", "dave"]);
    assert_eq!(keys(by_city.within(["Rome", "Oslo"]).range(30..))?, ["alice", "carol"]);
    assert_eq!(keys(by_city.prefix("O"))?, ["bob", "alice"]);
    assert_eq!(keys(by_city.prefix(""))?.len(), 5);
    assert_eq!(keys(by_city.prefix("Osl").reverse())?, ["alice", "bob"]);
    let found = by_city.find_all(["Rome".into(), 40.into()])?.expect("carol");
    assert_eq!(found.key(), Some("carol"));
    assert!(by_city.find_all(["Rome".into(), 41.into()])?.is_none());

    let misused = [
        by_city.equal("Oslo").equal(1).equal(2).ids().err(),
        by_city.range("A".."P").equal(2).ids().err(),
    ];
    let reasons: Vec<String> = misused.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "index \"city_age\" cannot be read so: it has no path left to bind",
            "index \"city_age\" cannot be read so: only the last of its paths that are bound can be a range",
        ]
    );
    Ok(())
}

#[test]
fn a_range_ends_with_the_kind_of_its_values() -> Result<(), Error> {
    let db = Db::in_memory();
    let any = FieldDef::new("v", FieldType::Any).indexed();
    db.define([NodeDef::new("N").field(any)])?;
    let values: [Value; 8] = [
        Value::Null,
        true.into(),
        3.into(),
        4.5.into(),
        "3".into(),
        b"3".into(),
        DateTime::from_micros(3).into(),
        vec![Value::from(3)].into(),
    ];
    for (number, value) in values.iter().enumerate() {
        db.insert_node("N", &*number.to_string(), doc! { "v": value.clone() })?;
    }
    let snapshot = db.snapshot()?;
    let index = snapshot.index("N", "v")?;
    assert_eq!(keys(index.scan())?, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(keys(index.range(3..))?, ["2", "3"]);
    assert_eq!(keys(index.range(..=3))?, ["2"]);
    assert_eq!(keys(index.range(false..))?, ["1"]);
    assert_eq!(keys(index.range("".."4"))?, ["4"]);
    assert_eq!(keys(index.equal(Value::Null))?, ["0"]);
    Ok(())
}

#[test]
fn a_node_comes_once_for_all_its_elements() -> Result<(), Error> {
    let db = with_users()?;
    let snapshot = db.snapshot()?;
    let tags = snapshot.index("User", "tags")?;
    assert_eq!(keys(tags.equal("red"))?, ["alice", "bob", "dave"]);
    assert_eq!(keys(tags.within(["red", "green", "blue"]))?, ["alice", "erin", "dave", "bob"]);
    assert_eq!(tags.scan().count()?, 4);
    assert_eq!(keys(tags.prefix("gr"))?, ["dave"]);
    Ok(())
}

#[test]
fn pages_go_on_behind_a_cursor() -> Result<(), Error> {
    let db = with_users()?;
    for reverse in [false, true] {
        let (mut pages, mut cursor) = (Vec::new(), None);
        loop {
            // Another snapshot for each page.
            let snapshot = db.snapshot()?;
            let age = snapshot.index("User", "age")?;
            let scan = age.within([-3, 25, 31, 40]).limit(2);
            let scan = if reverse { scan.reverse() } else { scan };
            let scan = match cursor.take() {
                Some(cursor) => scan.after(cursor),
                None => scan,
            };
            let mut ids = scan.ids()?;
            let page: Vec<NodeId> = ids.by_ref().collect::<Result<_, _>>()?;
            if page.is_empty() {
                break;
            }
            cursor = ids.cursor().map(|cursor| cursor.to_string().parse()).transpose()?;
            for id in page {
                pages.push(snapshot.node(id)?.and_then(|n| n.key().map(str::to_owned)).unwrap());
            }
        }
        let mut expected = ["erin", "bob", "dave", "alice", "carol"];
        if reverse {
            expected.reverse();
        }
        assert_eq!(pages, expected);
    }
    // One of another index is refused.
    let snapshot = db.snapshot()?;
    let (age, tags) = (snapshot.index("User", "age")?, snapshot.index("User", "tags")?);
    let mut ids = age.scan().ids()?;
    ids.next();
    let cursor = ids.cursor().expect("one was read");
    assert_eq!(tags.scan().after(cursor).ids().err(), Some(KvError::Cursor.into()));
    Ok(())
}

#[test]
fn what_is_not_there_is_said() -> Result<(), Error> {
    let db = with_users()?;
    let snapshot = db.snapshot()?;
    let missing = |label: &str, index: &str| snapshot.index(label, index).err();
    let no = |label: &str, index: &str| {
        let (label, index) = (label.to_owned(), index.to_owned());
        Some(Error::from(InputError::NoIndex { label, index }))
    };
    assert_eq!(missing("User", "name"), no("User", "name"));
    assert_eq!(missing("Person", "age"), no("Person", "age"));
    let email = snapshot.index("User", "email")?;
    assert!(email.find("nobody@example.org")?.is_none());
    assert_eq!(email.find("bob@example.org")?.and_then(|node| node.key()), Some("bob"));
    // A snapshot from before the definition has no index.
    let db = Db::in_memory();
    let before = db.snapshot()?;
    db.define([users()])?;
    assert_eq!(before.index("User", "age").err(), no("User", "age"));
    assert_eq!(db.snapshot()?.index("User", "age")?.scan().count()?, 0);
    Ok(())
}

#[test]
fn long_and_short_numbers_of_indexes_do_not_meet() -> Result<(), Error> {
    let db = Db::in_memory();
    let index = |number: usize| IndexDef::on(["n"]).named(format!("by_{number}"));
    // Of several labels, as one may have so many.
    for label in 0..5 {
        let def = NodeDef::new(format!("L{label}")).field(FieldDef::int("n"));
        db.define([(0..60).fold(def, |def, number| def.index(index(number)))])?;
        db.insert_node(&format!("L{label}"), "x", doc! { "n": label as i64 })?;
    }
    let snapshot = db.snapshot()?;
    for label in 0..5 {
        for number in 0..60 {
            let index = snapshot.index(&format!("L{label}"), &format!("by_{number}"))?;
            assert_eq!(index.scan().count()?, 1);
            assert_eq!(index.equal(label as i64).count()?, 1);
        }
    }
    super::assert_sound(&db);
    Ok(())
}

/// Each combination of values is a range of its own, and there are so many at most.
#[test]
fn the_product_of_lists_of_values_has_a_limit() -> Result<(), Error> {
    let db = with_users()?;
    let snapshot = db.snapshot()?;
    let by_city = snapshot.index("User", "city_age")?;
    let side = 256;
    assert_eq!(side * side, INDEX_RANGES_MAX);
    let cities = (2..side).map(|number| format!("city {number}"));
    let cities: Vec<String> = cities.chain(["Oslo".into(), "Rome".into()]).collect();
    let ages = |most: i64| by_city.within(cities.clone()).within(0..most);
    assert_eq!(keys(ages(side as i64))?, ["bob", "alice", "dave", "carol"]);
    let refused = ages(side as i64 + 1).count().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the number of ranges of an index scan, which is the product of its lists of values, \
         is 65792, the limit is 65536"
    );
    assert!(matches!(refused, Error::Input(_)));
    // A query has no such limit: where a list is longer, it tests.
    let many = snapshot.query().from_label("User").has("age", within(0..=INDEX_RANGES_MAX as i64));
    assert!(many.explain()?.starts_with("scan of label"), "no index for so many");
    assert_eq!(many.count()?, 4);
    let as_many =
        snapshot.query().from_label("User").has("age", within(1..=INDEX_RANGES_MAX as i64));
    assert!(as_many.explain()?.starts_with("index \"age\""));
    assert_eq!(as_many.count()?, 4);
    Ok(())
}
