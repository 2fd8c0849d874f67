//! A map of field names to values, owned.

use std::fmt;

use crate::Value;

/// A document: field names with their values, in the order of the names' bytes.
///
/// Kept as a sorted vector, since documents are small and are mostly built once
/// and encoded. Limits are checked by [`encode`](crate::encode()), not here.
///
/// ```
/// use selvedge_encoding::{Document, Value};
///
/// let mut document = Document::new();
/// document.set("name", "Alice");
/// assert_eq!(document.set("name", "Bob"), Some(Value::from("Alice")));
/// assert_eq!(document.get("name"), Some(&Value::from("Bob")));
/// assert_eq!(document.remove("name"), Some(Value::from("Bob")));
/// assert!(document.is_empty());
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Document {
    /// Sorted by name, each name once.
    fields: Vec<(String, Value)>,
}

impl Document {
    /// A document without fields.
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// A document without fields that has room for `fields` of them.
    pub fn with_capacity(fields: usize) -> Self {
        Self { fields: Vec::with_capacity(fields) }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.position(field).ok().map(|at| &self.fields[at].1)
    }

    /// The value of a field, to be changed in place.
    pub fn get_mut(&mut self, field: &str) -> Option<&mut Value> {
        self.position(field).ok().map(|at| &mut self.fields[at].1)
    }

    /// Whether there is such a field, be it null.
    pub fn contains(&self, field: &str) -> bool {
        self.position(field).is_ok()
    }

    /// Inserts a field or replaces its value; returns the value it had.
    pub fn set(&mut self, field: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (field, value) = (field.into(), value.into());
        // Fields often come in order.
        if self.fields.last().is_none_or(|(last, _)| *last < field) {
            self.fields.push((field, value));
            return None;
        }
        match self.position(&field) {
            Ok(at) => Some(std::mem::replace(&mut self.fields[at].1, value)),
            Err(at) => {
                self.fields.insert(at, (field, value));
                None
            }
        }
    }

    /// Takes a field out; returns the value it had.
    pub fn remove(&mut self, field: &str) -> Option<Value> {
        self.position(field).ok().map(|at| self.fields.remove(at).1)
    }

    /// The fields in the order of their names.
    pub fn iter(&self) -> DocumentIter<'_> {
        DocumentIter { fields: self.fields.iter() }
    }

    /// A document of fields in any order; of equal names the last one stays.
    pub(crate) fn from_fields(mut fields: Vec<(String, Value)>) -> Self {
        // The sort is stable; the swap below lets the later of two equals win.
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        fields.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(&mut later.1, &mut earlier.1);
            }
            same
        });
        Self { fields }
    }

    /// A document of fields in any order.
    ///
    /// # Errors
    /// A name that comes twice.
    pub(crate) fn from_unique_fields(mut fields: Vec<(String, Value)>) -> Result<Self, String> {
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        match fields.array_windows().find(|[(a, _), (b, _)]| a == b) {
            Some([(twice, _), _]) => Err(twice.clone()),
            None => Ok(Self { fields }),
        }
    }

    fn position(&self, field: &str) -> Result<usize, usize> {
        self.fields.binary_search_by(|(name, _)| name.as_str().cmp(field))
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Document {
    /// Of fields with the same name the last one stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self::from_fields(fields.collect())
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Document {
    fn from(fields: [(K, V); N]) -> Self {
        fields.into_iter().collect()
    }
}

impl<K: Into<String>, V: Into<Value>> Extend<(K, V)> for Document {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.set(name, value);
        }
    }
}

impl IntoIterator for Document {
    type Item = (String, Value);
    type IntoIter = DocumentIntoIter;

    fn into_iter(self) -> DocumentIntoIter {
        DocumentIntoIter { fields: self.fields.into_iter() }
    }
}

impl<'a> IntoIterator for &'a Document {
    type Item = (&'a str, &'a Value);
    type IntoIter = DocumentIter<'a>;

    fn into_iter(self) -> DocumentIter<'a> {
        self.iter()
    }
}

/// The fields of a [`Document`], borrowed, in the order of their names.
#[derive(Debug, Clone)]
pub struct DocumentIter<'a> {
    fields: std::slice::Iter<'a, (String, Value)>,
}

impl<'a> Iterator for DocumentIter<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.fields.next().map(|(name, value)| (name.as_str(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.fields.size_hint()
    }
}

impl DoubleEndedIterator for DocumentIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.fields.next_back().map(|(name, value)| (name.as_str(), value))
    }
}

impl ExactSizeIterator for DocumentIter<'_> {}

/// The fields of a [`Document`], owned, in the order of their names.
#[derive(Debug)]
pub struct DocumentIntoIter {
    fields: std::vec::IntoIter<(String, Value)>,
}

impl Iterator for DocumentIntoIter {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.fields.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.fields.size_hint()
    }
}

impl ExactSizeIterator for DocumentIntoIter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_sorted_and_unique() {
        let mut document = Document::new();
        for name in ["b", "a", "c", "a"] {
            document.set(name, name);
        }
        let names: Vec<&str> = document.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(document.len(), 3);
        assert!(document.contains("c") && !document.contains("d"));
    }

    #[test]
    fn the_last_of_equal_names_wins() {
        let collected: Document =
            [("b", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5)].into_iter().collect();
        assert_eq!(collected, Document::from([("a", 4), ("b", 5)]));
        let mut extended = Document::new();
        extended.extend([("b", 1), ("a", 4), ("b", 5)]);
        assert_eq!(extended, collected);
        assert_eq!(format!("{collected:?}"), r#"{"a": I64(4), "b": I64(5)}"#);
    }

    #[test]
    fn values_change_in_place() {
        let mut document = Document::from([("a", 1)]);
        *document.get_mut("a").unwrap() = Value::Null;
        assert_eq!(document.into_iter().collect::<Vec<_>>(), [("a".to_owned(), Value::Null)]);
    }
}
