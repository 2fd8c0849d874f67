//! Under which keys an index holds a node.

use selvedge_base::limits::{INDEX_ENTRIES_PER_NODE_MAX, INDEX_KEY_BYTES_MAX};
use selvedge_encoding::{DocRef, Value, ValueRef};
use smallvec::{SmallVec, smallvec};

use crate::{IndexDef, IndexPath};

/// The values of one entry, one behind the other, as bytes that sort as they do. Short
/// ones, with what stands around them in a keyspace, need no memory of their own.
pub type IndexKey = SmallVec<[u8; 64]>;
/// The keys of one node, ascending, each once.
pub type IndexKeys = SmallVec<[IndexKey; 1]>;

/// Why an index cannot hold a node.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexKeyError {
    /// The values are too long.
    #[error("its values take {bytes} bytes, the limit is {INDEX_KEY_BYTES_MAX}")]
    TooLong {
        /// How long they are.
        bytes: usize,
    },
    /// A list has too many elements.
    #[error("{path}[] has more than {INDEX_ENTRIES_PER_NODE_MAX} elements, which is the limit")]
    TooMany {
        /// The path of the list.
        path: String,
    },
}

impl IndexDef {
    /// The keys under which the index holds a node with this document: none if a path
    /// leads nowhere, several if one of them is for each element of a list.
    ///
    /// # Errors
    /// [`IndexKeyError`], if a limit is exceeded.
    pub fn keys(&self, document: DocRef<'_>) -> Result<IndexKeys, IndexKeyError> {
        self.keys_behind(&[], document, &mut Vec::new())
    }

    /// The same keys, each behind a prefix, which does not count towards the limit. Uses
    /// `scratch`, whatever it holds.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    pub fn keys_behind(
        &self,
        prefix: &[u8],
        document: DocRef<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<IndexKeys, IndexKeyError> {
        scratch.clear();
        scratch.extend_from_slice(prefix);
        // Of the path for each element: the elements, and what stands before them.
        let mut each = None;
        for path in self.paths() {
            let Some(value) = document.get_path(path.path()) else { return Ok(IndexKeys::new()) };
            match value {
                ValueRef::List(list) if path.is_each() => {
                    each = Some((distinct(path, list.iter(), scratch)?, scratch.len()));
                }
                value => value.put_ordered(scratch),
            }
        }
        let keys = match each {
            None => smallvec![IndexKey::from_slice(scratch)],
            Some((elements, at)) => around(&elements, scratch.split_at(at)),
        };
        match keys.iter().map(|key: &IndexKey| key.len() - prefix.len()).max() {
            Some(bytes) if bytes > INDEX_KEY_BYTES_MAX => Err(IndexKeyError::TooLong { bytes }),
            _ => Ok(keys),
        }
    }
}

/// The elements of a list as ordered bytes. Leaves `scratch` as it was.
fn distinct<'v>(
    path: &IndexPath,
    elements: impl Iterator<Item = ValueRef<'v>>,
    scratch: &mut Vec<u8>,
) -> Result<Vec<IndexKey>, IndexKeyError> {
    let mut distinct = Vec::new();
    let end = scratch.len();
    for element in elements {
        if distinct.len() == INDEX_ENTRIES_PER_NODE_MAX {
            return Err(IndexKeyError::TooMany { path: path.path().to_owned() });
        }
        element.put_ordered(scratch);
        distinct.push(IndexKey::from_slice(&scratch[end..]));
        scratch.truncate(end);
    }
    distinct.sort_unstable();
    distinct.dedup();
    Ok(distinct)
}

/// Each element between the values before and behind it. Ascending, as no element begins
/// another.
fn around(elements: &[IndexKey], (before, behind): (&[u8], &[u8])) -> IndexKeys {
    let key = |element: &IndexKey| {
        let mut key = IndexKey::with_capacity(before.len() + element.len() + behind.len());
        [before, element, behind].iter().for_each(|part| key.extend_from_slice(part));
        key
    };
    elements.iter().map(key).collect()
}

/// The ordered bytes of values that are compared with the first ones of an index.
#[must_use]
pub fn ordered_values<'v>(values: impl IntoIterator<Item = &'v Value>) -> IndexKey {
    let mut bytes = Vec::new();
    values.into_iter().for_each(|value| value.put_ordered(&mut bytes));
    IndexKey::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use selvedge_encoding::{Document, doc, encode};

    use super::*;

    fn keys(index: &IndexDef, document: &Document) -> Result<IndexKeys, IndexKeyError> {
        let bytes = encode(document).expect("within the limits");
        index.keys(DocRef::trusted(&bytes))
    }

    fn of(values: &[Value]) -> IndexKey {
        ordered_values(values)
    }

    #[test]
    fn a_node_without_one_of_the_values_has_no_key() {
        let index = IndexDef::on(["address.city", "age"]);
        let both = doc! { "address": { "city": "Oslo" }, "age": 3 };
        assert_eq!(keys(&index, &both).unwrap()[..], [of(&["Oslo".into(), 3.into()])]);
        assert!(keys(&index, &doc! { "age": 3 }).unwrap().is_empty());
        assert!(keys(&index, &doc! { "address": "Oslo", "age": 3 }).unwrap().is_empty());
        let null = doc! { "address": { "city": null }, "age": 3 };
        assert_eq!(keys(&index, &null).unwrap()[..], [of(&[Value::Null, 3.into()])]);
    }

    #[test]
    fn each_distinct_element_gives_a_key_in_order() {
        let index = IndexDef::on(["age", "tags[]"]);
        let tagged = doc! { "age": 3, "tags": ["b", "a", "b"] };
        let expected = ["a", "b"].map(|tag| of(&[3.into(), tag.into()]));
        assert_eq!(keys(&index, &tagged).unwrap()[..], expected);
        let between = IndexDef::on(["age", "tags[]", "age.none", "name"]);
        assert!(keys(&between, &tagged).unwrap().is_empty());
        let between = IndexDef::on(["age", "tags[]", "name"]);
        let named = doc! { "age": 3, "tags": ["b", "a"], "name": "n" };
        let around = ["a", "b"].map(|tag| of(&[3.into(), tag.into(), "n".into()]));
        assert_eq!(keys(&between, &named).unwrap()[..], around);
        let one = doc! { "age": 3, "tags": "a" };
        assert_eq!(keys(&index, &one).unwrap()[..], expected[..1]);
        assert!(keys(&index, &doc! { "age": 3, "tags": [] }).unwrap().is_empty());
        // Not asked for each, a list is a value like others.
        let whole = IndexDef::on(["tags"]);
        let list: Value = vec![Value::from("b"), "a".into(), "b".into()].into();
        assert_eq!(keys(&whole, &tagged).unwrap()[..], [of(&[list])]);
    }

    #[test]
    fn keys_have_limits() {
        let index = IndexDef::on(["text"]);
        // A tag, and two bytes for the end.
        let longest = "x".repeat(INDEX_KEY_BYTES_MAX - 3);
        assert_eq!(keys(&index, &doc! { "text": longest.as_str() }).unwrap().len(), 1);
        let refused = keys(&index, &doc! { "text": longest + "x" }).unwrap_err();
        assert_eq!(refused, IndexKeyError::TooLong { bytes: INDEX_KEY_BYTES_MAX + 1 });

        let each = IndexDef::on(["list[]"]);
        let list = |length: usize| -> Document {
            let list: Vec<Value> = (0..length).map(|number| Value::from(number as i64)).collect();
            doc! { "list": list }
        };
        let most = keys(&each, &list(INDEX_ENTRIES_PER_NODE_MAX)).unwrap();
        assert_eq!(most.len(), INDEX_ENTRIES_PER_NODE_MAX);
        assert!(most.is_sorted());
        let refused = keys(&each, &list(INDEX_ENTRIES_PER_NODE_MAX + 1)).unwrap_err();
        assert_eq!(refused, IndexKeyError::TooMany { path: "list".into() });
    }
}
