//! Atomic operations: checks, then mutations, all or nothing.

use std::fmt;
use std::time::Duration;

use selvedge_engine::{CommitError, SyncLevel};
use selvedge_keyspace::{
    Encoding, EntryWrites, InputError as EntryInput, Mutation, Refusal, STAMP_SUFFIX_BYTES, V8Sum,
    stamped_key,
};

use crate::error::{Error, Result};
use crate::kv::error::KvError;
use crate::kv::expiry::expires_in;
use crate::kv::handle::Kv;
use crate::kv::limits::{Counted, KvLimits};
use crate::kv::queue::Message;
use crate::kv::space::{FullKey, SPACE_BYTES};
use crate::kv::value::KvValue;
use crate::kv::versionstamp::Versionstamp;
use crate::kv::writing::expected;
use crate::pending_sync::PendingSync;
use crate::stores::{DbEngine, KeptWrites, StoreRefusal, take_entries};

/// An atomic operation under way, from [`Kv::atomic`]: checks of what the caller has
/// seen, and mutations, which are applied in order if every check holds when it is
/// committed, and not at all otherwise. It reads nothing, and conflicts with nobody.
///
/// An operation that cannot be (a key that is too long, say) is told by
/// [`commit`](Self::commit).
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::key;
///
/// let db = Db::in_memory();
/// let accounts = db.kv();
/// accounts.atomic().set(&key!["alice"], 100_u64).set(&key!["bob"], 0_u64).commit()?;
///
/// // Moves 10, however many others do the same.
/// loop {
///     let [alice, bob] = accounts.get_many_of([key!["alice"], key!["bob"]])?;
///     let (alice, bob) = (alice.expect("an account"), bob.expect("an account"));
///     let done = accounts
///         .atomic()
///         .check(&key!["alice"], alice.versionstamp())
///         .check(&key!["bob"], bob.versionstamp())
///         .set(&key!["alice"], alice.number().expect("a number") - 10)
///         .set(&key!["bob"], bob.number().expect("a number") + 10)
///         .commit()?;
///     if done.is_committed() {
///         break;
///     }
/// }
/// let sum = accounts.atomic().sum(&key!["bob"], 5).commit()?.committed().expect("no checks");
/// assert_eq!(sum.number(&key!["bob"]), Some(15));
/// # Ok::<(), Error>(())
/// ```
#[must_use = "nothing happens until it is committed"]
pub struct Atomic<'kv> {
    kv: &'kv Kv,
    writes: Box<EntryWrites>,
    /// The first thing that was wrong.
    wrong: Option<Error>,
    /// What was set last, and may expire.
    last: LastSet,
    sync: Option<SyncLevel>,
    messages: u32,
    limits: KvLimits,
    counted: Counted,
}

#[derive(Debug)]
enum LastSet {
    Nothing,
    Key(FullKey),
    Stamped,
}

/// What became of an atomic operation.
#[derive(Clone, PartialEq, Debug)]
pub enum AtomicOutcome {
    /// It was applied.
    Committed(KvCommit),
    /// Checks failed, those with these numbers, counted from 0; nothing was applied.
    ChecksFailed(Vec<usize>),
}

impl AtomicOutcome {
    /// Whether it was applied.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        matches!(self, Self::Committed(_))
    }

    /// The commit, if it was applied.
    #[must_use]
    pub fn committed(self) -> Option<KvCommit> {
        match self {
            Self::Committed(commit) => Some(commit),
            Self::ChecksFailed(_) => None,
        }
    }
}

/// An atomic operation that was applied.
#[derive(Clone, PartialEq)]
pub struct KvCommit {
    versionstamp: Versionstamp,
    /// Full keys, and what was computed for them.
    computed: Vec<(FullKey, Encoding, Vec<u8>)>,
}

impl KvCommit {
    /// What all keys that it wrote have now.
    #[must_use]
    pub fn versionstamp(&self) -> Versionstamp {
        self.versionstamp
    }

    /// The number that a `sum`, `min` or `max` of the operation gave a key.
    #[must_use]
    pub fn number<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Option<u64> {
        match self.computed(key)? {
            KvValue::U64(number) => Some(number),
            _ => None,
        }
    }

    /// As [`number`](Self::number), for numbers of any kind.
    #[must_use]
    pub fn computed<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Option<KvValue<'_>> {
        let mut computed = self.computed.iter();
        let (_, encoding, bytes) =
            computed.find(|(full, ..)| full[SPACE_BYTES..] == *key.as_ref())?;
        KvValue::decode(*encoding, bytes).ok()
    }

    /// The key that [`Atomic::set_versionstamped`] gave its value.
    #[must_use]
    pub fn stamped_key<K: AsRef<[u8]> + ?Sized>(&self, prefix: &K) -> Vec<u8> {
        stamped_key(prefix.as_ref(), self.versionstamp.timestamp())
    }
}

impl fmt::Debug for KvCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvCommit").field("versionstamp", &self.versionstamp).finish_non_exhaustive()
    }
}

impl<'kv> Atomic<'kv> {
    pub(crate) fn new(kv: &'kv Kv) -> Self {
        let (limits, wrong) = match kv.limits() {
            Ok(limits) => (limits, None),
            Err(error) => (KvLimits::default(), Some(error)),
        };
        let (writes, last, counted) = (take_entries(), LastSet::Nothing, Counted::default());
        Self { kv, writes, wrong, last, sync: None, messages: 0, limits, counted }
    }

    fn note<T>(&mut self, done: Result<T, impl Into<Error>>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                self.wrong.get_or_insert(error.into());
                None
            }
        }
    }

    fn stage(
        &mut self,
        key: &[u8],
        stage: impl FnOnce(&mut EntryWrites, &[u8]) -> Result<(), EntryInput>,
    ) -> Option<FullKey> {
        self.last = LastSet::Nothing;
        let checked = self.limits.check_key(key);
        self.note(checked)?;
        let key = self.kv.space.key(key);
        let staged = stage(&mut self.writes, &key).map_err(|error| KvError::staging(&error));
        self.note(staged)?;
        Some(key)
    }

    /// Expects a key to have this versionstamp, or not to exist (`None`), before
    /// anything of this operation is applied.
    pub fn check<K>(mut self, key: &K, versionstamp: Option<Versionstamp>) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        let expected = expected(versionstamp);
        let counted = self.counted.check(&self.limits);
        self.note(counted);
        self.stage(key.as_ref(), |writes, key| writes.check(key, expected).map(drop));
        self
    }

    /// Gives a key a value, whatever it had. It stays, unless
    /// [`expire_in`](Self::expire_in) follows.
    pub fn set<'v, K>(mut self, key: &K, value: impl Into<KvValue<'v>>) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        let encoded = value.into().encode();
        if let Some((encoding, bytes)) = self.note(encoded) {
            self = self.set_encoded(key, encoding, &bytes);
        }
        self
    }

    fn count(&mut self, key: &[u8], value: &[u8]) {
        let counted = self.counted.mutation(&self.limits, key.len() + value.len());
        self.note(counted);
        let fits = self.limits.check_value(value);
        self.note(fits);
    }

    /// As [`set`](Self::set), with bytes in an encoding that others define.
    pub fn set_encoded<K>(mut self, key: &K, encoding: Encoding, bytes: &[u8]) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.count(key.as_ref(), bytes);
        let set = self
            .stage(key.as_ref(), |writes, key| writes.mutate(key, Mutation::Set(encoding, bytes)));
        self.last = set.map_or(LastSet::Nothing, LastSet::Key);
        self
    }

    /// Gives a value a key that ends with the versionstamp of this operation, as a
    /// string part behind the parts of `prefix`: see [`KvCommit::stamped_key`]. Of several
    /// with the same prefix the last one counts.
    pub fn set_versionstamped<'v, K>(mut self, prefix: &K, value: impl Into<KvValue<'v>>) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        let encoded = value.into().encode();
        if let Some((encoding, bytes)) = self.note(encoded) {
            self = self.set_versionstamped_encoded(prefix, encoding, &bytes);
        }
        self
    }

    /// As [`set_versionstamped`](Self::set_versionstamped), with bytes in an encoding
    /// that others define.
    pub fn set_versionstamped_encoded<K>(
        mut self,
        prefix: &K,
        encoding: Encoding,
        bytes: &[u8],
    ) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.count(prefix.as_ref(), bytes);
        let fits = self.limits.check_key_bytes(prefix.as_ref().len() + STAMP_SUFFIX_BYTES);
        self.note(fits);
        let set =
            self.stage(prefix.as_ref(), |writes, key| writes.set_stamped(key, encoding, bytes, 0));
        self.last = set.map_or(LastSet::Nothing, |_| LastSet::Stamped);
        self
    }

    /// What was just set is there for so long, from now on.
    pub fn expire_in(mut self, time: Duration) -> Self {
        let expires = self.kv.with_keyspace(|keyspace| expires_in(keyspace, time));
        match self.note(expires) {
            Some(expires) => self.expire_at(expires),
            None => self,
        }
    }

    /// What was just set is there until this moment, in milliseconds since the epoch.
    pub fn expire_at(mut self, unix_millis: u64) -> Self {
        let expires = unix_millis.max(1);
        let set = match std::mem::replace(&mut self.last, LastSet::Nothing) {
            LastSet::Nothing => false,
            LastSet::Key(key) => self.writes.set_expiry(&key, expires),
            LastSet::Stamped => self.writes.set_stamped_expiry(expires),
        };
        let noted = set.then_some(()).ok_or(KvError::NothingExpires);
        self.note(noted);
        self
    }

    /// Removes an entry, which may be absent.
    pub fn delete<K: AsRef<[u8]> + ?Sized>(mut self, key: &K) -> Self {
        self.count(key.as_ref(), &[]);
        self.stage(key.as_ref(), |writes, key| writes.mutate(key, Mutation::Delete));
        self
    }

    fn compute<K>(mut self, key: &K, mutation: Mutation<'_>) -> Self
    where
        K: AsRef<[u8]> + ?Sized,
    {
        self.count(key.as_ref(), &[0; 8]);
        self.stage(key.as_ref(), |writes, key| writes.mutate(key, mutation));
        self
    }

    /// Adds to the number at a key, wrapping around at 2^64; an absent one becomes the
    /// operand. The new one: [`KvCommit::number`].
    pub fn sum<K: AsRef<[u8]> + ?Sized>(self, key: &K, operand: u64) -> Self {
        self.compute(key, Mutation::Sum(operand))
    }

    /// The number at a key becomes the operand, if that is smaller.
    pub fn min<K: AsRef<[u8]> + ?Sized>(self, key: &K, operand: u64) -> Self {
        self.compute(key, Mutation::Min(operand))
    }

    /// The number at a key becomes the operand, if that is larger.
    pub fn max<K: AsRef<[u8]> + ?Sized>(self, key: &K, operand: u64) -> Self {
        self.compute(key, Mutation::Max(operand))
    }

    /// Adds JavaScript's numbers, or bigints.
    pub fn sum_v8<K: AsRef<[u8]> + ?Sized>(self, key: &K, sum: &V8Sum) -> Self {
        self.compute(key, Mutation::SumV8(sum))
    }

    /// Puts a message into the queue of the keyspace, see [`Kv::enqueue`].
    pub fn enqueue<'v>(mut self, message: impl Into<Message<'v>>) -> Self {
        self.last = LastSet::Nothing;
        let staged = self.kv.with_keyspace(|keyspace| keyspace.now()).and_then(|now| {
            let limits = (now, &self.limits);
            message.into().stage(self.kv.space, limits, self.messages, &mut self.writes)
        });
        self.messages += 1;
        let bytes = self.note(staged).unwrap_or_default();
        let counted = self.counted.mutation(&self.limits, bytes);
        self.note(counted);
        self
    }

    /// When it is durable, if not as the database says.
    pub fn sync(mut self, level: SyncLevel) -> Self {
        self.sync = Some(level);
        self
    }

    /// Commits: every mutation is applied, if every check holds. An operation without
    /// mutations has a versionstamp of its own as well.
    ///
    /// # Errors
    /// [`Error::Kv`] if something that was asked for cannot be: nothing was applied.
    /// Otherwise as [`Transaction::commit`](crate::Transaction::commit), but for
    /// conflicts, of which there are none.
    pub fn commit(self) -> Result<AtomicOutcome> {
        let level = self.sync;
        let kv = self.kv;
        self.commit_on(kv.db.engine()?, level)
    }

    /// Commits, and does not wait for the disk: everybody sees it, and
    /// [`PendingSync::wait`] tells when it is durable. Whatever [`sync`](Self::sync)
    /// says.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_unsynced(self) -> Result<(AtomicOutcome, Option<PendingSync>)> {
        let kv = self.kv;
        let engine = kv.db.engine()?;
        let outcome = self.commit_on(engine, Some(SyncLevel::Off))?;
        Ok((outcome, PendingSync::of(engine)))
    }

    fn commit_on(self, engine: &DbEngine, level: Option<SyncLevel>) -> Result<AtomicOutcome> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let mut writes = KeptWrites::take();
        writes.entries = Some(self.writes);
        let open = engine.open()?;
        match engine.commit(open, &mut writes, level) {
            Ok(commit) => {
                let entries = writes.entries.as_deref();
                let computed = entries.into_iter().flat_map(EntryWrites::computed);
                let computed = computed
                    .map(|(key, encoding, bytes)| (key.into(), encoding, bytes.to_vec()))
                    .collect();
                Ok(AtomicOutcome::Committed(KvCommit { versionstamp: commit.into(), computed }))
            }
            Err(CommitError::Refused(StoreRefusal::Entry(Refusal::ChecksFailed(failed)))) => {
                Ok(AtomicOutcome::ChecksFailed(failed))
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for Atomic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Atomic").field("writes", &self.writes.len()).finish_non_exhaustive()
    }
}
