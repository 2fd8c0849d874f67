//! Selections: prefixes, ranges, order, limits, cursors.

use selvedge::prelude::*;
use selvedge::{Key, Kv, Selection, key};

fn filled() -> (Db, Kv) {
    let db = Db::in_memory();
    let kv = db.kv();
    for at in 0..300_u64 {
        kv.set(&key!["n", at], at).unwrap();
    }
    for key in [key!["n"], key!["m", 1], key!["o", 1], Key::from_bytes(*b"n"), key![false]] {
        kv.set(&key, 0_u64).unwrap();
    }
    (db, kv)
}

fn numbers(kv: &Kv, selection: Selection) -> Vec<u64> {
    kv.list(selection).unwrap().iter().map(|entry| entry.number().unwrap()).collect()
}

#[test]
fn a_prefix_selects_what_is_behind_it() {
    let (_db, kv) = filled();
    let all = Selection::prefix(&key!["n"]);
    assert_eq!(numbers(&kv, all.clone()), (0..300).collect::<Vec<_>>());
    assert_eq!(numbers(&kv, all.clone().reverse().limit(3)), [299, 298, 297]);
    assert_eq!(numbers(&kv, all.clone().start(&key!["n", 298])), [298, 299]);
    assert_eq!(numbers(&kv, all.clone().end(&key!["n", 2])), [0, 1]);
    assert_eq!(kv.count(&all).unwrap(), 300);
    assert_eq!(kv.keys(all.limit(1)).unwrap(), [key!["n", 0].into_bytes()]);
    assert_eq!(numbers(&kv, Selection::range(key!["n", 5], key!["n", 7])), [5, 6]);
    assert_eq!(numbers(&kv, Selection::range(key!["n", 7], key!["n", 5])), [0_u64; 0]);
    assert_eq!(kv.count(Selection::all()).unwrap(), 305);
    assert_eq!(kv.count(Selection::starting_with(b"n")).unwrap(), 1);
}

#[test]
fn cursors_go_on_where_reading_stopped() {
    let (_db, kv) = filled();
    for reverse in [false, true] {
        let mut selection = Selection::prefix(&key!["n"]).limit(7);
        if reverse {
            selection = selection.reverse();
        }
        let mut read = Vec::new();
        loop {
            let (page, cursor) = kv
                .view(|view| {
                    let mut range = view.range(&selection)?;
                    let page: Vec<_> =
                        range.by_ref().map(|entry| entry.unwrap().number()).collect();
                    Ok::<_, Error>((page, range.cursor()))
                })
                .unwrap();
            let Some(cursor) = cursor else { break };
            read.extend(page.into_iter().flatten());
            selection = selection.after(cursor.to_string().parse().unwrap());
        }
        let mut expected: Vec<u64> = (0..300).collect();
        if reverse {
            expected.reverse();
        }
        assert_eq!(read, expected);
    }
}

#[test]
fn keyspaces_do_not_see_each_other() {
    let (db, kv) = filled();
    let (one, other) = (db.keyspace("one").unwrap(), db.keyspace("other").unwrap());
    one.set(&key!["n", 1], 11_u64).unwrap();
    assert_eq!(one.count(Selection::all()).unwrap(), 1);
    assert_eq!(other.count(Selection::all()).unwrap(), 0);
    assert_eq!(kv.count(Selection::all()).unwrap(), 305);
    assert_eq!(one.delete_range(Selection::all()).unwrap(), 1);
    assert_eq!(kv.delete_range(Selection::prefix(&key!["n"])).unwrap(), 300);
    assert_eq!(kv.count(Selection::all()).unwrap(), 5);
    let again = db.keyspace("one").unwrap();
    again.set(&key!["x"], 1_u64).unwrap();
    assert_eq!(one.count(Selection::all()).unwrap(), 1, "the same one");
    let elsewhere = Db::in_memory();
    assert!(elsewhere.snapshot().unwrap().keyspace(&one).is_err());
}

#[test]
fn a_list_is_one_snapshot() {
    let (db, kv) = filled();
    let snapshot = db.snapshot().unwrap();
    let view = snapshot.kv();
    let mut range = view.range(Selection::prefix(&key!["n"])).unwrap();
    assert!(range.next().is_some());
    kv.delete_range(Selection::all()).unwrap();
    assert_eq!(range.count(), 299);
    assert_eq!(view.count(Selection::all()).unwrap(), 305);
}
