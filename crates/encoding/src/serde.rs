//! Rust types as values and documents, and back, through serde.
//!
//! What becomes what:
//!
//! ```text
//! Rust                                value
//! (), None, unit struct               null
//! bool; integers; f32, f64            bool; i64 or u64; f64
//! str, char                           string
//! bytes (serialize_bytes)             bytes
//! Some(T), newtype struct             as T
//! sequence, tuple, tuple struct       list
//! map, struct                         map; None is null, not absent
//! unit variant                        string: "Variant"
//! other variants                      map of one field: {"Variant": content}
//! DateTime                            timestamp; in other formats RFC 3339 text
//! Vector                              vector; in other formats a list
//! Value, Document                     themselves
//! ```
//!
//! Keys of maps are field names: strings as they are; chars, integers, truth
//! values and unit variants as text, and back. An integer beyond `i64` and `u64`,
//! a key of any other type and a field that would stand twice are refused.
//!
//! Reading is as strict as [`FromValue`](crate::FromValue), with these
//! liberties, which let types meet that other programs wrote: an `f32` is any
//! float, rounded; bytes and vectors are read as sequences too; a moment is read
//! as text by types that ask for text, and from text by `DateTime`. What is
//! flattened, untagged or tagged inside is buffered by serde in its own types
//! first: moments come out of its buffer as text, vectors as lists, which
//! [`DateTime`](crate::DateTime) and [`Vector`] read, but a flattened
//! [`Value`](crate::Value) keeps as they are.
//!
//! Two ways lead back: from owned values and from encoded bytes. `source` is
//! what they differ in; all else is written once. Depth is counted on both sides,
//! whatever the type does, and so are options and newtypes without a list or map
//! between them, which cost no depth but stack.
//!
//! Markers, names of newtypes that no other format gives a meaning to, tell this
//! crate's types from others of the same shape: see `marked`.
//!
//! Reading order: `to_value`, `builders`, `scalar`; `from_value`, `source`,
//! `deserializer`, `access`, `key`; `value`, `datetime`, `vector`, `marked`.

mod access;
mod builders;
mod datetime;
mod deserializer;
mod from_value;
mod key;
mod marked;
mod scalar;
mod source;
mod to_value;
mod value;
mod vector;

pub use from_value::{from_document, from_value};
pub use marked::{DATETIME as DATETIME_NEWTYPE, VALUE as VALUE_NEWTYPE, VECTOR as VECTOR_NEWTYPE};
pub use to_value::{to_document, to_value};
pub use vector::Vector;

/// Options and newtypes between two lists or maps. Types that stand in each
/// other without end would pass any number.
const WRAPPED_MAX: usize = 128;
