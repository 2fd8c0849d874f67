//! redb: its backend in memory, keys and values of fixed size as its types have them, and
//! commits that nothing is written out for (`Durability::None`, twice as fast as
//! `Immediate` even there); or a file, every commit synced.

use anyhow::{Context, Result};
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use tempfile::TempDir;

use super::{Durability, Engine, Key, Session, Value, first_value, number_of, with_number};

const TABLE: TableDefinition<'_, u64, &Value> = TableDefinition::new("values");
/// More than all values take.
const CACHE_BYTES: usize = 1 << 30;

pub struct Redb {
    db: Database,
    level: redb::Durability,
    /// Removed when dropped.
    _dir: Option<TempDir>,
}

impl Redb {
    pub fn filled(keys: u64, durability: Durability) -> Result<Self> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let (db, dir) = match durability {
            Durability::Unsynced => (builder.create_with_backend(InMemoryBackend::new())?, None),
            Durability::Synced => {
                let dir = tempfile::tempdir()?;
                (builder.create(dir.path().join("db.redb"))?, Some(dir))
            }
        };
        let txn = db.begin_write()?;
        {
            let mut table = txn.open_table(TABLE)?;
            for key in 0..keys {
                table.insert(key, &first_value(key))?;
            }
        }
        txn.commit()?;
        let level = match durability {
            Durability::Unsynced => redb::Durability::None,
            Durability::Synced => redb::Durability::Immediate,
        };
        Ok(Self { db, level, _dir: dir })
    }
}

impl Engine for Redb {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &Redb {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        let txn = self.db.begin_read()?;
        let table = txn.open_table(TABLE)?;
        let mut sum = 0;
        for key in keys {
            let value = table.get(u64::from_be_bytes(*key))?;
            sum += value.map_or(0, |value| number_of(value.value()));
        }
        Ok(sum)
    }

    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        let mut txn = self.db.begin_write()?;
        txn.set_durability(self.level)?;
        {
            let mut table = txn.open_table(TABLE)?;
            for key in keys {
                let key = u64::from_be_bytes(*key);
                let changed = {
                    let value = table.get(key)?.context("all keys are there")?;
                    with_number(value.value(), number_of(value.value()) + 1)
                };
                table.insert(key, &changed)?;
            }
        }
        txn.commit()?;
        Ok(())
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        let txn = self.db.begin_read()?;
        let table = txn.open_table(TABLE)?;
        let (mut rows, mut sum) = (0, 0);
        for row in table.iter()? {
            rows += 1;
            sum += number_of(row?.1.value());
        }
        Ok((rows, sum))
    }
}
