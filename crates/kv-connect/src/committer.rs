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
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use selvedge::{AtomicOutcome, Error, PendingSync};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

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
    /// There until this is dropped.
    queue: Option<mpsc::UnboundedSender<Job>>,
    room: Semaphore,
    failure: Arc<Failure>,
    thread: Option<JoinHandle<()>>,
}

/// What is queued is done, and the thread has ended: it has the database no more.
impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // If it has panicked, that was told when it did.
            let _ = thread.join();
        }
    }
}

/// Whether the disk has failed under a commit, and nothing was committed since. Who
/// watches would not hear of what is found when the database is opened again.
#[derive(Debug, Default)]
struct Failure {
    is_there: AtomicBool,
    told: Arc<Notify>,
}

impl Failure {
    fn learn(&self, committed: &Committed) {
        match committed {
            Ok(_) if self.is_there.load(Ordering::Relaxed) => {
                self.is_there.store(false, Ordering::SeqCst);
            }
            Err(Refusal::OutcomeUnknown(_)) => {
                self.is_there.store(true, Ordering::SeqCst);
                self.told.notify_waiters();
            }
            _ => {}
        }
    }
}

/// What remains of a sync once it is asked for.
pub(crate) type Syncing = oneshot::Receiver<Result<(), Refusal>>;

impl Committer {
    /// Starts the thread; it ends when this is dropped. `durable`: answers wait for the
    /// disk.
    pub(crate) fn start(durable: bool, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name("selvedge-commit".to_owned());
        let failure = Arc::<Failure>::default();
        let of_thread = Arc::clone(&failure);
        let thread = thread.spawn(move || run(jobs, durable, &metrics, &of_thread))?;
        let (queue, thread) = (Some(queue), Some(thread));
        Ok(Self { queue, room: Semaphore::new(QUEUED_MAX), failure, thread })
    }

    /// Commits; when this returns it is as durable as it has to be.
    pub(crate) async fn commit(&self, database: Arc<Database>, write: Write) -> Committed {
        let _room = self.room.acquire().await.map_err(|_| Refusal::Internal)?;
        let (reply, committed) = oneshot::channel();
        let job = Job::Commit { database, write: Box::new(write), reply };
        self.send(job).map_err(|_| Refusal::Internal)?;
        committed.await.map_err(|_| Refusal::Internal)?
    }

    /// Ends when the disk fails.
    ///
    /// # Errors
    /// It has failed.
    pub(crate) fn failing(&self) -> Result<OwnedNotified, Refusal> {
        // Asked for before the question, so that no failure is between them.
        let failing = Arc::clone(&self.failure.told).notified_owned();
        match self.failure.is_there.load(Ordering::SeqCst) {
            true => Err(Refusal::Unavailable("the disk has failed".to_owned())),
            false => Ok(failing),
        }
    }

    /// Waits for the disk.
    pub(crate) fn sync(&self, pending: PendingSync) -> Syncing {
        let (reply, synced) = oneshot::channel();
        // If the thread is gone, the receiver learns it.
        let _ = self.send(Job::Sync { pending, reply });
        synced
    }

    fn send(&self, job: Job) -> Result<(), ()> {
        let queue = self.queue.as_ref().ok_or(())?;
        queue.send(job).map_err(drop)
    }
}

/// Who waits for the sync of a group.
enum Waiting {
    Commit(AtomicOutcome, oneshot::Sender<Committed>),
    Read(oneshot::Sender<Result<(), Refusal>>),
}

fn run(
    mut jobs: mpsc::UnboundedReceiver<Job>,
    durable: bool,
    metrics: &Metrics,
    failure: &Failure,
) {
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
                        applied => {
                            let committed = applied.map(|(outcome, _)| outcome);
                            failure.learn(&committed);
                            drop(reply.send(committed));
                        }
                    }
                }
                Job::Sync { pending, reply } => waiting.push((pending, Waiting::Read(reply))),
            }
        }
        // The last one waits for most; the others find that done.
        while let Some((pending, who)) = waiting.pop() {
            let synced = pending.wait().map_err(Refusal::from);
            match who {
                Waiting::Commit(outcome, reply) => {
                    let committed = synced.map(|()| outcome);
                    failure.learn(&committed);
                    drop(reply.send(committed));
                }
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
