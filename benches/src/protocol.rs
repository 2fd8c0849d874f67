//! The limit of committing: the commit protocol and nothing else. A slot of its
//! own for the start timestamp of each client, a mutex, validation against the
//! start, one new record of 144 bytes for each key, a pointer swap, a published
//! timestamp, and epochs to free the old record.
//!
//! Leaves out version chains, the search for older snapshots, documents, ids,
//! retry policies and statistics.
#![expect(unsafe_code, reason = "records are swapped and freed by hand")]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crossbeam_epoch::{Atomic, Collector, LocalHandle, Owned};
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use crate::kv::{self, Value};
use crate::measure::Done;
use crate::random::Random;

const CLIENTS: usize = 2;
const FREE: u64 = u64::MAX;
/// The collector frees some 500 records when it runs; left alone it runs once in
/// 128 pins, which is too seldom for large transactions.
const RETIRED_MAX: usize = 256;

/// A version of a value, as large as one of the database's.
#[repr(C)]
struct Version {
    commit: u64,
    value: Value,
    padding: [u8; 36],
}

const _: () = assert!(size_of::<Version>() == 144, "as large as the model's record");

/// Records that are replaced under the commit protocol.
pub struct Protocol {
    records: Box<[Atomic<Version>]>,
    commits: CachePadded<Mutex<()>>,
    visible: CachePadded<AtomicU64>,
    starts: [CachePadded<AtomicU64>; CLIENTS],
    collector: Collector,
}

/// One thread's way in.
pub struct Client<'a> {
    protocol: &'a Protocol,
    handle: LocalHandle,
    start: &'a AtomicU64,
    /// Records retired since the collector last ran for them.
    retired: Cell<usize>,
}

impl Protocol {
    /// Records of so many keys.
    #[must_use]
    pub fn new(keys: u64) -> Self {
        let record = |key| Atomic::new(Version::new(0, kv::first_value(key)));
        Self {
            records: (0..keys).map(record).collect(),
            commits: CachePadded::default(),
            visible: CachePadded::default(),
            starts: std::array::from_fn(|_| CachePadded::new(AtomicU64::new(FREE))),
            collector: Collector::new(),
        }
    }

    /// A client for the thread with this number.
    ///
    /// # Panics
    /// If there are fewer clients.
    #[must_use]
    pub fn client(&self, thread: usize) -> Client<'_> {
        Client {
            protocol: self,
            handle: self.collector.register(),
            start: &self.starts[thread],
            retired: Cell::new(0),
        }
    }
}

impl Protocol {
    /// The number of records, and the sum of their counters.
    #[must_use]
    pub fn count_and_sum(&self) -> (u64, u64) {
        let guard = self.collector.register();
        let guard = guard.pin();
        let counter = |record: &Atomic<Version>| {
            // SAFETY: never null, and freed only after the guard.
            kv::counter(unsafe { &record.load(Ordering::Acquire, &guard).deref().value })
        };
        let sum = self.records.iter().fold(0_u64, |sum, record| sum.wrapping_add(counter(record)));
        (self.records.len() as u64, sum)
    }
}

impl Version {
    #[inline]
    fn new(commit: u64, value: Value) -> Self {
        Self { commit, value, padding: [0; 36] }
    }
}

impl Client<'_> {
    /// Transactions that each raise the counters of `N` random keys by one, run
    /// again on a conflict.
    #[inline(never)]
    #[must_use]
    pub fn raise<const N: usize>(&self, random: &mut Random, times: u64) -> Done {
        let keys = self.protocol.records.len() as u64;
        let mut sum = 0_u64;
        for _ in 0..times {
            let keys = random.distinct::<N>(keys).map(|key| key as usize);
            sum = sum.wrapping_add(self.raise_these(&keys));
        }
        Done::new(times, sum)
    }

    /// A transaction that raises the counters of these keys, no two of them equal, by
    /// one, run again on a conflict; gives the sum of the new counters.
    #[inline]
    pub fn raise_these<const N: usize>(&self, keys: &[usize; N]) -> u64 {
        loop {
            if let Some(raised) = self.try_raise(keys) {
                return raised;
            }
        }
    }

    /// Snapshots that each read the counter of one random key.
    ///
    /// # Panics
    /// If a record is newer than the snapshot, which takes a writer beside it.
    #[inline(never)]
    #[must_use]
    pub fn read1(&self, random: &mut Random, times: u64) -> Done {
        let records = &self.protocol.records;
        let mut sum = 0_u64;
        for _ in 0..times {
            let key = random.below(records.len() as u64) as usize;
            let start = self.begin();
            // SAFETY: nobody writes, so the record is not freed.
            let guard = unsafe { crossbeam_epoch::unprotected() };
            // SAFETY: as above.
            let version = unsafe { records[key].load(Ordering::Acquire, guard).deref() };
            assert!(version.commit <= start, "a reader without a writer beside it");
            sum = sum.wrapping_add(kv::counter(&version.value));
            self.start.store(FREE, Ordering::Release);
        }
        Done::new(times, sum)
    }

    fn begin(&self) -> u64 {
        loop {
            let start = self.protocol.visible.load(Ordering::Acquire);
            self.start.store(start, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if self.protocol.visible.load(Ordering::Acquire) == start {
                return start;
            }
        }
    }

    #[inline]
    fn try_raise<const N: usize>(&self, keys: &[usize; N]) -> Option<u64> {
        let Protocol { records, commits, visible, .. } = self.protocol;
        let start = self.begin();
        let guard = self.handle.pin();
        let mut sum = 0_u64;
        let fresh = keys.map(|key| {
            // SAFETY: never null, and freed only after this thread unpins.
            let old = unsafe { records[key].load(Ordering::Acquire, &guard).deref() };
            let (value, next) = kv::raised(&old.value);
            sum = sum.wrapping_add(next);
            Owned::new(Version::new(0, value))
        });
        let commit_lock = commits.lock();
        let unchanged = keys.iter().all(|key| {
            // SAFETY: as above.
            let newest = unsafe { records[*key].load(Ordering::Acquire, &guard).deref() };
            newest.commit <= start
        });
        if unchanged {
            let commit = visible.load(Ordering::Relaxed) + 1;
            for (key, mut version) in keys.iter().zip(fresh) {
                version.commit = commit;
                let old = records[*key].swap(version, Ordering::AcqRel, &guard);
                // SAFETY: just unlinked, by nobody else (the lock).
                unsafe { guard.defer_destroy(old) };
            }
            visible.store(commit, Ordering::SeqCst);
        }
        drop(commit_lock);
        self.start.store(FREE, Ordering::Release);
        self.retired.set(self.retired.get() + if unchanged { N } else { 0 });
        if self.retired.get() >= RETIRED_MAX {
            self.retired.set(0);
            guard.flush();
        }
        unchanged.then_some(sum)
    }
}

impl Drop for Protocol {
    fn drop(&mut self) {
        for record in &mut self.records {
            let record = std::mem::replace(record, Atomic::null());
            // SAFETY: `&mut self`: nobody else can reach the record.
            drop(unsafe { record.try_into_owned() });
        }
    }
}
