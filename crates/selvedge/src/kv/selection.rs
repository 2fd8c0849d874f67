//! Which entries are read: prefixes and ranges of keys.

use std::fmt;
use std::ops::Bound;

use selvedge_encoding::Key;

use crate::hex;
use crate::kv::error::KvError;

/// Which entries are read, and in which order.
///
/// | made by | keys |
/// |---|---|
/// | [`prefix`](Self::prefix) | those with more parts behind the prefix, which is not among them |
/// | `prefix` and [`start`](Self::start) | of these those from `start` on |
/// | `prefix` and [`end`](Self::end) | of these those before `end` |
/// | [`range`](Self::range) | from a key on, and before another one |
/// | [`starting_with`](Self::starting_with) | whose bytes begin so; for keys that are not made of parts |
/// | [`all`](Self::all) | all |
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::{Selection, key};
///
/// let db = Db::in_memory();
/// for name in ["alice", "bob", "carol"] {
///     db.kv().set(&key!["user", name], 1_u64)?;
/// }
/// let users = Selection::prefix(&key!["user"]);
/// let newest: Vec<_> = db.kv().list(&users.clone().reverse().limit(2))?;
/// assert_eq!(newest[0].key(), key!["user", "carol"]);
/// let from_bob = db.kv().count(&users.start(&key!["user", "bob"]))?;
/// assert_eq!((newest.len(), from_bob), (2, 2));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selection {
    keys: Keys,
    pub(crate) reverse: bool,
    pub(crate) limit: usize,
    after: Option<Cursor>,
}

/// No part of a key begins so: behind a prefix, it ends what begins with its parts. (What
/// goes on so escapes a zero, in the midst of a longer part.)
const PART_END: u8 = 0xFF;

/// Between which keys a selection lies.
pub(crate) type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Keys {
    Prefix { prefix: Vec<u8>, start: Option<Vec<u8>>, end: Option<Vec<u8>> },
    Range(Bound<Vec<u8>>, Bound<Vec<u8>>),
}

/// Where reading a selection has come: the last key that was read. It is text for
/// whoever keeps it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    pub(crate) fn at(key: &[u8]) -> Self {
        Self(key.to_vec())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({self})")
    }
}

impl std::str::FromStr for Cursor {
    type Err = KvError;

    fn from_str(text: &str) -> Result<Self, KvError> {
        hex::parse(text).map(Self).ok_or(KvError::Cursor)
    }
}

impl Selection {
    fn of(keys: Keys) -> Self {
        Self { keys, reverse: false, limit: usize::MAX, after: None }
    }

    /// The entries whose keys begin with the parts of `prefix`, and have more.
    #[must_use]
    pub fn prefix(prefix: &Key) -> Self {
        Self::of(Keys::Prefix { prefix: prefix.as_bytes().to_vec(), start: None, end: None })
    }

    /// The entries from the key `start` on, and before the key `end`.
    #[must_use]
    pub fn range(start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Self {
        let (start, end) = (start.as_ref().to_vec(), end.as_ref().to_vec());
        Self::of(Keys::Range(Bound::Included(start), Bound::Excluded(end)))
    }

    /// The entries whose keys' bytes begin with `bytes`, that key included.
    #[must_use]
    pub fn starting_with(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        // The next bytes that do not begin so: the last byte that can be raised is.
        let raised = bytes.iter().rposition(|byte| *byte != 0xFF).map(|at| {
            let mut next = bytes[..=at].to_vec();
            next[at] += 1;
            next
        });
        let end = raised.map_or(Bound::Unbounded, Bound::Excluded);
        Self::of(Keys::Range(Bound::Included(bytes.to_vec()), end))
    }

    /// All entries.
    #[must_use]
    pub fn all() -> Self {
        Self::of(Keys::Range(Bound::Unbounded, Bound::Unbounded))
    }

    /// Of a prefix, the entries from this key on.
    #[must_use]
    pub fn start(mut self, key: &Key) -> Self {
        match &mut self.keys {
            Keys::Prefix { start, .. } => *start = Some(key.as_bytes().to_vec()),
            Keys::Range(start, _) => *start = Bound::Included(key.as_bytes().to_vec()),
        }
        self
    }

    /// Of a prefix, the entries before this key.
    #[must_use]
    pub fn end(mut self, key: &Key) -> Self {
        match &mut self.keys {
            Keys::Prefix { end, .. } => *end = Some(key.as_bytes().to_vec()),
            Keys::Range(_, end) => *end = Bound::Excluded(key.as_bytes().to_vec()),
        }
        self
    }

    /// From the last key to the first: with a limit, the last entries.
    #[must_use]
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// So many entries at most.
    #[must_use]
    pub fn limit(mut self, entries: usize) -> Self {
        self.limit = entries;
        self
    }

    /// Goes on behind what was read before.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// Between which keys.
    pub(crate) fn bounds(&self) -> Result<KeyBounds, KvError> {
        let (mut start, mut end) = match &self.keys {
            Keys::Range(start, end) => (start.clone(), end.clone()),
            Keys::Prefix { prefix, start, end } => {
                if start.is_some() && end.is_some() {
                    return Err(KvError::Selection { what: "a prefix, a start and an end" });
                }
                let behind = |byte| [prefix.as_slice(), &[byte]].concat();
                for bound in start.iter().chain(end) {
                    let rest = bound.strip_prefix(prefix.as_slice()).and_then(<[u8]>::first);
                    if rest.is_none_or(|byte| *byte == PART_END) {
                        return Err(KvError::Selection { what: "a bound outside of its prefix" });
                    }
                }
                let first = start.clone().unwrap_or_else(|| behind(0));
                let last = end.clone().unwrap_or_else(|| behind(PART_END));
                (Bound::Included(first), Bound::Excluded(last))
            }
        };
        if let Some(Cursor(last)) = &self.after {
            let above = match &start {
                Bound::Included(start) => last >= start,
                Bound::Excluded(start) => last > start,
                Bound::Unbounded => true,
            };
            let below = match &end {
                Bound::Included(end) => last <= end,
                Bound::Excluded(end) => last < end,
                Bound::Unbounded => true,
            };
            if !above || !below {
                return Err(KvError::Cursor);
            }
            if self.reverse {
                end = Bound::Excluded(last.clone());
            } else {
                start = Bound::Excluded(last.clone());
            }
        }
        Ok((start, end))
    }
}

impl From<&Self> for Selection {
    fn from(selection: &Self) -> Self {
        selection.clone()
    }
}

#[cfg(test)]
mod tests {
    use selvedge_encoding::key;

    use super::*;

    #[test]
    fn a_prefix_does_not_select_itself() {
        let bounds = Selection::prefix(&key!["a"]).bounds().unwrap();
        let expected = (b"\x02a\x00\x00".to_vec(), b"\x02a\x00\xff".to_vec());
        assert_eq!(bounds, (Bound::Included(expected.0), Bound::Excluded(expected.1)));
        let everything = Selection::prefix(&Key::new()).bounds().unwrap();
        assert_eq!(everything, (Bound::Included(vec![0]), Bound::Excluded(vec![0xFF])));
    }

    #[test]
    fn what_cannot_be_selected_is_refused() {
        let prefix = || Selection::prefix(&key!["a"]);
        assert!(prefix().start(&key!["a", 1]).bounds().is_ok());
        assert!(prefix().end(&key!["a", 1]).bounds().is_ok());
        assert!(prefix().start(&key!["b", 1]).bounds().is_err());
        assert!(prefix().end(&key!["a"]).bounds().is_err());
        // Their bytes begin as the prefix does, and yet their first part is another string.
        let other = key!["a\0b"];
        assert!(prefix().start(&other).bounds().is_err());
        assert!(prefix().end(&other).bounds().is_err(), "it would let [\"a\\0a\"] in");
        assert!(prefix().start(&key!["a", 1]).end(&key!["a", 2]).bounds().is_err());
        assert!(Selection::range(key!["b"], key!["a"]).bounds().is_ok(), "empty, no error");
        let cursor: Cursor = Cursor::at(key!["b"].as_bytes()).to_string().parse().unwrap();
        assert_eq!(prefix().after(cursor).bounds(), Err(KvError::Cursor));
        for wrong in ["0", "0g", "+1", "é"] {
            assert_eq!(wrong.parse::<Cursor>(), Err(KvError::Cursor));
        }
    }

    #[test]
    fn bytes_have_an_end() {
        let end = |bytes: &[u8]| Selection::starting_with(bytes).bounds().unwrap().1;
        assert_eq!(end(b"ab"), Bound::Excluded(b"ac".to_vec()));
        assert_eq!(end(b"a\xff\xff"), Bound::Excluded(b"b".to_vec()));
        assert_eq!(end(b"\xff"), Bound::Unbounded);
        assert_eq!(end(b""), Bound::Unbounded);
    }
}
