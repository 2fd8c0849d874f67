//! How the bytes of a value are to be read: a tag that is kept beside them.

use std::fmt;

/// The encoding of a value: a tag that this crate keeps and does not interpret,
/// apart from numbers that are computed with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding(u8);

impl Encoding {
    /// What JavaScript's structured clone makes of a value, as V8 serialises it.
    /// Opaque, but as a number that `sum` works on.
    pub const V8: Self = Self(1);

    /// An unsigned 64-bit number, little-endian, exactly 8 bytes: what `sum`,
    /// `min` and `max` work on.
    pub const LE64: Self = Self(2);

    /// Bytes.
    pub const BYTES: Self = Self(3);

    /// The encoding with this tag.
    #[must_use]
    pub const fn new(tag: u8) -> Self {
        Self(tag)
    }

    /// The tag.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V8 => f.write_str("V8"),
            Self::LE64 => f.write_str("LE64"),
            Self::BYTES => f.write_str("BYTES"),
            Self(tag) => write!(f, "encoding {tag}"),
        }
    }
}
