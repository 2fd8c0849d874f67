//! A thread that waits for the log.

use std::thread::{self, Thread};

use selvedge_base::sync::atomic::{AtomicBool, Ordering};

/// A thread that waits until another one wakes it, once.
#[derive(Debug)]
pub(crate) struct Waiter {
    thread: Thread,
    is_woken: AtomicBool,
}

impl Waiter {
    /// The current thread.
    pub(crate) fn new() -> Self {
        Self { thread: thread::current(), is_woken: AtomicBool::new(false) }
    }

    /// Waits; only the thread that has made it may.
    pub(crate) fn wait(&self) {
        // Partner: the Release store in `wake`.
        while !self.is_woken.load(Ordering::Acquire) {
            thread::park();
        }
    }

    pub(crate) fn wake(&self) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
