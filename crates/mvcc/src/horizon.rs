//! The active start timestamps: who can still see what.

use selvedge_base::Timestamp;
use smallvec::SmallVec;

/// The start timestamps of the open snapshots, as one scan of the registry
/// found them; ascending and without duplicates once sealed.
#[derive(Clone, Debug, Default)]
pub struct ActiveStarts {
    starts: SmallVec<[Timestamp; 16]>,
}

impl ActiveStarts {
    /// No active snapshot.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn add(&mut self, start: Timestamp) {
        self.starts.push(start);
    }

    pub(crate) fn seal(&mut self) {
        if self.starts.len() > 1 {
            self.starts.sort_unstable();
            self.starts.dedup();
        }
    }

    /// The number of different start timestamps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether no snapshot is active.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The horizon: the oldest active start timestamp.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.starts.first().copied()
    }

    /// Whether a snapshot with exactly this start is active.
    #[must_use]
    pub fn contains(&self, start: Timestamp) -> bool {
        self.starts.binary_search(&start).is_ok()
    }

    /// The oldest active start in `from..until`: a snapshot that sees a version
    /// committed at `from` and superseded at `until`.
    #[must_use]
    #[inline]
    pub fn within(&self, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let at = match self.starts.len() {
            0 => return None,
            1..=8 => self.starts.iter().position(|start| *start >= from)?,
            _ => self.starts.partition_point(|start| *start < from),
        };
        self.starts.get(at).copied().filter(|start| *start < until)
    }

    /// An active start older than `timestamp`.
    #[must_use]
    #[inline]
    pub fn before(&self, timestamp: Timestamp) -> Option<Timestamp> {
        self.oldest().filter(|oldest| *oldest < timestamp)
    }
}

impl FromIterator<Timestamp> for ActiveStarts {
    fn from_iter<I: IntoIterator<Item = Timestamp>>(starts: I) -> Self {
        let mut active = Self { starts: starts.into_iter().collect() };
        active.seal();
        active
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn finds_the_snapshot_that_needs_a_version() {
        for extra in [0_u64, 20] {
            let far = (0..extra).map(|n| Timestamp::new(1000 + n));
            let active: ActiveStarts =
                [30, 10, 20, 20].map(Timestamp::new).into_iter().chain(far).collect();
            let within = |a, b| active.within(Timestamp::new(a), Timestamp::new(b));
            assert_eq!(within(10, 20), Some(Timestamp::new(10)));
            assert_eq!(within(11, 20), None, "a start at the superseding commit sees that one");
            assert_eq!(within(11, 21), Some(Timestamp::new(20)));
            assert_eq!(within(31, 1000), None);
            assert_eq!(active.before(Timestamp::new(10)), None);
            assert_eq!(active.before(Timestamp::new(11)), Some(Timestamp::new(10)));
        }
    }
}
