//! Rounds of load, and what must hold between them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use selvedge::{Db, Snapshot, SyncLevel};

use super::entries::{keyspace, outlast_sessions, unix_millis};
use super::ground::{Ground, lay};
use super::laws::uphold;
use super::watch::{Watch, allocate_from_one_heap};
use super::{Plan, Report, Told, is_planted, readers, writers};
use crate::history::{self, Medium, WORKLOADS, judge};

const WRITERS: u64 = 3;
const READERS: u64 = 2;
/// A round, and at least so many of them.
const ROUND: Duration = Duration::from_secs(15);
const ROUNDS_MIN: u32 = 4;
/// Between two looks of the watch, and between two checkpoints.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const CHECKPOINT_EVERY: Duration = Duration::from_millis(1500);
/// Of a slice of history.
const SLICE_TXNS: usize = 600;
const SLICE_THREADS: usize = 2;
/// What snapshots that have ended left behind goes within this time.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// A directory that goes when this does.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of a failed run is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What was done.
#[derive(Default)]
struct Done {
    commits: u64,
    looks: u64,
    slices: u64,
    txns_judged: usize,
    checkpoints: u64,
    reopenings: u64,
}

struct Soak {
    plan: Plan,
    scratch: Scratch,
    began: Instant,
    ground: Ground,
    watch: Watch,
    done: Done,
    /// Of the planted fault that leaks them.
    leaked: Vec<Snapshot<'static>>,
}

/// Runs a soak.
///
/// # Errors
/// What is wrong, in words.
pub fn run(plan: Plan) -> Result<Report, String> {
    allocate_from_one_heap();
    let name = format!("selvedge-soak-{}-{}", std::process::id(), plan.seed);
    let scratch = Scratch(std::env::temp_dir().join(name));
    let db = open(&scratch.0)?;
    let ground = lay(&db)?;
    let (watch, done, leaked) = (Watch::new(), Done::default(), Vec::new());
    let mut soak = Soak { plan, scratch, began: Instant::now(), ground, watch, done, leaked };
    soak.run(db)
}

/// Small files, and little of the documents in memory, so that much happens.
fn open(path: &Path) -> Told<Db> {
    let builder = Db::builder()
        .sync(SyncLevel::Normal { every: Duration::from_millis(10) })
        .log_segment_bytes(1 << 20)
        .checkpoint_bytes(4 << 20)
        .document_bytes(256 << 10);
    builder.open(path).map_err(|error| format!("open fails: {error}"))
}

fn joined<T>(result: thread::Result<Told<T>>) -> Told<T> {
    result.map_err(|_| "a thread panicked".to_owned())?
}

impl Soak {
    fn run(&mut self, mut db: Db) -> Told<Report> {
        let round_time = ROUND.min(self.plan.time / ROUNDS_MIN);
        let mut round = 0;
        while self.began.elapsed() < self.plan.time {
            self.round(&db, round, round_time)?;
            if is_planted("soak-snapshot-leaked") {
                let leaked = db.snapshot().map_err(|error| error.to_string())?;
                self.leaked.push(leaked);
            }
            db = self.between(db, round)?;
            if self.plan.is_loud && round % 4 == 0 {
                let Done { commits, looks, .. } = self.done;
                println!("{:.0?}: {commits} commits, {looks} looks", self.began.elapsed());
            }
            round += 1;
        }
        let mut report = self.watch.judge(self.plan.time)?;
        let Done { commits, looks, slices, txns_judged, checkpoints, reopenings } = self.done;
        report.0.insert(
            0,
            format!(
                "{commits} commits, {checkpoints} checkpoints, {reopenings} reopenings; everything \
             read {looks} times; {txns_judged} transactions judged in {slices} slices"
            ),
        );
        Ok(report)
    }

    /// All threads at work.
    fn round(&mut self, db: &Db, round: u64, time: Duration) -> Told {
        let (until, is_over) = (Instant::now() + time, AtomicBool::new(false));
        let seed = self.plan.seed;
        let rng = |seat: u64| Rng::with_seed(seed ^ (round << 16 | seat));
        let Self { ground, watch, done, scratch, .. } = self;
        let (ground, is_over) = (&*ground, &is_over);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|seat| scope.spawn(move || writers::write(db, ground, rng(seat), until)))
                .collect();
            let readers: Vec<_> = (0..READERS)
                .map(|seat| scope.spawn(move || readers::read(db, ground, rng(64 + seat), until)))
                .collect();
            let seed = seed.wrapping_add(round << 20);
            let slices = scope.spawn(move || judge_slices(db, seed, until));
            let upkeep = scope.spawn(move || upkeep(db, until));
            let dir = &scratch.0;
            let watching = scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    watch.look(db, dir)?;
                    thread::sleep(LOOK_EVERY);
                }
                Ok(())
            });
            let writers: Vec<_> = writers.into_iter().map(|one| joined(one.join())).collect();
            let readers: Vec<_> = readers.into_iter().map(|one| joined(one.join())).collect();
            let (slices, upkeep) = (joined(slices.join()), joined(upkeep.join()));
            // It tells the other nothing but that.
            is_over.store(true, Ordering::Relaxed);
            joined(watching.join())?;
            let (count, txns) = slices?;
            done.slices += count;
            done.txns_judged += txns;
            done.checkpoints += upkeep?;
            for commits in writers {
                done.commits += commits?;
            }
            for looks in readers {
                done.looks += looks?;
            }
            Ok(())
        })
    }

    /// Nothing is open: nothing may be retained. Then the database ends, one way or the
    /// other, and is the same when it is opened again.
    fn between(&mut self, db: Db, round: u64) -> Told<Db> {
        outlast_sessions();
        settle(&db)?;
        self.watch.look_at_memory()?;
        let digest = self.look_at_all(&db)?;
        match round % 3 {
            0 => return Ok(db),
            1 => db.close().map_err(|error| format!("close fails: {error}"))?,
            _ => drop(db),
        }
        self.done.reopenings += 1;
        let db = open(&self.scratch.0)?;
        if self.look_at_all(&db)? != digest {
            return Err("what is there is not what was there when it was closed".to_owned());
        }
        Ok(db)
    }

    fn look_at_all(&self, db: &Db) -> Told<u64> {
        let complaints = db.check().map_err(|error| format!("check fails: {error}"))?;
        if let Some(complaint) = complaints.first() {
            return Err(format!("the database finds itself wrong: {complaint}"));
        }
        let (kv, opened) = (keyspace(db)?, unix_millis());
        let snapshot = db.snapshot().map_err(|error| format!("no snapshot: {error}"))?;
        uphold(&snapshot, &self.ground, (&kv, opened))
    }
}

/// Waits until nothing is retained any more.
fn settle(db: &Db) -> Told {
    let began = Instant::now();
    loop {
        let now = db.statistics();
        if (now.versions_retained, now.chains_retained, now.bytes_retained) == (0, 0, 0) {
            return Ok(());
        }
        if began.elapsed() > SETTLED_WITHIN {
            let (versions, open) = (now.versions_retained, now.snapshots_open);
            let oldest = now.oldest_snapshot;
            return Err(format!(
                "{versions} versions are retained when nobody reads; {open} snapshots are open, \
                 the oldest is {oldest:?}"
            ));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Checkpoints and compactions until the end.
fn upkeep(db: &Db, until: Instant) -> Told<u64> {
    let mut checkpoints = 0;
    while Instant::now() < until {
        thread::sleep(CHECKPOINT_EVERY.min(until.saturating_duration_since(Instant::now())));
        db.checkpoint().map_err(|error| format!("checkpoint fails: {error}"))?;
        db.compact().map_err(|error| format!("compact fails: {error}"))?;
        checkpoints += 1;
    }
    Ok(checkpoints)
}

/// Records a part of the load and judges it, slice by slice; gives how many slices and
/// transactions.
fn judge_slices(db: &Db, seed: u64, until: Instant) -> Told<(u64, usize)> {
    let (mut slices, mut txns) = (0, 0);
    while Instant::now() < until {
        let workload = &WORKLOADS[(seed as usize + slices as usize) % WORKLOADS.len()];
        let (seed, medium, threads) = (seed + slices, Medium::Disk, SLICE_THREADS);
        let plan = history::Plan { seed, workload, medium, txns: SLICE_TXNS, threads };
        let history = history::run_beside(db, plan)?;
        let mut verdict = judge(&history);
        workload.judge(&history, &mut verdict);
        if let Some(finding) = verdict.findings.first() {
            return Err(format!("{plan}: {finding}, of {} findings", verdict.total));
        }
        slices += 1;
        txns += history.txns.len();
    }
    Ok((slices, txns))
}
