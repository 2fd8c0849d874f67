//! The order of all locks.
//!
//! Every lock of the database has a *rank*, and a thread takes only locks of a higher
//! rank than all that it holds. So no circle of threads can wait for one another's
//! locks. Builds with debug assertions keep the ranks that each thread holds, and
//! panic, with both names, at the first lock that is taken out of order: any test that
//! takes two locks checks this, whether threads meet or not. Other builds contain no
//! trace of it.
//!
//! Not in the order: the locks of the environment (`crates/env`), held for moments in
//! which no other is taken, and those of the standard library inside channels.

/// The place of a lock in the order: outer ones first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
pub enum LockRank {
    /// Making the successor of an engine that failed, or ending it.
    Succession,
    /// One checkpoint at a time; held while it is written.
    Checkpoints,
    /// Held by who waits for a checkpoint to end, and who tells that it did.
    CheckpointEnded,
    /// Held while leases are renewed, durably.
    Leases,
    /// The commit lock. Nobody waits under it for anything but a lock.
    Commits,
    /// Data files that nothing refers to any more.
    DeadFiles,
    /// Segments of the log are made, renamed and removed under it.
    LogSpares,
    /// Who writes the log, and who waits for that.
    LogTurn,
    /// The end of the log.
    LogTail,
    /// Segments of the log that may be written to.
    LogReady,
    /// What the newest checkpoint contains.
    StoreState,
    /// Names of labels and edge types that no commit has used yet.
    NameReservations,
    /// Whether the worker has something to do.
    WorkerSignal,
    /// The worker's thread.
    WorkerThread,
    /// Labels of open snapshots.
    SnapshotLabels,
    /// Messages of queues that somebody works on.
    QueueClaims,
    /// Who waits for which keys to change.
    Watchers,
    /// What one of them waits at.
    Bell,
}

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
pub(crate) use held::{Holding, check_waiting};

/// To be called before a thread waits for another one's work other than by a lock or
/// a condition: it may not hold the commit lock.
#[inline(always)]
pub fn assert_may_wait() {
    #[cfg(all(debug_assertions, not(any(loom, shuttle))))]
    check_waiting();
}

#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
mod held {
    use std::cell::Cell;

    use super::LockRank;

    thread_local! {
        /// A bit for each rank that this thread holds.
        static HELD: Cell<u32> = const { Cell::new(0) };
    }

    impl LockRank {
        const ALL: [Self; 18] = [
            Self::Succession,
            Self::Checkpoints,
            Self::CheckpointEnded,
            Self::Leases,
            Self::Commits,
            Self::DeadFiles,
            Self::LogSpares,
            Self::LogTurn,
            Self::LogTail,
            Self::LogReady,
            Self::StoreState,
            Self::NameReservations,
            Self::WorkerSignal,
            Self::WorkerThread,
            Self::SnapshotLabels,
            Self::QueueClaims,
            Self::Watchers,
            Self::Bell,
        ];

        const fn bit(self) -> u32 {
            1 << self as u32
        }

        /// The highest of the ranks in `held`.
        fn highest(held: u32) -> Option<Self> {
            Self::ALL.into_iter().rev().find(|rank| held & rank.bit() != 0)
        }
    }

    /// This thread holds a lock of a rank, until this is dropped.
    #[derive(Debug)]
    pub(crate) struct Holding(LockRank);

    impl Holding {
        /// To be called before the lock is taken, so that an order that would end in
        /// a deadlock is told instead.
        #[track_caller]
        pub(crate) fn new(rank: LockRank) -> Self {
            let held = HELD.get();
            if let Some(highest) = LockRank::highest(held)
                && highest >= rank
                // A second panic would abort, and hide the first.
                && !std::thread::panicking()
            {
                panic!("{rank:?} is locked while {highest:?} is held: see `LockRank`");
            }
            HELD.set(held | rank.bit());
            Self(rank)
        }
    }

    impl Drop for Holding {
        fn drop(&mut self) {
            HELD.set(HELD.get() & !self.0.bit());
        }
    }

    #[track_caller]
    pub(crate) fn check_waiting() {
        let holds_commits = HELD.get() & LockRank::Commits.bit() != 0;
        assert!(!holds_commits || std::thread::panicking(), "nobody waits under the commit lock");
    }
}
