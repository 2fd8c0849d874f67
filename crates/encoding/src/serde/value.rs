//! Values and documents in serde: as what they hold. In formats that know fewer
//! types they come back as what is left of them there: moments as text, vectors
//! as lists, bytes as whatever the format makes of them.

use std::fmt;

use selvedge_base::limits::DOCUMENT_DEPTH_MAX;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor,
};
use serde::ser::{self, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::marked::{VALUE, read_marked};
use super::vector::serialize_numbers;
use crate::{Document, Value};

/// Room made ahead for at most so many: lengths come from outside, and may lie.
const AHEAD_MAX: usize = 4096;

/// A value with so many lists and maps around it.
struct At<T> {
    value: T,
    depth: usize,
}

impl Serialize for Value {
    /// As what it holds; refused beyond the depth of documents.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        At { value: self, depth: 0 }.serialize(serializer)
    }
}

impl Serialize for Document {
    /// As a map; refused beyond the depth of documents.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        At { value: self, depth: 0 }.serialize(serializer)
    }
}

impl Serialize for At<&Value> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I64(value) => serializer.serialize_i64(*value),
            Value::U64(value) => serializer.serialize_u64(*value),
            Value::F64(value) => serializer.serialize_f64(*value),
            Value::String(value) => serializer.serialize_str(value),
            Value::Bytes(value) => serializer.serialize_bytes(value),
            Value::Timestamp(value) => value.serialize(serializer),
            Value::Vector(value) => serialize_numbers(value, serializer),
            Value::List(values) => {
                let depth = inside(self.depth).map_err(ser::Error::custom)?;
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(&At { value, depth })?;
                }
                list.end()
            }
            Value::Map(value) => At { value, depth: self.depth }.serialize(serializer),
        }
    }
}

impl Serialize for At<&Document> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let depth = inside(self.depth).map_err(ser::Error::custom)?;
        let mut map = serializer.serialize_map(Some(self.value.len()))?;
        for (name, value) in self.value {
            map.serialize_entry(name, &At { value, depth })?;
        }
        map.end()
    }
}

/// The depth inside a list or map at `depth`.
fn inside(depth: usize) -> Result<usize, TooDeep> {
    if depth < DOCUMENT_DEPTH_MAX { Ok(depth + 1) } else { Err(TooDeep) }
}

struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "values nest deeper than the limit of {DOCUMENT_DEPTH_MAX} levels")
    }
}

impl<'de> Deserialize<'de> for Value {
    /// From any format that tells what comes next; refused beyond the depth of
    /// documents.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(VALUE, ValueVisitor { depth: 0, wrapped: 0 })
    }
}

impl<'de> Deserialize<'de> for Document {
    /// From a map, as [`Value`] is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Map(document) => Ok(document),
            other => {
                Err(de::Error::invalid_type(de::Unexpected::Other(other.type_name()), &"a map"))
            }
        }
    }
}

/// Reads a value of whatever type comes.
#[derive(Clone, Copy)]
struct ValueVisitor {
    /// Lists and maps around it.
    depth: usize,
    /// Options and newtypes around it, up to the next list or map.
    wrapped: usize,
}

impl ValueVisitor {
    /// For what a list or map holds.
    fn inside<E: de::Error>(self) -> Result<Self, E> {
        Ok(Self { depth: inside(self.depth).map_err(E::custom)?, wrapped: 0 })
    }

    fn wrapped<E: de::Error>(self) -> Result<Self, E> {
        let wrapped = inside(self.wrapped).map_err(E::custom)?;
        Ok(Self { wrapped, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for ValueVisitor {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a document")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => Ok(value.into()),
            (_, Ok(value)) => Ok(value.into()),
            _ => Err(E::custom(format_args!("the integer {value} is beyond i64 and u64"))),
        }
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        match u64::try_from(value) {
            Ok(value) => Ok(value.into()),
            Err(_) => Err(E::custom(format_args!("the integer {value} is beyond i64 and u64"))),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_byte_buf<E: de::Error>(self, value: Vec<u8>) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        self.wrapped()?.deserialize(inner)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        self.wrapped()?.deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let element = self.inside()?;
        let mut values = Vec::with_capacity(list.size_hint().unwrap_or(0).min(AHEAD_MAX));
        while let Some(value) = list.next_element_seed(element)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let value = self.inside()?;
        let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(0).min(AHEAD_MAX));
        while let Some(name) = map.next_key::<String>()? {
            fields.push((name, map.next_value_seed(value)?));
        }
        let twice = |name| de::Error::custom(format_args!("the field `{name}` stands twice"));
        Document::from_unique_fields(fields).map(Value::Map).map_err(twice)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, marked: A) -> Result<Value, A::Error> {
        read_marked(marked)
    }
}
