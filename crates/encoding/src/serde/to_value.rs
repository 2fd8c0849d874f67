//! Rust types to values.

use std::cell::Cell;

use selvedge_base::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX};
use serde::ser::{Serialize, Serializer};

use super::WRAPPED_MAX;
use super::builders::{ListBuilder, MapBuilder};
use super::marked::{DATETIME, VECTOR};
use super::scalar::ScalarSerializer;
use crate::{Document, EncodeError, SerdeError, Value};

/// Bytes of a tag, and of the shortest end of an entry.
const AROUND_VALUE: usize = 2;

/// A Rust type as a value. What becomes what: structs and maps become maps,
/// sequences and tuples lists, `None` and `()` null, an enum's variant its name
/// or a map from its name to its content, and the rest itself.
///
/// # Errors
/// [`SerdeError`], with the path to what is wrong. Depth, names and, roughly, size
/// are checked here already; encoding measures the size to the byte.
///
/// ```
/// use selvedge_encoding::{Value, doc, to_value};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// enum Shape {
///     Empty,
///     Circle { radius: f64 },
/// }
///
/// assert_eq!(to_value(&Shape::Empty)?, Value::from("Empty"));
/// let circle = to_value(&Shape::Circle { radius: 1.5 })?;
/// assert_eq!(circle, Value::from(doc! { "Circle": { "radius": 1.5 } }));
/// assert_eq!(to_value(&(1, None::<u8>))?, Value::from([Value::from(1), Value::Null]));
/// let error = to_value(&[u128::MAX]).unwrap_err();
/// assert!(error.to_string().starts_with("`[0]` is the integer 340282366920938463463374"));
/// # Ok::<(), selvedge_encoding::SerdeError>(())
/// ```
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, SerdeError> {
    let bytes = Cell::new(0);
    value.serialize(ValueSerializer { bytes: &bytes, depth: 0, wrapped: 0 })
}

/// A struct, or a map with keys that are strings or are written as such, as a
/// document.
///
/// # Errors
/// [`SerdeError::NotADocument`] for anything else; otherwise as [`to_value`].
///
/// ```
/// use selvedge_encoding::{DateTime, doc, from_document, to_document};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct User {
///     name: String,
///     age: Option<u8>,
///     #[serde(skip_serializing_if = "Option::is_none")]
///     nickname: Option<String>,
///     joined: DateTime,
/// }
///
/// let joined = DateTime::from_micros(5);
/// let user = User { name: "Alice".into(), age: None, nickname: None, joined };
/// let document = to_document(&user)?;
/// assert_eq!(document, doc! { "name": "Alice", "age": null, "joined": joined });
/// assert_eq!(from_document::<User>(document)?, user);
/// # Ok::<(), selvedge_encoding::SerdeError>(())
/// ```
pub fn to_document<T: Serialize + ?Sized>(value: &T) -> Result<Document, SerdeError> {
    match to_value(value)? {
        Value::Map(document) => Ok(document),
        other => Err(SerdeError::not_a_document(&other)),
    }
}

/// Makes one value.
#[derive(Clone, Copy)]
pub(super) struct ValueSerializer<'a> {
    /// Bytes that the values made so far have at least when encoded.
    bytes: &'a Cell<usize>,
    /// Lists and maps around the value.
    depth: usize,
    /// Options and newtypes around it, up to the next list or map.
    wrapped: usize,
}

impl ValueSerializer<'_> {
    /// For the values in the list or map that this one is.
    pub(super) fn inside(self) -> Result<Self, SerdeError> {
        if self.depth >= DOCUMENT_DEPTH_MAX {
            return Err(EncodeError::too_deep().into());
        }
        self.charge(0)?;
        Ok(Self { depth: self.depth + 1, wrapped: 0, ..self })
    }

    /// Counts a value with so many bytes beside its tag and the end of its entry.
    fn charge(self, bytes: usize) -> Result<(), SerdeError> {
        self.count(bytes.saturating_add(AROUND_VALUE))
    }

    /// Counts bytes, so that no endless sequence fills the memory before encoding
    /// would refuse it.
    pub(super) fn count(self, bytes: usize) -> Result<(), SerdeError> {
        let sum = self.bytes.get().saturating_add(bytes);
        self.bytes.set(sum);
        // The outermost value has neither tag nor end.
        if sum > DOCUMENT_BYTES_MAX + AROUND_VALUE {
            return Err(EncodeError::too_long().into());
        }
        Ok(())
    }

    fn scalar(self, bytes: usize, value: impl Into<Value>) -> Result<Value, SerdeError> {
        self.charge(bytes)?;
        Ok(value.into())
    }

    fn wrapped(self) -> Result<Self, SerdeError> {
        if self.wrapped >= WRAPPED_MAX {
            return Err(SerdeError::wrapped(WRAPPED_MAX));
        }
        Ok(Self { wrapped: self.wrapped + 1, ..self })
    }
}

impl<'a> Serializer for ValueSerializer<'a> {
    type Ok = Value;
    type Error = SerdeError;
    type SerializeSeq = ListBuilder<'a>;
    type SerializeTuple = ListBuilder<'a>;
    type SerializeTupleStruct = ListBuilder<'a>;
    type SerializeTupleVariant = ListBuilder<'a>;
    type SerializeMap = MapBuilder<'a>;
    type SerializeStruct = MapBuilder<'a>;
    type SerializeStructVariant = MapBuilder<'a>;

    fn serialize_bool(self, value: bool) -> Result<Value, SerdeError> {
        self.scalar(0, value)
    }

    fn serialize_i8(self, value: i8) -> Result<Value, SerdeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Value, SerdeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Value, SerdeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Value, SerdeError> {
        self.scalar(1, value)
    }

    fn serialize_i128(self, value: i128) -> Result<Value, SerdeError> {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => self.serialize_i64(value),
            (_, Ok(value)) => self.serialize_u64(value),
            _ => Err(SerdeError::integer_too_large(value)),
        }
    }

    fn serialize_u8(self, value: u8) -> Result<Value, SerdeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Value, SerdeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Value, SerdeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Value, SerdeError> {
        self.scalar(1, value)
    }

    fn serialize_u128(self, value: u128) -> Result<Value, SerdeError> {
        let value = u64::try_from(value).map_err(|_| SerdeError::integer_too_large(value))?;
        self.serialize_u64(value)
    }

    fn serialize_f32(self, value: f32) -> Result<Value, SerdeError> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Value, SerdeError> {
        self.scalar(size_of::<f64>(), value)
    }

    fn serialize_char(self, value: char) -> Result<Value, SerdeError> {
        self.scalar(value.len_utf8(), value)
    }

    fn serialize_str(self, value: &str) -> Result<Value, SerdeError> {
        self.charge(value.len())?;
        Ok(value.into())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, SerdeError> {
        self.charge(value.len())?;
        Ok(value.into())
    }

    fn serialize_none(self) -> Result<Value, SerdeError> {
        self.scalar(0, Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, SerdeError> {
        value.serialize(self.wrapped()?)
    }

    fn serialize_unit(self) -> Result<Value, SerdeError> {
        self.scalar(0, Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, SerdeError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, SerdeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, SerdeError> {
        match name {
            DATETIME => {
                let moment = value.serialize(ScalarSerializer::new())?.into_moment()?;
                self.scalar(size_of::<i64>(), moment)
            }
            VECTOR => {
                let numbers = value.serialize(ScalarSerializer::new())?.into_numbers()?;
                self.charge(size_of_val(&*numbers))?;
                Ok(Value::Vector(numbers))
            }
            _ => value.serialize(self.wrapped()?),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, SerdeError> {
        let mut map = MapBuilder::new(self, 1)?;
        map.field(variant, value)?;
        map.finish()
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<ListBuilder<'a>, SerdeError> {
        ListBuilder::new(self, len.unwrap_or(0))
    }

    fn serialize_tuple(self, len: usize) -> Result<ListBuilder<'a>, SerdeError> {
        ListBuilder::new(self, len)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<ListBuilder<'a>, SerdeError> {
        ListBuilder::new(self, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<ListBuilder<'a>, SerdeError> {
        ListBuilder::of_variant(self, variant, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<MapBuilder<'a>, SerdeError> {
        MapBuilder::new(self, len.unwrap_or(0))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<MapBuilder<'a>, SerdeError> {
        MapBuilder::new(self, len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<MapBuilder<'a>, SerdeError> {
        MapBuilder::of_variant(self, variant, len)
    }
}
