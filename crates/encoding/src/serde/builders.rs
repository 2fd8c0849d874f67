//! Lists and maps under construction, by themselves or as the content of an
//! enum's variant.

use selvedge_base::limits::NAME_BYTES_MAX;
use serde::ser::{self, Serialize};

use super::scalar::ScalarSerializer;
use super::to_value::ValueSerializer;
use crate::{Document, EncodeError, SerdeError, Value};

/// Room made ahead for at most so many: lengths are told by types, and may lie.
const AHEAD_MAX: usize = 4096;

/// A list, element by element.
pub(super) struct ListBuilder<'a> {
    elements: Vec<Value>,
    /// Of the elements.
    inside: ValueSerializer<'a>,
    variant: Option<&'static str>,
}

impl<'a> ListBuilder<'a> {
    pub(super) fn new(list: ValueSerializer<'a>, len: usize) -> Result<Self, SerdeError> {
        let elements = Vec::with_capacity(len.min(AHEAD_MAX));
        Ok(Self { elements, inside: list.inside()?, variant: None })
    }

    /// The content of a variant.
    pub(super) fn of_variant(
        map: ValueSerializer<'a>,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, SerdeError> {
        let list = content_of(map, variant, |content| Self::new(content, len))?;
        Ok(Self { variant: Some(variant), ..list })
    }

    fn element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), SerdeError> {
        let element = element
            .serialize(self.inside)
            .map_err(|error| within(error.in_element(self.elements.len()), self.variant))?;
        self.elements.push(element);
        Ok(())
    }

    fn finish(self) -> Result<Value, SerdeError> {
        Ok(of_variant(self.variant, Value::List(self.elements)))
    }
}

/// A map, field by field.
pub(super) struct MapBuilder<'a> {
    fields: Vec<(String, Value)>,
    /// The key whose value comes next.
    key: Option<String>,
    /// Of the values.
    inside: ValueSerializer<'a>,
    variant: Option<&'static str>,
}

impl<'a> MapBuilder<'a> {
    pub(super) fn new(map: ValueSerializer<'a>, len: usize) -> Result<Self, SerdeError> {
        let fields = Vec::with_capacity(len.min(AHEAD_MAX));
        Ok(Self { fields, key: None, inside: map.inside()?, variant: None })
    }

    /// The content of a variant.
    pub(super) fn of_variant(
        map: ValueSerializer<'a>,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, SerdeError> {
        let map = content_of(map, variant, |content| Self::new(content, len))?;
        Ok(Self { variant: Some(variant), ..map })
    }

    pub(super) fn field<T: Serialize + ?Sized>(
        &mut self,
        name: impl Into<String>,
        value: &T,
    ) -> Result<(), SerdeError> {
        let name = name.into();
        let value = check_name(&name)
            .and_then(|()| {
                let counted = self.inside.count(1 + name.len());
                counted
                    .and_then(|()| value.serialize(self.inside))
                    .map_err(|error| error.in_field(&name))
            })
            .map_err(|error| within(error, self.variant))?;
        self.fields.push((name, value));
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Value, SerdeError> {
        let document = Document::from_unique_fields(self.fields)
            .map_err(|name| within(SerdeError::twice(&name), self.variant))?;
        Ok(of_variant(self.variant, Value::Map(document)))
    }
}

fn check_name(name: &str) -> Result<(), SerdeError> {
    if name.len() > NAME_BYTES_MAX { Err(EncodeError::name_too_long(name).into()) } else { Ok(()) }
}

/// Begins the content of a variant, in the map of one field around it.
fn content_of<'a, B>(
    map: ValueSerializer<'a>,
    variant: &'static str,
    begin: impl FnOnce(ValueSerializer<'a>) -> Result<B, SerdeError>,
) -> Result<B, SerdeError> {
    check_name(variant)?;
    begin(map.inside()?).map_err(|error| error.in_field(variant))
}

fn of_variant(variant: Option<&'static str>, content: Value) -> Value {
    match variant {
        Some(variant) => Value::Map(Document::from([(variant, content)])),
        None => content,
    }
}

fn within(error: SerdeError, variant: Option<&'static str>) -> SerdeError {
    match variant {
        Some(variant) => error.in_field(variant),
        None => error,
    }
}

impl ser::SerializeSeq for ListBuilder<'_> {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), SerdeError> {
        self.element(element)
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.finish()
    }
}

impl ser::SerializeTuple for ListBuilder<'_> {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), SerdeError> {
        self.element(element)
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.finish()
    }
}

impl ser::SerializeTupleStruct for ListBuilder<'_> {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &T) -> Result<(), SerdeError> {
        self.element(field)
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for ListBuilder<'_> {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &T) -> Result<(), SerdeError> {
        self.element(field)
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.finish()
    }
}

impl ser::SerializeMap for MapBuilder<'_> {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        let key = key.serialize(ScalarSerializer::new()).and_then(|key| key.into_key());
        self.key = Some(key.map_err(|error| within(error, self.variant))?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        match self.key.take() {
            Some(key) => self.field(key, value),
            None => Err(ser::Error::custom("the type writes a map's value before its key")),
        }
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.finish()
    }
}

impl ser::SerializeStruct for MapBuilder<'_> {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), SerdeError> {
        self.field(name, value)
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for MapBuilder<'_> {
    type Ok = Value;
    type Error = SerdeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), SerdeError> {
        self.field(name, value)
    }

    fn end(self) -> Result<Value, SerdeError> {
        self.finish()
    }
}
