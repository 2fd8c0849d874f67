//! Positions in the one total order of commits.

use std::fmt;

/// A position in the total order of commits.
///
/// A *commit timestamp* is given to one commit and never again; a *start
/// timestamp* is the newest commit timestamp that a snapshot sees. Timestamps
/// count commits, not time: they have no unit and no relation to a clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Before the first commit: the start timestamp of an empty database.
    pub const ZERO: Self = Self(0);

    /// The largest timestamp. One bit of the word that holds a timestamp in a
    /// record marks tombstones, and the top value marks a free registry slot.
    pub const MAX: Self = Self((1 << 62) - 1);

    /// The timestamp with this number.
    ///
    /// # Panics
    /// If `number` is beyond [`Timestamp::MAX`]: at a thousand million commits
    /// a second that takes 146 years.
    #[must_use]
    #[inline]
    pub const fn new(number: u64) -> Self {
        assert!(number <= Self::MAX.0, "timestamp out of range");
        Self(number)
    }

    /// The timestamp with a number that was one before: read back from memory
    /// that only timestamps are written to.
    #[must_use]
    #[inline]
    pub const fn again(number: u64) -> Self {
        debug_assert!(number <= Self::MAX.0, "timestamp out of range");
        Self(number)
    }

    /// The number behind the timestamp.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The timestamp of the next commit.
    ///
    /// # Panics
    /// If the timestamps are used up, see [`Timestamp::new`].
    #[must_use]
    #[inline]
    pub const fn next(self) -> Self {
        Self::new(self.0 + 1)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}
