//! Moments in serde: timestamps in documents, RFC 3339 text everywhere else.

use std::fmt;

use serde::de::{Deserialize, Deserializer, EnumAccess, Error as _, Visitor};
use serde::ser::{Serialize, Serializer};

use super::marked::{DATETIME, read_marked};
use crate::{DateTime, Value};

impl Serialize for DateTime {
    /// A timestamp in documents and values, RFC 3339 text in other formats.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(DATETIME, &Text(*self))
    }
}

/// A moment as text.
struct Text(DateTime);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DateTime {
    /// From a timestamp, or from RFC 3339 text.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(DATETIME, DateTimeVisitor)
    }
}

struct DateTimeVisitor;

impl<'de> Visitor<'de> for DateTimeVisitor {
    type Value = DateTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TextVisitor.expecting(f)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<DateTime, D::Error> {
        inner.deserialize_str(TextVisitor)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DateTime, E> {
        TextVisitor.visit_str(text)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, marked: A) -> Result<DateTime, A::Error> {
        match read_marked(marked)? {
            Value::Timestamp(moment) => Ok(moment),
            other => {
                Err(A::Error::custom(format_args!("{}, expected a moment", other.type_name())))
            }
        }
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = DateTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timestamp or RFC 3339 text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DateTime, E> {
        text.parse().map_err(E::custom)
    }
}
