//! Compaction moves edges in memory, and nothing else: not for snapshots, not
//! for transactions, not for threads beside it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use selvedge::prelude::*;
use selvedge::{Background, Result};
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
