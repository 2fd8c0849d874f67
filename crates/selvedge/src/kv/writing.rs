//! A keyspace inside a transaction, together with nodes and edges.

use std::fmt;
use std::time::Duration;

use selvedge_keyspace::{EntryWrites, Expected, Mutation};

use crate::error::Result;
use crate::kv::entry::KvEntry;
use crate::kv::error::KvError;
use crate::kv::expiry::expires_in;
use crate::kv::reading::{KvRange, KvView};
use crate::kv::selection::Selection;
use crate::kv::space::Space;
use crate::kv::value::KvValue;
use crate::kv::versionstamp::Versionstamp;
use crate::read::Sealed as _;
use crate::transaction::Transaction;

/// A keyspace inside a transaction, from [`Transaction::kv`]: what is read is as of
/// its start, own writes included; what is written becomes visible with the rest of
/// it, or not at all.
///
/// `set` and `delete` conflict with whoever wrote the same key since the start; `sum`,
/// `min` and `max` never do: they are computed on the newest value when the
/// transaction commits.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::key;
///
/// let db = Db::in_memory();
/// db.transaction(|ctx| {
///     let alice = ctx.insert_node("User", "alice", doc! { "age": 31 })?;
///     ctx.kv().set(&key!["session", 7], alice.get())?;
///     ctx.kv().sum(&key!["users"], 1)
/// })?;
/// let users = db.kv().get(&key!["users"])?.and_then(|users| users.number());
/// assert_eq!(users, Some(1));
/// # Ok::<(), Error>(())
/// ```
pub struct KvTransaction<'t, 'db> {
    transaction: &'t mut Transaction<'db>,
    space: Space,
}

impl<'t, 'db> KvTransaction<'t, 'db> {
    pub(crate) fn new(transaction: &'t mut Transaction<'db>, space: Space) -> Self {
        Self { transaction, space }
    }

    /// Reading, own writes included.
    #[must_use]
    pub fn view(&self) -> KvView<'_> {
        self.transaction.kv_in(self.space)
    }

    /// The entry with a key.
    ///
    /// # Errors
    /// As [`KvView::get`].
    pub fn get<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Result<Option<KvEntry<'_>>> {
        self.view().get(key)
    }

    /// The entries of a selection, one by one.
    ///
    /// # Errors
    /// As [`KvView::range`].
    pub fn range(&self, selection: impl Into<Selection>) -> Result<KvRange<'_>> {
        self.view().range(selection)
    }

    fn stage(
        &mut self,
        key: &[u8],
        stage: impl FnOnce(&mut EntryWrites, &[u8]) -> Result<(), selvedge_keyspace::InputError>,
    ) -> Result<()> {
        self.transaction.kv_limits().check_key(key)?;
        let staged = self.space.with_key(key, |key| stage(self.transaction.entries(), key));
        Ok(staged.map_err(|error| KvError::staging(&error))?)
    }

    /// Gives a key a value, which stays.
    ///
    /// # Errors
    /// [`Error::Kv`](crate::Error::Kv) if the key or the value is too long.
    pub fn set<'v, K>(&mut self, key: &K, value: impl Into<KvValue<'v>>) -> Result<()>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        let (encoding, bytes) = value.into().encode()?;
        self.transaction.kv_limits().check_value(&bytes)?;
        self.stage(key.as_ref(), |writes, key| writes.put(key, encoding, &bytes))
    }

    /// Gives a key a value that is there for so long, from now on.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_for<'v, K>(
        &mut self,
        key: &K,
        value: impl Into<KvValue<'v>>,
        time: Duration,
    ) -> Result<()>
    where
        K: AsRef<[u8]> + ?Sized,
    {
        let (encoding, bytes) = value.into().encode()?;
        self.transaction.kv_limits().check_value(&bytes)?;
        let expires = expires_in(self.transaction.keyspace_store(), time);
        self.stage(key.as_ref(), |writes, key| writes.put_until(key, encoding, &bytes, expires))
    }

    /// Removes an entry, which may be absent.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn delete<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K) -> Result<()> {
        self.stage(key.as_ref(), EntryWrites::delete)
    }

    /// Adds to the number at a key, wrapping around at 2^64; an absent one becomes the
    /// operand. If the value is another when the transaction commits, nothing of it is
    /// applied, and the commit fails with [`KvError::NotANumber`].
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn sum<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K, operand: u64) -> Result<()> {
        self.stage(key.as_ref(), |writes, key| writes.mutate(key, Mutation::Sum(operand)))
    }

    /// The number at a key becomes the operand, if that is smaller. As
    /// [`sum`](Self::sum) otherwise.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn min<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K, operand: u64) -> Result<()> {
        self.stage(key.as_ref(), |writes, key| writes.mutate(key, Mutation::Min(operand)))
    }

    /// The number at a key becomes the operand, if that is larger. As
    /// [`sum`](Self::sum) otherwise.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn max<K: AsRef<[u8]> + ?Sized>(&mut self, key: &K, operand: u64) -> Result<()> {
        self.stage(key.as_ref(), |writes, key| writes.mutate(key, Mutation::Max(operand)))
    }

    /// Expects a key to have this versionstamp when the transaction commits, or not to
    /// exist (`None`); judged against the newest state. If not, the commit fails with
    /// [`Error::ChecksFailed`](crate::Error::ChecksFailed), which names the checks by
    /// the numbers that this gives, counted from 0.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn check<K: AsRef<[u8]> + ?Sized>(
        &mut self,
        key: &K,
        versionstamp: Option<Versionstamp>,
    ) -> Result<usize> {
        self.transaction.kv_limits().check_key(key.as_ref())?;
        let key = self.space.key(key.as_ref());
        let checked = self.transaction.entries().check(&key, expected(versionstamp));
        Ok(checked.map_err(|error| KvError::staging(&error))?)
    }
}

impl fmt::Debug for KvTransaction<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvTransaction").field("space", &self.space).finish_non_exhaustive()
    }
}

pub(crate) fn expected(versionstamp: Option<Versionstamp>) -> Expected {
    versionstamp.map_or(Expected::Absent, |stamp| Expected::Version(stamp.timestamp()))
}
