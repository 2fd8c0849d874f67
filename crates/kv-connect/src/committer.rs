//! Who commits, and waits for the disk: a thread for everybody, or who is alone.
//!
//! ```text
//! requests   --> queue --> apply, apply, apply | one sync | answer, answer, answer
//!                  ^ meanwhile the next group gathers here
//! ```
//!
//! Threads of the reactor never wait for the disk. One thread here suffices: commits
//! are applied one after the other anyway, and while it waits for the disk the next
//! group gathers in the queue, so that groups grow with the load by themselves.
//!
//! A commit that is the only one under way does not go through the thread: it has its turn
//! where its request was read, which saves two changes of the thread. Whose turn it is, one
//! after the other, says a lock; so what is learnt of the disk stays in the order of
//! commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use selvedge::{AtomicOutcome, Error, PendingSync};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

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
        /// Who asked may be gone: the job keeps its room by itself.
        room: OwnedSemaphorePermit,
    },
    /// Something that was read, and must be on the disk before it is told.
    Sync { pending: PendingSync, reply: oneshot::Sender<Result<(), Refusal>> },
}

/// Where requests hand in what has to be committed, or waited for.
#[derive(Debug)]
pub(crate) struct Committer {
    /// There until this is dropped.
    queue: Option<mpsc::UnboundedSender<Job>>,
    room: Arc<Semaphore>,
    /// Commits that have been asked for and not answered.
    under_way: AtomicUsize,
    turn: Arc<Turn>,
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

/// What it takes to commit.
#[derive(Debug)]
struct Turn {
    /// Held by who applies commits, until what came of them is known.
    taken: Mutex<()>,
    /// Answers wait for the disk.
    durable: bool,
    metrics: Arc<Metrics>,
    failure: Failure,
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
        let (taken, failure) = (Mutex::new(()), Failure::default());
        let turn = Arc::new(Turn { taken, durable, metrics, failure });
        let of_thread = Arc::clone(&turn);
        let thread = thread.spawn(move || run(jobs, &of_thread))?;
        let (queue, thread) = (Some(queue), Some(thread));
        let (room, under_way) = (Arc::new(Semaphore::new(QUEUED_MAX)), AtomicUsize::new(0));
        Ok(Self { queue, room, under_way, turn, thread })
    }

    /// Commits; when this returns it is as durable as it has to be.
    pub(crate) async fn commit(&self, database: Arc<Database>, write: Write) -> Committed {
        let under_way = UnderWay::one_more(&self.under_way);
        if under_way.is_only_one()
            && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
            && let Ok(_taken) = self.turn.taken.try_lock()
        {
            // The reactor goes on without this thread, as long as it waits for the disk.
            return tokio::task::block_in_place(|| self.turn.commit(&database, &write));
        }
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Refusal::Internal)?;
        let (reply, committed) = oneshot::channel();
        let job = Job::Commit { database, write: Box::new(write), reply, room };
        self.send(job).map_err(|_| Refusal::Internal)?;
        committed.await.map_err(|_| Refusal::Internal)?
    }

    /// Ends when the disk fails.
    ///
    /// # Errors
    /// It has failed.
    pub(crate) fn failing(&self) -> Result<OwnedNotified, Refusal> {
        // Asked for before the question, so that no failure is between them.
        let failing = Arc::clone(&self.turn.failure.told).notified_owned();
        match self.turn.failure.is_there.load(Ordering::SeqCst) {
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

/// A commit that has been asked for, until this is dropped.
struct UnderWay<'c> {
    count: &'c AtomicUsize,
    others: usize,
}

impl<'c> UnderWay<'c> {
    fn one_more(count: &'c AtomicUsize) -> Self {
        Self { count, others: count.fetch_add(1, Ordering::Relaxed) }
    }

    fn is_only_one(&self) -> bool {
        self.others == 0
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turn {
    /// Commits, and waits for the disk if answers do.
    fn commit(&self, database: &Database, write: &Write) -> Committed {
        self.metrics.group(1);
        let committed = match apply(database, write) {
            Ok((outcome, Some(pending))) if self.durable => {
                pending.wait().map(|()| outcome).map_err(Refusal::from)
            }
            applied => applied.map(|(outcome, _)| outcome),
        };
        self.failure.learn(&committed);
        committed
    }
}

/// Who waits for the sync of a group.
enum Waiting {
    Commit(AtomicOutcome, oneshot::Sender<Committed>),
    Read(oneshot::Sender<Result<(), Refusal>>),
}

fn run(mut jobs: mpsc::UnboundedReceiver<Job>, turn: &Turn) {
    let Turn { taken, durable, metrics, failure } = turn;
    let (mut group, mut waiting) = (Vec::new(), Vec::new());
    while jobs.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let _taken = taken.blocking_lock();
        metrics.group(group.len());
        for job in group.drain(..) {
            match job {
                Job::Commit { database, write, reply, room } => {
                    drop(room);
                    match apply(&database, &write) {
                        Ok((outcome, Some(pending))) if *durable => {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use selvedge::Db;
    use uuid::Uuid;

    use super::*;

    /// Clients that had gone gave their room back while their commits were still queued, so
    /// that the queue had no bound.
    #[tokio::test]
    async fn what_is_queued_keeps_its_room_when_who_asked_has_gone() {
        const GONE: usize = 3;
        let committer = Committer::start(true, Arc::new(Metrics::new())).expect("a thread");
        let kv = Db::in_memory().kv();
        let (id, endpoint) = (Uuid::nil(), String::new());
        let database = Arc::new(Database { kv, id, endpoint });
        let ask = || {
            let write = Write::decode(Bytes::new()).expect("nothing is an atomic operation");
            committer.commit(Arc::clone(&database), write)
        };
        let turn = committer.turn.taken.lock().await;
        for _ in 0..GONE {
            let answered = tokio::time::timeout(Duration::from_millis(1), ask()).await;
            assert!(answered.is_err(), "nobody has a turn");
        }
        assert_eq!(committer.room.available_permits(), QUEUED_MAX - GONE);
        drop(turn);
        assert!(ask().await.is_ok());
        assert_eq!(committer.room.available_permits(), QUEUED_MAX);
    }
}
