//! A snapshot that stays open while others write: what it costs them, how many versions it
//! makes stay, and whether their memory comes back. In a process of its own, whose memory
//! is that of one database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use selvedge::Db;
use selvedge_benches::memory::resident_bytes;

use crate::apart;
use crate::figures::{Figures, MIB, PER_CPU_SECOND, PER_SECOND, VERSIONS};
use crate::kv::{self, Engine, Selvedge, Work};
use crate::only::Only;
use crate::own::Scale;
use crate::threads::{self, Done};

/// The workload, and what it is called when it is run apart.
pub const NAME: &str = "own/long-reader";
/// When the memory that the reader held is looked for.
const AFTER: Duration = Duration::from_secs(1);
/// How often versions are counted.
const EVERY: Duration = Duration::from_millis(50);

/// Runs it in a process of its own.
pub(super) fn measure(scale: Scale, only: &Only, figures: &mut Figures) -> Result<()> {
    if !only.workload(NAME) {
        return Ok(());
    }
    eprintln!("{NAME}");
    let found = apart::run(NAME, scale.keys, scale.reader.as_secs())?;
    let mut tell = |row: &str, metric: &str, key: &str| {
        let row = format!("{NAME}{row}");
        figures.add(
            &row,
            "selvedge",
            metric,
            found.get(key).map(|found| vec![*found]).unwrap_or_default(),
        );
    };
    tell("", PER_SECOND, "with");
    tell("/without", PER_SECOND, "without");
    tell("", PER_CPU_SECOND, "with_cpu");
    tell("/without", PER_CPU_SECOND, "without_cpu");
    tell("", VERSIONS, "versions");
    tell("/allowed", VERSIONS, "allowed");
    tell("/before", MIB, "before");
    tell("/during", MIB, "during");
    tell("/after", MIB, "after");
    Ok(())
}

/// The most versions of a record, as an average over the records that have older ones; and
/// the most snapshots that were open.
fn watch(db: &Db, stop: &AtomicBool) -> (f64, u64) {
    let (mut versions, mut snapshots) = (1.0_f64, 0);
    while !stop.load(Ordering::Relaxed) {
        let now = db.statistics();
        if now.chains_retained > 0 {
            let older = now.versions_retained as f64 / now.chains_retained as f64;
            versions = versions.max(1.0 + older);
        }
        snapshots = snapshots.max(now.snapshots_open);
        thread::sleep(EVERY);
    }
    (versions, snapshots)
}

/// The measurement.
pub fn alone(keys: u64, seconds: u64) -> Result<BTreeMap<String, f64>> {
    let engine = Selvedge::in_memory(keys)?;
    let time = Duration::from_secs(seconds);
    let mut increments = 0;
    let mut write = |seed: u64, time: Duration| -> Result<Done> {
        let done = threads::work(1, seed, time, |thread| {
            kv::operations(&engine, thread, Work::Increment(1), keys, false)
        })?;
        increments += done.operations;
        Ok(done)
    };
    let mebibytes = || resident_bytes() as f64 / f64::from(1 << 20);
    // Before and behind, for half of the time each, since the machine changes its pace;
    // and once at the start for what the first writes change.
    write(1, time / 6)?;
    let without = write(2, time / 2)?;
    let before = mebibytes();
    let reader = engine.db().snapshot()?;
    let stop = AtomicBool::new(false);
    let (with, (versions, snapshots)) = thread::scope(|scope| -> Result<_> {
        let watcher = scope.spawn(|| watch(engine.db(), &stop));
        let with = write(3, time);
        stop.store(true, Ordering::Relaxed);
        Ok((with?, watcher.join().expect("no panic")))
    })?;
    let during = mebibytes();
    drop(reader);
    let ended = Instant::now();
    thread::sleep(AFTER.saturating_sub(ended.elapsed()));
    let after = mebibytes();
    let behind = write(4, time / 2)?;
    let (_, sum) = engine.session(0)?.scan()?;
    ensure!(sum == kv::first_sum(keys) + increments, "no increment is lost");
    let both = |rate: fn(&Done, u64) -> f64| f64::midpoint(rate(&without, 1), rate(&behind, 1));
    let found = [
        ("with", with.per_second(1)),
        ("without", both(Done::per_second)),
        ("with_cpu", with.per_cpu_second(1)),
        ("without_cpu", both(Done::per_cpu_second)),
        ("versions", versions),
        ("allowed", (snapshots + 1) as f64),
        ("before", before),
        ("during", during),
        ("after", after),
    ];
    Ok(found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
