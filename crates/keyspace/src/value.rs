//! A value as a transaction reads it.

use std::borrow::Cow;

use selvedge_base::{Timestamp, mutant};
use selvedge_mvcc::Version;
use smallvec::SmallVec;

use crate::encoding::Encoding;
use crate::entry::EntryHeader;
use crate::number::Number;

/// The value of an entry, borrowed from the snapshot or from the transaction's
/// own writes.
#[derive(Clone, Debug)]
pub struct EntryValue<'a> {
    version: Option<Timestamp>,
    encoding: Encoding,
    expires: u64,
    bytes: Bytes<'a>,
}

#[derive(Clone, Debug)]
enum Bytes<'a> {
    Borrowed(&'a [u8]),
    /// The result of a computation, which is stored nowhere yet, or a copy.
    Owned(SmallVec<[u8; 16]>),
}

impl<'a> EntryValue<'a> {
    /// A committed value; nothing for a tombstone, or if it has expired.
    #[inline]
    pub(crate) fn committed(
        version: &'a Version<EntryHeader>,
        now: impl FnOnce() -> u64,
    ) -> Option<Self> {
        let written = Self::written(version, now);
        written.map(|value| Self { version: Some(version.commit()), ..value })
    }

    /// A value that the transaction itself wrote; nothing for a tombstone, or if it
    /// has expired.
    #[inline]
    pub(crate) fn written(
        version: &'a Version<EntryHeader>,
        now: impl FnOnce() -> u64,
    ) -> Option<Self> {
        let is_gone = version.is_tombstone() && !mutant::is("tombstone-ignored");
        if is_gone || version.header().has_expired(now) {
            return None;
        }
        let bytes = Bytes::Borrowed(version.bytes());
        let EntryHeader { encoding, expires } = *version.header();
        Some(Self { version: None, encoding, expires, bytes })
    }

    pub(crate) fn computed(number: &Number) -> Self {
        let (encoding, bytes) = number.encode();
        let bytes = Bytes::Owned(SmallVec::from_vec(bytes));
        Self { version: None, encoding, expires: 0, bytes }
    }

    /// The value, kept beyond the snapshot.
    #[must_use]
    pub fn into_owned(self) -> EntryValue<'static> {
        let Self { version, encoding, expires, bytes } = self;
        let bytes = match bytes {
            Bytes::Borrowed(bytes) => Bytes::Owned(SmallVec::from_slice(bytes)),
            Bytes::Owned(bytes) => Bytes::Owned(bytes),
        };
        EntryValue { version, encoding, expires, bytes }
    }

    /// The number that the value is.
    pub(crate) fn as_number(&self) -> Option<Number> {
        Number::of(self.encoding, self.bytes())
    }

    /// The timestamp of the commit that wrote the value; `None` if the reading
    /// transaction itself did, and has not committed yet.
    #[must_use]
    pub fn version(&self) -> Option<Timestamp> {
        self.version
    }

    /// The encoding.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// When the value expires, in milliseconds since the epoch; 0: it stays.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }

    /// The bytes, borrowed if they are stored somewhere.
    #[must_use]
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self.bytes {
            Bytes::Borrowed(bytes) => Cow::Borrowed(bytes),
            Bytes::Owned(bytes) => Cow::Owned(bytes.into_vec()),
        }
    }

    /// The number, if the encoding is [`Encoding::LE64`].
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let bytes = (self.encoding == Encoding::LE64).then(|| self.bytes())?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    }
}
