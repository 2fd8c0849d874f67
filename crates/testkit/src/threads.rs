//! Threads in a scope whose end can be seen.
//!
//! `std::thread::scope` waits for its threads inside the standard library, which the
//! thread sanitizer does not look into: whatever a test reads or drops behind such a
//! scope would seem to race with them. Here each thread says that it has ended, and the
//! scope looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

/// Where threads are started: `std::thread::Scope`, as far as tests use it.
pub struct Scope<'scope, 'env: 'scope> {
    scope: &'scope thread::Scope<'scope, 'env>,
    /// How many have ended.
    ended: Arc<AtomicUsize>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a thread.
    pub fn spawn<T: Send + 'scope>(
        &self,
        run: impl FnOnce() -> T + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        let ended = Arc::clone(&self.ended);
        self.scope.spawn(move || {
            let result = run();
            // Partner: the Acquire load in `scope`.
            ended.fetch_add(1, Ordering::Release);
            result
        })
    }
}

/// As `std::thread::scope`: runs `start`, and waits for every thread that it started.
pub fn scope<'env, T>(start: impl for<'scope> FnOnce(&Scope<'scope, 'env>) -> T) -> T {
    let ended = Arc::new(AtomicUsize::new(0));
    let result = thread::scope(|scope| start(&Scope { scope, ended: Arc::clone(&ended) }));
    // Partner: the Release increments of the threads.
    ended.load(Ordering::Acquire);
    result
}
