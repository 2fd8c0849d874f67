//! LMDB through heed: a mapped file that is not synced.
#![expect(
    unsafe_code,
    reason = "opening an environment is unsafe: the file must not be changed by others"
)]

use anyhow::{Context, Result};
use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use tempfile::TempDir;

use super::{Engine, first_value, number_of, with_number};

pub struct Lmdb {
    env: Env<WithoutTls>,
    database: Database<Bytes, Bytes>,
    #[expect(dead_code, reason = "removed when dropped")]
    dir: TempDir,
}

impl Lmdb {
    pub fn filled(keys: u64) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(4 << 30).max_readers(64);
        // SAFETY: nobody else knows the file.
        let env = unsafe {
            options.flags(EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP | EnvFlags::MAP_ASYNC);
            options.open(dir.path())?
        };
        let mut txn = env.write_txn()?;
        let database = env.create_database::<Bytes, Bytes>(&mut txn, None)?;
        for key in 0..keys {
            database.put(&mut txn, &key.to_be_bytes(), &first_value())?;
        }
        txn.commit()?;
        Ok(Self { env, database, dir })
    }
}

impl Engine for Lmdb {
    fn read(&self, keys: &[[u8; 8]]) -> Result<u64> {
        let txn = self.env.read_txn()?;
        let mut sum = 0;
        for key in keys {
            sum += self.database.get(&txn, key)?.map_or(0, number_of);
        }
        Ok(sum)
    }

    fn increment(&self, keys: &[[u8; 8]]) -> Result<()> {
        let mut txn = self.env.write_txn()?;
        for key in keys {
            let value = self.database.get(&txn, key)?.context("all keys are there")?;
            let changed = with_number(value, number_of(value) + 1);
            self.database.put(&mut txn, key, &changed)?;
        }
        txn.commit()?;
        Ok(())
    }

    fn scan(&self) -> Result<(u64, u64)> {
        let txn = self.env.read_txn()?;
        let (mut rows, mut sum) = (0, 0);
        for row in self.database.iter(&txn)? {
            rows += 1;
            sum += number_of(row?.1);
        }
        Ok((rows, sum))
    }
}
