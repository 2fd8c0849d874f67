//! One life of a database: rounds of threads that run transactions, and between the
//! rounds, on disk, checkpoints and reopenings; or several, on a disk that fails
//! (`failing`).

mod failing;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use selvedge::{Db, Error, Read, Selection, SyncLevel};

use super::recorder::{Active, Done, Seat, Worker};
use super::txn::{History, Txn};
use super::workload::{Ground, Workload, look, look_at_all};

/// Where the database is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Medium {
    /// In memory.
    Memory,
    /// In a directory of its own.
    Disk,
    /// On a simulated disk that fails, or a machine that crashes, again and again.
    Failing,
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Failing => "failing",
        })
    }
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Decides what each thread does, though not how they meet.
    pub seed: u64,
    /// What transactions do.
    pub workload: &'static Workload,
    /// Where.
    pub medium: Medium,
    /// How many transactions, of all threads together.
    pub txns: usize,
    /// How many threads.
    pub threads: usize,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, workload, medium, .. } = self;
        write!(f, "{}-{medium}-{seed}", workload.name)
    }
}

/// What was run.
#[derive(Debug)]
pub struct Ran {
    /// What was recorded.
    pub history: History,
    /// What the database at last found wrong with itself.
    pub complaints: Vec<String>,
}

impl Medium {
    /// Rounds of a history, each of which ends with a reopening, or may.
    fn rounds(self) -> usize {
        match self {
            Self::Memory | Self::Disk => 4,
            Self::Failing => 8,
        }
    }
}

/// One thread looks after the files, every so often.
const UPKEEP_EVERY: Duration = Duration::from_millis(3);

/// A directory that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("selvedge-history-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of a failed run is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Life {
    plan: Plan,
    scratch: Scratch,
    random: fastrand::Rng,
    sync: SyncLevel,
    yields: usize,
    began: Instant,
}

/// Runs a plan. An error is one that the database gave
/// without a reason, or a panic.
///
/// # Errors
/// What the database did, in words.
pub fn run(plan: Plan) -> Result<Ran, String> {
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let sync = match random.usize(..2) {
        0 => SyncLevel::Off,
        _ => SyncLevel::Normal { every: Duration::from_millis(2) },
    };
    let yields = [2, 3, 8, 32][random.usize(..4)];
    let scratch = Scratch::new(&plan.to_string());
    let mut life = Life { plan, scratch, random, sync, yields, began: Instant::now() };
    match plan.medium {
        Medium::Memory | Medium::Disk => life.run(),
        Medium::Failing => life.run_failing(),
    }
}

/// Runs a plan on a database that others use for other things, and removes what it
/// made. No upkeep, and no reopening: those are the business of the others.
///
/// # Errors
/// What the database did, in words.
pub fn run_beside(db: &Db, plan: Plan) -> Result<History, String> {
    let scratch = Scratch::new(&plan.to_string());
    let (random, sync) = (fastrand::Rng::with_seed(plan.seed), SyncLevel::Off);
    let life = Life { plan, scratch, random, sync, yields: 8, began: Instant::now() };
    let Plan { workload, txns, threads, .. } = plan;
    let first = life.worker(db, threads, 0);
    let ground = (workload.set_up)(&first, txns)?;
    let mut recorded = vec![first.into_txns()];
    for round in 1..=plan.medium.rounds() {
        recorded.extend(whole(life.shares(db, &ground, round))?);
        let last = life.worker(db, threads, round);
        let mut active = last.snapshot()?;
        look_at_all(&mut active, &ground)?;
        active.commit()?;
        recorded.push(last.into_txns());
    }
    let removed = db.transaction(|ctx| {
        for label in ground.labels {
            let nodes: Vec<_> = ctx.scan(label)?.collect();
            nodes.into_iter().try_for_each(|node| ctx.delete_node(node).map(drop))?;
        }
        Ok::<_, Error>(())
    });
    let removed = removed.and_then(|()| db.kv().delete_range(Selection::all()));
    removed.map_err(|error| format!("what was made cannot be removed: {error}"))?;
    let title = format!("{plan}, {txns} transactions by {threads} threads, beside others");
    Ok(merge(title, recorded, &ground))
}

/// What threads recorded, if nothing went wrong with any of them.
fn whole(shares: Vec<Share>) -> Done<Vec<Vec<Txn>>> {
    shares.into_iter().map(|share| share.ended.map(|()| share.txns)).collect()
}

/// What one thread recorded in a round, and what went wrong at last.
struct Share {
    txns: Vec<Txn>,
    ended: Done,
}

fn merge(title: String, recorded: Vec<Vec<Txn>>, ground: &Ground) -> History {
    let indexed = ground.indexed.iter().map(|label| (*label).into()).collect();
    History { indexed, ..History::merge(title, recorded) }
}

impl Life {
    fn open(&self) -> Done<Db> {
        let builder = Db::builder().sync(self.sync);
        match self.plan.medium {
            Medium::Memory => Ok(builder.in_memory()),
            Medium::Disk | Medium::Failing => {
                builder.open(self.scratch.path()).map_err(|error| format!("open fails: {error}"))
            }
        }
    }

    fn worker(&self, db: &Db, thread: usize, round: usize) -> Worker {
        let (seed, yields, began) = (self.plan.seed, self.yields, self.began);
        let worker = Worker::new(db.clone(), Seat { seed, thread, round, began, yields });
        if self.plan.medium == Medium::Failing { worker.with_receipts() } else { worker }
    }

    fn run(&mut self) -> Done<Ran> {
        let Plan { workload, txns, threads, .. } = self.plan;
        let mut db = self.open()?;
        let mut recorded = Vec::new();
        let first = self.worker(&db, threads, 0);
        let ground = (workload.set_up)(&first, txns)?;
        recorded.push(first.into_txns());
        for round in 1..=self.plan.medium.rounds() {
            recorded.extend(self.round(&db, &ground, round)?);
            if self.plan.medium == Medium::Disk {
                db = self.between(db)?;
            }
            let last = self.worker(&db, threads, round);
            let mut active = last.snapshot()?;
            look_at_all(&mut active, &ground)?;
            active.commit()?;
            recorded.push(last.into_txns());
        }
        let complaints = db.check().map_err(|error| format!("check fails: {error}"))?;
        let title = format!("{}, {txns} transactions by {threads} threads", self.plan);
        Ok(Ran { history: merge(title, recorded, &ground), complaints })
    }

    /// All threads run their share of transactions.
    fn round(&self, db: &Db, ground: &Ground, round: usize) -> Done<Vec<Vec<Txn>>> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let upkeep = scope.spawn(|| self.upkeep(db, &is_over));
            let shares = self.shares(db, ground, round);
            // It tells the other nothing but that.
            is_over.store(true, Ordering::Relaxed);
            upkeep.join().map_err(|_| "upkeep panicked")??;
            whole(shares)
        })
    }

    /// The same without anything beside it.
    fn shares(&self, db: &Db, ground: &Ground, round: usize) -> Vec<Share> {
        let panicked = |_| Share { txns: Vec::new(), ended: Err("a thread panicked".to_owned()) };
        thread::scope(|scope| {
            let running: Vec<_> = (0..self.plan.threads)
                .map(|thread| scope.spawn(move || self.share(db, ground, thread, round)))
                .collect();
            let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
            ended.map(|share| share.unwrap_or_else(panicked)).collect()
        })
    }

    /// What one thread does in a round.
    fn share(&self, db: &Db, ground: &Ground, thread: usize, round: usize) -> Share {
        let mut worker = self.worker(db, thread, round);
        let ended = self.steps(&mut worker, ground, round);
        Share { txns: worker.into_txns(), ended }
    }

    /// Its transactions, a long snapshot now and then beside them.
    fn steps(&self, worker: &mut Worker, ground: &Ground, round: usize) -> Done {
        let Plan { workload, txns, threads, medium, .. } = self.plan;
        let steps = txns.div_ceil(medium.rounds() * threads);
        let mut held: Option<Active> = None;
        for step in 0..steps {
            let done = (round - 1) * steps + step;
            worker.progress = done as f64 / (medium.rounds() * steps) as f64;
            (workload.step)(worker, ground)?;
            match &mut held {
                Some(active) => look(worker, active, ground)?,
                None if worker.one_in(24) => held = Some(worker.snapshot()?),
                None => {}
            }
            if worker.one_in(12)
                && let Some(active) = held.take()
            {
                active.commit()?;
            }
        }
        held.map_or(Ok(true), Active::commit).map(drop)
    }

    /// Checkpoints and compactions beside the transactions.
    fn upkeep(&self, db: &Db, is_over: &AtomicBool) -> Done {
        while !is_over.load(Ordering::Relaxed) {
            thread::sleep(UPKEEP_EVERY);
            db.compact().map_err(|error| format!("compact fails: {error}"))?;
            if self.plan.medium == Medium::Disk {
                db.checkpoint().map_err(|error| format!("checkpoint fails: {error}"))?;
            }
        }
        Ok(())
    }

    /// What happens to a database on disk between two rounds.
    fn between(&mut self, db: Db) -> Done<Db> {
        match self.random.usize(..4) {
            0 => return Ok(db),
            1 => {
                db.checkpoint().map_err(|error| format!("checkpoint fails: {error}"))?;
                return Ok(db);
            }
            2 => db.close().map_err(|error| format!("close fails: {error}"))?,
            _ => drop(db),
        }
        self.open()
    }
}
