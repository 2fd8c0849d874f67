//! Memory: as much as what is alive, however much came and went.
//!
//! `SELVEDGE_RESOURCE_OPS` is the number of inserts and deletes. What is measured
//! is the resident memory of the process, which only Linux tells in
//! `/proc/self/statm`; elsewhere the test says so and passes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use selvedge::prelude::*;
use selvedge::{Background, Result, env::Env, key};

/// Resident memory is that of the process: its tests take turns.
static TURN: Mutex<()> = Mutex::new(());

const ALIVE: usize = 1_000;
const PAGE_BYTES: u64 = 4096;

/// Resident bytes of this process.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<u64>().ok()? * PAGE_BYTES)
}

fn ops() -> u64 {
    let ops = std::env::var("SELVEDGE_RESOURCE_OPS").ok();
    ops.and_then(|ops| ops.parse().ok()).unwrap_or(if cfg!(debug_assertions) {
        100_000
    } else {
        400_000
    })
}

/// Nodes come, with keys, documents and edges, and go, oldest first.
struct Churn {
    db: Db,
    alive: VecDeque<NodeId>,
    random: fastrand::Rng,
    inserted: u64,
}

impl Churn {
    fn insert(&mut self) -> Result<()> {
        let Self { db, alive, random, inserted } = self;
        *inserted += 1;
        let key = format!("key {inserted}");
        let text = "x".repeat(random.usize(0..120));
        let id = db.transaction(|ctx| {
            let id = ctx.insert_node("Node", &*key, doc! { "n": *inserted, "text": text })?;
            for _ in 0..random.usize(..4) {
                let Some(other) = alive.get(random.usize(..ALIVE)) else { continue };
                if random.bool() {
                    ctx.link_nodes(id, "TO", *other, doc! {})?;
                } else {
                    ctx.link_nodes(*other, "BY", id, doc! { "n": *inserted })?;
                }
            }
            Ok::<_, Error>(id)
        })?;
        alive.push_back(id);
        Ok(())
    }

    /// One insert and one delete.
    fn turn(&mut self) -> Result<()> {
        self.insert()?;
        if self.alive.len() > ALIVE
            && let Some(oldest) = self.alive.pop_front()
        {
            self.db.delete_node(oldest)?;
        }
        Ok(())
    }

    fn run(&mut self, ops: u64) -> Result<u64> {
        for _ in 0..ops / 2 {
            self.turn()?;
        }
        while self.db.step(256) {}
        Ok(resident().unwrap_or(0))
    }
}

/// Superseded documents once waited for a number of items to be collected,
/// however large they were.
#[test]
fn large_documents_that_are_superseded_go() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(before) = resident() else {
        println!("skipped: this system does not tell the resident memory");
        return Ok(());
    };
    let db = Db::in_memory();
    let node = db.insert_node("Blob", None, doc! {})?;
    for n in 0..100_u8 {
        db.set(node, "bytes", vec![n; 4 << 20])?;
    }
    let grown = resident().unwrap_or(0).saturating_sub(before);
    assert!(grown < 200 << 20, "{} MiB for a document of 4", grown >> 20);
    Ok(())
}

/// Every new key leaves a copy of its leaf behind, and a commit of many keys once counted
/// as one: the collector, which runs by the count, was outrun for ever. What stayed was 2.6
/// KiB for each key.
#[test]
fn what_many_new_keys_leave_behind_goes() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(before) = resident() else {
        println!("skipped: this system does not tell the resident memory");
        return Ok(());
    };
    let db = Db::in_memory();
    for commit in 0..50_u64 {
        db.transaction(|ctx| {
            (0..1000).try_for_each(|at| {
                let scattered = (commit * 1000 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                ctx.kv().set(&key![scattered], 1_u64)
            })
        })?;
    }
    let grown = resident().unwrap_or(0).saturating_sub(before);
    assert_eq!(db.statistics().entries, 50_000);
    assert!(grown < 64 << 20, "{} MiB for 50,000 keys", grown >> 20);
    Ok(())
}

#[test]
fn memory_stays_flat_while_nodes_come_and_go() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if resident().is_none() {
        println!("skipped: this system does not tell the resident memory");
        return Ok(());
    }
    let (env, _) = Env::simulated(3);
    let db = Db::builder().background(Background::Manual).env(env).in_memory();
    let random = fastrand::Rng::with_seed(3);
    let mut churn = Churn { db, alive: VecDeque::new(), random, inserted: 0 };
    let (ops, begun) = (ops(), Instant::now());
    let before = churn.run(ops / 10)?;
    let mut readings = Vec::new();
    for _ in 0..9 {
        readings.push(churn.run(ops / 10)?);
    }
    let end = *readings.last().expect("nine readings");
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let all: Vec<_> = readings.iter().map(|bytes| format!("{:.1}", mib(*bytes))).collect();
    println!("{ops} inserts and deletes in {:?}", begun.elapsed());
    println!("resident MiB: {:.1} after a tenth, then {}", mib(before), all.join(", "));
    let limit = before + before * 15 / 100;
    assert!(end <= limit, "{:.1} MiB became {:.1} MiB", mib(before), mib(end));

    let snapshot = churn.db.snapshot()?;
    assert_eq!(snapshot.node_count()?, ALIVE as u64);
    assert_eq!(snapshot.scan("Node")?.count(), ALIVE);
    assert!(snapshot.scan("Node")?.eq(churn.alive.iter().copied()));
    drop(snapshot);
    let statistics = churn.db.statistics();
    assert_eq!((statistics.versions_created, statistics.versions_retained), (0, 0));
    Ok(())
}
