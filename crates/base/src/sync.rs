//! The one door to atomics and locks: the standard ones, or those of the `loom`
//! model checker when it drives the code (`--cfg loom`).
//!
//! Everything that a model checker must see comes through here.

#[cfg(not(loom))]
pub use std::sync::{Arc, atomic};

#[cfg(loom)]
pub use loom::sync::{Arc, atomic};

pub use crossbeam_utils::CachePadded;
pub use parking_lot::{Condvar, Mutex, MutexGuard};
