//! Handing a value to a type that asks for one.

use std::borrow::Cow;

use selvedge_base::limits::DOCUMENT_DEPTH_MAX;
use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::WRAPPED_MAX;
use super::access::{Elements, Fields, Variant};
use super::marked::{DATETIME, Marked, VALUE, VECTOR};
use super::source::{Opened, Source};
use crate::value::exact_f64;
use crate::{EncodeError, SerdeError};

/// How far in a value is.
#[derive(Clone, Copy)]
pub(super) struct Level {
    /// Lists and maps around it.
    depth: usize,
    /// Options and newtypes around it, up to the next list or map.
    wrapped: usize,
    /// Whether moments and vectors are handed on under a mark.
    marks: bool,
}

impl Level {
    /// Of the values in the list or map that stands here.
    fn inside(self) -> Result<Self, SerdeError> {
        if self.depth >= DOCUMENT_DEPTH_MAX {
            return Err(EncodeError::too_deep().into());
        }
        Ok(Self { depth: self.depth + 1, wrapped: 0, ..self })
    }

    fn wrapped(self) -> Result<Self, SerdeError> {
        if self.wrapped >= WRAPPED_MAX {
            return Err(SerdeError::wrapped(WRAPPED_MAX));
        }
        Ok(Self { wrapped: self.wrapped + 1, ..self })
    }
}

/// One value, to be handed on.
pub(super) struct ValueDeserializer<S> {
    source: S,
    level: Level,
}

impl<'de, S: Source<'de>> ValueDeserializer<S> {
    /// With nothing around it.
    pub(super) fn new(source: S) -> Self {
        Self { source, level: Level { depth: 0, wrapped: 0, marks: false } }
    }

    pub(super) fn at(source: S, level: Level) -> Self {
        Self { source, level }
    }

    fn open(self) -> Result<(Opened<'de, S>, Level), SerdeError> {
        Ok((self.source.open().ok_or_else(SerdeError::damaged)?, self.level))
    }
}

/// Hands a value on as what it is.
fn hand_on<'de, S: Source<'de>, V: Visitor<'de>>(
    opened: Opened<'de, S>,
    level: Level,
    visitor: V,
) -> Result<V::Value, SerdeError> {
    match opened {
        Opened::Null => visitor.visit_unit(),
        Opened::Bool(value) => visitor.visit_bool(value),
        Opened::I64(value) => visitor.visit_i64(value),
        Opened::U64(value) => visitor.visit_u64(value),
        Opened::F64(value) => visitor.visit_f64(value),
        Opened::String(Cow::Borrowed(value)) => visitor.visit_borrowed_str(value),
        Opened::String(Cow::Owned(value)) => visitor.visit_string(value),
        Opened::Bytes(Cow::Borrowed(value)) => visitor.visit_borrowed_bytes(value),
        Opened::Bytes(Cow::Owned(value)) => visitor.visit_byte_buf(value),
        Opened::Timestamp(value) if level.marks => {
            let content = value.as_micros().into_deserializer();
            visitor.visit_enum(Marked { mark: DATETIME, content })
        }
        Opened::Timestamp(value) => visitor
            .visit_string(value.to_string())
            .map_err(|error: SerdeError| error.renamed("string", "timestamp")),
        Opened::Vector(numbers) if level.marks => {
            visitor.visit_enum(Marked { mark: VECTOR, content: SeqDeserializer::new(numbers) })
        }
        Opened::Vector(numbers) => visit_all(SeqDeserializer::new(numbers), visitor)
            .map_err(|error| error.renamed("list", "vector")),
        Opened::List(elements) => {
            let mut elements = Elements::new(elements, level.inside()?);
            let value = visitor.visit_seq(&mut elements)?;
            elements.finish()?;
            Ok(value)
        }
        Opened::Map(fields) => {
            let mut fields = Fields::new(fields, level.inside()?);
            let value = visitor.visit_map(&mut fields)?;
            fields.finish()?;
            Ok(value)
        }
    }
}

/// To a type that asks for a sequence: bytes are one too.
fn hand_on_seq<'de, S: Source<'de>, V: Visitor<'de>>(
    opened: Opened<'de, S>,
    level: Level,
    visitor: V,
) -> Result<V::Value, SerdeError> {
    match opened {
        Opened::Bytes(bytes) => visit_all(SeqDeserializer::new(bytes.iter().copied()), visitor)
            .map_err(|error| error.renamed("list", "bytes")),
        opened => hand_on(opened, level, visitor),
    }
}

/// Hands on all of a sequence, and refuses a type that takes only a part.
fn visit_all<'de, I, V>(
    mut sequence: SeqDeserializer<I, SerdeError>,
    visitor: V,
) -> Result<V::Value, SerdeError>
where
    I: Iterator<Item: IntoDeserializer<'de, SerdeError>>,
    V: Visitor<'de>,
{
    let value = visitor.visit_seq(&mut sequence)?;
    sequence.end()?;
    Ok(value)
}

/// To a type that asks for a float: integers too, if it holds them exactly.
fn hand_on_float<'de, S: Source<'de>, V: Visitor<'de>>(
    opened: Opened<'de, S>,
    level: Level,
    visitor: V,
) -> Result<V::Value, SerdeError> {
    let integer = match opened {
        Opened::I64(value) => i128::from(value),
        Opened::U64(value) => i128::from(value),
        opened => return hand_on(opened, level, visitor),
    };
    match exact_f64(integer) {
        Some(float) => visitor.visit_f64(float),
        None => Err(SerdeError::mismatch(format!("the integer {integer}"), &visitor)),
    }
}

impl<'de, S: Source<'de>> Deserializer<'de> for ValueDeserializer<S> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let (opened, level) = self.open()?;
        hand_on(opened, level, visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let (opened, level) = self.open()?;
        hand_on_float(opened, level, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        if self.source.is_null() {
            return visitor.visit_none();
        }
        let level = self.level.wrapped()?;
        visitor.visit_some(Self { level, ..self })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        let level = self.level.wrapped()?;
        match name {
            VALUE => {
                let level = Level { marks: true, ..level };
                visitor.visit_newtype_struct(Self { level, ..self })
            }
            DATETIME => match self.open()?.0 {
                opened @ Opened::Timestamp(_) => {
                    hand_on(opened, Level { marks: true, ..level }, visitor)
                }
                opened @ Opened::String(_) => hand_on(opened, level, visitor),
                opened => Err(SerdeError::mismatch(opened.type_name(), &visitor)),
            },
            VECTOR => match self.open()?.0 {
                opened @ (Opened::Vector(_) | Opened::List(_)) => {
                    hand_on(opened, Level { marks: false, ..level }, visitor)
                }
                opened => Err(SerdeError::mismatch(opened.type_name(), &visitor)),
            },
            _ => visitor.visit_newtype_struct(Self { level, ..self }),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let (opened, level) = self.open()?;
        hand_on_seq(opened, level, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_seq(visitor)
    }

    /// A struct has names for its fields: no list passes for one.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.open()? {
            (opened @ (Opened::List(_) | Opened::Vector(_)), _) => {
                Err(SerdeError::mismatch(opened.type_name(), &visitor))
            }
            (opened, level) => hand_on(opened, level, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        match self.open()? {
            (Opened::String(name), _) => visitor.visit_enum(name.into_deserializer()),
            (Opened::Map(fields), level) => {
                let variant = Variant::new(fields, level.inside()?)?;
                match variant {
                    Some(variant) => visitor.visit_enum(variant),
                    None => Err(SerdeError::mismatch("map of not exactly one field", &visitor)),
                }
            }
            (opened, _) => Err(SerdeError::mismatch(opened.type_name(), &visitor)),
        }
    }

    /// What nobody wants is not even opened.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit
        unit_struct map identifier
    }
}
