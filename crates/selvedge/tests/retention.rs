//! What versions cost: none without a reader, one for each record and reader
//! with one, and none after it.

use std::thread;
use std::time::{Duration, Instant};

use selvedge::prelude::*;
use selvedge::{Background, Result, Statistics, env::Env};
use selvedge_testkit::threads;

fn manual() -> (Db, std::sync::Arc<selvedge::env::SimulatedClock>) {
    let (env, clock) = Env::simulated(1);
    (Db::builder().background(Background::Manual).env(env).in_memory(), clock)
}

fn nodes(db: &Db, count: usize) -> Result<Vec<NodeId>> {
    db.transaction(|ctx| {
        (0..count).map(|n| ctx.insert_node("Node", &*format!("{n}"), doc! { "n": n })).collect()
    })
}

/// Nothing is retained, owed or reserved.
fn assert_nothing(statistics: &Statistics) {
    let Statistics { versions_retained, chains_retained, bytes_retained, .. } = statistics;
    assert_eq!((versions_retained, chains_retained, bytes_retained), (&0, &0, &0));
}

#[test]
fn a_serial_workload_makes_no_versions() -> Result<()> {
    let (db, _) = manual();
    let mut random = fastrand::Rng::with_seed(5);
    let mut alive = nodes(&db, 50)?;
    for turn in 0..4_000_i64 {
        let at = random.usize(..alive.len());
        let (a, b) = (alive[at], alive[random.usize(..alive.len())]);
        match turn % 8 {
            0 => alive.push(db.insert_node("Node", &*format!("new {turn}"), doc! { "n": turn })?),
            1 => {
                db.delete_node(a)?;
                alive.swap_remove(at);
            }
            2 => drop(db.link_nodes(a, "TO", b, doc! { "n": turn })?),
            3 => drop(db.link_nodes(a, "TO", b, doc! {})?),
            4 => drop(db.unlink_nodes(a, "TO", b)?),
            5 => db.replace(a, doc! { "turn": turn })?,
            6 => drop(db.upsert_node("Node", "7", doc! { "turn": turn })?),
            _ => {
                let (a, b) = (a, b);
                db.transaction(|ctx| {
                    ctx.link_nodes(a, "BACK", b, doc! { "n": turn })?;
                    ctx.set(b, "n", turn)
                })?;
            }
        }
        let newest = db.snapshot()?;
        assert_eq!(newest.count("Node")?, newest.scan("Node")?.count() as u64);
    }
    let end = db.statistics();
    assert_eq!((end.versions_created, end.chains_created), (0, 0));
    assert_nothing(&end);
    Ok(())
}

#[test]
fn a_reader_holds_one_version_of_each_record_that_changes() -> Result<()> {
    const UPDATED: usize = 100;
    let (db, _) = manual();
    let ids = nodes(&db, 200)?;
    let reader = db.snapshot()?;
    for turn in 0..50_i64 {
        for id in &ids[..UPDATED] {
            db.set(*id, "n", turn)?;
        }
        let now = db.statistics();
        assert_eq!(now.versions_retained, UPDATED as u64, "one each, after turn {turn}");
        assert_eq!(now.chains_retained, UPDATED as u64);
    }
    let held = db.statistics();
    println!("{UPDATED} records beside one reader: {} bytes retained", held.bytes_retained);
    assert!(held.bytes_retained > 0 && held.bytes_retained < 1_000 * UPDATED as u64);
    assert_eq!(held.versions_created, UPDATED as u64, "the versions in between never stayed");
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(reader.node(*id)?.expect("seen").typed::<usize>("n")?, Some(n));
    }
    drop(reader);
    while db.step(16) {}
    assert_nothing(&db.statistics());
    Ok(())
}

#[test]
fn several_readers_hold_at_most_one_version_each() -> Result<()> {
    const READERS: usize = 5;
    let (db, _) = manual();
    let ids = nodes(&db, 20)?;
    let mut readers = Vec::new();
    for turn in 0..200_i64 {
        if turn % 40 == 0 {
            readers.push(db.snapshot()?);
        }
        ids.iter().try_for_each(|id| db.set(*id, "n", turn))?;
        let retained = db.statistics().versions_retained;
        assert_eq!(retained, (readers.len() * ids.len()) as u64, "turn {turn}");
    }
    assert_eq!(readers.len(), READERS);
    // One in the middle ends: the versions that only it saw go, those of its
    // neighbours stay.
    drop(readers.remove(2));
    while db.step(16) {}
    assert_eq!(db.statistics().versions_retained, ((READERS - 1) * ids.len()) as u64);
    for (at, turn) in [(0, None), (1, Some(39)), (2, Some(119)), (3, Some(159))] {
        for (n, id) in ids.iter().enumerate() {
            let seen = readers[at].node(*id)?.expect("seen").typed::<i64>("n")?;
            assert_eq!(seen, Some(turn.unwrap_or(n as i64)));
        }
    }
    readers.clear();
    while db.step(16) {}
    assert_nothing(&db.statistics());
    Ok(())
}

#[test]
fn versions_between_two_readers_go_at_the_next_commit() -> Result<()> {
    let (db, _) = manual();
    let node = db.insert_node("Node", None, doc! { "n": 0 })?;
    let old = db.snapshot()?;
    for n in 1..10 {
        db.set(node, "n", n)?;
        assert_eq!(db.statistics().versions_retained, 1, "the one that the reader sees");
    }
    let young = db.snapshot()?;
    for n in 10..20 {
        db.set(node, "n", n)?;
        assert_eq!(db.statistics().versions_retained, 2, "one for each reader");
    }
    let n = |reader: &Snapshot<'_>| reader.node(node).expect("reads").expect("seen").typed("n");
    assert_eq!((n(&old)?, n(&young)?), (Some(0), Some(9)));
    drop((old, young));
    while db.step(1) {}
    assert_nothing(&db.statistics());
    Ok(())
}

#[test]
fn everything_comes_back_after_edges_keys_and_deletions() -> Result<()> {
    let (db, _) = manual();
    let ids = nodes(&db, 60)?;
    for pair in ids.windows(2) {
        db.link_nodes(pair[0], "NEXT", pair[1], doc! { "n": 1 })?;
    }
    let reader = db.snapshot()?;
    for id in &ids {
        db.delete_node(*id)?;
    }
    for n in 0..60 {
        db.insert_node("Node", &*n.to_string(), doc! { "again": true })?;
    }
    assert_eq!(reader.count("Node")?, 60);
    assert_eq!(reader.count_edges("NEXT")?, 59);
    assert_eq!(reader.get_node("Node", "7")?.map(|node| node.id()), Some(ids[7]));
    assert!(db.statistics().versions_retained > 0);
    drop(reader);
    while db.step(7) {}
    assert_nothing(&db.statistics());
    Ok(())
}

/// With the thread that a database has by default, nobody needs to ask.
#[test]
fn the_background_gives_everything_back_within_a_second() -> Result<()> {
    let db = Db::in_memory();
    let ids = nodes(&db, 2_000)?;
    for _ in 0..3 {
        let reader = db.snapshot()?;
        for id in &ids {
            db.set(*id, "n", 1)?;
        }
        assert_eq!(db.statistics().versions_retained, ids.len() as u64);
        drop(reader);
        let ended = Instant::now();
        while db.statistics().versions_retained > 0 {
            assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", db.statistics());
            thread::sleep(Duration::from_millis(5));
        }
        println!("2000 versions are back after {:?}", ended.elapsed());
        assert_nothing(&db.statistics());
    }
    Ok(())
}

#[test]
fn statistics_name_the_oldest_snapshot() -> Result<()> {
    let (db, clock) = manual();
    clock.advance(Duration::from_secs(60));
    db.insert_node("Node", None, doc! {})?;
    assert_eq!(db.statistics().oldest_snapshot, None);
    let import = db.begin(&TransactionOptions::new().label("slow import"))?;
    let start = import.timestamp();
    clock.advance(Duration::from_secs(5));
    db.insert_node("Node", None, doc! {})?;
    let report = db.snapshot_labelled("report")?;
    let unnamed = db.snapshot()?;
    clock.advance(Duration::from_secs(2));
    let statistics = db.statistics();
    assert_eq!(statistics.snapshots_open, 3);
    let oldest = statistics.oldest_snapshot.expect("three are open");
    assert_eq!(oldest.label.as_deref(), Some("slow import"));
    assert_eq!((oldest.start, oldest.age), (start, Duration::from_secs(7)));
    import.rollback();
    let oldest = db.statistics().oldest_snapshot.expect("two are open");
    assert_eq!(oldest.age, Duration::from_secs(2));
    drop(unnamed);
    let oldest = db.statistics().oldest_snapshot.expect("one is open");
    assert_eq!(oldest.label.as_deref(), Some("report"));
    drop(report);
    assert_eq!(db.statistics().oldest_snapshot, None);
    // The label went with its handle, and does not come back with the slot.
    let unnamed = db.snapshot()?;
    assert_eq!(db.statistics().oldest_snapshot.expect("one is open").label, None);
    drop(unnamed);
    Ok(())
}

/// A transaction in a closure has no age until it holds something back.
#[test]
fn a_closure_that_holds_versions_back_is_timed_from_then_on() -> Result<()> {
    let (db, clock) = manual();
    let node = db.insert_node("Node", None, doc! { "n": 0 })?;
    db.transaction(|_| {
        clock.advance(Duration::from_secs(3));
        threads::scope(|scope| {
            let other = scope.spawn(|| db.set(node, "n", 1));
            other.join().expect("no panic")
        })?;
        clock.advance(Duration::from_secs(4));
        let oldest = db.statistics().oldest_snapshot.expect("this transaction");
        assert_eq!(oldest.age, Duration::from_secs(4));
        Ok::<_, Error>(())
    })
}

/// Commits once filed versions faster than anybody looked at them again: with
/// nothing but short readers the backlog grew for as long as the load lasted.
#[test]
fn short_readers_leave_no_backlog() -> Result<()> {
    let (db, _clock) = manual();
    let mut worst = 0;
    for _ in 0..400 {
        let reader = db.snapshot()?;
        let ids = db.transaction(|ctx| {
            (0..50)
                .map(|n| ctx.insert_node("Node", None, doc! { "n": n }))
                .collect::<Result<Vec<_>>>()
        })?;
        let other = db.snapshot()?;
        db.transaction(|ctx| ids.iter().try_for_each(|id| ctx.delete_node(*id).map(drop)))?;
        drop((reader, other));
        worst = worst.max(db.statistics().versions_retained);
    }
    // Two commits write a hundred records; each keeps a version or two meanwhile.
    assert!(worst <= 500, "{worst} versions retained");
    Ok(())
}
