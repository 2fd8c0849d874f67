//! Threads that change the graph at once: each audits packages, counts that in
//! the package, and adds reviews and deletes some.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use selvedge::prelude::*;

use crate::Failure;

pub(crate) const THREADS: usize = 4;
/// Duels of each thread with all others.
pub(crate) const DUELS: usize = 5;
const AUDITS_RETRIED: usize = 150;
const AUDITS_PLAIN: usize = 50;

/// What a thread knows to have happened.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Audits whose commit was acknowledged.
    pub(crate) audits: u64,
    pub(crate) reviews_added: u64,
    pub(crate) reviews_deleted: u64,
    /// Commits refused, by the way the transaction was run.
    pub(crate) conflicts_duel: u64,
    pub(crate) conflicts_retried: u64,
    pub(crate) conflicts_plain: u64,
}

impl Tally {
    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts_duel + self.conflicts_retried + self.conflicts_plain
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.audits += other.audits;
        self.reviews_added += other.reviews_added;
        self.reviews_deleted += other.reviews_deleted;
        self.conflicts_duel += other.conflicts_duel;
        self.conflicts_retried += other.conflicts_retried;
        self.conflicts_plain += other.conflicts_plain;
    }

    fn acknowledge(&mut self, audit: Audit) {
        self.audits += 1;
        self.reviews_added += 1;
        self.reviews_deleted += u64::from(audit.deleted_one);
    }
}

struct Audit {
    deleted_one: bool,
}

fn audits_of(reader: &impl Read, package: NodeId) -> selvedge::Result<i64> {
    let Some(node) = reader.node(package)? else { return Ok(0) };
    Ok(node.typed("audits")?.unwrap_or(0))
}

/// Audits a package: raises its counter, adds a review, and now and then deletes
/// the oldest one, whoever wrote it.
fn audit(
    ctx: &mut Transaction<'_>,
    package: NodeId,
    auditor: usize,
    round: usize,
) -> selvedge::Result<Audit> {
    let audits = audits_of(ctx, package)?;
    // Gives another thread a chance to come first, even on a single core.
    thread::yield_now();
    let oldest = ctx.neighbours(package, Direction::In, "REVIEWS")?.next();
    let review = ctx.insert_node("Review", None, doc! { "auditor": auditor, "round": round })?;
    ctx.link_nodes(review, "REVIEWS", package, doc! { "sound": !round.is_multiple_of(7) })?;
    ctx.set(package, "audits", audits + 1)?;
    let doomed = oldest.filter(|_| round % 3 == 2);
    if let Some(doomed) = doomed {
        ctx.delete_node(doomed)?;
    }
    Ok(Audit { deleted_one: doomed.is_some() })
}

/// The work of one thread.
pub(crate) fn work(
    db: &Db,
    auditor: usize,
    packages: &[NodeId],
    barrier: &Barrier,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    // All duels first, failed or not: the others wait at the barrier.
    for result in [(); DUELS].map(|()| duel(db, packages[0], barrier)) {
        match result {
            Ok(()) => tally.audits += 1,
            Err(error) if error.is_retryable() => tally.conflicts_duel += 1,
            Err(error) => return Err(error.into()),
        }
    }
    for round in 0..AUDITS_RETRIED {
        let package = packages[(auditor + round) % packages.len()];
        let attempts = AtomicU64::new(0);
        let audit = db.transaction_retry(RetryPolicy::default().attempts_max(10_000), |ctx| {
            attempts.fetch_add(1, Ordering::Relaxed);
            audit(ctx, package, auditor, round)
        })?;
        tally.acknowledge(audit);
        tally.conflicts_retried += attempts.into_inner() - 1;
    }
    for round in 0..AUDITS_PLAIN {
        let package = packages[round % packages.len()];
        match db.transaction(|ctx| audit(ctx, package, auditor, round)) {
            Ok(audit) => tally.acknowledge(audit),
            // Nothing of it is applied: this audit is simply skipped.
            Err(error) if error.is_retryable() => tally.conflicts_plain += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(tally)
}

/// All threads change the same package, and none commits before all have begun:
/// exactly one of them wins.
fn duel(db: &Db, package: NodeId, barrier: &Barrier) -> selvedge::Result<()> {
    let prepared = (|| {
        let mut transaction = db.begin(&TransactionOptions::new().label("duel"))?;
        let audits = audits_of(&transaction, package)?;
        transaction.set(package, "audits", audits + 1)?;
        Ok(transaction)
    })();
    barrier.wait();
    prepared.and_then(Transaction::commit).map(|_| ())
}
