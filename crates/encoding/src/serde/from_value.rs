//! Rust types from values, documents and encoded bytes.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::deserializer::ValueDeserializer;
use super::source::Stored;
use crate::{DocRef, Document, SerdeError, Value, ValueRef};

/// A Rust type from a value: the way back from [`to_value`](crate::to_value).
///
/// # Errors
/// [`SerdeError`], with the path to what the type does not take.
///
/// ```
/// use selvedge_encoding::{Value, doc, from_value};
///
/// let value = Value::from(doc! { "a": [1, 2], "b": [] });
/// let lists: std::collections::BTreeMap<char, Vec<u8>> = from_value(value)?;
/// assert_eq!(lists[&'a'], [1, 2]);
/// let error = from_value::<Vec<u8>>(Value::from([1, 300])).unwrap_err();
/// assert_eq!(error.to_string(), "`[1]` is the integer 300, expected u8");
/// # Ok::<(), selvedge_encoding::SerdeError>(())
/// ```
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, SerdeError> {
    T::deserialize(ValueDeserializer::new(value))
}

/// A Rust type from a document: the way back from
/// [`to_document`](crate::to_document).
///
/// # Errors
/// As [`from_value`].
///
/// ```
/// use selvedge_encoding::{doc, from_document};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct User {
///     name: String,
///     address: Address,
/// }
///
/// #[derive(Deserialize)]
/// struct Address {
///     zip: u32,
/// }
///
/// let user: User = from_document(doc! { "name": "Alice", "address": { "zip": 150 } })?;
/// assert_eq!((user.name.as_str(), user.address.zip), ("Alice", 150));
/// let error = from_document::<User>(doc! { "name": "Bob", "address": { "zip": "x" } });
/// assert_eq!(error.err().unwrap().to_string(), "`address.zip` is string, expected u32");
/// # Ok::<(), selvedge_encoding::SerdeError>(())
/// ```
pub fn from_document<T: DeserializeOwned>(document: Document) -> Result<T, SerdeError> {
    from_value(Value::Map(document))
}

impl<'a> DocRef<'a> {
    /// The document as a Rust type, read where it lies: text and bytes are borrowed
    /// by a type that borrows, and what the type does not ask for is not read.
    ///
    /// Unlike the other readers it tells damage of what it reads, since a list
    /// that lacks an element would pass for a whole one.
    ///
    /// # Errors
    /// As [`from_value`], and [`SerdeError::Damaged`].
    ///
    /// ```
    /// use selvedge_encoding::{DocRef, doc, encode};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize, Debug, PartialEq)]
    /// struct User<'a> {
    ///     name: &'a str,
    ///     tags: Vec<&'a str>,
    ///     spouse: Option<&'a str>,
    /// }
    ///
    /// let bytes = encode(&doc! { "name": "Alice", "tags": ["a", "b"] }).unwrap();
    /// let user: User = DocRef::trusted(&bytes).deserialize()?;
    /// assert_eq!(user, User { name: "Alice", tags: vec!["a", "b"], spouse: None });
    /// # Ok::<(), selvedge_encoding::SerdeError>(())
    /// ```
    pub fn deserialize<T: Deserialize<'a>>(&self) -> Result<T, SerdeError> {
        T::deserialize(ValueDeserializer::new(Stored::from(*self)))
    }
}

impl<'a> ValueRef<'a> {
    /// The value as a Rust type, as [`DocRef::deserialize`] reads documents.
    ///
    /// # Errors
    /// As there.
    pub fn deserialize<T: Deserialize<'a>>(&self) -> Result<T, SerdeError> {
        T::deserialize(ValueDeserializer::new(Stored::Read(*self)))
    }
}
