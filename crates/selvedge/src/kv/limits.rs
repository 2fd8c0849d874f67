//! What keyspaces refuse for its size.

use selvedge_base::limits::{
    COMMIT_BYTES_MAX, ENTRY_KEY_BYTES_MAX, ENTRY_VALUE_BYTES_MAX, TRANSACTION_WRITES_MAX,
};

use crate::kv::error::KvError;
use crate::kv::space::SPACE_BYTES;

/// Limits of keyspaces, for [`DbBuilder::kv_limits`](crate::DbBuilder::kv_limits). By
/// default those of the engine, which none can pass. They hold for what is written from
/// now on.
///
/// ```
/// use selvedge::prelude::*;
/// use selvedge::{KvLimits, key};
///
/// let limits = KvLimits::default().value_bytes(65_536).mutations(1000);
/// let db = Db::builder().kv_limits(limits).in_memory();
/// assert!(db.kv().set(&key!["large"], vec![0; 65_537]).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KvLimits {
    pub(crate) key_bytes: usize,
    pub(crate) value_bytes: usize,
    pub(crate) checks: usize,
    pub(crate) mutations: usize,
    pub(crate) mutation_bytes: usize,
    pub(crate) watched_keys: usize,
}

impl Default for KvLimits {
    fn default() -> Self {
        Self {
            key_bytes: ENTRY_KEY_BYTES_MAX - SPACE_BYTES,
            value_bytes: ENTRY_VALUE_BYTES_MAX,
            checks: TRANSACTION_WRITES_MAX,
            mutations: TRANSACTION_WRITES_MAX,
            mutation_bytes: COMMIT_BYTES_MAX,
            watched_keys: WATCHED_KEYS_MAX,
        }
    }
}

/// Keys that one watch has, unless [`KvLimits::watched_keys`] says otherwise.
pub const WATCHED_KEYS_MAX: usize = 1024;

impl KvLimits {
    /// Bytes of a key.
    #[must_use]
    pub fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = bytes.min(self.key_bytes);
        self
    }

    /// Bytes of a value.
    #[must_use]
    pub fn value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes.min(self.value_bytes);
        self
    }

    /// Checks of an atomic operation.
    #[must_use]
    pub fn checks(mut self, checks: usize) -> Self {
        self.checks = checks.min(self.checks);
        self
    }

    /// Mutations of an atomic operation, messages included.
    #[must_use]
    pub fn mutations(mut self, mutations: usize) -> Self {
        self.mutations = mutations.min(self.mutations);
        self
    }

    /// Bytes of the keys and values of an atomic operation, those of messages included.
    #[must_use]
    pub fn mutation_bytes(mut self, bytes: usize) -> Self {
        self.mutation_bytes = bytes.min(self.mutation_bytes);
        self
    }

    /// Keys of a watch.
    #[must_use]
    pub fn watched_keys(mut self, keys: usize) -> Self {
        self.watched_keys = keys;
        self
    }

    /// Whether entries may have such a key.
    pub(crate) fn check_key(&self, key: &[u8]) -> Result<(), KvError> {
        if key.is_empty() { Err(KvError::KeyEmpty) } else { self.check_key_bytes(key.len()) }
    }

    /// Whether entries may have a key of so many bytes.
    pub(crate) fn check_key_bytes(&self, bytes: usize) -> Result<(), KvError> {
        let limit = self.key_bytes;
        if bytes > limit { Err(KvError::KeyTooLong { bytes, limit }) } else { Ok(()) }
    }

    /// Whether entries may have such a value.
    pub(crate) fn check_value(&self, value: &[u8]) -> Result<(), KvError> {
        let (bytes, limit) = (value.len(), self.value_bytes);
        if bytes > limit { Err(KvError::ValueTooLong { bytes, limit }) } else { Ok(()) }
    }
}

/// What an atomic operation has so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counted {
    checks: usize,
    mutations: usize,
    bytes: usize,
}

impl Counted {
    pub(crate) fn check(&mut self, limits: &KvLimits) -> Result<(), KvError> {
        self.checks += 1;
        at_most("checks", self.checks, limits.checks)
    }

    pub(crate) fn mutation(&mut self, limits: &KvLimits, bytes: usize) -> Result<(), KvError> {
        self.mutations += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        at_most("mutations", self.mutations, limits.mutations)?;
        at_most("bytes of mutations", self.bytes, limits.mutation_bytes)
    }
}

pub(crate) fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), KvError> {
    if count > limit { Err(KvError::TooMany { what, count, limit }) } else { Ok(()) }
}
