//! The one door to atomics, locks and threads: the standard ones, or those of a model
//! checker when it drives the code: `loom` (`--cfg loom`) or `shuttle`
//! (`--cfg shuttle`).
//!
//! Everything that a model checker must see comes through here. In a release build
//! this is nothing but names for what is elsewhere; in one with debug assertions locks
//! know their [rank](LockRank), and are taken in that order or not at all.

#[cfg(any(loom, shuttle))]
mod modelled;
#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
mod ordered;
#[cfg(loom)]
pub mod thread;

/// Atomics that no model checker sees, for what the collector of epochs runs: on a
/// thread and at a time of its own, which no schedule could repeat.
pub mod unscheduled {
    pub use std::sync::atomic::{AtomicPtr, AtomicUsize};
}

#[cfg(loom)]
pub use loom::sync::{Arc, atomic};
#[cfg(shuttle)]
pub use shuttle::{
    sync::{atomic, mpsc},
    thread, thread_local,
};
#[cfg(not(loom))]
pub use std::sync::Arc;
#[cfg(loom)]
pub use std::{sync::mpsc, thread_local};
#[cfg(not(any(loom, shuttle)))]
pub use std::{
    sync::{atomic, mpsc},
    thread, thread_local,
};

#[cfg(any(loom, shuttle))]
pub use self::modelled::{Condvar, Mutex, MutexGuard};
#[cfg(all(debug_assertions, not(any(loom, shuttle))))]
pub use self::ordered::{Condvar, Mutex, MutexGuard};
pub use crossbeam_utils::CachePadded;
#[cfg(not(any(debug_assertions, loom, shuttle)))]
pub use parking_lot::{Condvar, Mutex, MutexGuard};

pub use crate::lock_order::LockRank;

/// A mutex with its place in the order.
#[cfg(not(any(debug_assertions, loom, shuttle)))]
#[inline(always)]
pub const fn mutex<T>(_rank: LockRank, value: T) -> Mutex<T> {
    Mutex::new(value)
}

/// A mutex with its place in the order.
#[cfg(any(debug_assertions, loom, shuttle))]
pub fn mutex<T>(rank: LockRank, value: T) -> Mutex<T> {
    Mutex::ranked(rank, value)
}
