//! Freeing memory that a reader may still be walking over: epochs.
//!
//! This file answers *who may still hold a pointer*, and nothing else; who can
//! still *see* a version is the business of [`horizon`](crate::horizon) and
//! [`prune`](crate::prune). A reader pins while it walks a version chain; a
//! pruner unlinks a version first and retires it then, so whoever pins later
//! cannot reach it any more.
#![expect(unsafe_code, reason = "deferred frees are unchecked by nature")]

#[cfg(not(loom))]
pub use epoch::{Pin, pin};
#[cfg(loom)]
pub use model::{Pin, pin};

#[cfg(not(loom))]
mod epoch {
    use crossbeam_epoch::Guard;

    /// A pinned thread: nothing retired from now on is freed before it drops.
    #[derive(Debug)]
    pub struct Pin(Guard);

    /// Pins the current thread.
    #[must_use]
    #[inline]
    pub fn pin() -> Pin {
        Pin(crossbeam_epoch::pin())
    }

    impl Pin {
        /// The guard behind the pin, for structures built on the same epochs.
        #[must_use]
        pub fn guard(&self) -> &Guard {
            &self.0
        }

        /// Runs `free` once no thread is pinned that was pinned at this moment.
        ///
        /// # Safety
        /// What `free` frees must be unreachable for whoever pins from now on,
        /// and `free` may run on any thread.
        #[inline]
        pub unsafe fn retire(&self, free: impl FnOnce()) {
            // SAFETY: the caller's contract is the one of `defer_unchecked`.
            unsafe { self.0.defer_unchecked(free) }
        }

        /// Hands what this thread has retired to the collector now.
        pub fn flush(&self) {
            self.0.flush();
        }
    }
}

#[cfg(loom)]
mod model {
    //! The strictest collector there can be: it frees the moment nobody is
    //! pinned. What survives this survives any epoch scheme.
    use loom::sync::Mutex;

    type Free = Box<dyn FnOnce()>;

    #[derive(Default)]
    struct State {
        pinned: usize,
        retired: Vec<Free>,
    }

    // SAFETY: the model checker runs one thread at a time.
    unsafe impl Send for State {}

    loom::lazy_static! {
        static ref STATE: Mutex<State> = Mutex::new(State::default());
    }

    /// A pinned thread.
    #[derive(Debug)]
    pub struct Pin(());

    /// Pins the current thread.
    pub fn pin() -> Pin {
        STATE.lock().expect("no panics under the lock").pinned += 1;
        Pin(())
    }

    impl Pin {
        /// Runs `free` once nobody is pinned.
        ///
        /// # Safety
        /// As in the real one.
        pub unsafe fn retire(&self, free: impl FnOnce()) {
            let free: Box<dyn FnOnce()> = Box::new(free);
            // SAFETY: the model is over before what `free` borrows is gone.
            let free: Free = unsafe { std::mem::transmute(free) };
            STATE.lock().expect("no panics under the lock").retired.push(free);
        }

        /// Nothing to do: the model frees at once.
        pub fn flush(&self) {}
    }

    impl Drop for Pin {
        fn drop(&mut self) {
            let free = {
                let mut state = STATE.lock().expect("no panics under the lock");
                state.pinned -= 1;
                if state.pinned == 0 { std::mem::take(&mut state.retired) } else { Vec::new() }
            };
            free.into_iter().for_each(|free| free());
        }
    }
}
