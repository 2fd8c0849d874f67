//! Indexes under many writers: at every snapshot they say what documents say.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::assert_sound;
use selvedge::prelude::*;
use selvedge::{FieldDef, IndexDef, NodeDef};
use selvedge_testkit::threads;

const WRITERS: u64 = 8;
const TURNS: u64 = 300;
/// Few, so that they meet.
const NAMES: u32 = 12;

fn define(db: &Db) -> Result<(), Error> {
    let age = FieldDef::int("age").min(0).max(1000).optional().indexed();
    let fields =
        [FieldDef::string("name").optional().unique(), age, FieldDef::any("tags").optional()];
    db.define([NodeDef::new("N").fields(fields).index(IndexDef::on(["tags[]", "age"]))])
}

/// One random change; a value that is taken or out of range is refused.
fn change(db: &Db, random: &mut fastrand::Rng) -> Result<(), Error> {
    let key = format!("k{}", random.u32(..20));
    let (name, age) = (format!("n{}", random.u32(..NAMES)), random.i64(-5..50));
    let tags: Vec<Value> = (0..random.usize(..3)).map(|_| random.i64(..4).into()).collect();
    let what = random.u32(..10);
    db.transaction(|ctx| {
        let found = ctx.get_node("N", &key)?.map(|node| node.id());
        match (found, what) {
            (Some(id), 0) => drop(ctx.delete_node(id)?),
            (Some(id), 1..4) => ctx.set(id, "name", name)?,
            (Some(id), 4..6) => ctx.set(id, "age", age)?,
            (Some(id), 6) => drop(ctx.unset(id, "name")?),
            (Some(id), _) => ctx.set(id, "tags", tags)?,
            (None, _) => {
                let document = doc! { "name": name, "age": age, "tags": tags };
                ctx.insert_node("N", &*key, document)?;
            }
        }
        Ok(())
    })
}

/// What each index says, against what the documents of the same snapshot say.
fn compare(snapshot: &Snapshot<'_>) -> Result<(), Error> {
    let mut ages = Vec::new();
    let names = snapshot.index("N", "name")?;
    let mut named = 0;
    for id in snapshot.scan("N")? {
        let node = snapshot.node(id)?.expect("scanned");
        if let Some(age) = node.typed::<i64>("age")? {
            assert!((0..=1000).contains(&age), "the rule holds: {age}");
            ages.push((age, id));
        }
        if let Some(name) = node.typed::<String>("name")? {
            named += 1;
            let holder = names.find(name.as_str())?.expect("every name is found");
            assert_eq!(holder.id(), id, "no name is held twice: {name}");
        }
    }
    ages.sort_unstable();
    let expected: Vec<NodeId> = ages.into_iter().map(|(_, id)| id).collect();
    let found: Vec<NodeId> = snapshot.index("N", "age")?.scan().ids()?.collect::<Result<_, _>>()?;
    assert_eq!(found, expected, "no phantom, and none missing");
    assert_eq!(names.scan().count()?, named);
    Ok(())
}

#[test]
fn indexes_agree_with_documents_at_every_snapshot() -> Result<(), Error> {
    let db = Db::in_memory();
    define(&db)?;
    let (refused, conflicts, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    threads::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|seed| {
                let (db, refused, conflicts) = (&db, &refused, &conflicts);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..TURNS {
                        match change(db, &mut random) {
                            Ok(()) => {}
                            Err(error) if error.is_retryable() => {
                                conflicts.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(error) => {
                                assert!(error.input().is_some(), "{error}");
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let snapshot = db.snapshot().expect("few are open");
                compare(&snapshot).expect("it can be read");
            }
        });
        writers.into_iter().for_each(|writer| writer.join().expect("no writer panics"));
        over.store(true, Ordering::Relaxed);
        reader.join().expect("the reader agrees");
    });
    assert!(refused.into_inner() > 0, "taken names and ages out of range were refused");
    compare(&db.snapshot()?)?;
    assert_sound(&db);
    Ok(())
}
