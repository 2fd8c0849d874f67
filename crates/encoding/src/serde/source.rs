//! Where values are read from: owned ones, or encoded bytes. What is read from
//! bytes borrows from them, and is looked at only when it is asked for.

use std::borrow::Cow;
use std::iter::Map;
use std::vec;

use crate::container::{Container, Entries, split_field};
use crate::{DateTime, DocRef, DocumentIntoIter, Value, ValueRef, VectorIter, format};

/// A value that was not looked at yet. Where something is `None`, it is damaged.
pub(super) trait Source<'de>: Sized {
    type Elements: Iterator<Item = Option<Self>>;
    type Fields: Iterator<Item = Option<(Cow<'de, str>, Self)>>;
    type Numbers: Iterator<Item = f32>;

    /// Whether it is null, as far as can be told without opening it.
    fn is_null(&self) -> bool;

    fn open(self) -> Option<Opened<'de, Self>>;
}

/// A value, its lists and maps still closed.
pub(super) enum Opened<'de, S: Source<'de>> {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    String(Cow<'de, str>),
    Bytes(Cow<'de, [u8]>),
    Timestamp(DateTime),
    Vector(S::Numbers),
    List(S::Elements),
    Map(S::Fields),
}

impl<'de, S: Source<'de>> Opened<'de, S> {
    /// As in [`Value::type_name`].
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::I64(_) => "i64",
            Self::U64(_) => "u64",
            Self::F64(_) => "f64",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "timestamp",
            Self::Vector(_) => "vector",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }
}

type OwnedElement = fn(Value) -> Option<Value>;
type OwnedField<'de> = fn((String, Value)) -> Option<(Cow<'de, str>, Value)>;

impl<'de> Source<'de> for Value {
    type Elements = Map<vec::IntoIter<Value>, OwnedElement>;
    type Fields = Map<DocumentIntoIter, OwnedField<'de>>;
    type Numbers = vec::IntoIter<f32>;

    fn is_null(&self) -> bool {
        self.is_null()
    }

    fn open(self) -> Option<Opened<'de, Self>> {
        Some(match self {
            Self::Null => Opened::Null,
            Self::Bool(value) => Opened::Bool(value),
            Self::I64(value) => Opened::I64(value),
            // As its encoding would be read: small ones as `i64`.
            Self::U64(value) => i64::try_from(value).map_or(Opened::U64(value), Opened::I64),
            Self::F64(value) => Opened::F64(value),
            Self::String(value) => Opened::String(Cow::Owned(value)),
            Self::Bytes(value) => Opened::Bytes(Cow::Owned(value)),
            Self::Timestamp(value) => Opened::Timestamp(value),
            Self::Vector(value) => Opened::Vector(value.into_iter()),
            Self::List(value) => Opened::List(value.into_iter().map(Some as OwnedElement)),
            Self::Map(value) => Opened::Map(value.into_iter().map(owned_field as OwnedField<'de>)),
        })
    }
}

/// A field of an owned document, never damaged.
fn owned_field<'de>((name, value): (String, Value)) -> Option<(Cow<'de, str>, Value)> {
    Some((Cow::Owned(name), value))
}

/// A value in encoded bytes.
pub(super) enum Stored<'de> {
    /// Tag and payload.
    Bytes(&'de [u8]),
    Read(ValueRef<'de>),
}

impl<'de> Source<'de> for Stored<'de> {
    type Elements = StoredElements<'de>;
    type Fields = StoredFields<'de>;
    type Numbers = VectorIter<'de>;

    fn is_null(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.first() == Some(&format::NULL),
            Self::Read(value) => value.is_null(),
        }
    }

    fn open(self) -> Option<Opened<'de, Self>> {
        let value = match self {
            Self::Bytes(bytes) => ValueRef::read(bytes)?,
            Self::Read(value) => value,
        };
        Some(match value {
            ValueRef::Null => Opened::Null,
            ValueRef::Bool(value) => Opened::Bool(value),
            ValueRef::I64(value) => Opened::I64(value),
            ValueRef::U64(value) => Opened::U64(value),
            ValueRef::F64(value) => Opened::F64(value),
            ValueRef::String(value) => Opened::String(Cow::Borrowed(value)),
            ValueRef::Bytes(value) => Opened::Bytes(Cow::Borrowed(value)),
            ValueRef::Timestamp(value) => Opened::Timestamp(value),
            ValueRef::Vector(value) => Opened::Vector(value.iter()),
            ValueRef::List(value) => Opened::List(StoredElements(Walk::new(value.as_bytes()))),
            ValueRef::Map(value) => Opened::Map(StoredFields(Walk::new(value.as_bytes()))),
        })
    }
}

impl<'de> From<DocRef<'de>> for Stored<'de> {
    fn from(document: DocRef<'de>) -> Self {
        Self::Read(ValueRef::Map(document))
    }
}

pub(super) struct StoredElements<'de>(Walk<'de>);

impl<'de> Iterator for StoredElements<'de> {
    type Item = Option<Stored<'de>>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?;
        Some(entry.map(Stored::Bytes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

pub(super) struct StoredFields<'de>(Walk<'de>);

impl<'de> Iterator for StoredFields<'de> {
    type Item = Option<(Cow<'de, str>, Stored<'de>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.0.next()?;
        let field = entry.and_then(split_field).and_then(|(name, value)| {
            let name = std::str::from_utf8(name).ok()?;
            Some((Cow::Borrowed(name), Stored::Bytes(value)))
        });
        Some(field)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The entries of a container. Unlike [`Entries`] it tells when there are fewer
/// than the table says: a `None`, and then no more.
struct Walk<'de> {
    entries: Entries<'de>,
    /// Entries still to come; for what is no container, one that never does.
    left: usize,
}

impl<'de> Walk<'de> {
    fn new(bytes: &'de [u8]) -> Self {
        let left = Container::new(bytes).map_or(1, |container| container.len());
        Self { entries: Entries::new(bytes), left }
    }
}

impl<'de> Iterator for Walk<'de> {
    type Item = Option<&'de [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let entry = self.entries.next();
        if entry.is_none() {
            self.left = 0;
        }
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left > 0), Some(self.left))
    }
}
