//! Locks that know their rank, in builds with debug assertions.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::lock_order::{Holding, LockRank, check_waiting};

/// A mutex with a place in the order of locks.
#[derive(Debug)]
pub struct Mutex<T> {
    rank: LockRank,
    inner: parking_lot::Mutex<T>,
}

/// The mutex is locked until this is dropped.
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    rank: LockRank,
    // First: the rank is held until the lock is free.
    inner: parking_lot::MutexGuard<'a, T>,
    holding: Option<Holding>,
}

/// A condition to wait for.
#[derive(Debug, Default)]
pub struct Condvar(parking_lot::Condvar);

impl<T> Mutex<T> {
    pub(super) const fn ranked(rank: LockRank, value: T) -> Self {
        Self { rank, inner: parking_lot::Mutex::new(value) }
    }

    /// Takes the lock.
    ///
    /// # Panics
    /// If this thread holds a lock of the same rank or a higher one.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let holding = Some(Holding::new(self.rank));
        MutexGuard { rank: self.rank, inner: self.inner.lock(), holding }
    }

    /// What it guards.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T> MutexGuard<'_, T> {
    /// Gives the lock to one who waits for it.
    pub fn unlock_fair(guard: Self) {
        let Self { inner, holding, .. } = guard;
        parking_lot::MutexGuard::unlock_fair(inner);
        drop(holding);
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl Condvar {
    /// A condition that nobody waits for.
    #[must_use]
    pub const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    /// Waits for a notice, without the lock.
    #[track_caller]
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        Self::released(guard, |inner| self.0.wait(inner));
    }

    /// Waits for a notice, without the lock, no longer than `time`.
    #[track_caller]
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, time: Duration) {
        Self::released(guard, |inner| {
            self.0.wait_for(inner, time);
        });
    }

    /// The lock is taken again behind the wait: under none that comes after it.
    #[track_caller]
    fn released<'a, T>(
        guard: &mut MutexGuard<'a, T>,
        wait: impl FnOnce(&mut parking_lot::MutexGuard<'a, T>),
    ) {
        guard.holding = None;
        check_waiting();
        guard.holding = Some(Holding::new(guard.rank));
        wait(&mut guard.inner);
    }

    /// Wakes one who waits.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use crate::sync::{Arc, Condvar, LockRank, MutexGuard, mutex, thread};

    /// What the thread that runs `locking` dies of.
    fn panic_of(locking: impl FnOnce() + Send + 'static) -> String {
        let panic = thread::spawn(locking).join().expect_err("it panics");
        panic.downcast_ref::<String>().cloned().unwrap_or_else(|| {
            (*panic.downcast_ref::<&str>().expect("a panic with words")).to_owned()
        })
    }

    #[test]
    fn locks_are_taken_in_their_order() {
        let (outer, inner) = (mutex(LockRank::Leases, 1), mutex(LockRank::Commits, 2));
        for _ in 0..2 {
            let first = outer.lock();
            let second = inner.lock();
            assert_eq!((*first, *second), (1, 2));
            // In whatever order they are let go.
            drop(first);
            drop(second);
        }
        MutexGuard::unlock_fair(inner.lock());
        drop(outer.lock());
    }

    #[test]
    fn a_wrong_order_is_told_with_both_names() {
        let panic = panic_of(|| {
            let (outer, inner) = (mutex(LockRank::Leases, ()), mutex(LockRank::Commits, ()));
            let _inner = inner.lock();
            let _outer = outer.lock();
        });
        assert!(panic.contains("Leases is locked while Commits is held"), "{panic}");
    }

    #[test]
    fn a_lock_is_not_taken_twice() {
        let panic = panic_of(|| {
            let locks = [mutex(LockRank::LogTail, ()), mutex(LockRank::LogTail, ())];
            let _first = locks[0].lock();
            let _second = locks[1].lock();
        });
        assert!(panic.contains("LogTail is locked while LogTail is held"), "{panic}");
    }

    #[test]
    fn a_panic_gives_back_what_was_held() {
        let lock = mutex(LockRank::Leases, ());
        let panicking = std::panic::AssertUnwindSafe(|| {
            let _held = lock.lock();
            panic!("while it is held");
        });
        let caught = std::panic::catch_unwind(panicking);
        assert!(caught.is_err());
        drop(mutex(LockRank::Succession, ()).lock());
        drop(lock.lock());
    }

    #[test]
    fn nobody_waits_under_the_commit_lock() {
        let panic = panic_of(|| {
            let (commits, turn) = (mutex(LockRank::Commits, ()), mutex(LockRank::LogTurn, ()));
            let _commits = commits.lock();
            Condvar::new().wait(&mut turn.lock());
        });
        assert!(panic.contains("nobody waits under the commit lock"), "{panic}");
    }

    #[test]
    fn waiting_takes_the_lock_again_in_order() {
        let panic = panic_of(|| {
            let (outer, inner) = (mutex(LockRank::Leases, ()), mutex(LockRank::LogTurn, ()));
            let mut outer = outer.lock();
            let _inner = inner.lock();
            Condvar::new().wait(&mut outer);
        });
        assert!(panic.contains("Leases is locked while LogTurn is held"), "{panic}");
    }

    #[test]
    fn who_waits_is_woken_with_the_lock() {
        let pair = Arc::new((mutex(LockRank::LogTurn, false), Condvar::new()));
        let waiting = thread::spawn({
            let pair = Arc::clone(&pair);
            move || {
                let mut told = pair.0.lock();
                while !*told {
                    pair.1.wait(&mut told);
                }
                // The rank is held again, and given back.
                drop(told);
                drop(mutex(LockRank::Succession, ()).lock());
            }
        });
        *pair.0.lock() = true;
        pair.1.notify_all();
        waiting.join().expect("it is woken");
    }
}
