//! surrealmx: in memory; values are read in place, where it offers that.

use anyhow::Result;
use surrealmx::{Database, Error};

use super::{Engine, first_value, number_of, with_number};

pub struct SurrealMx(Database);

impl SurrealMx {
    pub fn filled(keys: u64) -> Result<Self> {
        let db = Database::new();
        for first in (0..keys).step_by(1000) {
            let mut tx = db.transaction(true);
            for key in first..(first + 1000).min(keys) {
                tx.set(&key.to_be_bytes()[..], &first_value()[..])?;
            }
            tx.commit()?;
        }
        Ok(Self(db))
    }
}

impl Engine for SurrealMx {
    fn read(&self, keys: &[[u8; 8]]) -> Result<u64> {
        let mut tx = self.0.transaction(false);
        let mut sum = 0;
        for key in keys {
            sum += tx.with_value(&key[..], number_of)?.unwrap_or(0);
        }
        tx.cancel()?;
        Ok(sum)
    }

    fn read_together(&self, keys: &[[u8; 8]]) -> Result<u64> {
        let mut tx = self.0.transaction(false);
        let values = tx.getm(keys.iter().map(|key| &key[..]).collect())?;
        tx.cancel()?;
        Ok(values.iter().flatten().map(|value| number_of(value)).sum())
    }

    fn increment(&self, keys: &[[u8; 8]]) -> Result<()> {
        loop {
            let mut tx = self.0.transaction(true);
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

    fn scan(&self) -> Result<(u64, u64)> {
        let mut tx = self.0.transaction(false);
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
