//! A snapshot that stays open while others write: what it costs them, how many versions it
//! makes stay, and whether their memory comes back. In a process of its own, whose memory
//! is that of one database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use selvedge::Db;
use selvedge_benches::memory::resident_bytes;

use crate::apart;
use crate::clock;
use crate::figures::{Figures, MIB, PER_CPU_SECOND, PER_SECOND, VERSIONS};
use crate::kv::{self, Engine, Selvedge, Work};
use crate::only::Only;
use crate::own::Scale;
use crate::random::Random;

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
    tell("/after", VERSIONS, "retained");
    Ok(())
}

/// What was done in a while.
struct While {
    per_second: f64,
    per_cpu_second: f64,
    /// The most versions of a record, as an average over the records that have older ones.
    versions: f64,
    /// The most snapshots that were open.
    snapshots: u64,
}

/// Watches the writer for so long.
fn watch(db: &Db, written: &AtomicU64, time: Duration) -> While {
    let (began, cpu, before) = (Instant::now(), clock::cpu(), written.load(Ordering::Relaxed));
    let (mut versions, mut snapshots) = (1.0_f64, 0);
    while began.elapsed() < time {
        thread::sleep(EVERY);
        let now = db.statistics();
        if now.chains_retained > 0 {
            let older = now.versions_retained as f64 / now.chains_retained as f64;
            versions = versions.max(1.0 + older);
        }
        snapshots = snapshots.max(now.snapshots_open);
    }
    let done = (written.load(Ordering::Relaxed) - before) as f64;
    let cpu = clock::cpu().saturating_sub(cpu).as_secs_f64();
    let per_second = done / began.elapsed().as_secs_f64();
    While { per_second, per_cpu_second: done / cpu, versions, snapshots }
}

/// The measurement: one writer all the time, a reader for some of it.
pub fn alone(keys: u64, seconds: u64) -> Result<BTreeMap<String, f64>> {
    let engine = Selvedge::in_memory(keys)?;
    let (db, time) = (engine.db(), Duration::from_secs(seconds));
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let mebibytes = || resident_bytes() as f64 / f64::from(1 << 20);
    let found = thread::scope(|scope| -> Result<_> {
        let writer = scope.spawn(|| -> Result<()> {
            let mut increment = kv::operations(&engine, 0, Work::Increment(1), keys, false)?;
            let mut random = Random::new(1);
            while !stop.load(Ordering::Relaxed) {
                increment(&mut random)?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        // Once for what the first writes change. Then without the reader before it and
        // behind it, for half of the time each, since the machine changes its pace.
        watch(db, &written, time / 2);
        let first = watch(db, &written, time / 2);
        let before = mebibytes();
        let reader = db.snapshot()?;
        let with = watch(db, &written, time);
        let during = mebibytes();
        drop(reader);
        thread::sleep(AFTER);
        let (after, retained) = (mebibytes(), db.statistics().versions_retained);
        let last = watch(db, &written, time / 2);
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("no panic")?;
        Ok([
            ("with", with.per_second),
            ("without", f64::midpoint(first.per_second, last.per_second)),
            ("with_cpu", with.per_cpu_second),
            ("without_cpu", f64::midpoint(first.per_cpu_second, last.per_cpu_second)),
            ("versions", with.versions),
            ("allowed", (with.snapshots + 1) as f64),
            ("before", before),
            ("during", during),
            ("after", after),
            ("retained", retained as f64),
        ])
    })?;
    let (_, sum) = engine.session(0)?.scan()?;
    ensure!(sum == kv::first_sum(keys) + written.into_inner(), "no increment is lost");
    Ok(found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
