//! Counting by value.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use selvedge_encoding::{Value, ValueRef};

use crate::error::Result;
use crate::query::position::check_held;

/// A value, in the order of values; the absent comes first.
struct Grouped<'a>(Option<ValueRef<'a>>);

impl Ord for Grouped<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => a.total_cmp(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }
}

impl PartialOrd for Grouped<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Grouped<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Grouped<'_> {}

/// How often each value came.
pub(crate) struct Groups<'a> {
    counts: BTreeMap<Grouped<'a>, u64>,
    held_max: usize,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(held_max: usize) -> Self {
        Self { counts: BTreeMap::new(), held_max }
    }

    pub(crate) fn add(&mut self, value: Option<ValueRef<'a>>) -> Result<()> {
        *self.counts.entry(Grouped(value)).or_default() += 1;
        Ok(check_held(self.counts.len(), self.held_max, "groups")?)
    }

    pub(crate) fn into_counts(self) -> Vec<(Option<Value>, u64)> {
        let counts = self.counts.into_iter();
        counts.map(|(value, count)| (value.0.map(|value| value.to_value()), count)).collect()
    }
}
