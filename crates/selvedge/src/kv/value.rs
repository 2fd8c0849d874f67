//! Values of keyspaces, and how they are kept as bytes.

use std::borrow::Cow;

use selvedge_encoding::{DocRef, Document, SerdeError, Value, encode, to_value};
use selvedge_keyspace::Encoding;

use crate::kv::error::KvError;

/// A document, as this crate encodes it.
const DOCUMENT: Encoding = Encoding::new(16);
/// Any other value of a document: a document with this value under the empty name.
const VALUE: Encoding = Encoding::new(17);

/// A value to be stored under a key, or read from there.
///
/// Bytes, 64-bit numbers and V8's are what the clients of other languages know;
/// everything else is kept as documents are.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::{KvValue, key};
///
/// let db = Db::in_memory();
/// db.kv().set(&key!["name"], "Alice")?;
/// db.kv().set(&key!["address"], doc! { "city": "Oslo" })?;
/// db.kv().set(&key!["visits"], 3_u64)?;
/// db.kv().set(&key!["picture"], vec![1_u8, 2, 3])?;
/// let name = db.kv().get(&key!["name"])?.expect("just set");
/// assert_eq!(name.value()?, KvValue::from("Alice"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum KvValue<'v> {
    /// Bytes.
    Bytes(Cow<'v, [u8]>),
    /// An unsigned number, which `sum`, `min` and `max` work on.
    U64(u64),
    /// What JavaScript's structured clone makes of a value, as V8 serialises it. Kept
    /// as it is.
    V8(Cow<'v, [u8]>),
    /// A document.
    Document(Document),
    /// Any other value.
    Value(Value),
}

impl<'v> KvValue<'v> {
    /// The document, or another value, that a Rust value becomes.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::{KvValue, key};
    ///
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct User {
    ///     name: String,
    ///     age: u8,
    /// }
    ///
    /// let db = Db::in_memory();
    /// let alice = User { name: "Alice".into(), age: 31 };
    /// db.kv().set(&key!["user", 1], KvValue::serialize(&alice)?)?;
    /// let stored = db.kv().get(&key!["user", 1])?.expect("just set");
    /// assert_eq!(stored.deserialize::<User>()?, alice);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`SerdeError`] if it cannot be kept: it is nested too deep, say.
    pub fn serialize<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, SerdeError> {
        Ok(match to_value(value)? {
            Value::Map(document) => Self::Document(document),
            Value::Bytes(bytes) => Self::Bytes(bytes.into()),
            value => Self::Value(value),
        })
    }

    /// The value as bytes, and how they are to be read.
    pub(crate) fn encode(self) -> Result<(Encoding, Cow<'v, [u8]>), KvError> {
        Ok(match self {
            Self::Bytes(bytes) => (Encoding::BYTES, bytes),
            Self::U64(number) => (Encoding::LE64, number.to_le_bytes().to_vec().into()),
            Self::V8(bytes) => (Encoding::V8, bytes),
            Self::Document(document) => {
                (DOCUMENT, encode(&document).map_err(KvError::Unencodable)?.into())
            }
            Self::Value(value) => {
                let mut document = Document::new();
                document.set("", value);
                (VALUE, encode(&document).map_err(KvError::Unencodable)?.into())
            }
        })
    }

    /// What bytes in an encoding say.
    pub(crate) fn decode(encoding: Encoding, bytes: &[u8]) -> Result<KvValue<'_>, KvError> {
        let wrong = |expected| KvError::WrongEncoding { expected, found: format!("{encoding:?}") };
        match encoding {
            Encoding::BYTES => Ok(KvValue::Bytes(bytes.into())),
            Encoding::V8 => Ok(KvValue::V8(bytes.into())),
            Encoding::LE64 => {
                let number = bytes.try_into().map_err(|_| wrong("a 64-bit number"))?;
                Ok(KvValue::U64(u64::from_le_bytes(number)))
            }
            VALUE => {
                let document = document_of(VALUE, VALUE, bytes)?;
                let value = document.get("").map(|value| value.to_value());
                value.map(KvValue::Value).ok_or_else(|| wrong("a value"))
            }
            _ => Ok(KvValue::Document(document_of(encoding, DOCUMENT, bytes)?.to_document())),
        }
    }
}

/// The document that a value is.
pub(crate) fn document(encoding: Encoding, bytes: &[u8]) -> Result<DocRef<'_>, KvError> {
    document_of(encoding, DOCUMENT, bytes)
}

fn document_of(
    encoding: Encoding,
    expected: Encoding,
    bytes: &[u8],
) -> Result<DocRef<'_>, KvError> {
    let wrong = |found| KvError::WrongEncoding { expected: "a document", found };
    if encoding != expected {
        return Err(wrong(format!("{encoding:?}")));
    }
    DocRef::parse(bytes).map_err(|error| wrong(format!("damaged: {error}")))
}

impl<'v> From<&'v [u8]> for KvValue<'v> {
    fn from(bytes: &'v [u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<'v, const N: usize> From<&'v [u8; N]> for KvValue<'v> {
    fn from(bytes: &'v [u8; N]) -> Self {
        Self::Bytes(bytes.as_slice().into())
    }
}

impl From<Vec<u8>> for KvValue<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<'v> From<&'v Vec<u8>> for KvValue<'v> {
    fn from(bytes: &'v Vec<u8>) -> Self {
        Self::Bytes(bytes.as_slice().into())
    }
}

impl From<u64> for KvValue<'_> {
    fn from(number: u64) -> Self {
        Self::U64(number)
    }
}

impl From<Document> for KvValue<'_> {
    fn from(document: Document) -> Self {
        Self::Document(document)
    }
}

impl From<&Document> for KvValue<'_> {
    fn from(document: &Document) -> Self {
        Self::Document(document.clone())
    }
}

impl From<Value> for KvValue<'_> {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

macro_rules! value_from {
    ($($from:ty),*) => {$(
        impl From<$from> for KvValue<'_> {
            fn from(value: $from) -> Self {
                Self::Value(value.into())
            }
        }
    )*};
}

value_from!(&str, String, bool, i64, i32, f64);
