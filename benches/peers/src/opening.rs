//! Opening a database of ours: a graph from a checkpoint, and commits from the log; beside
//! what it takes to read the files.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use selvedge::SyncLevel;
use selvedge::prelude::*;

use crate::clock;
use crate::figures::{Figures, PER_CPU_SECOND, PER_SECOND, SECONDS};
use crate::only::Only;
use crate::random::Random;

/// Edges for each node.
const EDGE_FACTOR: u64 = 16;
/// Nodes that the commits in the log update, by turns.
const UPDATED: usize = 10_000;
/// No checkpoint gets in the way.
const NEVER: u64 = 1 << 50;

/// How much is opened.
#[derive(Clone, Copy)]
pub struct Scale {
    pub nodes: u64,
    pub commits: u64,
}

impl Scale {
    pub fn full() -> Self {
        Self { nodes: 1_000_000, commits: 2_000_000 }
    }

    pub fn quick() -> Self {
        Self { nodes: 100_000, commits: 200_000 }
    }
}

/// Measures both.
pub fn measure(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    if only.workload("open/checkpoint") && only.engine("selvedge") {
        eprintln!("open/checkpoint");
        open(scale, rounds, figures)?;
    }
    if only.workload("recover/log") && only.engine("selvedge") {
        eprintln!("recover/log");
        recover(scale, rounds, figures)?;
    }
    Ok(())
}

fn fill(db: &Db, nodes: u64) -> Result<u64> {
    let mut ids = Vec::with_capacity(nodes as usize);
    while (ids.len() as u64) < nodes {
        let end = nodes.min(ids.len() as u64 + 100_000);
        db.transaction(|ctx| {
            for n in ids.len() as u64..end {
                ids.push(ctx.insert_node("N", None, doc! { "n": n as i64 })?);
            }
            Ok::<_, Error>(())
        })?;
    }
    let mut random = Random::new(7);
    let mut left = nodes * EDGE_FACTOR;
    while left > 0 {
        let now = left.min(500_000);
        db.transaction(|ctx| {
            for _ in 0..now {
                let [source, target] = [(); 2].map(|()| ids[random.below(nodes) as usize]);
                ctx.link_nodes(source, "TO", target, doc! {})?;
            }
            Ok::<_, Error>(())
        })?;
        left -= now;
    }
    Ok(db.snapshot()?.edge_count()?)
}

/// Reads all files of a folder from the first byte to the last.
fn read_all(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            read_all(&entry.path())?
        } else {
            fs::read(entry.path())?.len() as u64
        };
    }
    Ok(bytes)
}

fn open(scale: Scale, rounds: usize, figures: &mut Figures) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("db.selvedge");
    let db = Db::builder().sync(SyncLevel::Off).open(&path)?;
    let edges = fill(&db, scale.nodes)?;
    db.close()?;
    let (mut ours, mut reading) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let db = Db::open(&path)?;
        ours.push(began.elapsed().as_secs_f64());
        let snapshot = db.snapshot()?;
        ensure!(snapshot.edge_count()? == edges, "all edges are there");
        ensure!(snapshot.count("N")? == scale.nodes, "all nodes are there");
        drop(snapshot);
        db.close()?;
        let began = Instant::now();
        ensure!(read_all(&path)? > 0, "there is something to read");
        reading.push(began.elapsed().as_secs_f64());
    }
    figures.add("open/checkpoint", "selvedge", SECONDS, ours);
    figures.add("open/checkpoint", "limit-read", SECONDS, reading);
    Ok(())
}

fn recover(scale: Scale, rounds: usize, figures: &mut Figures) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("db.selvedge");
    let builder = || Db::builder().sync(SyncLevel::Off).checkpoint_bytes(NEVER);
    let db = builder().open(&path)?;
    let nodes: Vec<_> = db.transaction(|ctx| {
        (0..UPDATED)
            .map(|n| ctx.insert_node("Counter", None, doc! { "value": n as i64 }))
            .collect::<selvedge::Result<_>>()
    })?;
    for value in 0..scale.commits {
        db.set(nodes[value as usize % UPDATED], "value", value as i64)?;
    }
    drop(db);
    let (mut by_wall, mut by_cpu, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (began, cpu) = (Instant::now(), clock::cpu());
        let db = builder().open(&path)?;
        let (wall, cpu) = (began.elapsed(), clock::cpu().saturating_sub(cpu));
        let found = db.statistics().storage.context("it is on disk")?.recovery.commits;
        ensure!(found > scale.commits, "everything is replayed each time, not {found} commits");
        let last = (scale.commits - 1) as usize;
        let snapshot = db.snapshot()?;
        let node = snapshot.node(nodes[last % UPDATED])?.context("it is there")?;
        ensure!(node.typed::<i64>("value")? == Some(last as i64), "the last commit is there");
        by_wall.push(found as f64 / wall.as_secs_f64());
        by_cpu.push(found as f64 / cpu.as_secs_f64());
        let began = Instant::now();
        ensure!(read_all(&path)? > 0, "there is something to read");
        reading.push(found as f64 / began.elapsed().as_secs_f64());
    }
    figures.add("recover/log", "selvedge", PER_SECOND, by_wall);
    figures.add("recover/log", "selvedge", PER_CPU_SECOND, by_cpu);
    figures.add("recover/log", "limit-read", PER_SECOND, reading);
    Ok(())
}
