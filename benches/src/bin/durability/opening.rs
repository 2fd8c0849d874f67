//! Opening: replaying a log, loading a checkpoint.

use std::time::{Duration, Instant};

use crate::Outcome;
use selvedge::SyncLevel;
use selvedge::prelude::*;
use selvedge_benches::measure::process_cpu;

use crate::{Options, median};

/// Commits in the log that is replayed.
const RECORDS: i64 = 2_000_000;
/// Nodes that they update, by turns.
const NODES: usize = 10_000;
/// No checkpoint gets in the way.
const NEVER: u64 = 1 << 50;

/// Records replayed a second, of CPU time of all threads, and of time.
pub(crate) fn replay(options: &Options) -> Outcome<()> {
    let path = options.place("replay")?.join("db.selvedge");
    let builder = || {
        let every = Duration::from_secs(1);
        Db::builder().sync(SyncLevel::Normal { every }).checkpoint_bytes(NEVER)
    };
    let db = builder().open(&path)?;
    let nodes: Vec<_> = db.transaction(|ctx| {
        (0..NODES)
            .map(|n| ctx.insert_node("Counter", None, doc! { "value": n as i64 }))
            .collect::<Result<_, _>>()
    })?;
    for value in 0..RECORDS {
        db.set(nodes[value as usize % NODES], "value", value)?;
    }
    drop(db);
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (began, cpu) = (Instant::now(), process_cpu());
        let db = builder().open(&path)?;
        let (wall, cpu) = (began.elapsed(), process_cpu().saturating_sub(cpu));
        let found = db.statistics().storage.ok_or("on disk")?.recovery.commits as f64;
        assert!(found > RECORDS as f64, "everything is replayed each time");
        walls.push(found / wall.as_secs_f64());
        cpus.push(found / cpu.as_secs_f64());
    }
    std::fs::remove_dir_all(path.parent().ok_or("made above")?)?;
    println!("replay      records                        {:>12.0}/s", median(&mut walls));
    println!("replay      records, of CPU time           {:>12.0}/s", median(&mut cpus));
    Ok(())
}

/// Opening a graph from a checkpoint.
pub(crate) fn open(options: &Options) -> Outcome<()> {
    let path = options.place("open")?.join("db.selvedge");
    let (nodes, edges) = (1_usize << options.scale, 16_usize << options.scale);
    let began = Instant::now();
    let db = Db::builder().sync(SyncLevel::Off).open(&path)?;
    let mut ids = Vec::with_capacity(nodes);
    for batch in (0..nodes).collect::<Vec<_>>().chunks(100_000) {
        ids.extend(db.transaction(|ctx| {
            batch
                .iter()
                .map(|n| ctx.insert_node("N", None, doc! { "n": *n as i64 }))
                .collect::<Result<Vec<_>, Error>>()
        })?);
    }
    let mut random = selvedge_benches::random::Random::new(7);
    let mut left = edges;
    while left > 0 {
        let now = left.min(500_000);
        db.transaction(|ctx| {
            for _ in 0..now {
                let mut node = || ids[random.below(nodes as u64) as usize];
                let (source, target) = (node(), node());
                ctx.link_nodes(source, "TO", target, doc! {})?;
            }
            Ok::<_, Error>(())
        })?;
        left -= now;
    }
    let stored = db.snapshot()?.edge_count()?;
    println!("open        loaded {nodes} nodes, {stored} edges in {:.1?}", began.elapsed());
    let began = Instant::now();
    db.close()?;
    println!("open        closed with a checkpoint in {:.1?}", began.elapsed());
    let mut times = Vec::new();
    for _ in 0..options.rounds {
        let began = Instant::now();
        let db = Db::open(&path)?;
        times.push(began.elapsed().as_secs_f64());
        assert_eq!(db.snapshot()?.edge_count()?, stored, "all edges are there");
    }
    std::fs::remove_dir_all(path.parent().ok_or("made above")?)?;
    println!("open        from the checkpoint            {:>12.2} s", median(&mut times));
    Ok(())
}
