//! Traps that others fell into: what concurrent writers, checkpoints and a crash did to
//! their databases, and must not do to this one.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use selvedge::prelude::*;
use selvedge::{Background, Result, SyncLevel};
use selvedge_testkit::threads;

use crate::machine::{DIR, Machine, Place};
use crate::state::State;

fn n(reader: &impl Read, node: NodeId) -> Result<i64> {
    Ok(reader.node(node)?.expect("inserted").typed::<i64>("n")?.expect("a number"))
}

fn add_one(db: &Db, node: NodeId) -> Result<()> {
    db.transaction_retry(RetryPolicy::default(), |ctx| {
        let n = n(ctx, node)?;
        ctx.set(node, "n", n + 1)
    })
}

/// Trap 11: several threads contend, then the database is opened again. Elsewhere memory
/// and disk differed; here everything that can be read is equal.
#[test]
fn trap_11_contended_run_and_reopen() {
    let place = Place::new();
    let builder =
        Db::builder().log_segment_bytes(16_384).checkpoint_bytes(40_000).document_bytes(0);
    let db = builder.clone().open(place.path()).unwrap();
    let keys: Vec<String> = (0..8).map(|key| format!("k{key}")).collect();
    threads::scope(|scope| {
        for seed in 0..4 {
            let (db, keys) = (&db, &keys);
            scope.spawn(move || contend(db, keys, seed));
        }
    });
    let statistics = db.statistics();
    assert!(statistics.conflicts_write + statistics.conflicts_dangling > 0, "they contended");
    assert!(statistics.storage.unwrap().checkpoints > 0, "and there were checkpoints");
    let memory = State::checked(&db).unwrap();
    drop(db);
    let db = builder.clone().open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap(), memory);
    db.close().unwrap();
    let db = builder.open(place.path()).unwrap();
    assert_eq!(State::checked(&db).unwrap(), memory);
}

/// Random transactions over few nodes; conflicts are part of it.
fn contend(db: &Db, keys: &[String], seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for turn in 0..150_i64 {
        let (a, b) = (&keys[random.usize(..keys.len())], &keys[random.usize(..keys.len())]);
        let text = "x".repeat(random.usize(..400));
        let choice = random.u8(..6);
        let done: Result<()> = db.transaction(|ctx| {
            let one = ctx.upsert_node("N", a, doc! { "turn": turn, "text": text })?.id;
            let other = ctx.get_node("N", b)?.map(|node| node.id());
            match (choice, other) {
                (0, Some(other)) => drop(ctx.delete_node(other)?),
                (1, Some(other)) => {
                    ctx.link_nodes(one, "TO", other, doc! { "turn": turn })?;
                }
                (2, Some(other)) => drop(ctx.link_nodes(one, "BARE", other, doc! {})?),
                (3, Some(other)) => drop(ctx.unlink_nodes(one, "TO", other)?),
                (4, _) => drop(ctx.insert_node(&format!("L{turn}"), None, doc! {})?),
                _ => {}
            }
            Ok(())
        });
        match done {
            Ok(()) => {}
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// Trap 12: a transaction is open while a checkpoint is written, commits with a full
/// sync, and the machine crashes. Elsewhere it was lost; here it is there.
#[test]
fn trap_12_open_across_a_checkpoint() {
    for seed in 0..10 {
        let machine = Machine::new(seed);
        let db = machine.builder().sync(SyncLevel::Off).open(DIR).unwrap();
        let node = db.insert_node("N", "node", doc! { "n": 1 }).unwrap();
        let options = TransactionOptions::new().sync(SyncLevel::Full);
        let mut open = db.begin(&options).unwrap();
        open.set(node, "n", 2).unwrap();
        let early = open.insert_node("N", "early", doc! { "text": "e".repeat(600) }).unwrap();
        db.checkpoint().unwrap();
        db.insert_node("Other", None, doc! {}).unwrap();
        db.checkpoint().unwrap();
        let late = open.insert_node("New label", "late", doc! {}).unwrap();
        open.link_nodes(early, "TO", late, doc! { "n": 1 }).unwrap();
        open.commit().unwrap();
        let state = State::checked(&db).unwrap();
        let db = machine.crash_and_open(db).unwrap();
        assert_eq!(State::checked(&db).unwrap(), state);
        assert_eq!(n(&db.snapshot().unwrap(), node).unwrap(), 2);
    }
}

/// Trap 13: two writers, and automatic checkpoints all the time. Elsewhere commits made
/// during a checkpoint were dropped, or everything stood still.
#[test]
fn trap_13_two_writers_and_automatic_checkpoints() {
    let machine = Machine::new(13);
    let builder = machine.builder().background(Background::Thread).checkpoint_bytes(4_096);
    let db = builder.open(DIR).unwrap();
    let shared = db.insert_node("Counter", "shared", doc! { "n": 0 }).unwrap();
    let own: Vec<_> = (0..2)
        .map(|writer| db.insert_node("Counter", &*format!("{writer}"), doc! { "n": 0 }).unwrap())
        .collect();
    let (acknowledged, done) = (AtomicI64::new(0), AtomicBool::new(false));
    let checkpoints = || db.statistics().storage.unwrap().checkpoints;
    let counts: Vec<i64> = threads::scope(|scope| {
        let write = |own: NodeId| {
            let (db, acknowledged, checkpoints) = (&db, &acknowledged, &checkpoints);
            scope.spawn(move || {
                let enough = |count| count >= 200 && checkpoints() >= 12 || count == 20_000;
                let count = (1..).find(|count| {
                    if add_one(db, shared).is_ok() {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    add_one(db, own).unwrap();
                    enough(*count)
                });
                count.unwrap_or_default()
            })
        };
        let writers: Vec<_> = own.iter().map(|own| write(*own)).collect();
        // The worker looks at intervals whether a checkpoint is due; this, all the time.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                db.step(100);
            }
        });
        let counts = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        counts
    });
    assert!(checkpoints() >= 12, "{} checkpoints and {counts:?} commits", checkpoints());
    let expect = |db: &Db| {
        let snapshot = db.snapshot().unwrap();
        assert_eq!(n(&snapshot, shared).unwrap(), acknowledged.load(Ordering::Relaxed));
        for (own, count) in own.iter().zip(&counts) {
            assert_eq!(n(&snapshot, *own).unwrap(), *count);
        }
    };
    expect(&db);
    let db = machine.crash_and_open(db).unwrap();
    expect(&db);
    db.close().unwrap();
    expect(&machine.open().unwrap());
}

/// The same, and the machine crashes in the midst of it: each writer finds what it was
/// last acknowledged, or the commit that was under way.
#[test]
fn trap_13_and_a_crash_in_the_midst_of_it() {
    for seed in 0..5 {
        let machine = Machine::new(seed);
        let builder = machine.builder().background(Background::Thread).checkpoint_bytes(4_096);
        let db = builder.open(DIR).unwrap();
        let nodes: Vec<_> =
            (0..2).map(|_| db.insert_node("Counter", None, doc! { "n": 0 }).unwrap()).collect();
        let crashed = AtomicBool::new(false);
        let counts: Vec<i64> = threads::scope(|scope| {
            let write = |node: NodeId| {
                let (db, crashed) = (&db, &crashed);
                scope.spawn(move || {
                    let mut count = 0;
                    while add_one(db, node).is_ok() {
                        count += 1;
                        assert!(count < 1_000_000 || !crashed.load(Ordering::Relaxed));
                    }
                    count
                })
            };
            let writers: Vec<_> = nodes.iter().map(|node| write(*node)).collect();
            let enough = Timestamp::new(150 + 20 * seed);
            while db.timestamp() < enough {
                thread::yield_now();
            }
            machine.0.crash();
            crashed.store(true, Ordering::Relaxed);
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        drop(db);
        let db = machine.open().unwrap();
        State::checked(&db).unwrap();
        for (node, count) in nodes.iter().zip(counts) {
            let found = n(&db.snapshot().unwrap(), *node).unwrap();
            assert!(found == count || found == count + 1, "{found} of {count}");
        }
    }
}

/// Readers that look at one moment while writers, checkpoints and the letting go of
/// documents go on see that moment, whole.
#[test]
fn readers_beside_writers_and_checkpoints_see_whole_commits() {
    let place = Place::new();
    let builder = Db::builder().log_segment_bytes(4096).checkpoint_bytes(4_096).document_bytes(0);
    let db = builder.open(place.path()).unwrap();
    let pair = db
        .transaction(|ctx| {
            let text = "0".repeat(500);
            let one = ctx.insert_node("N", "one", doc! { "n": 0, "text": text.clone() })?;
            Ok::<_, Error>([one, ctx.insert_node("N", "other", doc! { "n": 0, "text": text })?])
        })
        .unwrap();
    let done = AtomicBool::new(false);
    threads::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let snapshot = db.snapshot().unwrap();
                    let State { nodes, .. } = State::of(&snapshot).unwrap();
                    let [one, other] = pair.map(|id| &nodes[&id]);
                    assert_eq!(one.document, other.document);
                    let number = one.document.get("n").unwrap().as_i64().unwrap();
                    let text = one.document.get("text").unwrap().as_str().unwrap();
                    assert!(text.bytes().all(|byte| byte == b'0' + (number % 10) as u8));
                }
            });
        }
        for number in 1..=400_i64 {
            let text = (number % 10).to_string().repeat(500);
            db.transaction(|ctx| {
                let document = doc! { "n": number, "text": text };
                pair.into_iter().try_for_each(|id| ctx.replace(id, document.clone()))
            })
            .unwrap();
            // Besides those that come by themselves, as fast as the disk lets them.
            if number % 20 == 0 {
                db.checkpoint().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(db.statistics().storage.unwrap().checkpoints >= 20);
}
