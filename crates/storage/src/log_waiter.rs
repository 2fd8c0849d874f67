//! A thread that waits for the log.

use selvedge_base::lock_order::assert_may_wait;
use selvedge_base::mutant;
use selvedge_base::sync::atomic::{AtomicBool, Ordering};
use selvedge_base::sync::thread::{self, Thread};

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
        assert_may_wait();
        // Partner: the Release store in `wake`.
        while !self.is_woken.load(Ordering::Acquire) {
            thread::park();
        }
    }

    pub(crate) fn wake(&self) {
        let early = mutant::is("woken-before-told");
        if early {
            self.thread.unpark();
        }
        self.is_woken.store(true, Ordering::Release);
        if !early {
            self.thread.unpark();
        }
    }
}
