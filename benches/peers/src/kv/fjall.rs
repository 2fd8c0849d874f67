//! fjall: optimistic transactions, a cache larger than the data, no compression, and filters
//! left out of the last level, since all keys are there. Unsynced: its journal is handed
//! to the system when a buffer is full (`manual_journal_persist`); synced: by `fdatasync`
//! before each commit returns.

use anyhow::{Context, Result};
use fjall::config::{CompressionPolicy, HashRatioPolicy};
use fjall::{
    KeyspaceCreateOptions, OptimisticTxDatabase, OptimisticTxKeyspace, PersistMode, Readable,
};
use tempfile::TempDir;

use super::{Durability, Engine, Key, Session, first_value, number_of, portions, with_number};

/// More than all values take.
const CACHE_BYTES: u64 = 1 << 30;

pub struct Fjall {
    // Before the folder that it lies in.
    db: OptimisticTxDatabase,
    values: OptimisticTxKeyspace,
    mode: Option<PersistMode>,
    /// Removed when dropped.
    _dir: TempDir,
}

impl Fjall {
    pub fn filled(keys: u64, durability: Durability) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let builder = OptimisticTxDatabase::builder(dir.path()).cache_size(CACHE_BYTES);
        let db = builder.manual_journal_persist(true).open()?;
        let values = db.keyspace("values", || {
            KeyspaceCreateOptions::default()
                .data_block_compression_policy(CompressionPolicy::disabled())
                .data_block_hash_ratio_policy(HashRatioPolicy::all(1.0))
                .expect_point_read_hits(true)
        })?;
        for portion in portions(keys) {
            let mut txn = db.write_tx()?;
            for key in portion {
                txn.insert(&values, key.to_be_bytes(), first_value(key));
            }
            txn.commit()?.ok().context("nobody else writes")?;
        }
        // From the memory tables into the tree, where a store that has run for a while
        // has most of its data, and where its cache is of use.
        values.inner().rotate_memtable_and_wait()?;
        let mode = (durability == Durability::Synced).then_some(PersistMode::SyncData);
        Ok(Self { db, values, mode, _dir: dir })
    }
}

impl Engine for Fjall {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &Fjall {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        let snapshot = self.db.read_tx();
        let mut sum = 0;
        for key in keys {
            sum += snapshot.get(&self.values, key)?.map_or(0, |value| number_of(&value));
        }
        Ok(sum)
    }

    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        loop {
            let mut txn = self.db.write_tx()?.durability(self.mode);
            for key in keys {
                let value = txn.get(&self.values, key)?.context("all keys are there")?;
                txn.insert(&self.values, *key, with_number(&value, number_of(&value) + 1));
            }
            if txn.commit()?.is_ok() {
                return Ok(());
            }
        }
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        let snapshot = self.db.read_tx();
        let (mut rows, mut sum) = (0, 0);
        for row in snapshot.iter(&self.values) {
            rows += 1;
            sum += number_of(&row.value()?);
        }
        Ok((rows, sum))
    }
}
