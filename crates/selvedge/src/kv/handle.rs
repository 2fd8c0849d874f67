//! The handle of a keyspace.

use std::fmt;
use std::time::Duration;

use selvedge_base::limits::NAME_BYTES_MAX;
use selvedge_keyspace::{Encoding, EntryWrites, Keyspace, Mutation};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::kv::atomic::{Atomic, AtomicOutcome};
use crate::kv::entry::KvEntry;
use crate::kv::error::KvError;
use crate::kv::limits::{KvLimits, at_most};
use crate::kv::reading::KvView;
use crate::kv::selection::Selection;
use crate::kv::space::{Own, Space};
use crate::kv::value::KvValue;
use crate::kv::watch::KvWatch;
use crate::options::TransactionOptions;
use crate::read::Sealed as _;
use crate::retry::RetryPolicy;
use crate::stores::KeptWrites;

/// A keyspace: values under keys that are ordered, each with the versionstamp of the
/// commit that wrote it. From [`Db::kv`] and [`Db::keyspace`].
///
/// Keys are made of typed parts ([`key!`](crate::key!)), or are any bytes. Reads that
/// belong together go through one [`view`](Self::view) or
/// [`Snapshot::kv`](crate::Snapshot::kv); writes through [`atomic`](Self::atomic), or
/// [`Transaction::kv`](crate::Transaction::kv) if nodes and edges change as well.
#[derive(Clone)]
pub struct Kv {
    pub(crate) db: Db,
    pub(crate) space: Space,
}

impl Db {
    /// The keyspace without a name.
    ///
    /// ```
    /// use selvedge::prelude::*;
    /// use selvedge::key;
    ///
    /// let db = Db::in_memory();
    /// let kv = db.kv();
    /// kv.set(&key!["user", "alice"], doc! { "age": 31 })?;
    /// let alice = kv.get(&key!["user", "alice"])?.expect("just set");
    /// assert_eq!(alice.document()?.get("age").and_then(|age| age.as_i64()), Some(31));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn kv(&self) -> Kv {
        Kv { db: self.clone(), space: Space::DEFAULT }
    }

    /// The keyspace with a name; made, if there is none.
    ///
    /// # Errors
    /// [`Error::Kv`](crate::Error::Kv) if the name is empty or has more than
    /// [`NAME_BYTES_MAX`] bytes, or the database is only read and has no such keyspace;
    /// otherwise as [`Db::transaction`].
    pub fn keyspace(&self, name: &str) -> Result<Kv> {
        if let Some(kv) = self.existing_keyspace(name)? {
            return Ok(kv);
        }
        let key = name_key(name)?;
        let made = self.transaction_retry(RetryPolicy::default(), |ctx| {
            let next = Own::NextKeyspace.key(&[]);
            let (known, number) = {
                let view = ctx.entry_view();
                let read = |key: &[u8]| -> Result<Option<u64>> {
                    let value = view.get(key).map_err(|error| KvError::computing(&error))?;
                    Ok(value.and_then(|value| value.number()))
                };
                (read(&key)?, read(&next)?.unwrap_or(Space::NAMED))
            };
            if known.is_some() {
                return Ok(known);
            }
            if Space::numbered(number).is_none() {
                let limit = usize::from(u16::MAX);
                let what = "keyspaces";
                return Err(Error::from(KvError::TooMany { what, count: limit + 1, limit }));
            }
            let entries = ctx.entries();
            let stage = |error| KvError::staging(&error);
            let le64 = |number: u64| number.to_le_bytes();
            entries.put(&key, Encoding::LE64, &le64(number)).map_err(stage)?;
            entries.put(&next, Encoding::LE64, &le64(number + 1)).map_err(stage)?;
            Ok(Some(number))
        });
        let space = match made {
            Ok(number) => number.and_then(Space::numbered),
            Err(Error::Closed) if self.engine().is_ok() => {
                return Err(KvError::NoSuchKeyspace { name: name.to_owned() }.into());
            }
            Err(error) => return Err(error),
        };
        let space = space.ok_or_else(|| KvError::NoSuchKeyspace { name: name.to_owned() })?;
        Ok(Kv { db: self.clone(), space })
    }

    /// The keyspace with a name, if there is one.
    ///
    /// # Errors
    /// As [`keyspace`](Self::keyspace).
    pub fn existing_keyspace(&self, name: &str) -> Result<Option<Kv>> {
        let key = name_key(name)?;
        let snapshot = self.snapshot()?;
        let value = snapshot.entry_view().get(&key).map_err(|error| KvError::computing(&error))?;
        let space = value.and_then(|value| value.number()).and_then(Space::numbered);
        Ok(space.map(|space| Kv { db: self.clone(), space }))
    }
}

fn name_key(name: &str) -> Result<Vec<u8>, KvError> {
    let (bytes, limit) = (name.len(), NAME_BYTES_MAX);
    if bytes == 0 || bytes > limit {
        return Err(KvError::Name { bytes, limit });
    }
    Ok(Own::Names.key(name.as_bytes()).into_vec())
}

impl Kv {
    /// The database that the keyspace is part of.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    pub(crate) fn limits(&self) -> Result<KvLimits> {
        Ok(self.db.engine()?.participant().kv_limits)
    }

    pub(crate) fn with_keyspace<T>(&self, work: impl FnOnce(&Keyspace) -> T) -> Result<T> {
        Ok(work(&self.db.engine()?.participant().keyspace))
    }

    /// Commits blind mutations.
    pub(crate) fn commit_entries(&self, entries: EntryWrites) -> Result<()> {
        let engine = self.db.engine()?;
        let mut writes = KeptWrites::take();
        writes.entries = Some(Box::new(entries));
        let open = engine.open()?;
        engine.commit(open, &mut writes, None)?;
        Ok(())
    }

    /// Reads from a snapshot of the newest state.
    ///
    /// # Errors
    /// What `read` returns; [`Error::TooManySnapshots`].
    #[inline]
    pub fn view<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&KvView<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.db.view(|snapshot| read(&snapshot.kv_in(self.space)))
    }

    /// The entry with a key; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::TooManySnapshots`].
    pub fn get<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Result<Option<KvEntry<'static>>> {
        self.view(|view| Ok(view.get(key)?.map(KvEntry::into_owned)))
    }

    /// The entries with these keys, all as of one moment.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<KvEntry<'static>>>> {
        self.view(|view| {
            let entries = view.get_many(keys)?;
            Ok(entries.into_iter().map(|entry| entry.map(KvEntry::into_owned)).collect())
        })
    }

    /// As [`get_many`](Self::get_many), for so many keys.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many_of<K: AsRef<[u8]>, const N: usize>(
        &self,
        keys: [K; N],
    ) -> Result<[Option<KvEntry<'static>>; N]> {
        let mut entries = self.get_many(keys)?.into_iter();
        Ok(std::array::from_fn(|_| entries.next().flatten()))
    }

    /// The entries of a selection.
    ///
    /// # Errors
    /// As [`KvView::range`].
    pub fn list(&self, selection: impl Into<Selection>) -> Result<Vec<KvEntry<'static>>> {
        self.view(|view| {
            let entries = view.range(selection)?;
            entries.map(|entry| entry.map(KvEntry::into_owned)).collect()
        })
    }

    /// The keys of a selection, as bytes.
    ///
    /// # Errors
    /// As [`KvView::range`].
    pub fn keys(&self, selection: impl Into<Selection>) -> Result<Vec<Vec<u8>>> {
        self.view(|view| view.keys(selection))
    }

    /// How many entries a selection has.
    ///
    /// # Errors
    /// As [`KvView::range`].
    pub fn count(&self, selection: impl Into<Selection>) -> Result<u64> {
        self.view(|view| view.count(selection))
    }

    /// An atomic operation.
    pub fn atomic(&self) -> Atomic<'_> {
        Atomic::new(self)
    }

    /// Gives a key a value, whatever it had.
    ///
    /// # Errors
    /// As [`Atomic::commit`].
    pub fn set<'v, K>(&self, key: &K, value: impl Into<KvValue<'v>>) -> Result<()>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.atomic().set(key, value).commit().map(drop)
    }

    /// Gives a key a value that is there for so long, from now on.
    ///
    /// # Errors
    /// As [`Atomic::commit`].
    pub fn set_for<'v, K>(
        &self,
        key: &K,
        value: impl Into<KvValue<'v>>,
        time: Duration,
    ) -> Result<()>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.atomic().set(key, value).expire_in(time).commit().map(drop)
    }

    /// Removes an entry, which may be absent.
    ///
    /// # Errors
    /// As [`Atomic::commit`].
    pub fn delete<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Result<()> {
        self.atomic().delete(key).commit().map(drop)
    }

    /// Adds to the number at a key; gives the new one.
    ///
    /// # Errors
    /// As [`Atomic::commit`].
    pub fn sum<K: AsRef<[u8]> + ?Sized>(&self, key: &K, operand: u64) -> Result<u64> {
        match self.atomic().sum(key, operand).commit()? {
            AtomicOutcome::Committed(commit) => Ok(commit.number(key).unwrap_or(operand)),
            AtomicOutcome::ChecksFailed(failed) => Err(Error::ChecksFailed(failed)),
        }
    }

    /// Removes the entries of a selection, all at once: those that there are when it is
    /// committed. Gives their number.
    ///
    /// # Errors
    /// As [`KvView::range`] and [`Db::transaction_retry`].
    pub fn delete_range(&self, selection: impl Into<Selection>) -> Result<u64> {
        let (selection, options) = (selection.into(), TransactionOptions::serializable());
        self.db.transaction_retry_with(RetryPolicy::default(), &options, |ctx| {
            let keys = ctx.kv_in(self.space).keys(&selection)?;
            for key in &keys {
                let key = self.space.key(key);
                let staged = ctx.entries().mutate(&key, Mutation::Delete);
                staged.map_err(|error| KvError::staging(&error))?;
            }
            Ok(keys.len() as u64)
        })
    }

    /// Watches keys, see [`KvWatch`].
    ///
    /// # Errors
    /// [`Error::Kv`](crate::Error::Kv) if there are more than
    /// [`KvLimits::watched_keys`](crate::KvLimits::watched_keys).
    pub fn watch<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<KvWatch> {
        let full = |key: K| self.space.key(key.as_ref()).into_vec().into_boxed_slice();
        let keys: Vec<Box<[u8]>> = keys.into_iter().map(full).collect();
        at_most("watched keys", keys.len(), self.limits()?.watched_keys)?;
        let watcher = self.with_keyspace(|keyspace| keyspace.watchers().watch(keys))?;
        Ok(KvWatch::new(self, watcher))
    }
}

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kv").field("space", &self.space).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_names() {
        let db = Db::in_memory();
        let put_next = |number: u64| {
            let mut writes = EntryWrites::new();
            let set = Mutation::Set(Encoding::LE64, &number.to_le_bytes());
            writes.mutate(&Own::NextKeyspace.key(&[]), set).unwrap();
            db.kv().commit_entries(writes).unwrap();
        };
        put_next(u64::from(u16::MAX));
        let last = db.keyspace("last").unwrap();
        last.set(b"k", 1_u64).unwrap();
        assert_eq!(last.count(Selection::all()).unwrap(), 1, "it has no end but that of all");
        let limit = usize::from(u16::MAX);
        let refused = KvError::TooMany { what: "keyspaces", count: limit + 1, limit };
        assert_eq!(db.keyspace("one more").err(), Some(refused.into()));
        assert_eq!(db.keyspace("last").unwrap().space, last.space);
    }
}
