//! A range of entries, committed ones and own writes merged in key order.

use std::cmp::Ordering;
use std::collections::btree_map;
use std::fmt;
use std::ops::Bound;

use crate::bounds::{Bounds, KeptKey, OwnedBounds, borrowed, owned};
use crate::entry_view::{EntryView, RangeOptions};
use crate::error::ComputationError;
use crate::staged::Staged;
use crate::stored_range::StoredRange;
use crate::value::EntryValue;

/// The entries of a range, from [`EntryView::range`]. No pin is held between two
/// of them, so the iterator may be kept as long as the snapshot.
pub struct EntryRange<'a> {
    view: EntryView<'a>,
    bounds: OwnedBounds,
    reverse: bool,
    /// Entries left to give.
    left: usize,
    stored: StoredRange<'a>,
    written: btree_map::Range<'a, KeptKey, u32>,
    /// The next key that the transaction itself has written.
    own: Option<(&'a [u8], Staged)>,
    /// The last key given, or refused.
    last: Option<&'a [u8]>,
    ended: bool,
}

/// A key that either side has, and its value if it has one.
type Merged<'a> = (&'a [u8], Result<Option<EntryValue<'a>>, ComputationError>);

impl<'a> EntryRange<'a> {
    pub(crate) fn new(view: EntryView<'a>, bounds: Bounds<'_>, options: RangeOptions) -> Self {
        let RangeOptions { reverse, limit } = options;
        let mut range = Self {
            view,
            bounds: owned(bounds),
            reverse,
            left: limit,
            stored: StoredRange::new(view.keyspace, view.at, bounds, reverse),
            written: view.writes.map(|writes| writes.written(bounds)).unwrap_or_default(),
            own: None,
            last: None,
            ended: false,
        };
        range.advance_own();
        range
    }

    /// The part of the range that what was given so far is complete for: all of
    /// it after the end was met, `None` before the first entry. What a
    /// serializable transaction that stops early hands to
    /// [`EntryWrites::validate_range`](crate::EntryWrites::validate_range).
    #[must_use]
    pub fn covered(&self) -> Option<Bounds<'_>> {
        let (start, end) = borrowed(&self.bounds);
        if self.ended {
            return Some((start, end));
        }
        let last = Bound::Included(self.last?);
        Some(if self.reverse { (last, end) } else { (start, last) })
    }

    /// The last key that was given, or refused.
    #[must_use]
    pub fn last_key(&self) -> Option<&'a [u8]> {
        self.last
    }

    fn advance_own(&mut self) {
        let next = if self.reverse { self.written.next_back() } else { self.written.next() };
        self.own = next.and_then(|(key, at)| {
            let staged = self.view.writes?.staged_at(*at)?;
            Some((&**key, staged))
        });
    }

    /// The next entry, where the transaction has written nothing.
    #[inline]
    fn next_stored(&mut self) -> Option<(&'a [u8], EntryValue<'a>)> {
        // Ends: each turn passes an entry.
        while let Some((key, version)) = self.stored.next() {
            if let Some(value) = EntryValue::committed(version, || self.view.now()) {
                self.left -= 1;
                self.last = Some(key);
                return Some((key, value));
            }
        }
        self.ended = true;
        None
    }

    /// The next key of either side, and its value if it has one.
    fn merge(&mut self) -> Option<Merged<'a>> {
        let order = match (self.own, self.stored.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((own, _)), Some((stored, _))) if self.reverse => stored.cmp(own),
            (Some((own, _)), Some((stored, _))) => own.cmp(stored),
        };
        let stored = if order.is_ge() { self.stored.next() } else { None };
        let own = if order.is_le() { self.own } else { None };
        if let (Some((key, staged)), Some(writes)) = (own, self.view.writes) {
            self.advance_own();
            let stored = || stored.map(|(_, version)| version);
            let now = || self.view.now();
            return Some((key, staged.effect(&writes.versions, &writes.steps, key, stored, now)));
        }
        let now = || self.view.now();
        stored.map(|(key, version)| (key, Ok(EntryValue::committed(version, now))))
    }
}

impl<'a> Iterator for EntryRange<'a> {
    type Item = Result<(&'a [u8], EntryValue<'a>), ComputationError>;

    /// The next entry; an error for one that a computation of the transaction
    /// does not fit, after which the range goes on.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 || self.ended {
            return None;
        }
        if self.view.writes.is_none() {
            return self.next_stored().map(Ok);
        }
        // Ends: each turn consumes a key of one side.
        while let Some((key, value)) = self.merge() {
            if let Some(value) = value.transpose() {
                self.left -= 1;
                self.last = Some(key);
                return Some(value.map(|value| (key, value)));
            }
        }
        self.ended = true;
        None
    }
}

impl std::iter::FusedIterator for EntryRange<'_> {}

impl fmt::Debug for EntryRange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryRange").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}
