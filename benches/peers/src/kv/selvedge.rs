//! selvedge: a keyspace in memory, byte keys.

use anyhow::{Context, Result};
use selvedge::{Db, Error, Kv, RetryPolicy, Selection};

use super::{Engine, first_value, number_of, with_number};

pub struct Selvedge {
    db: Db,
    kv: Kv,
}

impl Selvedge {
    pub fn filled(keys: u64) -> Result<Self> {
        let db = Db::in_memory();
        let kv = db.kv();
        for first in (0..keys).step_by(1000) {
            let mut atomic = kv.atomic();
            for key in first..(first + 1000).min(keys) {
                atomic = atomic.set(&key.to_be_bytes(), &first_value());
            }
            atomic.commit()?;
        }
        Ok(Self { db, kv })
    }
}

impl Engine for Selvedge {
    #[inline(never)]
    fn read(&self, keys: &[[u8; 8]]) -> Result<u64> {
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
    fn read_together(&self, keys: &[[u8; 8]]) -> Result<u64> {
        let sum = self.kv.view(|view| {
            let values = view.get_many_bytes(keys)?;
            Ok::<_, Error>(values.iter().flatten().map(|value| number_of(value)).sum())
        });
        Ok(sum?)
    }

    #[inline(never)]
    fn increment(&self, keys: &[[u8; 8]]) -> Result<()> {
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
    fn scan(&self) -> Result<(u64, u64)> {
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
