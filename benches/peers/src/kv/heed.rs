//! LMDB through heed: a file mapped for reading and writing, not synced; or synced by
//! every commit, and then mapped for reading alone, as its documentation recommends.
#![expect(
    unsafe_code,
    reason = "opening an environment is unsafe: the file must not be changed by others"
)]

use anyhow::{Context, Result};
use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use tempfile::TempDir;

use super::{Durability, Engine, Key, Session, first_value, number_of, with_number};

pub struct Lmdb {
    env: Env<WithoutTls>,
    database: Database<Bytes, Bytes>,
    /// Removed when dropped.
    _dir: TempDir,
}

impl Lmdb {
    pub fn filled(keys: u64, durability: Durability) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(4 << 30).max_readers(256);
        let flags = match durability {
            Durability::Unsynced => EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP | EnvFlags::MAP_ASYNC,
            Durability::Synced => EnvFlags::empty(),
        };
        // SAFETY: nobody else knows the file.
        let env = unsafe {
            options.flags(flags);
            options.open(dir.path())?
        };
        let mut txn = env.write_txn()?;
        let database = env.create_database::<Bytes, Bytes>(&mut txn, None)?;
        for key in 0..keys {
            database.put(&mut txn, &key.to_be_bytes(), &first_value(key))?;
        }
        txn.commit()?;
        Ok(Self { env, database, _dir: dir })
    }
}

impl Engine for Lmdb {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &Lmdb {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        let txn = self.env.read_txn()?;
        let mut sum = 0;
        for key in keys {
            sum += self.database.get(&txn, key)?.map_or(0, number_of);
        }
        Ok(sum)
    }

    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        let mut txn = self.env.write_txn()?;
        for key in keys {
            let value = self.database.get(&txn, key)?.context("all keys are there")?;
            let changed = with_number(value, number_of(value) + 1);
            self.database.put(&mut txn, key, &changed)?;
        }
        txn.commit()?;
        Ok(())
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        let txn = self.env.read_txn()?;
        let (mut rows, mut sum) = (0, 0);
        for row in self.database.iter(&txn)? {
            rows += 1;
            sum += number_of(row?.1);
        }
        Ok((rows, sum))
    }
}
