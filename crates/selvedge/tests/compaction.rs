//! Compaction moves edges and values in memory, and nothing else: not for snapshots,
//! not for transactions, not for threads beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use selvedge::prelude::*;
use selvedge::{Background, KvEntry, Result, Selection, Snapshot, Versionstamp};
use selvedge_testkit::threads;

const NODES: usize = 1_500;
/// More than a block holds, so that the first node is a hub with a tree.
const HUB_EDGES: usize = 1_200;

fn graph(db: &Db) -> Result<Vec<NodeId>> {
    db.transaction(|ctx| {
        let nodes = (0..NODES)
            .map(|n| ctx.insert_node("Node", None, doc! { "n": n as i64 }))
            .collect::<Result<Vec<_>>>()?;
        for target in &nodes[..HUB_EDGES] {
            ctx.link_nodes(nodes[0], "TO", *target, doc! {})?;
        }
        for (at, node) in nodes.iter().enumerate() {
            for step in 1..4 {
                ctx.link_nodes(
                    *node,
                    "TO",
                    nodes[(at * 7 + step) % NODES],
                    doc! { "step": step as i64 },
                )?;
            }
        }
        Ok(nodes)
    })
}

/// All edges, read from both ends.
fn edges(reader: &impl Read, nodes: &[NodeId]) -> Result<[Vec<(NodeId, NodeId)>; 2]> {
    let (mut out, mut into) = (Vec::new(), Vec::new());
    for node in nodes {
        let targets = reader.neighbours(*node, Direction::Out, "TO")?;
        out.extend(targets.map(|target| (*node, target)));
    }
    let adjacency = reader.adjacency(Direction::In, "TO")?;
    for (node, sources) in adjacency.neighbours_of_each(nodes.iter().copied()) {
        into.extend(sources.map(|source| (source, node)));
    }
    out.sort_unstable();
    into.sort_unstable();
    Ok([out, into])
}

#[test]
fn snapshots_see_the_same_before_and_after() -> Result<()> {
    let db = Db::builder().background(Background::Manual).in_memory();
    let nodes = graph(&db)?;
    let before = db.snapshot()?;
    let [out, into] = edges(&before, &nodes)?;
    assert_eq!(out, into);
    let borrowed = before.neighbours(nodes[1], Direction::Out, "TO")?;
    assert_eq!(db.compact()?, 2 * NODES);
    let found: Vec<_> = borrowed.collect();
    assert!(out.iter().filter(|(source, _)| *source == nodes[1]).map(|(_, to)| *to).eq(found));
    assert_eq!(edges(&before, &nodes)?, [out.clone(), into.clone()]);
    // What has older versions moves, and they hang below it as before.
    db.unlink_nodes(nodes[5], "TO", nodes[36])?;
    assert_eq!(db.compact()?, 2 * NODES);
    assert_eq!(edges(&before, &nodes)?, [out.clone(), into]);
    assert_eq!(edges(&db.snapshot()?, &nodes)?[0].len(), out.len() - 1);
    drop(before);
    while db.step(256) {}
    assert_eq!(db.statistics().versions_retained, 0);
    Ok(())
}

/// The edges of a hub become one block, and a tree again with the next change.
#[test]
fn a_hub_changes_after_a_compaction_as_before() -> Result<()> {
    let db = Db::in_memory();
    let nodes = graph(&db)?;
    let [mut expected, _] = edges(&db.snapshot()?, &nodes)?;
    for target in [HUB_EDGES + 100, HUB_EDGES + 200, HUB_EDGES + 201] {
        db.compact()?;
        db.link_nodes(nodes[0], "TO", nodes[target], doc! { "late": true })?;
        db.unlink_nodes(nodes[0], "TO", nodes[target - HUB_EDGES])?;
        expected.push((nodes[0], nodes[target]));
        expected.retain(|edge| *edge != (nodes[0], nodes[target - HUB_EDGES]));
        expected.sort_unstable();
        let snapshot = db.snapshot()?;
        assert_eq!(edges(&snapshot, &nodes)?, [expected.clone(), expected.clone()]);
        let late = snapshot.edge(nodes[0], "TO", nodes[target])?.expect("just linked");
        assert_eq!(late.get("late").and_then(|late| late.as_bool()), Some(true));
        let degree = snapshot.degree(nodes[0], Direction::Out, "TO")?;
        assert_eq!(degree, snapshot.neighbours(nodes[0], Direction::Out, "TO")?.count() as u64);
    }
    Ok(())
}

#[test]
fn readers_and_writers_beside_a_compaction_notice_nothing() -> Result<()> {
    let db = Db::in_memory();
    let nodes = graph(&db)?;
    let deadline = Instant::now() + Duration::from_millis(700);
    let stop = AtomicBool::new(false);
    threads::scope(|scope| {
        let writer = scope.spawn(|| -> Result<()> {
            let mut random = fastrand::Rng::with_seed(5);
            while !stop.load(Ordering::Relaxed) {
                let (a, b) = (nodes[random.usize(..60)], nodes[random.usize(..NODES)]);
                if random.bool() {
                    db.link_nodes(a, "TO", b, doc! {})?;
                } else {
                    db.unlink_nodes(a, "TO", b)?;
                }
            }
            Ok(())
        });
        let reader = scope.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let snapshot = db.snapshot()?;
                let first = edges(&snapshot, &nodes)?;
                assert_eq!(first[0], first[1], "both ends know the same edges");
                assert_eq!(first[0].len() as u64, snapshot.count_edges("TO")?);
                assert_eq!(edges(&snapshot, &nodes)?, first, "and go on to");
            }
            Ok(())
        });
        while Instant::now() < deadline {
            db.compact()?;
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer is fine")?;
        reader.join().expect("the reader is fine")
    })
}

/// More than one piece of a compaction has.
const ENTRIES: u64 = 1_300;

/// Key, value and versionstamp.
type Entry = (Vec<u8>, Vec<u8>, Option<Versionstamp>);

fn entries(reader: &impl Read) -> Result<Vec<Entry>> {
    let list = reader.kv_view().list(Selection::all())?;
    let row = |entry: &KvEntry<'_>| {
        (entry.key_bytes().to_vec(), entry.bytes().to_vec(), entry.versionstamp())
    };
    Ok(list.iter().map(row).collect())
}

#[test]
fn values_are_the_same_before_and_after() -> Result<()> {
    let db = Db::builder().background(Background::Manual).in_memory();
    let kv = db.kv();
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..2_000_u64 {
        let key = random.u64(..ENTRIES).to_be_bytes();
        kv.set(&key, vec![round as u8; random.usize(..300)])?;
    }
    (0..ENTRIES).try_for_each(|key| kv.set(&key.to_be_bytes(), key))?;
    kv.set(&b"large"[..], vec![7; 60_000])?;
    kv.set_for(&b"later"[..], 1_u64, Duration::from_secs(1000))?;
    kv.delete(&5_u64.to_be_bytes())?;
    let before = db.snapshot()?;
    let all = entries(&before)?;
    let borrowed = before.kv().list(Selection::all())?;
    assert_eq!(db.compact()?, all.len());
    assert!(borrowed.iter().map(|entry| entry.bytes()).eq(all.iter().map(|row| &row.1[..])));
    assert_eq!((&entries(&before)?, &entries(&db.snapshot()?)?), (&all, &all));
    // What has older versions moves, and they hang below it as before.
    for key in 0..600_u64 {
        kv.sum(&key.to_be_bytes(), 1)?;
    }
    let after = entries(&db.snapshot()?)?;
    assert_eq!(db.compact()?, after.len());
    assert_eq!((&entries(&before)?, &entries(&db.snapshot()?)?), (&all, &after));
    assert!(kv.get(&b"later"[..])?.is_some_and(|entry| entry.expires_at().is_some()));
    drop(borrowed);
    drop(before);
    while db.step(256) {}
    let end = db.statistics();
    assert_eq!((end.versions_retained, end.bytes_retained), (0, 0));
    assert_eq!(db.check()?, [""; 0]);
    Ok(())
}

#[test]
fn readers_and_writers_of_entries_beside_a_compaction_notice_nothing() -> Result<()> {
    let db = Db::in_memory();
    let kv = db.kv();
    (0..ENTRIES).try_for_each(|key| kv.set(&key.to_be_bytes(), 10_u64))?;
    // Entries wrap below zero, as sums do: all together they are what they were.
    let added = |numbers: &mut dyn Iterator<Item = u64>| numbers.fold(0, u64::wrapping_add);
    let sum = |reader: &Snapshot<'_>| -> Result<u64> {
        let list = reader.kv().list(Selection::all())?;
        Ok(added(&mut list.iter().map(|entry| entry.number().expect("a number"))))
    };
    let deadline = Instant::now() + Duration::from_millis(700);
    let stop = AtomicBool::new(false);
    threads::scope(|scope| {
        let writer = scope.spawn(|| -> Result<()> {
            let mut random = fastrand::Rng::with_seed(5);
            while !stop.load(Ordering::Relaxed) {
                let [from, to] = [(); 2].map(|()| random.u64(..ENTRIES).to_be_bytes());
                kv.atomic().sum(&from, u64::MAX).sum(&to, 1).commit()?;
                let gone = (ENTRIES + random.u64(..50)).to_be_bytes();
                kv.set(&gone, 0_u64)?;
                kv.delete(&gone)?;
            }
            Ok(())
        });
        let reader = scope.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let snapshot = db.snapshot()?;
                assert_eq!(sum(&snapshot)?, 10 * ENTRIES, "what one has lost another has");
                let one_by_one = (0..ENTRIES).map(|key| snapshot.kv().get(&key.to_be_bytes()));
                let one_by_one =
                    one_by_one.map(|found| Ok(found?.and_then(|entry| entry.number())));
                let found = one_by_one.collect::<Result<Option<Vec<_>>>>()?;
                assert_eq!(found.map(|all| added(&mut all.into_iter())), Some(10 * ENTRIES));
            }
            Ok(())
        });
        while Instant::now() < deadline {
            db.compact()?;
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer is fine")?;
        reader.join().expect("the reader is fine")
    })
}
