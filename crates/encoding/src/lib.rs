//! Values, documents and ordered keys, owned and as bytes.
//!
//! A document is a map of field names to values. In memory it is a
//! [`Document`]; stored, it is a byte string in which one field is found by
//! binary search and read without decoding the rest, and in which one field is
//! replaced by copying what lies on either side of it.
//!
//! ```
//! use selvedge_encoding::{DocRef, doc, encode, set_field};
//!
//! let bytes = encode(&doc! { "name": "Alice", "age": 31, "tags": ["a", "b"] })?;
//! let stored = DocRef::trusted(&bytes);
//! assert_eq!(stored.get("name").and_then(|name| name.as_str()), Some("Alice"));
//!
//! let mut older = Vec::new();
//! set_field(&bytes, "age", &32.into(), &mut older)?;
//! assert_eq!(older, encode(&doc! { "name": "Alice", "age": 32, "tags": ["a", "b"] })?);
//! # Ok::<(), selvedge_encoding::EncodeError>(())
//! ```
//!
//! # Invariants
//! 1. *One document, one encoding.* Two documents are equal exactly when their
//!    bytes are equal; every edit of bytes gives the bytes that encoding the
//!    edited document would give.
//! 2. *Nothing outside the limits is ever encoded*: depth, size and field names
//!    are checked at every level, and a refused call leaves its output as it was.
//! 3. *No bytes make a reader panic or read out of bounds.* Bytes from outside
//!    go through [`DocRef::parse`]; on damaged bytes that were trusted, what is
//!    damaged reads as absent.
//!
//! This crate knows nothing of records, versions, schemas or files.
//!
//! Reading order: [`Value`], [`DateTime`], [`Document`], [`doc!`] and the order
//! of values; then `format` (the layout, byte by byte), `container`, `encode`;
//! then the readers [`DocRef`], [`ValueRef`], [`ListRef`], [`VectorRef`],
//! `parse`, `path`, [`FromValue`]; then `splice`, which edits bytes; `error`. Rust
//! types become documents, and are read back, through serde: `serde` tells what
//! becomes what; [`to_document`], [`from_document`], [`DocRef::deserialize`]. Keys
//! that sort as their parts do are apart: [`Key`], [`KeyPart`].

mod container;
mod datetime;
mod doc_ref;
mod document;
mod encode;
mod error;
mod format;
mod from;
mod key;
mod key_part;
mod list_ref;
mod literal;
mod order;
mod ordered_value;
mod parse;
mod path;
mod rfc3339;
mod serde;
mod serde_error;
mod splice;
mod typed;
mod value;
mod value_ref;
mod vector_ref;

pub use self::serde::{
    DATETIME_NEWTYPE, VALUE_NEWTYPE, VECTOR_NEWTYPE, Vector, from_document, from_value,
    to_document, to_value,
};
pub use datetime::DateTime;
pub use doc_ref::{DocIter, DocRef};
pub use document::{Document, DocumentIntoIter, DocumentIter};
pub use encode::{encode, encode_into};
pub use error::{DecodeError, EncodeError, TypeMismatch};
pub use key::{KEY_INTEGER_BYTES_MAX, Key, KeyError};
pub use key_part::KeyPart;
pub use list_ref::{ListIter, ListRef};
pub use num_bigint::BigInt;
pub use ordered_value::{ordered_kind, put_ordered_prefix};
pub use path::{FieldPath, PathError};
pub use rfc3339::ParseDateTimeError;
pub use serde_error::SerdeError;
pub use splice::{set_field, set_fields, set_path, unset_field};
pub use typed::FromValue;
pub use value::Value;
pub use value_ref::ValueRef;
pub use vector_ref::{VectorIter, VectorRef};
