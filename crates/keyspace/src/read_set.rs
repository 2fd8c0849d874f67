//! Reads to be validated when the transaction commits.

use std::collections::BTreeSet;
use std::ops::Bound;

use selvedge_base::limits::TRANSACTION_WRITES_MAX;

use crate::bounds::{Bounds, OwnedBounds, borrowed, exclude_each_other, owned};

/// Keys and ranges that must not have changed since the start.
#[derive(Debug, Default)]
pub(crate) struct ReadSet {
    points: BTreeSet<Box<[u8]>>,
    ranges: Vec<OwnedBounds>,
}

impl ReadSet {
    pub(crate) fn len(&self) -> usize {
        self.points.len() + self.ranges.len()
    }

    pub(crate) fn add_point(&mut self, key: &[u8]) {
        if !self.points.contains(key) {
            self.points.insert(key.into());
            self.bound();
        }
    }

    pub(crate) fn add_range(&mut self, bounds: Bounds<'_>) {
        let again = self.ranges.last().is_some_and(|last| borrowed(last) == bounds);
        if !again && !exclude_each_other(bounds) {
            self.ranges.push(owned(bounds));
            self.bound();
        }
    }

    /// Of too many reads nothing is remembered but that everything was read.
    fn bound(&mut self) {
        if self.len() > TRANSACTION_WRITES_MAX {
            *self = Self::default();
            self.ranges.push((Bound::Unbounded, Bound::Unbounded));
        }
    }

    pub(crate) fn points(&self) -> impl Iterator<Item = &[u8]> {
        self.points.iter().map(AsRef::as_ref)
    }

    pub(crate) fn ranges(&self) -> impl Iterator<Item = Bounds<'_>> {
        self.ranges.iter().map(borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_read_counts_once() {
        let mut reads = ReadSet::default();
        for _ in 0..3 {
            reads.add_point(b"k");
            reads.add_range((Bound::Unbounded, Bound::Excluded(b"k")));
        }
        assert_eq!(reads.len(), 2);
    }
}
