//! Sequences of identifiers that are never given out twice, not even after a
//! crash.
//!
//! What may be given out is *leased*: the end of the lease is durable before the
//! first identifier below it is given, and after a crash the sequence goes on at the
//! end of the lease. In memory the lease has no end.

use std::fmt;
use std::sync::OnceLock;

use selvedge_base::sync::CachePadded;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_storage::StorageError;

/// Makes a longer lease durable, for the sequences of one database together.
pub(crate) type Renew = Box<dyn Fn() -> Result<(), StorageError> + Send + Sync>;

/// Gives out ascending numbers.
pub struct Sequence {
    next: CachePadded<AtomicU64>,
    /// Numbers below this may be given out.
    leased: AtomicU64,
    renew: OnceLock<Renew>,
}

impl Sequence {
    /// A sequence that begins with `first`, and needs no lease.
    #[must_use]
    pub fn new(first: u64) -> Self {
        let next = CachePadded::new(AtomicU64::new(first));
        Self { next, leased: AtomicU64::new(u64::MAX), renew: OnceLock::new() }
    }

    /// The next number.
    ///
    /// # Errors
    /// What keeps the lease from being renewed; the number is lost then.
    #[inline]
    pub fn take(&self) -> Result<u64, StorageError> {
        self.take_many(1)
    }

    /// The first of the next `count` numbers, which is not 0.
    ///
    /// # Errors
    /// As [`take`](Self::take); all of them are lost then.
    #[inline]
    pub fn take_many(&self, count: u64) -> Result<u64, StorageError> {
        // Acquire: partner of the Release in `end_lease`. Beyond that, uniqueness
        // needs no ordering.
        let first = self.next.fetch_add(count, Ordering::Acquire);
        let last = first + (count - 1);
        if last >= self.leased.load(Ordering::Acquire) {
            self.wait_for_lease(last)?;
        }
        Ok(first)
    }

    #[cold]
    fn wait_for_lease(&self, number: u64) -> Result<(), StorageError> {
        // Ends: each renewal leases what lies beyond `next`, and so `number`.
        while number >= self.leased.load(Ordering::Acquire) {
            match self.renew.get() {
                Some(renew) => renew()?,
                None => return Err(StorageError::Closed),
            }
        }
        Ok(())
    }

    /// The number that would come next.
    #[must_use]
    #[inline]
    pub fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Goes on at `next` at least.
    pub fn skip_to(&self, next: u64) {
        self.next.fetch_max(next, Ordering::Relaxed);
    }

    /// No more than these are left to give out, before the next renewal.
    pub(crate) fn left(&self) -> u64 {
        self.leased.load(Ordering::Relaxed).saturating_sub(self.next())
    }

    pub(crate) fn renew_by(&self, renew: Renew) {
        // A database is opened once.
        let _ = self.renew.set(renew);
    }

    /// Numbers below `end` may be given out, which is durable.
    pub(crate) fn lease(&self, end: u64) {
        self.leased.store(end, Ordering::Release);
    }

    /// Nothing is given out any more; the number that would have come next.
    pub(crate) fn end_lease(&self) -> u64 {
        self.leased.store(0, Ordering::Relaxed);
        // Whoever takes a number that is not below this one comes behind this
        // step, and sees that there is no lease.
        self.next.fetch_add(0, Ordering::AcqRel)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequence").field("next", &self.next()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn gives_what_is_leased_and_no_more() {
        let sequence = Arc::new(Sequence::new(5));
        sequence.lease(7);
        let weak = Arc::downgrade(&sequence);
        sequence.renew_by(Box::new(move || {
            let sequence = weak.upgrade().expect("in use");
            if sequence.next() > 9 {
                return Err(StorageError::Closed);
            }
            sequence.lease(sequence.next() + 1);
            Ok(())
        }));
        let taken: Vec<_> = (0..4).map(|_| sequence.take().unwrap()).collect();
        assert_eq!(taken, [5, 6, 7, 8]);
        assert!(sequence.take_many(2).is_err(), "not even the first, which could be leased");
        assert_eq!(sequence.end_lease(), 11);
        assert!(sequence.take().is_err());
    }

    #[test]
    fn gives_many_at_once() {
        let sequence = Sequence::new(5);
        assert_eq!([1, 3, 2].map(|count| sequence.take_many(count).unwrap()), [5, 6, 9]);
        sequence.lease(13);
        assert_eq!(sequence.take_many(2).unwrap(), 11);
        assert!(sequence.take_many(1).is_err(), "there is nobody who renews the lease");
    }
}
