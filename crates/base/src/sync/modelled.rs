//! Locks under a model checker, with the face of the real ones. Ranks are not checked:
//! the checker finds deadlocks itself.

#[cfg(loom)]
use loom::{sync as model, thread};
#[cfg(shuttle)]
use shuttle::{sync as model, thread};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::Duration;

use crate::lock_order::LockRank;

/// A mutex of the model checker.
pub struct Mutex<T>(model::Mutex<T>);

/// The mutex is locked until this is dropped.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// None while it waits.
    inner: Option<model::MutexGuard<'a, T>>,
}

/// A condition of the model checker.
#[derive(Debug)]
pub struct Condvar(model::Condvar);

impl<T> Mutex<T> {
    pub(super) fn ranked(_rank: LockRank, value: T) -> Self {
        Self(model::Mutex::new(value))
    }

    fn locked(&self) -> model::MutexGuard<'_, T> {
        // The real one knows no poison.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, inner: Some(self.locked()) }
    }

    /// What it guards.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Looking would be a step of the model.
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> MutexGuard<'_, T> {
    /// Gives the lock to one who waits for it; who that is, the model decides.
    pub fn unlock_fair(guard: Self) {
        drop(guard);
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_ref().expect("locked, but while it waits")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("locked, but while it waits")
    }
}

impl<T> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutexGuard").finish_non_exhaustive()
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl Condvar {
    /// A condition that nobody waits for.
    #[must_use]
    pub fn new() -> Self {
        Self(model::Condvar::new())
    }

    /// Waits for a notice, without the lock.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.inner.take().expect("locked, but while it waits");
        guard.inner = Some(self.0.wait(inner).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits without the lock for a time that is over sooner or later: whoever is
    /// notified may just as well have been too late.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _time: Duration) {
        guard.inner = None;
        thread::yield_now();
        guard.inner = Some(guard.mutex.locked());
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
