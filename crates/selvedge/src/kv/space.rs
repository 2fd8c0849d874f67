//! Named keyspaces: which entries of the one ordered store belong to which.
//!
//! Keys of a keyspace stand behind its number, two bytes, so that keyspaces lie one
//! behind the other. Number 0 is the database's own: names of keyspaces, and queues.

use std::ops::Bound;

use smallvec::SmallVec;

use selvedge_keyspace::{Bounds, KeyParts};

/// The number of a keyspace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Space(u16);

/// What the database keeps in its own keyspace, by the first byte of the keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Own {
    /// The number that the next keyspace gets.
    NextKeyspace = 0,
    /// Names of keyspaces.
    Names = 1,
    /// Messages of queues.
    Messages = 2,
    /// Keys that are rung when a message comes.
    Bell = 3,
    /// The schema.
    Schema = 4,
    /// Entries of indexes.
    Indexes = 5,
}

impl Own {
    /// The keyspace and the kind, with which all keys of it begin.
    pub(crate) fn beginning(self) -> [u8; OWN_BYTES] {
        let [high, low] = Space::SYSTEM.0.to_be_bytes();
        [high, low, self as u8]
    }

    /// The key with the kind, and the keyspace, before it.
    pub(crate) fn key(self, key: &[u8]) -> FullKey {
        let mut full = FullKey::with_capacity(OWN_BYTES + key.len());
        full.extend_from_slice(&self.beginning());
        full.extend_from_slice(key);
        full
    }
}

/// Bytes of the number, and of the kind.
pub(crate) const OWN_BYTES: usize = SPACE_BYTES + 1;

/// Bytes of the number.
pub(crate) const SPACE_BYTES: usize = 2;

/// A key behind the number of its keyspace; short ones need no memory of their own.
pub(crate) type FullKey = SmallVec<[u8; SHORT_KEY_BYTES]>;

/// Bytes of a key that is short.
const SHORT_KEY_BYTES: usize = 64;

impl Space {
    pub(crate) const SYSTEM: Self = Self(0);
    pub(crate) const DEFAULT: Self = Self(1);
    /// The first one with a name.
    pub(crate) const NAMED: u64 = 2;

    pub(crate) fn numbered(number: u64) -> Option<Self> {
        u16::try_from(number).ok().map(Self)
    }

    pub(crate) fn number(self) -> u16 {
        self.0
    }

    /// The key with the number before it.
    #[inline]
    pub(crate) fn key(self, key: &[u8]) -> FullKey {
        let mut full = FullKey::with_capacity(SPACE_BYTES + key.len());
        full.extend_from_slice(&self.0.to_be_bytes());
        full.extend_from_slice(key);
        full
    }

    /// The key with the number before it, put together nowhere.
    #[inline]
    pub(crate) fn parts(self, key: &[u8]) -> KeyParts<'_> {
        KeyParts::new(self.0.to_be_bytes(), key)
    }

    /// Works with the key with the number before it, which needs to be kept no longer.
    #[inline]
    pub(crate) fn with_key<T>(self, key: &[u8], work: impl FnOnce(&[u8]) -> T) -> T {
        let mut full = [0; SHORT_KEY_BYTES];
        let len = SPACE_BYTES + key.len();
        if len > SHORT_KEY_BYTES {
            return work(&self.key(key));
        }
        full[..SPACE_BYTES].copy_from_slice(&self.0.to_be_bytes());
        full[SPACE_BYTES..len].copy_from_slice(key);
        work(&full[..len])
    }

    /// A bound between keys of the keyspace; where there is none, its own.
    pub(crate) fn bounds(self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> FullBounds {
        let start = match start {
            Bound::Unbounded => Bound::Included(self.key(&[])),
            bound => bound.map(|key| self.key(key)),
        };
        let end = match end {
            Bound::Unbounded => match self.0.checked_add(1) {
                Some(next) => Bound::Excluded(Self(next).key(&[])),
                None => Bound::Unbounded,
            },
            bound => bound.map(|key| self.key(key)),
        };
        FullBounds(start, end)
    }
}

/// Bounds of keys behind the number of their keyspace.
#[derive(Clone, Debug)]
pub(crate) struct FullBounds(Bound<FullKey>, Bound<FullKey>);

impl FullBounds {
    pub(crate) fn new(start: Bound<FullKey>, end: Bound<FullKey>) -> Self {
        Self(start, end)
    }

    pub(crate) fn get(&self) -> Bounds<'_> {
        (self.0.as_ref().map(|key| &**key), self.1.as_ref().map(|key| &**key))
    }
}
