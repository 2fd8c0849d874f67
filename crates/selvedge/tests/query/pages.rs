//! Pages: over changes, and with cursors that are none.

use selvedge::prelude::*;
use selvedge::query::{Field, Order, Page, PageCursor, Query, QueryError, exists, gte};

fn people() -> Db {
    let db = Db::in_memory();
    for (key, age) in [("a", 30), ("b", 20), ("c", 30), ("d", 40), ("e", 20)] {
        db.insert_node("User", key, doc! { "age": age }).unwrap();
    }
    db
}

fn keys(page: &Page<selvedge::Node<'_>>) -> String {
    page.rows.iter().filter_map(|node| node.key()).collect()
}

fn by_age<R: Read>(reader: &R) -> Query<'_> {
    reader.query().from_label("User").order_by("age", Order::Asc)
}

fn why(error: Error) -> String {
    assert!(matches!(&error, Error::Query(_)), "{error}");
    error.to_string()
}

#[test]
fn pages_go_on_in_later_snapshots() {
    let db = people();
    let first =
        by_age(&db.snapshot().unwrap()).page(None, 2).map(|page| (keys(&page), page.cursor));
    let (found, cursor) = first.unwrap();
    assert_eq!(found, "be");
    let cursor = PageCursor::from_bytes(cursor.unwrap().as_bytes()).unwrap();
    // Before the cursor, at it and behind it.
    db.insert_node("User", "f", doc! { "age": 10 }).unwrap();
    db.insert_node("User", "g", doc! { "age": 20 }).unwrap();
    db.insert_node("User", "h", doc! { "age": 35 }).unwrap();
    db.insert_node("User", "i", doc! {}).unwrap();
    let gone = db.snapshot().unwrap().get_node("User", "e").unwrap().unwrap().id();
    db.delete_node(gone).unwrap();
    let snapshot = db.snapshot().unwrap();
    let page = by_age(&snapshot).page(Some(&cursor), 3).unwrap();
    assert_eq!(keys(&page), "gac");
    let last = by_age(&snapshot).page(page.cursor.as_ref(), 3).unwrap();
    assert_eq!((keys(&last), last.cursor), ("hd".to_owned(), None));
    // In a transaction, with its own writes.
    let mut ctx = db.begin(&TransactionOptions::default()).unwrap();
    ctx.insert_node("User", "j", doc! { "age": 21 }).unwrap();
    assert_eq!(keys(&by_age(&ctx).page(Some(&cursor), 2).unwrap()), "gj");
}

#[test]
fn rows_come_in_pages_too() {
    let db = people();
    let snapshot = db.snapshot().unwrap();
    let users = || by_age(&snapshot).has("age", gte(25)).select([Field::key(), "age".into()]);
    // Tests behind the sort leave the order as it is.
    let page = users().page(None, 2).unwrap();
    let rows: Vec<_> = page.rows.iter().map(|row| row.typed::<&str>(0).unwrap().unwrap()).collect();
    assert_eq!(rows, ["a", "c"]);
    let rest = users().page(page.cursor.as_ref(), 2).unwrap();
    assert!(rest.rows.len() == 1 && rest.rows[0].get(1).unwrap() == 40);
    let sorted =
        snapshot.query().from_label("User").has("age", gte(25)).order_by("age", Order::Desc);
    let page = sorted.select([Field::key()]).page(None, 2).unwrap();
    let rows: Vec<_> = page.rows.iter().map(|row| row.typed::<&str>(0).unwrap().unwrap()).collect();
    assert_eq!(rows, ["d", "c"]);
    let page = sorted.select(["age"]).page(page.cursor.as_ref(), 2).unwrap();
    assert_eq!((page.rows[0].get(0).unwrap() == 30, page.rows.len(), page.cursor), (true, 1, None));
    let mismatch = sorted.select([Field::key()]).first().unwrap().unwrap().typed::<i64>(0);
    assert_eq!(mismatch.unwrap_err().to_string(), "`value 0` is string, expected i64");
}

#[test]
fn cursors_of_other_queries_and_damaged_ones_are_refused() {
    let db = people();
    let snapshot = db.snapshot().unwrap();
    let cursor = by_age(&snapshot).page(None, 2).unwrap().cursor.unwrap();
    let others = [
        snapshot.query().from_label("User"),
        snapshot.query().from_label("Person").order_by("age", Order::Asc),
        snapshot.query().from_label("User").order_by("age", Order::Desc),
        snapshot.query().from_label("User").has("age", exists()).order_by("age", Order::Asc),
        snapshot.query().from_all().order_by("age", Order::Asc),
    ];
    for other in others {
        let refused = why(other.page(Some(&cursor), 2).unwrap_err());
        assert_eq!(refused, "not a cursor of this query: it is of another query, or damaged");
    }
    // Every flipped bit is noticed.
    for at in 0..cursor.as_bytes().len() * 8 {
        let mut bytes = cursor.as_bytes().to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        let read = PageCursor::from_bytes(&bytes).map_err(Error::from);
        let refused = read.and_then(|cursor| by_age(&snapshot).page(Some(&cursor), 2).map(drop));
        assert!(matches!(refused, Err(Error::Query(_))), "bit {at}: {refused:?}");
    }
    let bytes = cursor.as_bytes();
    for len in 0..bytes.len() {
        let read = PageCursor::from_bytes(&bytes[..len]).map_err(Error::from);
        let refused = read.and_then(|cursor| by_age(&snapshot).page(Some(&cursor), 2).map(drop));
        assert!(matches!(refused, Err(Error::Query(_))), "{len} bytes: {refused:?}");
    }
    for text in ["", "0", "zz", "é", "01", "ff00", &"01".repeat(70_000)] {
        let refused = text.parse::<PageCursor>();
        assert!(matches!(refused, Err(QueryError::Cursor { .. })), "{:.9}: {refused:?}", text);
    }
    assert_eq!(cursor.to_string().parse::<PageCursor>().unwrap(), cursor);
}

#[test]
fn queries_without_pages_say_so() {
    let db = people();
    let snapshot = db.snapshot().unwrap();
    let users = || snapshot.query().from_label("User");
    let refused = |query: Query<'_>| why(query.page(None, 2).unwrap_err());
    assert!(refused(users().limit(10)).contains("skip or limit behind its last hop"));
    assert!(refused(users().order_by("age", Order::Asc).skip(1).dedup()).contains("skip or limit"));
    assert!(refused(users().limit(9).has("age", exists())).contains("skip or limit"));
    assert!(refused(users().out(None).order_by(Field::edge("n"), Order::Asc)).contains("edges"));
    assert!(why(users().page(None, 0).unwrap_err()).contains("at least one row"));
    let edge = users().out(None).select([Field::edge_type()]).page(None, 1);
    assert!(why(edge.unwrap_err()).contains("edges"));
    // A limit before the last hop is a step like others.
    assert_eq!(users().limit(2).out(None).page(None, 5).unwrap().rows.len(), 0);
    // A cursor has its limit.
    let long = "x".repeat(selvedge::limits::PAGE_CURSOR_BYTES_MAX);
    for _ in 0..2 {
        db.insert_node("Long", None, doc! { "text": long.as_str() }).unwrap();
    }
    let snapshot = db.snapshot().unwrap();
    let long = || snapshot.query().from_label("Long");
    let refused = why(long().order_by("text", Order::Asc).page(None, 1).unwrap_err());
    assert!(refused.contains("too long for a cursor"), "{refused}");
    assert!(long().order_by("text", Order::Asc).page(None, 2).is_ok(), "no cursor is needed");
    assert!(long().page(None, 1).unwrap().cursor.is_some());
}
