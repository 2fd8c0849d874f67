//! The timestamp oracle: gives commit timestamps and publishes them in order.

use selvedge_base::Timestamp;
use selvedge_base::sync::CachePadded;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};

/// Gives and publishes timestamps.
///
/// Invariant O1: every commit up to [`Oracle::visible`] is fully installed.
/// Invariant O2: timestamps are stamped and published by the holder of the
/// commit lock alone, so at most one is stamped and not yet published.
#[derive(Debug)]
pub struct Oracle {
    visible: CachePadded<AtomicU64>,
}

impl Oracle {
    /// An oracle that has already published `visible`.
    #[must_use]
    pub fn new(visible: Timestamp) -> Self {
        Self { visible: CachePadded::new(AtomicU64::new(visible.get())) }
    }

    /// The newest commit timestamp that snapshots may see.
    #[must_use]
    #[inline]
    pub fn visible(&self) -> Timestamp {
        // Partner: the Release store in `publish`. Whoever reads a timestamp
        // here sees every version installed at or before it.
        Timestamp::again(self.visible.load(Ordering::Acquire))
    }

    /// The timestamp for the commit under way. Stamping twice without
    /// publishing gives the same timestamp, which is how a commit that fails
    /// before its install leaves no gap.
    ///
    /// Only the holder of the commit lock may call this (O2).
    #[must_use]
    pub fn stamp(&self) -> Timestamp {
        self.visible().next()
    }

    /// Makes `commit`, which was stamped in an earlier life of the database,
    /// visible. There may be a gap before it.
    ///
    /// Only the holder of the commit lock may call this, after every version of
    /// the commit is installed (O1).
    ///
    /// # Panics
    /// If `commit` is not newer than what is visible.
    pub fn publish_again(&self, commit: Timestamp) {
        assert!(commit > self.visible(), "commits are published in order");
        // Partner: the Acquire load in `visible`.
        self.visible.store(commit.get(), Ordering::Release);
    }

    /// Makes `commit` visible to every snapshot that begins from now on.
    ///
    /// Only the holder of the commit lock may call this, after every version of
    /// the commit is installed (O1).
    ///
    /// # Panics
    /// If `commit` is not the timestamp that [`Oracle::stamp`] gave.
    pub fn publish(&self, commit: Timestamp) {
        assert_eq!(commit, self.visible().next(), "commits are published in order");
        // Partner: the Acquire load in `visible`.
        self.visible.store(commit.get(), Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn publishes_in_order() {
        let oracle = Oracle::new(Timestamp::ZERO);
        assert_eq!(oracle.stamp(), Timestamp::new(1));
        assert_eq!(oracle.stamp(), Timestamp::new(1), "an unpublished stamp is given again");
        oracle.publish(Timestamp::new(1));
        assert_eq!(oracle.visible(), Timestamp::new(1));
    }

    #[test]
    #[should_panic(expected = "published in order")]
    fn refuses_a_gap() {
        Oracle::new(Timestamp::ZERO).publish(Timestamp::new(2));
    }
}
