//! Hash maps and sets that iterate in the same order in every run, so that a
//! simulation with a seed repeats exactly.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// A fast keyed hash with fixed keys.
///
/// For maps inside a process over ids and names; where a stranger could choose
/// many colliding keys, the keys are drawn per database instead.
#[derive(Clone, Debug)]
pub struct FixedState(ahash::RandomState);

impl Default for FixedState {
    fn default() -> Self {
        Self(ahash::RandomState::with_seeds(0x5e1_7ed6e, 0x6e7a, 0x10c4, 0xed6e))
    }
}

impl BuildHasher for FixedState {
    type Hasher = ahash::AHasher;

    fn build_hasher(&self) -> ahash::AHasher {
        self.0.build_hasher()
    }
}

/// A map with a fixed order of iteration.
pub type Map<K, V> = HashMap<K, V, FixedState>;

/// A set with a fixed order of iteration.
pub type Set<K> = HashSet<K, FixedState>;
