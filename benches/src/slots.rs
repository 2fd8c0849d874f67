//! The limits of reading: a dense array of values, and a plain hash map.

use std::collections::HashMap;

use ahash::RandomState;

use crate::kv::{self, KeyName, VALUE_BYTES, Value};
use crate::measure::Done;
use crate::random::Random;

/// Values one behind the other, found by their number.
#[derive(Debug)]
pub struct Slots(Vec<Value>);

impl Slots {
    /// The values of so many keys.
    #[must_use]
    pub fn new(keys: u64) -> Self {
        Self((0..keys).map(kv::first_value).collect())
    }

    /// Reads random values.
    #[inline(never)]
    #[must_use]
    pub fn read(&self, random: &mut Random, times: u64) -> Done {
        let keys = self.0.len() as u64;
        let sum = (0..times).fold(0_u64, |sum, _| {
            sum.wrapping_add(kv::counter(&self.0[random.below(keys) as usize]))
        });
        Done::new(times, sum)
    }

    /// Touches one byte of every value.
    #[inline(never)]
    #[must_use]
    pub fn scan(&self) -> Done {
        let sum = self.0.iter().map(|value| u64::from(value[VALUE_BYTES - 1])).sum();
        Done::new(self.0.len() as u64, sum)
    }
}

/// Values in a hash map, found by a string.
#[derive(Debug)]
pub struct Hashed(HashMap<Box<str>, Value, RandomState>);

impl Hashed {
    /// The values of so many keys.
    #[must_use]
    pub fn new(keys: u64) -> Self {
        let mut map = HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4));
        map.extend(
            (0..keys).map(|key| (Box::from(KeyName::new(key).as_str()), kv::first_value(key))),
        );
        Self(map)
    }

    /// Reads random values.
    #[inline(never)]
    #[must_use]
    pub fn read(&self, random: &mut Random, times: u64) -> Done {
        let keys = self.0.len() as u64;
        let sum = (0..times).fold(0_u64, |sum, _| {
            let name = KeyName::new(random.below(keys));
            sum.wrapping_add(self.0.get(name.as_str()).map_or(0, |value| kv::counter(value)))
        });
        Done::new(times, sum)
    }
}
