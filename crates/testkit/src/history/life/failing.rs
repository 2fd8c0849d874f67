//! Lives of a database on a simulated disk that fails: threads commit until something
//! goes wrong with the machine, the database is opened again, and what is there tells
//! which of the commits that nobody was told of have happened.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use selvedge::env::{Env, Fault, OperationKind, SimulatedFiles};
use selvedge::{Background, Db, SyncLevel};

use super::{Life, Ran, UPKEEP_EVERY, merge};
use crate::history::recorder::{Done, receipt};
use crate::history::txn::{History, Txn};
use crate::history::workload::{Ground, look_at_all};

const PATH: &str = "/db";
/// Bytes of a segment of the log: a life fills several.
const SEGMENT_BYTES: u64 = 1 << 14;
/// What goes wrong with an operation on files.
const FAULTS: [Fault; 6] =
    [Fault::Crash, Fault::Crash, Fault::Crash, Fault::Kill, Fault::Io, Fault::ShortWrite];
/// Operations on files in which something may go wrong, for each transaction.
const OPERATIONS: usize = 2;

impl Life {
    pub(super) fn run_failing(&mut self) -> Done<Ran> {
        let files = SimulatedFiles::new(self.plan.seed);
        let mut db = self.open_on(&files)?;
        let first = self.worker(&db, self.plan.threads, 0);
        let ground = (self.plan.workload.set_up)(&first, self.plan.txns)?;
        let mut recorded = vec![first.into_txns()];
        let mut lives = Vec::new();
        for round in 1..=self.plan.medium.rounds() {
            let (shares, is_struck) = self.until_trouble(&db, &files, &ground, round)?;
            recorded.extend(shares);
            lives.push(recorded);
            db = self.open_again(db, &files, is_struck)?;
            recorded = vec![self.look_back(&db, &ground, round)?];
        }
        lives.push(recorded);
        let complaints = db.check().map_err(|error| format!("check fails: {error}"))?;
        let mut lives = lives.into_iter();
        let title = format!("{}, {} transactions", self.plan, self.plan.txns);
        let history = merge(title, lives.next().unwrap_or_default(), &ground);
        Ok(Ran { history: lives.fold(history, History::reopened), complaints })
    }

    fn open_on(&mut self, files: &SimulatedFiles) -> Done<Db> {
        let (env, _) = Env::simulated_on(files, self.random.u64(..));
        let builder = Db::builder().background(Background::Manual).env(env);
        let builder = builder.sync(SyncLevel::Full).log_segment_bytes(SEGMENT_BYTES);
        builder.open(PATH).map_err(|error| format!("open fails: {error}"))
    }

    /// A round of transactions in which something may go wrong, and whether it has.
    fn until_trouble(
        &mut self,
        db: &Db,
        files: &SimulatedFiles,
        ground: &Ground,
        round: usize,
    ) -> Done<(Vec<Vec<Txn>>, bool)> {
        let before = files.operation_count();
        let within = OPERATIONS * self.plan.txns / self.plan.medium.rounds();
        let at = before + self.random.u64(..within.max(1) as u64);
        if self.random.usize(..4) == 0 {
            files.plan_next(OperationKind::Sync, Fault::Io);
        } else {
            files.plan(at, FAULTS[self.random.usize(..FAULTS.len())]);
        }
        let is_over = AtomicBool::new(false);
        let (shares, upkeep) = thread::scope(|scope| {
            let upkeep = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    thread::sleep(UPKEEP_EVERY);
                    db.checkpoint().map_err(|error| format!("checkpoint fails: {error}"))?;
                }
                Ok(())
            });
            let shares = self.shares(db, ground, round);
            // It tells the other nothing but that.
            is_over.store(true, Ordering::Relaxed);
            (shares, upkeep.join().unwrap_or_else(|_| Err("upkeep panicked".to_owned())))
        });
        let mut operations = files.operations().into_iter();
        let is_struck = operations.any(|one| one.number >= before && one.fault.is_some());
        files.clear_faults();
        let ended = shares.iter().map(|share| &share.ended).chain([&upkeep]);
        let wrong = ended.filter_map(|ended| ended.as_ref().err()).next();
        match wrong.filter(|_| !is_struck) {
            Some(what) => Err(what.clone()),
            None => Ok((shares.into_iter().map(|share| share.txns).collect(), is_struck)),
        }
    }

    /// Opens the database again, under its handles or as the next process, before or
    /// after the machine has crashed.
    fn open_again(&mut self, db: Db, files: &SimulatedFiles, is_struck: bool) -> Done<Db> {
        if files.down().is_some() {
            files.recover();
        } else if is_struck && self.random.bool() {
            return db.reopen().map(|()| db).map_err(|error| format!("reopen fails: {error}"));
        } else {
            match self.random.usize(..3) {
                0 => files.kill(),
                1 => files.crash(),
                _ => {}
            }
        }
        drop(db);
        self.open_on(files)
    }

    /// Looks at everything, and at what tells which commits have happened.
    fn look_back(&self, db: &Db, ground: &Ground, round: usize) -> Done<Vec<Txn>> {
        let threads = self.plan.threads;
        let last = self.worker(db, threads, round);
        let mut active = last.durable_snapshot()?;
        look_at_all(&mut active, ground)?;
        (0..=threads).try_for_each(|thread| active.entry(&receipt(thread)).map(drop))?;
        active.commit()?;
        Ok(last.into_txns())
    }
}
