//! A value as a transaction reads it.

use selvedge_base::Timestamp;
use selvedge_mvcc::Version;

use crate::encoding::Encoding;
use crate::entry::EntryHeader;

/// The value of an entry, borrowed from the snapshot or from the transaction's
/// own writes.
#[derive(Clone, Copy, Debug)]
pub struct EntryValue<'a> {
    version: Option<Timestamp>,
    encoding: Encoding,
    bytes: Bytes<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Bytes<'a> {
    Borrowed(&'a [u8]),
    /// The result of a computation, which is stored nowhere yet.
    Number([u8; 8]),
}

impl<'a> EntryValue<'a> {
    /// A committed value; nothing for a tombstone.
    pub(crate) fn committed(version: &'a Version<EntryHeader>) -> Option<Self> {
        Self::written(version).map(|value| Self { version: Some(version.commit()), ..value })
    }

    /// A value that the transaction itself wrote; nothing for a tombstone.
    pub(crate) fn written(version: &'a Version<EntryHeader>) -> Option<Self> {
        let bytes = Bytes::Borrowed(version.bytes());
        let encoding = version.header().encoding;
        (!version.is_tombstone()).then_some(Self { version: None, encoding, bytes })
    }

    pub(crate) fn computed(number: u64) -> Self {
        let bytes = Bytes::Number(number.to_le_bytes());
        Self { version: None, encoding: Encoding::LE64, bytes }
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

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Number(bytes) => bytes,
        }
    }

    /// The number, if the encoding is [`Encoding::LE64`].
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let bytes = (self.encoding == Encoding::LE64).then(|| self.bytes())?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    }
}
