//! A document as encoded bytes.

use std::fmt;

use crate::container::{Container, Entries, find, split_field};
use crate::path::{Step, Steps, is_name};
use crate::{DecodeError, Document, FromValue, TypeMismatch, ValueRef, parse};

/// A document, or a map inside one, that lies in encoded bytes.
///
/// Two are equal when their bytes are, which is when the documents are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct DocRef<'a> {
    bytes: &'a [u8],
}

impl<'a> DocRef<'a> {
    /// Reads bytes that [`encode`](crate::encode()) or an edit has written, without
    /// a look at them. On other bytes nothing breaks: what is damaged reads as
    /// absent.
    #[inline]
    pub const fn trusted(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Reads bytes from outside. All of them are checked: accepted bytes are
    /// exactly those that encoding [`to_document`](Self::to_document) gives.
    ///
    /// # Errors
    /// [`DecodeError`], with the position of the first thing that is wrong.
    ///
    /// ```
    /// use selvedge_encoding::{DecodeError, DocRef, doc, encode};
    ///
    /// let mut bytes = encode(&doc! { "a": "b" }).unwrap();
    /// assert!(DocRef::parse(&bytes).is_ok());
    /// bytes[3] = 0xff;
    /// assert!(matches!(DocRef::parse(&bytes), Err(DecodeError::Malformed { at: 2, .. })));
    /// ```
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        parse::check_document(bytes)?;
        Ok(Self { bytes })
    }

    /// The bytes.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        Container::new(self.bytes).map_or(0, |container| container.len())
    }

    /// Whether there are no fields.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field; among many it is found by binary search. `None` if it is absent; a
    /// field that is null gives [`ValueRef::Null`].
    #[inline(always)]
    pub fn get(&self, field: &str) -> Option<ValueRef<'a>> {
        ValueRef::read(find(self.bytes, field)?)
    }

    /// Whether there is such a field, be it null.
    #[inline]
    pub fn contains(&self, field: &str) -> bool {
        find(self.bytes, field).is_some()
    }

    /// The value at the end of a path: names with dots between them, each
    /// followed by any number of list positions in brackets. `None` if it is
    /// absent, or the path leads through something else than maps and lists. A
    /// field whose name has a dot or a bracket in it is not reached by a path.
    ///
    /// ```
    /// use selvedge_encoding::{DocRef, doc, encode};
    ///
    /// let bytes = encode(&doc! { "address": { "lines": ["Karl Johans gate 1", "Oslo"] } })?;
    /// let stored = DocRef::trusted(&bytes);
    /// assert!(stored.get_path("address.lines[1]").unwrap() == "Oslo");
    /// assert!(stored.get_path("address.lines[2]").is_none());
    /// assert!(stored.get_path("address.city").is_none());
    /// # Ok::<(), selvedge_encoding::EncodeError>(())
    /// ```
    pub fn get_path(&self, path: &str) -> Option<ValueRef<'a>> {
        if is_name(path) {
            return self.get(path);
        }
        let mut value = ValueRef::Map(*self);
        for step in Steps::new(path) {
            value = match (step?, value) {
                (Step::Field(name), ValueRef::Map(map)) => map.get(name)?,
                (Step::Element(index), ValueRef::List(list)) => list.get(index)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// The value of a field as a Rust type, `None` if the field is absent.
    ///
    /// Null is of no type but `Option`: ask for `Option<T>` where null is
    /// allowed. Integers are read as any type that holds them exactly.
    ///
    /// # Errors
    /// [`TypeMismatch`] if the field is of another type.
    ///
    /// ```
    /// use selvedge_encoding::{DocRef, doc, encode};
    ///
    /// let bytes = encode(&doc! { "name": "Alice", "age": 31, "spouse": null }).unwrap();
    /// let stored = DocRef::trusted(&bytes);
    /// assert_eq!(stored.typed::<&str>("name")?, Some("Alice"));
    /// assert_eq!(stored.typed::<u64>("age")?, Some(31));
    /// assert_eq!(stored.typed::<i64>("height")?, None);
    /// assert_eq!(stored.typed::<Option<String>>("spouse")?, Some(None));
    /// let error = stored.typed::<i64>("name").unwrap_err();
    /// assert_eq!(error.to_string(), "`name` is string, expected i64");
    /// # Ok::<(), selvedge_encoding::TypeMismatch>(())
    /// ```
    #[inline]
    pub fn typed<T: FromValue<'a>>(&self, field: &str) -> Result<Option<T>, TypeMismatch> {
        let Some(value) = self.get(field) else { return Ok(None) };
        match T::from_value(value) {
            Some(value) => Ok(Some(value)),
            None => Err(TypeMismatch::new(field, T::EXPECTED, value.type_name())),
        }
    }

    /// The fields in the order of their names; damaged ones are left out.
    pub fn iter(&self) -> DocIter<'a> {
        DocIter { entries: Entries::new(self.bytes) }
    }

    /// The document, owned. What is damaged in it is left out.
    pub fn to_document(&self) -> Document {
        self.to_document_at(1)
    }

    /// `depth` is the level of this map.
    pub(crate) fn to_document_at(self, depth: usize) -> Document {
        // A field and its end have three bytes at least, whatever the table says.
        let mut fields = Vec::with_capacity(self.len().min(self.bytes.len() / 3));
        for (name, value) in self.iter() {
            fields.push((name.to_owned(), value.to_value_at(depth)));
        }
        Document::from_fields(fields)
    }
}

impl fmt::Debug for DocRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By way of a document, which nests only so deep, whatever the bytes say.
        self.to_document().fmt(f)
    }
}

impl<'a> IntoIterator for DocRef<'a> {
    type Item = (&'a str, ValueRef<'a>);
    type IntoIter = DocIter<'a>;

    fn into_iter(self) -> DocIter<'a> {
        self.iter()
    }
}

/// The fields of a [`DocRef`] in the order of their names.
#[derive(Clone)]
pub struct DocIter<'a> {
    entries: Entries<'a>,
}

impl<'a> Iterator for DocIter<'a> {
    type Item = (&'a str, ValueRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.entries.by_ref().find_map(read_field)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.entries.size_hint().1)
    }
}

fn read_field(entry: &[u8]) -> Option<(&str, ValueRef<'_>)> {
    let (name, value) = split_field(entry)?;
    Some((std::str::from_utf8(name).ok()?, ValueRef::read(value)?))
}

impl fmt::Debug for DocIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocIter").finish_non_exhaustive()
    }
}
