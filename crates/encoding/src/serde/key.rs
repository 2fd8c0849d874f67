//! The name of a field as the key of a map.

use std::borrow::Cow;
use std::str::FromStr;

use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::WRAPPED_MAX;
use crate::SerdeError;
use crate::error::{SHOWN_CHARS, shown};

/// A key, to be handed on: as text, or as what its text says.
#[derive(Clone, Copy)]
pub(super) struct KeyDeserializer<'k, 'de> {
    name: &'k Cow<'de, str>,
    /// Options and newtypes around it.
    wrapped: usize,
}

impl<'k, 'de> KeyDeserializer<'k, 'de> {
    pub(super) fn new(name: &'k Cow<'de, str>) -> Self {
        Self { name, wrapped: 0 }
    }

    /// Only as it would be written: two names never give one key.
    fn parse<T: FromStr + ToString>(self) -> Option<T> {
        self.name.parse().ok().filter(|key: &T| key.to_string() == **self.name)
    }

    fn wrapped(self) -> Result<Self, SerdeError> {
        if self.wrapped >= WRAPPED_MAX {
            return Err(SerdeError::wrapped(WRAPPED_MAX));
        }
        Ok(Self { wrapped: self.wrapped + 1, ..self })
    }

    fn mismatch<'v>(self, visitor: &impl Visitor<'v>) -> SerdeError {
        SerdeError::mismatch(format!("the key `{}`", shown(self.name, SHOWN_CHARS)), visitor)
    }
}

macro_rules! read_from_text {
    ($($method:ident => $visit:ident($type:ty);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
            match self.parse::<$type>() {
                Some(key) => visitor.$visit(key),
                None => Err(self.mismatch(&visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for KeyDeserializer<'_, 'de> {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.name {
            Cow::Borrowed(name) => visitor.visit_borrowed_str(name),
            Cow::Owned(name) => visitor.visit_str(name),
        }
    }

    read_from_text! {
        deserialize_bool => visit_bool(bool);
        deserialize_i8 => visit_i8(i8);
        deserialize_i16 => visit_i16(i16);
        deserialize_i32 => visit_i32(i32);
        deserialize_i64 => visit_i64(i64);
        deserialize_i128 => visit_i128(i128);
        deserialize_u8 => visit_u8(u8);
        deserialize_u16 => visit_u16(u16);
        deserialize_u32 => visit_u32(u32);
        deserialize_u64 => visit_u64(u64);
        deserialize_u128 => visit_u128(u128);
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_some(self.wrapped()?)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        visitor.visit_newtype_struct(self.wrapped()?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        visitor.visit_enum((&**self.name).into_deserializer())
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
