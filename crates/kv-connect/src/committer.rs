//! The thread that commits, and waits for the disk, for everybody.
//!
//! ```text
//! requests   --> queue --> apply, apply, apply | one sync | answer, answer, answer
//!                  ^ meanwhile the next group gathers here
//! ```
//!
//! Threads of the reactor never wait for the disk. One thread here suffices: commits
//! are applied one after the other anyway, and while it waits for the disk the next
//! group gathers in the queue, so that groups grow with the load by themselves.

use std::sync::Arc;
use std::thread;

use selvedge::{AtomicOutcome, Error, PendingSync};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::database::Database;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::write::Write;

/// Commits that may wait; more wait before they are queued.
const QUEUED_MAX: usize = 4096;
/// Requests that share one sync, at most.
const GROUP_MAX: usize = 512;

/// What came of a commit.
type Committed = Result<AtomicOutcome, Refusal>;

enum Job {
    Commit {
        database: Arc<Database>,
        write: Box<Write>,
        reply: oneshot::Sender<Committed>,
    },
    /// Something that was read, and must be on the disk before it is told.
    Sync {
        pending: PendingSync,
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
}

/// Where requests hand in what has to be committed, or waited for.
#[derive(Debug)]
pub(crate) struct Committer {
    queue: mpsc::UnboundedSender<Job>,
    room: Semaphore,
}

/// What remains of a sync once it is asked for.
pub(crate) type Syncing = oneshot::Receiver<Result<(), Refusal>>;

impl Committer {
    /// Starts the thread; it ends when this is dropped. `durable`: answers wait for the
    /// disk.
    pub(crate) fn start(durable: bool, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name("selvedge-commit".to_owned());
        thread.spawn(move || run(jobs, durable, &metrics))?;
        Ok(Self { queue, room: Semaphore::new(QUEUED_MAX) })
    }

    /// Commits; when this returns it is as durable as it has to be.
    pub(crate) async fn commit(&self, database: Arc<Database>, write: Write) -> Committed {
        let _room = self.room.acquire().await.map_err(|_| Refusal::Internal)?;
        let (reply, committed) = oneshot::channel();
        let job = Job::Commit { database, write: Box::new(write), reply };
        self.queue.send(job).map_err(|_| Refusal::Internal)?;
        committed.await.map_err(|_| Refusal::Internal)?
    }

    /// Waits for the disk.
    pub(crate) fn sync(&self, pending: PendingSync) -> Syncing {
        let (reply, synced) = oneshot::channel();
        // If the thread is gone, the receiver learns it.
        let _ = self.queue.send(Job::Sync { pending, reply });
        synced
    }
}

/// Who waits for the sync of a group.
enum Waiting {
    Commit(AtomicOutcome, oneshot::Sender<Committed>),
    Read(oneshot::Sender<Result<(), Refusal>>),
}

fn run(mut jobs: mpsc::UnboundedReceiver<Job>, durable: bool, metrics: &Metrics) {
    let (mut group, mut waiting) = (Vec::new(), Vec::new());
    while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        metrics.group(group.len());
        for job in group.drain(..) {
            match job {
                Job::Commit { database, write, reply } => {
                    match apply(&database, &write) {
                        Ok((outcome, Some(pending))) if durable => {
                            waiting.push((pending, Waiting::Commit(outcome, reply)));
                        }
                        // Nobody may be there any more.
                        applied => drop(reply.send(applied.map(|(outcome, _)| outcome))),
                    }
                }
                Job::Sync { pending, reply } => waiting.push((pending, Waiting::Read(reply))),
            }
        }
        // The last one waits for most; the others find that done.
        while let Some((pending, who)) = waiting.pop() {
            let synced = pending.wait().map_err(Refusal::from);
            match who {
                Waiting::Commit(outcome, reply) => drop(reply.send(synced.map(|()| outcome))),
                Waiting::Read(reply) => drop(reply.send(synced.map_err(Refusal::of_read))),
            }
        }
    }
}

fn apply(
    database: &Database,
    write: &Write,
) -> Result<(AtomicOutcome, Option<PendingSync>), Refusal> {
    let commit = || write.stage(&database.kv).commit_unsynced();
    // A bug that one request meets must not end the commits of all others.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(commit)) {
        Ok(committed) => committed.map_err(Error::into),
        Err(_) => Err(Refusal::Internal),
    }
}
