//! Freeing memory that a reader may still be walking over: epochs.
//!
//! This file answers *who may still hold a pointer*, and nothing else; who can
//! still *see* a version is the business of [`horizon`](crate::horizon) and
//! [`prune`](crate::prune). A reader pins while it walks a version chain; a
//! pruner unlinks a version first and retires it then, so whoever pins later
//! cannot reach it any more.
#![expect(unsafe_code, reason = "deferred frees are unchecked by nature")]

#[cfg(not(any(loom, shuttle)))]
pub use epoch::{Pin, pin};
#[cfg(any(loom, shuttle))]
pub use model::{Pin, pin};

#[cfg(not(any(loom, shuttle)))]
mod epoch {
    use std::cell::Cell;

    use crossbeam_epoch::Guard;

    /// What a thread retires before it runs the collector. By itself the
    /// collector runs at every 128th pin and frees 512 items at most: whoever
    /// retires more than four items a pin would outrun it for ever.
    const RETIRED_PER_COLLECTION: u32 = 256;

    /// Bytes that a thread retires before it runs the collector, however few
    /// items they are.
    const BYTES_PER_COLLECTION: usize = 1 << 20;

    thread_local! {
        /// Items and bytes retired on this thread since it last ran the
        /// collector.
        static RETIRED: Cell<(u32, usize)> = const { Cell::new((0, 0)) };
    }

    /// A pinned thread: nothing retired from now on is freed before it drops.
    #[derive(Debug)]
    pub struct Pin {
        guard: Guard,
        retired: Cell<(u32, usize)>,
    }

    /// Pins the current thread.
    #[must_use]
    #[inline]
    pub fn pin() -> Pin {
        Pin { guard: crossbeam_epoch::pin(), retired: Cell::new((0, 0)) }
    }

    impl Pin {
        /// The guard behind the pin, for structures built on the same epochs.
        #[must_use]
        pub fn guard(&self) -> &Guard {
            &self.guard
        }

        /// Runs `free`, which gives back so many `bytes`, once no thread is
        /// pinned that was pinned at this moment.
        ///
        /// # Safety
        /// What `free` frees must be unreachable for whoever pins from now on,
        /// and `free` may run on any thread.
        #[inline]
        pub unsafe fn retire(&self, bytes: usize, free: impl FnOnce()) {
            let (items, total) = self.retired.get();
            self.retired.set((items.saturating_add(1), total.saturating_add(bytes)));
            // SAFETY: the caller's contract is the one of `defer_unchecked`.
            unsafe { self.guard.defer_unchecked(free) }
        }

        /// Counts an item of so many bytes that was retired through the
        /// [`guard`](Self::guard). The pin may
        /// be one inside another, while which the epoch stands still: so the collector is
        /// run by who answers for it, see [`answer_for_counted`](Self::answer_for_counted).
        #[inline]
        pub fn count_retired(&self, bytes: usize) {
            // Without its count a thread at its end leaves the rest to others.
            let _ended = RETIRED.try_with(|count| {
                let (items, total) = count.get();
                count.set((items.saturating_add(1), total.saturating_add(bytes)));
            });
        }

        /// For the outermost pin of a thread: dropping it runs the collector as often as
        /// keeps pace with what was counted inside it.
        pub fn answer_for_counted(&self) {
            let counted = RETIRED.try_with(Cell::take).unwrap_or_default();
            let (items, bytes) = self.retired.get();
            self.retired.set((items.saturating_add(counted.0), bytes.saturating_add(counted.1)));
        }

        /// Hands what this thread has retired to the collector now.
        pub fn flush(&self) {
            self.guard.flush();
        }

        /// Runs the collector as often as keeps pace with what was retired.
        #[cold]
        fn collect(&mut self, retired: u32) {
            for _ in 0..retired / RETIRED_PER_COLLECTION {
                // The epoch cannot move on twice while this thread stays in one.
                self.guard.repin();
                self.guard.flush();
            }
        }
    }

    impl Drop for Pin {
        #[inline]
        fn drop(&mut self) {
            let (items, bytes) = self.retired.get();
            if items == 0 {
                return;
            }
            // Without its count a thread at its end leaves the rest to others.
            let due = RETIRED.try_with(|count| {
                let (all_items, all_bytes) = count.get();
                let total = (all_items.saturating_add(items), all_bytes.saturating_add(bytes));
                let due = total.0 >= RETIRED_PER_COLLECTION || total.1 >= BYTES_PER_COLLECTION;
                count.set(if due { (0, 0) } else { total });
                if due { total.0 } else { 0 }
            });
            if let Ok(items @ 1..) = due {
                self.collect(items.max(3 * RETIRED_PER_COLLECTION));
            }
        }
    }
}

#[cfg(any(loom, shuttle))]
mod model {
    //! The strictest collector there can be: it frees the moment nobody is
    //! pinned. What survives this survives any epoch scheme. A pin orders no
    //! more than the fence does that the real one has, so that the models meet
    //! every stale pointer that a reader may meet.
    #[cfg(loom)]
    use loom as checker;
    use selvedge_base::sync::atomic::{AtomicUsize, Ordering, fence};
    #[cfg(shuttle)]
    use shuttle as checker;
    use std::sync::Mutex;

    type Free = Box<dyn FnOnce()>;

    #[derive(Default)]
    struct State {
        pinned: AtomicUsize,
        /// Not of the model checker: it guards a list and orders nothing.
        retired: Mutex<Vec<Free>>,
    }

    // SAFETY: the model checker runs one thread at a time.
    unsafe impl Send for State {}
    // SAFETY: as above.
    unsafe impl Sync for State {}

    impl State {
        fn retired(&self) -> std::sync::MutexGuard<'_, Vec<Free>> {
            self.retired.lock().expect("no panics under the lock")
        }
    }

    checker::lazy_static! {
        static ref STATE: State = State::default();
    }

    /// A pinned thread.
    #[derive(Debug)]
    pub struct Pin {
        /// For structures that keep to the epochs of the real collector.
        #[cfg(shuttle)]
        guard: crossbeam_epoch::Guard,
    }

    /// Pins the current thread.
    pub fn pin() -> Pin {
        STATE.pinned.fetch_add(1, Ordering::Relaxed);
        // Partner: the fence when a pin is dropped: either that thread finds
        // this one pinned, or this one finds everything unlinked.
        fence(Ordering::SeqCst);
        Pin {
            #[cfg(shuttle)]
            guard: crossbeam_epoch::pin(),
        }
    }

    impl Pin {
        /// The guard behind the pin, for structures built on the epochs.
        #[cfg(shuttle)]
        pub fn guard(&self) -> &crossbeam_epoch::Guard {
            &self.guard
        }

        /// Runs `free` once nobody is pinned.
        ///
        /// # Safety
        /// As in the real one.
        pub unsafe fn retire(&self, _bytes: usize, free: impl FnOnce()) {
            let free: Box<dyn FnOnce()> = Box::new(free);
            // SAFETY: the model is over before what `free` borrows is gone.
            let free: Free = unsafe { std::mem::transmute(free) };
            STATE.retired().push(free);
        }

        /// Nothing to do: what the guard retires is left to its epochs.
        pub fn count_retired(&self, _bytes: usize) {}

        /// Nothing to do, as above.
        pub fn answer_for_counted(&self) {}

        /// Nothing to do: the model frees at once.
        pub fn flush(&self) {}
    }

    impl Drop for Pin {
        fn drop(&mut self) {
            // Partner: the fence in `pin`.
            fence(Ordering::SeqCst);
            // What others read while they were pinned is over: their releases.
            if STATE.pinned.fetch_sub(1, Ordering::AcqRel) == 1 {
                let free = std::mem::take(&mut *STATE.retired());
                free.into_iter().for_each(|free| free());
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;

    use selvedge_base::sync::atomic::{AtomicBool, Ordering};

    use super::pin;

    /// Who retires a mebibyte at once runs the collector until it is free, and leaves
    /// that to nobody who may come later, or never.
    #[test]
    fn what_is_large_is_freed_by_who_retires_it() {
        let is_free_at_once = || {
            let (pin, is_free) = (pin(), Arc::new(AtomicBool::new(false)));
            let told = Arc::clone(&is_free);
            // SAFETY: nothing is freed.
            unsafe { pin.retire(1 << 20, move || told.store(true, Ordering::Relaxed)) };
            drop(pin);
            is_free.load(Ordering::Relaxed)
        };
        // Other tests may be pinned now and then.
        assert!((0..1000).any(|_| is_free_at_once()));
    }
}
