//! Handing on what lists, maps and variants hold, one by one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

use super::deserializer::{Level, ValueDeserializer};
use super::key::KeyDeserializer;
use super::source::Source;
use crate::SerdeError;

/// The elements of a list.
pub(super) struct Elements<I> {
    rest: I,
    next: usize,
    level: Level,
}

impl<I> Elements<I> {
    /// `level` is that of the elements.
    pub(super) fn new(rest: I, level: Level) -> Self {
        Self { rest, next: 0, level }
    }

    /// Refuses a type that took only some of them.
    pub(super) fn finish<S>(self) -> Result<(), SerdeError>
    where
        I: Iterator<Item = Option<S>>,
    {
        let left = self.rest.count();
        if left == 0 {
            return Ok(());
        }
        let found = format!("list of {} elements", self.next + left);
        Err(SerdeError::mismatch(found, &Fewer { number: self.next, what: "elements" }))
    }
}

impl<'de, S, I> SeqAccess<'de> for Elements<I>
where
    S: Source<'de>,
    I: Iterator<Item = Option<S>>,
{
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, SerdeError> {
        let Some(element) = self.rest.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        element
            .ok_or_else(SerdeError::damaged)
            .and_then(|source| seed.deserialize(ValueDeserializer::at(source, self.level)))
            .map(Some)
            .map_err(|error| error.in_element(index))
    }

    fn size_hint(&self) -> Option<usize> {
        self.rest.size_hint().1
    }
}

/// The fields of a map.
pub(super) struct Fields<'de, S, I> {
    rest: I,
    taken: usize,
    /// The field whose name was handed on, and whose value comes next.
    field: Option<(Cow<'de, str>, S)>,
    level: Level,
}

impl<'de, S, I> Fields<'de, S, I>
where
    I: Iterator<Item = Option<(Cow<'de, str>, S)>>,
{
    /// `level` is that of the values.
    pub(super) fn new(rest: I, level: Level) -> Self {
        Self { rest, taken: 0, field: None, level }
    }

    /// Refuses a type that took only some of them.
    pub(super) fn finish(self) -> Result<(), SerdeError> {
        let left = self.rest.count();
        if left == 0 {
            return Ok(());
        }
        let found = format!("map of {} fields", self.taken + left);
        Err(SerdeError::mismatch(found, &Fewer { number: self.taken, what: "fields" }))
    }
}

impl<'de, S, I> MapAccess<'de> for Fields<'de, S, I>
where
    S: Source<'de>,
    I: Iterator<Item = Option<(Cow<'de, str>, S)>>,
{
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, SerdeError> {
        let Some(field) = self.rest.next() else { return Ok(None) };
        self.taken += 1;
        let (name, _) = self.field.insert(field.ok_or_else(SerdeError::damaged)?);
        match seed.deserialize(KeyDeserializer::new(name)) {
            Ok(key) => Ok(Some(key)),
            // A field that the type does not know is told of the map.
            Err(error @ SerdeError::Unknown { .. }) => Err(error),
            Err(error) => Err(error.in_field(name)),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, SerdeError> {
        let Some((name, source)) = self.field.take() else {
            return Err(de::Error::custom("the type asks for a map's value before its key"));
        };
        seed.deserialize(ValueDeserializer::at(source, self.level))
            .map_err(|error| error.in_field(&name))
    }

    fn size_hint(&self) -> Option<usize> {
        self.rest.size_hint().1
    }
}

/// How many a type took of what there was.
struct Fewer {
    number: usize,
    what: &'static str,
}

impl Expected for Fewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.what)
    }
}

/// A variant with content: a map of one field.
pub(super) struct Variant<'de, S> {
    name: Cow<'de, str>,
    content: S,
    level: Level,
}

impl<'de, S> Variant<'de, S> {
    /// `None` if there are more fields, or none. `level` is that of the content.
    pub(super) fn new<I>(mut fields: I, level: Level) -> Result<Option<Self>, SerdeError>
    where
        I: Iterator<Item = Option<(Cow<'de, str>, S)>>,
    {
        let (Some(field), None) = (fields.next(), fields.next()) else { return Ok(None) };
        let (name, content) = field.ok_or_else(SerdeError::damaged)?;
        Ok(Some(Self { name, content, level }))
    }
}

impl<'de, S: Source<'de>> Variant<'de, S> {
    fn read<T>(
        self,
        read: impl FnOnce(ValueDeserializer<S>) -> Result<T, SerdeError>,
    ) -> Result<T, SerdeError> {
        read(ValueDeserializer::at(self.content, self.level))
            .map_err(|error| error.in_field(&self.name))
    }
}

impl<'de, S: Source<'de>> EnumAccess<'de> for Variant<'de, S> {
    type Error = SerdeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), SerdeError> {
        Ok((seed.deserialize(KeyDeserializer::new(&self.name))?, self))
    }
}

impl<'de, S: Source<'de>> VariantAccess<'de> for Variant<'de, S> {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        self.read(de::Deserialize::deserialize)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, SerdeError> {
        self.read(|content| seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, SerdeError> {
        self.read(|content| content.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.read(|content| content.deserialize_struct("", fields, visitor))
    }
}
