//! Entries as they are read.

use std::borrow::Cow;
use std::fmt;

use selvedge_encoding::{DocRef, Key, Value, from_value};
use selvedge_keyspace::{Encoding, EntryValue};
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::kv::error::KvError;
use crate::kv::space::SPACE_BYTES;
use crate::kv::value::{KvValue, document};
use crate::kv::versionstamp::Versionstamp;

/// A key and its value, as a snapshot sees them.
#[derive(Clone)]
pub struct KvEntry<'a> {
    /// With the number of its keyspace.
    full_key: Cow<'a, [u8]>,
    value: EntryValue<'a>,
}

impl<'a> KvEntry<'a> {
    #[inline]
    pub(crate) fn new(full_key: Cow<'a, [u8]>, value: EntryValue<'a>) -> Self {
        Self { full_key, value }
    }

    /// The bytes of the key.
    #[must_use]
    pub fn key_bytes(&self) -> &[u8] {
        &self.full_key[SPACE_BYTES..]
    }

    /// With the number of the keyspace.
    pub(crate) fn full_key(&self) -> &[u8] {
        &self.full_key
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::from_bytes(self.key_bytes())
    }

    /// Which commit wrote the value; `None` if the reading transaction itself did, and
    /// has not committed yet.
    #[must_use]
    pub fn versionstamp(&self) -> Option<Versionstamp> {
        self.value.version().map(Versionstamp::from)
    }

    /// The value.
    ///
    /// # Errors
    /// [`KvError::WrongEncoding`] if its bytes are in no encoding that is known.
    pub fn value(&self) -> Result<KvValue<'_>, KvError> {
        KvValue::decode(self.value.encoding(), self.value.bytes())
    }

    /// The bytes of the value, whatever they are.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.value.bytes()
    }

    /// How the bytes are to be read.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.value.encoding()
    }

    /// The number, if the value is a 64-bit number.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.value.number()
    }

    /// The document that the value is, read in place.
    ///
    /// # Errors
    /// [`KvError::WrongEncoding`] if it is none.
    pub fn document(&self) -> Result<DocRef<'_>, KvError> {
        document(self.value.encoding(), self.value.bytes())
    }

    /// The Rust value that the document, or other value, says.
    ///
    /// # Errors
    /// [`Error::Serde`](crate::Error::Serde) if it says another one;
    /// [`Error::Kv`](crate::Error::Kv) if it is V8's.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(match self.value()? {
            KvValue::Document(_) => self.document()?.deserialize()?,
            KvValue::Value(value) => from_value(value)?,
            KvValue::U64(number) => from_value(Value::from(number))?,
            KvValue::Bytes(bytes) => from_value(Value::Bytes(bytes.into_owned()))?,
            KvValue::V8(_) => {
                let (expected, found) = ("a document", "a value of V8".to_owned());
                return Err(KvError::WrongEncoding { expected, found }.into());
            }
        })
    }

    /// When the entry expires, in milliseconds since the epoch.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        Some(self.value.expires()).filter(|expires| *expires != 0)
    }

    /// The entry, kept beyond the snapshot.
    #[must_use]
    pub fn into_owned(self) -> KvEntry<'static> {
        let full_key = Cow::Owned(self.full_key.into_owned());
        KvEntry { full_key, value: self.value.into_owned() }
    }
}

impl fmt::Debug for KvEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvEntry")
            .field("key", &self.key())
            .field("versionstamp", &self.versionstamp())
            .field("value", &self.value())
            .finish_non_exhaustive()
    }
}
