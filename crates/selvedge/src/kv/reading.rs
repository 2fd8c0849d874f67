//! Reading a keyspace as a snapshot, or a transaction, sees it.

use std::borrow::Cow;
use std::fmt;

use selvedge_keyspace::{EntryRange, EntryValue, EntryView, EntryWrites, RangeOptions};

use crate::error::Result;
use crate::kv::entry::KvEntry;
use crate::kv::error::KvError;
use crate::kv::selection::{Cursor, Selection};
use crate::kv::space::{FullBounds, FullKey, SPACE_BYTES, Space};

/// Keys that are read together, if there are so many.
const READ_TOGETHER: usize = 32;

/// A keyspace as of one moment: from [`Snapshot::kv`](crate::Snapshot::kv) and its
/// likes. A transaction's own writes are seen as well.
#[derive(Clone, Copy)]
pub struct KvView<'a> {
    view: EntryView<'a>,
    space: Space,
    /// Where what is read is noted, if it is to be validated.
    noted: Option<&'a EntryWrites>,
}

impl<'a> KvView<'a> {
    #[inline]
    pub(crate) fn new(view: EntryView<'a>, space: Space, noted: Option<&'a EntryWrites>) -> Self {
        Self { view, space, noted }
    }

    /// The entry with a key; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Kv`](crate::Error::Kv) if a `sum` that the transaction has staged does
    /// not fit the value.
    #[inline]
    pub fn get<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Result<Option<KvEntry<'a>>> {
        let key = self.space.key(key.as_ref());
        let value = self.get_full(&key)?;
        Ok(value.map(|value| KvEntry::new(Cow::Owned(key.into_vec()), value)))
    }

    #[inline]
    fn get_full(&self, key: &[u8]) -> Result<Option<EntryValue<'a>>> {
        if let Some(noted) = self.noted {
            noted.validate_read(key);
        }
        Ok(self.view.get(key).map_err(|error| KvError::computing(&error))?)
    }

    /// The bytes of the value of a key, whatever they are; `None` if there is none.
    /// The quickest way to read one entry.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn get_bytes<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Result<Option<Cow<'a, [u8]>>> {
        let key = key.as_ref();
        if self.noted.is_none() && !self.view.has_writes() {
            return Ok(self.view.stored_bytes(self.space.parts(key)).map(Cow::Borrowed));
        }
        self.get_bytes_and_note(key)
    }

    // Not inlined: what is read by the shortest way shall be.
    #[inline(never)]
    fn get_bytes_and_note(&self, key: &[u8]) -> Result<Option<Cow<'a, [u8]>>> {
        self.space.with_key(key, |key| self.full_key_bytes(key))
    }

    /// The bytes of the value of a key that has the number of its keyspace before it.
    #[inline]
    pub(crate) fn full_key_bytes(&self, key: &[u8]) -> Result<Option<Cow<'a, [u8]>>> {
        if let Some(noted) = self.noted {
            noted.validate_read(key);
        }
        Ok(self.view.get_bytes(key).map_err(|error| KvError::computing(&error))?)
    }

    /// The entries between keys that have the number of their keyspace before them.
    pub(crate) fn full_range(&self, bounds: &FullBounds, reverse: bool) -> KvRange<'a> {
        let options = RangeOptions { reverse, ..RangeOptions::default() };
        KvRange { range: self.view.range(bounds.get(), options), noted: self.noted }
    }

    /// The entries with these keys, in their order.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<KvEntry<'a>>>> {
        self.each(keys, |key| {
            let value = self.get_full(&key)?;
            Ok(value.map(|value| KvEntry::new(Cow::Owned(key.into_vec()), value)))
        })
    }

    /// The bytes of the values of these keys, in their order. The quickest way to read
    /// many entries that do not lie side by side: memory is asked for several of them
    /// at a time.
    ///
    /// ```
    /// use selvedge::prelude::*;
    ///
    /// let db = Db::in_memory();
    /// let kv = db.kv();
    /// kv.atomic().set(b"a", b"1").set(b"b", b"2").commit()?;
    /// kv.view(|view| {
    ///     let values = view.get_many_bytes([b"b", b"c", b"a"])?;
    ///     assert_eq!(values[0].as_deref(), Some(&b"2"[..]));
    ///     assert_eq!(values[1], None);
    ///     Ok::<_, Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many_bytes<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Cow<'a, [u8]>>>> {
        self.each(keys, |key| {
            if let Some(noted) = self.noted {
                noted.validate_read(&key);
            }
            Ok(self.view.get_bytes(&key).map_err(|error| KvError::computing(&error))?)
        })
    }

    /// Reads these keys, so many at a time that memory is asked for together.
    fn each<K: AsRef<[u8]>, T>(
        &self,
        keys: impl IntoIterator<Item = K>,
        read: impl Fn(FullKey) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut keys = keys.into_iter();
        let mut found = Vec::with_capacity(keys.size_hint().0);
        let mut together = Vec::new();
        loop {
            let full = keys.by_ref().take(READ_TOGETHER);
            together.extend(full.map(|key| self.space.key(key.as_ref())));
            if together.is_empty() {
                return Ok(found);
            }
            self.view.prefetch(&together);
            for key in together.drain(..) {
                found.push(read(key)?);
            }
        }
    }

    /// The entries of a selection, one by one.
    ///
    /// # Errors
    /// [`Error::Kv`](crate::Error::Kv) if the selection, or its cursor, cannot be.
    pub fn range(&self, selection: impl Into<Selection>) -> Result<KvRange<'a>> {
        let selection = selection.into();
        let (start, end) = selection.bounds()?;
        let bounds = self.space.bounds(
            start.as_ref().map(|key| key.as_slice()),
            end.as_ref().map(|key| key.as_slice()),
        );
        let options = RangeOptions { reverse: selection.reverse, limit: selection.limit };
        let range = self.view.range(bounds.get(), options);
        Ok(KvRange { range, noted: self.noted })
    }

    /// The entries of a selection.
    ///
    /// # Errors
    /// As [`range`](Self::range) and [`get`](Self::get).
    pub fn list(&self, selection: impl Into<Selection>) -> Result<Vec<KvEntry<'a>>> {
        self.range(selection)?.collect()
    }

    /// The keys of a selection, as bytes.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn keys(&self, selection: impl Into<Selection>) -> Result<Vec<Vec<u8>>> {
        self.range(selection)?.map(|entry| entry.map(|entry| entry.key_bytes().to_vec())).collect()
    }

    /// How many entries a selection has. Walks over them.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn count(&self, selection: impl Into<Selection>) -> Result<u64> {
        self.range(selection)?.try_fold(0, |count, entry| entry.map(|_| count + 1))
    }
}

impl fmt::Debug for KvView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvView").field("space", &self.space).finish_non_exhaustive()
    }
}

/// The entries of a selection, from [`KvView::range`].
pub struct KvRange<'a> {
    range: EntryRange<'a>,
    noted: Option<&'a EntryWrites>,
}

impl KvRange<'_> {
    /// Where reading has come; `None` before the first entry.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.range.last_key().map(|key| Cursor::at(&key[SPACE_BYTES..]))
    }
}

impl<'a> Iterator for KvRange<'a> {
    type Item = Result<KvEntry<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.range.next()? {
            Ok((key, value)) => Ok(KvEntry::new(Cow::Borrowed(key), value)),
            Err(error) => Err(KvError::computing(&error).into()),
        })
    }
}

impl Drop for KvRange<'_> {
    /// What was looked at is what has to be as it was.
    fn drop(&mut self) {
        if let (Some(noted), Some(covered)) = (self.noted, self.range.covered()) {
            noted.validate_range(covered);
        }
    }
}

impl fmt::Debug for KvRange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvRange").field("cursor", &self.cursor()).finish_non_exhaustive()
    }
}
