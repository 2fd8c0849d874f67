//! Queries that go through indexes find what they find without.

use std::cell::RefCell;

use super::{assert_sound, users, with_users};
use selvedge::prelude::*;
use selvedge::query::{
    Order, PageCursor, Predicate, between, contains, eq, gt, gte, lt, prefix, within,
};
use selvedge::{
    FieldDef, FieldType, IndexDef, MigrationProgress, MigrationStage, NodeDef, Transaction,
    TransactionOptions,
};

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

/// The plan, and the numbers of the nodes in the order in which it gives them.
fn by_level<R: Read>(reader: &R) -> Result<(String, Vec<i64>), Error> {
    let query = reader.query().from_label("Player").order_by("level", Order::Desc);
    let numbers = query.nodes()?.map(|node| Ok(node?.typed::<i64>("number")?.unwrap_or(-1)));
    Ok((query.explain()?, numbers.collect::<Result<_, Error>>()?))
}

const SORTED: &str = "scan of label \"Player\"\nsort by level desc; not to count\n";
const INDEXED: &str = "index \"level\" on \"Player\" (level), reversed, in the order asked for\n";

/// What is required, or has a default, is in the index for sure: not what may be
/// absent, nor what has yet to be converted. Snapshots go by the schema of their start.
#[test]
fn an_index_gives_its_order_once_every_document_has_the_field() -> Result<(), Error> {
    let db = Db::in_memory();
    let level = || FieldDef::int("level");
    let fields = [FieldDef::int("number"), level().optional().indexed()];
    db.define([NodeDef::new("Player").fields(fields)])?;
    for number in 0..600 {
        let mut document = doc! { "number": number };
        if number % 3 > 0 {
            document.set("level", number % 7);
        }
        db.insert_node("Player", None, document)?;
    }
    let mut expected: Vec<i64> = (0..600).collect();
    let sort = |numbers: &mut Vec<i64>, absent: i64| {
        let level = |number: &i64| if number % 3 > 0 { number % 7 } else { absent };
        numbers.sort_by_key(|number| (level(number), *number));
        numbers.reverse();
    };
    let before = db.snapshot()?;
    sort(&mut expected, -1);
    assert_eq!(by_level(&before)?, (SORTED.to_owned(), expected.clone()));

    let mut converting = 0;
    let migration = db.migrate("Player").change_field(level().default(3));
    let report = |progress: MigrationProgress| {
        if progress.stage == MigrationStage::Converting && progress.done < progress.of {
            converting += 1;
            let (plan, numbers) = by_level(&db.snapshot().expect("few are open")).expect("reads");
            assert_eq!((&*plan, numbers.len()), (SORTED, 600), "some have no entry yet");
        }
    };
    migration.on_progress(report).run()?;
    assert!(converting > 0, "it was looked at in its midst");

    let after = db.snapshot()?;
    let beside = db.begin(&TransactionOptions::new())?;
    let mut now = expected.clone();
    sort(&mut now, 3);
    assert_eq!(by_level(&after)?, (INDEXED.to_owned(), now.clone()));
    assert_eq!(by_level(&before)?, (SORTED.to_owned(), expected));
    let first = after.query().from_label("Player").order_by("level", Order::Asc).first()?;
    assert_eq!(first.expect("there are some").get("level").unwrap(), 0);

    db.migrate("Player").make_optional("level").run()?;
    db.insert_node("Player", None, doc! { "number": 600 })?;
    now.push(600);
    assert_eq!(by_level(&db.snapshot()?)?, (SORTED.to_owned(), now.clone()));
    now.pop();
    assert_eq!(by_level(&beside)?, (INDEXED.to_owned(), now));
    assert_sound(&db);
    Ok(())
}

/// Of a composite index the first path is enough, if all documents have the others.
#[test]
fn a_composite_index_is_used_by_its_first_path() -> Result<(), Error> {
    let db = Db::in_memory();
    let def = NodeDef::new("Song").fields([
        FieldDef::string("album").optional(),
        FieldDef::int("track"),
        FieldDef::map("audio"),
    ]);
    let by_rate = IndexDef::on(["album", "audio.rate"]).named("by_rate");
    db.define([def.index(IndexDef::on(["album", "track"]).named("by_album")).index(by_rate)])?;
    for (track, rate) in [(3, Some(44)), (1, None), (2, Some(48))] {
        let mut document = doc! { "album": "a", "track": track, "audio": {} };
        if let Some(rate) = rate {
            document.set("audio", doc! { "rate": rate });
        }
        db.insert_node("Song", None, document)?;
    }
    db.insert_node("Song", None, doc! { "track": 9, "audio": {} })?;
    let tracks = |ctx: &Transaction<'_>| -> Result<(String, Vec<i64>), Error> {
        let query = ctx.query().from_label("Song").has("album", eq("a"));
        let query = query.order_by("track", Order::Asc);
        let found = query.nodes()?.map(|node| Ok(node?.typed("track")?.unwrap_or(-1)));
        Ok((query.explain()?, found.collect::<Result<_, Error>>()?))
    };
    let plan = "index \"by_album\" on \"Song\" (album, track): album = \"a\", \
                in the order asked for\n";
    db.transaction(|ctx| {
        assert_eq!(tracks(ctx)?, (plan.to_owned(), vec![1, 2, 3]));
        ctx.insert_node("Song", None, doc! { "album": "a", "track": 0, "audio": {} })?;
        assert_eq!(tracks(ctx)?, (plan.to_owned(), vec![0, 1, 2, 3]));
        // What lies inside of a map may be absent, though the map may not.
        let by_rate = ctx.query().from_label("Song").has("album", eq("a"));
        let by_rate = by_rate.order_by("audio.rate", Order::Asc);
        assert!(
            by_rate.explain()?.ends_with("sort by audio.rate; not to count\n"),
            "{}",
            by_rate.explain()?
        );
        assert_eq!(by_rate.count()?, 4);
        Ok::<_, Error>(())
    })
}

/// A value that is no list has an entry among the elements of lists, but contains nothing.
#[test]
fn what_is_no_list_contains_nothing() -> Result<(), Error> {
    let db = Db::in_memory();
    let tags = || FieldDef::new("tags", FieldType::Any).optional();
    db.define([NodeDef::new("Song").field(tags()).index(IndexDef::on(["tags[]"]))])?;
    let nullable = FieldDef::new("tags", FieldType::list(FieldType::Any)).optional().nullable();
    db.define([NodeDef::new("Film").field(nullable).index(IndexDef::on(["tags[]"]))])?;
    let list: Value = vec![Value::from("a"), Value::Null].into();
    let with_list = db.insert_node("Song", None, doc! { "tags": list.clone() })?;
    db.insert_node("Song", None, doc! { "tags": "a" })?;
    db.insert_node("Song", None, doc! { "tags": null })?;
    let film = db.insert_node("Film", None, doc! { "tags": list })?;
    db.insert_node("Film", None, doc! { "tags": null })?;
    let snapshot = db.snapshot()?;
    for (label, value, found) in [
        ("Song", Value::from("a"), with_list),
        ("Song", Value::Null, with_list),
        ("Film", Value::Null, film),
    ] {
        let query = snapshot.query().from_label(label).has("tags", contains(value));
        assert!(query.explain()?.starts_with("index \"tags\""), "{}", query.explain()?);
        assert_eq!(query.ids()?.collect::<Result<Vec<_>, _>>()?, [found], "{}", query.explain()?);
    }
    Ok(())
}

/// A field that is renamed has its entries under the new name before its documents have.
/// Pages, which read the values that they are sorted by, lost nodes so.
#[test]
fn an_index_is_not_used_while_its_field_gets_another_name() -> Result<(), Error> {
    let db = Db::in_memory();
    db.define([NodeDef::new("Song").field(FieldDef::int("nr").indexed())])?;
    db.transaction(|ctx| {
        for number in 0..600_i64 {
            ctx.insert_node("Song", None, doc! { "nr": number * 7 % 600 })?;
        }
        Ok::<_, Error>(())
    })?;
    let found = |snapshot: &Snapshot<'_>| -> Result<(String, usize, usize), Error> {
        let songs = snapshot.query().from_label("Song").has("track", gte(0));
        let sorted = songs.clone().order_by("track", Order::Asc);
        let (mut cursor, mut paged) = (None, 0);
        loop {
            let page = sorted.page(cursor.as_ref(), 50)?;
            paged += page.rows.len();
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok((sorted.explain()?, sorted.ids()?.count(), paged)),
            }
        }
    };
    let converting = RefCell::new(Vec::new());
    let report = |progress: MigrationProgress| {
        if progress.stage == MigrationStage::Converting {
            converting.borrow_mut().push((progress.done, found(&db.snapshot().unwrap()).unwrap()));
        }
    };
    db.migrate("Song").rename_field("nr", "track").on_progress(report).run()?;
    for (done, (plan, found, paged)) in converting.take() {
        assert!(plan.starts_with("scan of label"), "{plan}");
        assert_eq!((found as u64, paged as u64), (done, done));
    }
    let (plan, found, paged) = found(&db.snapshot()?)?;
    assert!(plan.starts_with("index \"track\" on \"Song\" (track)"), "{plan}");
    assert_eq!((found, paged), (600, 600));
    Ok(())
}
