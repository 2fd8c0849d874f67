//! The limits: what the machine does without a database. They have no snapshots, and
//! cannot do what they are not asked for.

use std::collections::HashMap;

use ahash::RandomState;
use anyhow::{Result, bail};
use selvedge_benches::protocol::{self, Protocol};

use super::{Engine, Key, Session, VALUE_BYTES, Value, first_value, number_of};

/// Values one behind the other, found by their number.
pub struct Dense(Vec<Value>);

impl Dense {
    pub fn filled(keys: u64) -> Self {
        Self((0..keys).map(first_value).collect())
    }
}

impl Engine for Dense {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &Dense {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        Ok(keys.iter().map(|key| number_of(&self.0[u64::from_be_bytes(*key) as usize])).sum())
    }

    fn increment(&mut self, _: &[Key]) -> Result<()> {
        bail!("a slot array has no transactions");
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        Ok((self.0.len() as u64, self.0.iter().map(|value| number_of(value)).sum()))
    }
}

/// Values in a hash map, found by their keys.
pub struct Hash(HashMap<Key, [u8; VALUE_BYTES], RandomState>);

impl Hash {
    pub fn filled(keys: u64) -> Self {
        let mut map = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        map.extend((0..keys).map(|key| (key.to_be_bytes(), first_value(key))));
        Self(map)
    }
}

impl Engine for Hash {
    fn session(&self, _: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(self))
    }
}

impl Session for &Hash {
    fn read(&mut self, keys: &[Key]) -> Result<u64> {
        Ok(keys.iter().filter_map(|key| self.0.get(key)).map(|value| number_of(value)).sum())
    }

    fn increment(&mut self, _: &[Key]) -> Result<()> {
        bail!("a hash map has no transactions");
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        bail!("a hash map has no order");
    }
}

/// The commit protocol and nothing else, on records found by their number: no log, no
/// index, no older versions. (See `benches/src/protocol.rs`.)
pub struct Commit(Protocol);

impl Commit {
    pub fn filled(keys: u64) -> Self {
        Self(Protocol::new(keys))
    }
}

impl Engine for Commit {
    fn session(&self, thread: usize) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(Committing { client: self.0.client(thread), protocol: &self.0 }))
    }
}

struct Committing<'a> {
    client: protocol::Client<'a>,
    protocol: &'a Protocol,
}

fn places<const N: usize>(keys: &[Key]) -> Option<[usize; N]> {
    let keys: &[Key; N] = keys.try_into().ok()?;
    Some(keys.map(|key| u64::from_be_bytes(key) as usize))
}

impl Session for Committing<'_> {
    fn read(&mut self, _: &[Key]) -> Result<u64> {
        bail!("it is the limit of commits");
    }

    fn increment(&mut self, keys: &[Key]) -> Result<()> {
        if let Some(keys) = places::<1>(keys) {
            self.client.raise_these(&keys);
        } else if let Some(keys) = places::<10>(keys) {
            self.client.raise_these(&keys);
        } else {
            bail!("one key or ten");
        }
        Ok(())
    }

    fn scan(&mut self) -> Result<(u64, u64)> {
        Ok(self.protocol.count_and_sum())
    }
}
