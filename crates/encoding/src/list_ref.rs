//! A list inside encoded bytes.

use std::fmt;

use crate::container::{Container, Entries};
use crate::{Value, ValueRef};

/// A list that lies in encoded bytes. Any element is found in constant time.
///
/// ```
/// use selvedge_encoding::{DocRef, doc, encode};
///
/// let bytes = encode(&doc! { "tags": ["a", "b", "c"] })?;
/// let tags = DocRef::trusted(&bytes).get("tags").and_then(|tags| tags.as_list()).unwrap();
/// assert_eq!(tags.len(), 3);
/// assert!(tags.get(2).unwrap() == "c");
/// assert_eq!(tags.iter().filter_map(|tag| tag.as_str()).collect::<String>(), "abc");
/// # Ok::<(), selvedge_encoding::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ListRef<'a> {
    bytes: &'a [u8],
}

impl<'a> ListRef<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    #[inline]
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many elements there are.
    #[inline]
    pub fn len(&self) -> usize {
        Container::new(self.bytes).map_or(0, |container| container.len())
    }

    /// Whether there are no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<ValueRef<'a>> {
        ValueRef::read(Container::new(self.bytes)?.entry(index)?)
    }

    /// The elements in order; damaged ones are left out.
    pub fn iter(&self) -> ListIter<'a> {
        ListIter { entries: Entries::new(self.bytes) }
    }

    /// The elements, owned.
    pub fn to_vec(&self) -> Vec<Value> {
        self.to_vec_at(1)
    }

    /// `depth` is the level of this list.
    pub(crate) fn to_vec_at(self, depth: usize) -> Vec<Value> {
        // An element and its end have two bytes at least, whatever the table says.
        let mut values = Vec::with_capacity(self.len().min(self.bytes.len() / 2));
        values.extend(self.iter().map(|value| value.to_value_at(depth)));
        values
    }
}

impl fmt::Debug for ListRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By way of values, which nest only so deep, whatever the bytes say.
        self.to_vec().fmt(f)
    }
}

impl<'a> IntoIterator for ListRef<'a> {
    type Item = ValueRef<'a>;
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

/// The elements of a [`ListRef`].
#[derive(Clone)]
pub struct ListIter<'a> {
    entries: Entries<'a>,
}

impl<'a> Iterator for ListIter<'a> {
    type Item = ValueRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ValueRef<'a>> {
        self.entries.by_ref().find_map(ValueRef::read)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.entries.size_hint().1)
    }
}

impl fmt::Debug for ListIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListIter").finish_non_exhaustive()
    }
}
