//! The child that commits until it is killed, and reports every commit that
//! returned before it makes the next.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use selvedge::prelude::*;
use selvedge::{Error, SyncLevel};

use crate::arguments::{Load, Target};
use crate::failure::{Failure, Result};
use crate::message::{Commit, Message, Reporter};
use crate::workload::{self, Step, THREADS, UNSYNCED_THREAD};

/// It broke a promise.
pub(crate) const EXIT_BROKEN: u8 = 2;
/// The database, or the system, refused.
pub(crate) const EXIT_REFUSED: u8 = 3;

/// What all threads share.
struct Child<'a> {
    db: &'a Db,
    reporter: &'a Reporter,
    load: &'a Load,
    ends: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

/// Runs until it is killed, or the database refuses.
pub(crate) fn run(load: &Load) -> ExitCode {
    let failure = match serve(load) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    eprintln!("load: {failure}");
    let broken = matches!(failure, Failure::Broken(_));
    ExitCode::from(if broken { EXIT_BROKEN } else { EXIT_REFUSED })
}

/// Opens the database of a target, or makes it.
pub(crate) fn open(target: &Target, read_only: bool) -> Result<Db> {
    let builder = Db::builder()
        .log_segment_bytes(target.segment_bytes)
        .checkpoint_bytes(target.checkpoint_bytes)
        .document_bytes(target.checkpoint_bytes);
    let builder = if read_only { builder.existing().read_only() } else { builder };
    Ok(builder.open(&target.database)?)
}

/// Tells what opening found.
pub(crate) fn report_opening(db: &Db, reporter: &Reporter) -> Result<workload::Lasts> {
    let storage = db.statistics().storage.unwrap_or_default();
    let (commits, cut_bytes) = (storage.recovery.commits, storage.recovery.cut_bytes);
    report(reporter, &Message::Recovered { commits, cut_bytes })?;
    let lasts = workload::lasts(&db.snapshot()?)?;
    report(reporter, &Message::Found(lasts))?;
    Ok(lasts)
}

fn report(reporter: &Reporter, message: &Message) -> Result<()> {
    reporter.report(message).map_err(|error| Failure::system("reporting", &error))
}

fn serve(load: &Load) -> Result<()> {
    let reporter =
        Reporter::stdout().map_err(|error| Failure::system("standard output", &error))?;
    let db = open(&load.target, false)?;
    let lasts = report_opening(&db, &reporter)?;
    report(&reporter, &Message::Opened(db.timestamp()))?;
    workload::prepare(&db)?;
    let child = Child {
        db: &db,
        reporter: &reporter,
        load,
        ends: AtomicBool::new(false),
        failure: Mutex::new(None),
    };
    thread::scope(|scope| {
        for (thread, last) in lasts.into_iter().enumerate() {
            let child = &child;
            scope.spawn(move || child.guard(|| child.commit(thread, last)));
        }
        scope.spawn(|| child.guard(|| child.read()));
        scope.spawn(|| child.guard(|| child.checkpoint()));
    });
    let failure = child.failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failure.map_or(Ok(()), Err)
}

impl Child<'_> {
    /// Runs a thread; the first to fail ends all.
    fn guard(&self, work: impl FnOnce() -> Result<()>) {
        if let Err(failure) = work() {
            self.ends.store(true, Ordering::Relaxed);
            let mut first = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // A broken promise weighs more than the refusals that follow a cut.
            if first.is_none() || matches!(failure, Failure::Broken(_)) {
                *first = Some(failure);
            }
        }
    }

    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }

    fn random(&self, thread: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.load.seed ^ (thread as u64) << 56)
    }

    fn commit(&self, thread: usize, last: u64) -> Result<()> {
        let waits = self.load.waits && thread != UNSYNCED_THREAD;
        let level = if waits { SyncLevel::Full } else { SyncLevel::Off };
        let options = TransactionOptions::new().sync(level);
        let mut random = self.random(thread);
        for sequence in last + 1.. {
            let step = Step::new(thread, sequence);
            while self.goes_on() {
                let mut transaction = self.db.begin(&options)?;
                let node = step.stage(&mut transaction)?;
                match transaction.commit() {
                    Ok(timestamp) => {
                        let waited = level == SyncLevel::Full;
                        let commit = Commit { thread, sequence, timestamp, node, waited };
                        report(self.reporter, &Message::Commit(commit))?;
                        break;
                    }
                    Err(Error::Conflict(_)) => thread::yield_now(),
                    Err(error) => return Err(error.into()),
                }
            }
            if !self.goes_on() {
                break;
            }
            if !waits {
                // Leaves room for those that wait for the disk.
                thread::sleep(Duration::from_micros(random.u64(50..1500)));
            }
        }
        Ok(())
    }

    /// Looks at snapshots, each of them twice: when it is opened, and some commits
    /// and maybe checkpoints later.
    fn read(&self) -> Result<()> {
        let mut random = self.random(THREADS);
        while self.goes_on() {
            let durable = self.load.waits && random.u8(..4) == 0;
            let snapshot =
                if durable { self.db.snapshot_durable()? } else { self.db.snapshot()? };
            if snapshot.node_count()? == 0 {
                continue;
            }
            if durable {
                report(self.reporter, &Message::Durable(snapshot.timestamp()))?;
            }
            let newest = workload::glance(&snapshot)?;
            if let Some(node) = newest {
                report(self.reporter, &Message::Seen(snapshot.timestamp(), node))?;
            }
            thread::sleep(Duration::from_millis(random.u64(..30)));
            if workload::glance(&snapshot)? != newest {
                return Err(Failure::Broken("a snapshot changed".to_owned()));
            }
        }
        Ok(())
    }

    fn checkpoint(&self) -> Result<()> {
        let mut random = self.random(THREADS + 1);
        while self.goes_on() {
            thread::sleep(Duration::from_millis(random.u64(5..60)));
            if self.load.waits && random.u8(..3) == 0 {
                self.db.checkpoint()?;
            }
            let written = self.db.statistics().storage.unwrap_or_default().checkpoints;
            report(self.reporter, &Message::Checkpoints(written))?;
        }
        Ok(())
    }
}
