//! surrealmx: in memory, values read in place, where it offers that. Synced: an
//! append-only log that each commit is written to and synced with, as its documentation
//! has it for the greatest durability.

use anyhow::Result;
use surrealmx::{AolMode, Database, DatabaseOptions, Error, FsyncMode, PersistenceOptions};
use tempfile::TempDir;

use super::{Durability, Engine, Key, Session, first_value, number_of, portions, with_number};

pub struct SurrealMx {
    db: Database,
    /// Removed when dropped.
    _dir: Option<TempDir>,
}

impl SurrealMx {
    pub fn filled(keys: u64, durability: Durability) -> Result<Self> {
        let (db, dir) = match durability {
            Durability::Unsynced => (Database::new(), None),
            Durability::Synced => {
                let dir = tempfile::tempdir()?;
                let files = PersistenceOptions::new(dir.path())
                    .with_aol_mode(AolMode::SynchronousOnCommit)
                    .with_fsync_mode(FsyncMode::EveryAppend);
                let db = Database::new_with_persistence(DatabaseOptions::default(), files)?;
                (db, Some(dir))
            }
        };
        for portion in portions(keys) {
            let mut tx = db.transaction(true);
            for key in portion {
                tx.set(&key.to_be_bytes()[..], &first_value(key)[..])?;
            }
            tx.commit()?;
        }
        Ok(Self { db, _dir: dir })
    }
}

impl Engine for SurrealMx {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &SurrealMx {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        let mut tx = self.db.transaction(false);
        let mut sum = 0;
        for key in keys {
            sum += tx.with_value(&key[..], number_of)?.unwrap_or(0);
        }
        tx.cancel()?;
        Ok(sum)
    }

    fn read_together(&mut self, keys: &[Key]) -> Result<u64> {
        let mut tx = self.db.transaction(false);
        let values = tx.getm(keys.iter().map(|key| &key[..]).collect())?;
        tx.cancel()?;
        Ok(values.iter().flatten().map(|value| number_of(value)).sum())
    }

    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        loop {
            let mut tx = self.db.transaction(true);
            for key in keys {
                let changed =
                    tx.with_value(&key[..], |value| with_number(value, number_of(value) + 1))?;
                tx.set(&key[..], &changed.expect("all keys are there")[..])?;
            }
            match tx.commit() {
                Ok(()) => return Ok(()),
                Err(Error::KeyReadConflict | Error::KeyWriteConflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        let mut tx = self.db.transaction(false);
        let (mut rows, mut sum) = (0, 0);
        tx.scan_with(&[0_u8][..]..&[0xFF_u8; 9][..], None, None, |_, value| {
            rows += 1;
            sum += number_of(value);
            true
        })?;
        tx.cancel()?;
        Ok((rows, sum))
    }
}
