//! How this crate's deserializer hands a moment or a vector to this crate's
//! types: as an enum with a variant that no other format writes. Serde has no
//! word for either, and without a mark a moment would be just an integer.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Unexpected, VariantAccess, Visitor,
};
use serde::{Deserialize, de::IntoDeserializer};

use crate::{DateTime, SerdeError, Value};

/// The marker of [`DateTime`]: the name of the newtype that it asks a deserializer for.
pub const DATETIME: &str = "$selvedge::DateTime";
/// The marker of [`Vector`](crate::Vector), likewise.
pub const VECTOR: &str = "$selvedge::Vector";
/// The marker of [`Value`] and [`Document`](crate::Document): who asks under it
/// is given moments and vectors marked.
pub const VALUE: &str = "$selvedge::Value";

/// What is under a mark.
pub(super) struct Marked<D> {
    pub(super) mark: &'static str,
    pub(super) content: D,
}

impl<'de, D: Deserializer<'de, Error = SerdeError>> EnumAccess<'de> for Marked<D> {
    type Error = SerdeError;
    type Variant = Content<D>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<D>), SerdeError> {
        let mark: StrDeserializer<'_, SerdeError> = self.mark.into_deserializer();
        Ok((seed.deserialize(mark)?, Content(self.content)))
    }
}

pub(super) struct Content<D>(D);

impl<'de, D: Deserializer<'de, Error = SerdeError>> VariantAccess<'de> for Content<D> {
    type Error = SerdeError;

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, SerdeError> {
        seed.deserialize(self.0)
    }

    fn unit_variant(self) -> Result<(), SerdeError> {
        Err(de::Error::invalid_type(Unexpected::NewtypeVariant, &"unit variant"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeError> {
        Err(de::Error::invalid_type(Unexpected::NewtypeVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        Err(de::Error::invalid_type(Unexpected::NewtypeVariant, &visitor))
    }
}

/// Reads what is under a mark: a moment or a vector.
pub(super) fn read_marked<'de, A: EnumAccess<'de>>(marked: A) -> Result<Value, A::Error> {
    match marked.variant()? {
        (Mark::DateTime, content) => {
            Ok(Value::Timestamp(DateTime::from_micros(content.newtype_variant()?)))
        }
        (Mark::Vector, content) => Ok(Value::Vector(content.newtype_variant()?)),
    }
}

enum Mark {
    DateTime,
    Vector,
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(MarkVisitor)
    }
}

struct MarkVisitor;

impl Visitor<'_> for MarkVisitor {
    type Value = Mark;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value of a document")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Mark, E> {
        match name {
            DATETIME => Ok(Mark::DateTime),
            VECTOR => Ok(Mark::Vector),
            _ => Err(E::invalid_type(Unexpected::Enum, &self)),
        }
    }
}
