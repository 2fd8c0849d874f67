//! selvedge alone: mixed work, one key that all want, many threads, group commit, a reader
//! that stays, growth, and how much memory things take.

mod growth;
pub mod long_reader;
mod serial;
pub mod weights;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use selvedge::{Error, RetryPolicy, SyncLevel};

use crate::figures::{Figures, PER_CPU_SECOND, PER_SECOND};
use crate::kv::{self, Engine, Key, Selvedge, Work, number_of, with_number};
use crate::only::Only;
use crate::random::Random;
use crate::threads::{self, Operation};

/// Keys of the database that many clients commit to, every commit synced.
const SYNCED_KEYS: u64 = 10_000;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    pub keys: u64,
    /// How long one measurement takes.
    pub time: Duration,
    /// How long a reader stays.
    pub reader: Duration,
    /// The most nodes are ten to this power.
    pub growth: u32,
    /// The graph that is weighed has two to this power of nodes.
    pub graph: u32,
}

impl Scale {
    pub fn full() -> Self {
        let (time, reader) = (Duration::from_millis(500), Duration::from_secs(60));
        Self { keys: 1_000_000, time, reader, growth: 7, graph: 18 }
    }

    pub fn quick() -> Self {
        let (time, reader) = (Duration::from_millis(150), Duration::from_secs(5));
        Self { keys: 100_000, time, reader, growth: 5, graph: 14 }
    }
}

/// Measures all of it.
pub fn measure(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    if !only.engine("selvedge") {
        return Ok(());
    }
    on_one_database(scale, rounds, only, figures)?;
    group_commit(scale, rounds, only, figures)?;
    serial::measure(scale, only, figures)?;
    growth::measure(scale, rounds, only, figures)?;
    long_reader::measure(scale, only, figures)?;
    weights::measure(scale, only, figures)
}

/// What one of the threads does.
#[derive(Clone, Copy)]
enum Mix {
    /// So many reads in a hundred operations; the others increment.
    Reads(u64),
    /// Increments of one key.
    HotKey,
}

fn mixed(engine: &Selvedge, thread: u64, mix: Mix, keys: u64) -> Result<Operation<'_>> {
    let mut read = kv::operations(engine, thread, Work::Read(1), keys, false)?;
    let mut increment = kv::operations(engine, thread, Work::Increment(1), keys, false)?;
    Ok(match mix {
        Mix::Reads(share) => {
            Box::new(
                move |random: &mut Random| {
                    if random.below(100) < share { read(random) } else { increment(random) }
                },
            )
        }
        Mix::HotKey => Box::new(|_| increment_hot(engine)),
    })
}

/// The key that all want; besides the others, whose numbers nobody else changes.
const HOT: Key = [0xFF; 8];

fn increment_hot(engine: &Selvedge) -> Result<()> {
    let policy = RetryPolicy::default().attempts_max(1_000_000);
    engine.db().transaction_retry(policy, |ctx| {
        let mut kv = ctx.kv();
        let changed = {
            let value = kv.view().get_bytes(&HOT)?;
            let value = value.context("a key").expect("it was set");
            with_number(&value, number_of(&value) + 1)
        };
        kv.set(&HOT, &changed)?;
        Ok::<_, Error>(())
    })?;
    Ok(())
}

fn on_one_database(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    let mut rows = Vec::new();
    for threads in [1, 2, 4, 8] {
        rows.push((format!("own/mix-90-10/{threads}t"), Mix::Reads(90), threads));
        rows.push((format!("own/mix-50-50/{threads}t"), Mix::Reads(50), threads));
        rows.push((format!("own/hot-key/{threads}t"), Mix::HotKey, threads));
    }
    for threads in [2, 32] {
        rows.push((format!("own/oversubscribed/{threads}t"), Mix::Reads(0), threads));
        rows.push((format!("own/oversubscribed-read1/{threads}t"), Mix::Reads(100), threads));
    }
    rows.retain(|(name, ..)| only.workload(name));
    if rows.is_empty() {
        return Ok(());
    }
    let engine = Selvedge::on_disk(scale.keys, SyncLevel::Off)?;
    engine.db().kv().set(&HOT, &kv::first_value(0))?;
    let mut found = vec![(Vec::new(), Vec::new()); rows.len()];
    let mut hot = 0;
    eprintln!("own: mixes, one hot key, many threads");
    for round in 0..rounds as u64 {
        for (at, (_, mix, threads)) in rows.iter().enumerate() {
            let begin = |thread| mixed(&engine, thread, *mix, scale.keys);
            let done = threads::work(*threads, round, scale.time, begin)?;
            hot += if matches!(mix, Mix::HotKey) { done.operations } else { 0 };
            found[at].0.push(done.per_second(1));
            found[at].1.push(done.per_cpu_second(1));
        }
    }
    let value = engine.db().kv().get(&HOT)?.context("the hot key")?;
    ensure!(number_of(value.bytes()) == hot, "no increment of the hot key is lost");
    for ((name, ..), (by_wall, by_cpu)) in rows.iter().zip(found) {
        figures.add(name, "selvedge", PER_SECOND, by_wall);
        figures.add(name, "selvedge", PER_CPU_SECOND, by_cpu);
    }
    Ok(())
}

fn group_commit(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    let rows = [1, 8, 64, 256].map(|clients| (format!("own/group-commit/{clients}c"), clients));
    if !rows.iter().any(|(name, _)| only.workload(name)) {
        return Ok(());
    }
    eprintln!("own/group-commit");
    let engine = Selvedge::on_disk(SYNCED_KEYS, SyncLevel::Full)?;
    let (mut found, mut increments) = (rows.clone().map(|_| Vec::new()), 0);
    for round in 0..rounds as u64 {
        for ((name, clients), rates) in rows.iter().zip(&mut found) {
            if only.workload(name) {
                let begin = |thread| {
                    kv::operations(&engine, thread, Work::Increment(1), SYNCED_KEYS, false)
                };
                let done = threads::work(*clients, round, scale.time * 2, begin)?;
                increments += done.operations;
                rates.push(done.per_second(1));
            }
        }
    }
    let (_, sum) = engine.session(0)?.scan()?;
    ensure!(sum == kv::first_sum(SYNCED_KEYS) + increments, "no increment is lost");
    for ((name, _), rates) in rows.iter().zip(found) {
        figures.add(name, "selvedge", PER_SECOND, rates);
    }
    Ok(())
}
