//! Places in the log.

use std::fmt;

/// A position in the log: bytes since its beginning, over all segments there
/// ever were.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogPosition(u64);

impl LogPosition {
    /// No log comes so far: positions up to here can be reckoned with.
    pub const MAX: Self = Self(1 << 62);

    /// The position this many bytes from the beginning.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes from the beginning.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log:{}", self.0)
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where reading the log starts: a position between two records, and the
/// checksum of the record before it, which the next one must name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogStart {
    /// The position.
    pub position: LogPosition,
    /// The checksum of the record that ends there; 0 at the beginning.
    pub chain: u32,
}
