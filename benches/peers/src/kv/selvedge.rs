//! selvedge: a keyspace, byte keys. In memory; or on disk with a log, which is written by
//! every commit and synced as told, with a checkpoint for each GiB of log
//! (`checkpoint_bytes`) and all values kept in memory (`document_bytes`).

use std::path::Path;

use anyhow::{Context, Result};
use selvedge::{Db, Error, Kv, RetryPolicy, Selection, SyncLevel};
use tempfile::TempDir;

use super::{Engine, Key, Session, first_value, number_of, portions, with_number};

/// The log grows to so much before there is a checkpoint.
const CHECKPOINT_BYTES: u64 = 1 << 30;
/// More than all values.
const DOCUMENT_BYTES: u64 = 4 << 30;

pub struct Selvedge {
    db: Db,
    kv: Kv,
    /// Removed when dropped.
    _dir: Option<TempDir>,
}

/// A database at a path, or a new one there, set up for throughput.
pub fn open(path: &Path, level: SyncLevel) -> Result<Db> {
    let builder = Db::builder().sync(level);
    Ok(builder.checkpoint_bytes(CHECKPOINT_BYTES).document_bytes(DOCUMENT_BYTES).open(path)?)
}

impl Selvedge {
    pub fn in_memory(keys: u64) -> Result<Self> {
        Self::filled(Db::in_memory(), None, keys)
    }

    pub fn on_disk(keys: u64, level: SyncLevel) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let db = open(&dir.path().join("db.selvedge"), level)?;
        Self::filled(db, Some(dir), keys)
    }

    fn filled(db: Db, dir: Option<TempDir>, keys: u64) -> Result<Self> {
        let kv = db.kv();
        for portion in portions(keys) {
            let mut atomic = kv.atomic();
            for key in portion {
                atomic = atomic.set(&key.to_be_bytes(), &first_value(key));
            }
            atomic.commit()?;
        }
        Ok(Self { db, kv, _dir: dir })
    }

    pub fn db(&self) -> &Db {
        &self.db
    }
}

impl Engine for Selvedge {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &Selvedge {
    #[inline(never)]
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        let sum = self.kv.view(|view| {
            let mut sum = 0_u64;
            for key in keys {
                sum += view.get_bytes(key)?.map_or(0, |value| number_of(&value));
            }
            Ok::<_, Error>(sum)
        });
        Ok(sum?)
    }

    #[inline(never)]
    fn read_together(&mut self, keys: &[Key]) -> Result<u64> {
        let sum = self.kv.view(|view| {
            let values = view.get_many_bytes(keys)?;
            Ok::<_, Error>(values.iter().flatten().map(|value| number_of(value)).sum())
        });
        Ok(sum?)
    }

    #[inline(never)]
    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        let policy = RetryPolicy::default().attempts_max(1_000_000);
        self.db.transaction_retry(policy, |ctx| {
            let mut kv = ctx.kv();
            for key in keys {
                let changed = {
                    let value = kv.view().get_bytes(key)?;
                    let value = value.context("a key").expect("all keys are there");
                    with_number(&value, number_of(&value) + 1)
                };
                kv.set(key, &changed)?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(())
    }

    #[inline(never)]
    fn scan(&mut self) -> Result<(u64, u64)> {
        let seen = self.kv.view(|view| {
            let (mut rows, mut sum) = (0, 0);
            for entry in view.range(Selection::all())? {
                rows += 1;
                sum += number_of(entry?.bytes());
            }
            Ok::<_, Error>((rows, sum))
        });
        Ok(seen?)
    }
}
