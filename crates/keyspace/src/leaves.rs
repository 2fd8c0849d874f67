//! How checkpoints cut the keyspace: ranges of keys, each the block of a leaf.
//!
//! ```text
//! keys    ""            "k3"          "m"
//! leaves  | 0           | 4           | 2          each up to the next one
//!           written       dirty         written
//! ```
//!
//! Every key belongs to the leaf with the greatest start that is not above it. A leaf
//! that grows too large is cut in two; one that is emptied, or nearly so, becomes a
//! part of the one before. Numbers of leaves are never used again in one life of a
//! database, so a block is that of its leaf or of none.
#![expect(unsafe_code, reason = "leaves are cut under the commit lock")]

use std::collections::BTreeMap;
use std::ops::Bound;

use selvedge_base::Timestamp;
use selvedge_mvcc::Pin;

use crate::bounds::Bounds;
use crate::keyspace::Keyspace;

/// Entries of a leaf, at most, and the bytes written to it since it was last
/// measured, before it is measured and cut.
const ENTRIES_MAX: u64 = 512;
const BYTES_MAX: u64 = 256 << 10;
/// Two neighbours with fewer entries than this become one.
const ENTRIES_MIN: u64 = 128;

#[derive(Debug, Default)]
struct Leaf {
    number: u64,
    entries: u64,
    /// Bytes written since it was last measured.
    bytes: u64,
    dirty: bool,
}

type ByStart = BTreeMap<Box<[u8]>, Leaf>;

/// The leaf of a key, and where it starts.
fn leaf_of<'l>(by_start: &'l mut ByStart, key: &[u8]) -> (&'l [u8], &'l mut Leaf) {
    let not_above = (Bound::Unbounded, Bound::Included(key));
    let last = by_start.range_mut::<[u8], _>(not_above).next_back();
    let (start, leaf) = last.expect("the first leaf starts with the empty key");
    (start, leaf)
}

/// The entry behind half of the bytes, or of the entries: never the first.
fn middle(sizes: &[(&[u8], u64)], bytes: u64) -> Option<usize> {
    let mut below = 0;
    (1..sizes.len()).find(|at| {
        below += sizes[at - 1].1;
        below >= bytes / 2 || *at >= sizes.len() / 2
    })
}

/// The leaves of a keyspace, and which of them a checkpoint has to write.
#[derive(Debug)]
pub(crate) struct Leaves {
    by_start: ByStart,
    next_number: u64,
    /// Starts of dirty leaves; some of them are gone.
    dirty: Vec<Box<[u8]>>,
    /// Leaves whose blocks must go.
    gone: Vec<u64>,
    /// The last commit that wrote an entry.
    latest: Timestamp,
    /// The same, when it was last asked what has to be written: what was written since
    /// lies in a dirty leaf.
    taken: Timestamp,
}

/// What an entry had before it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplacedValue {
    pub(crate) commit: Timestamp,
    pub(crate) bytes: usize,
}

/// A leaf that a checkpoint has to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LeafRange {
    pub(crate) number: u64,
    pub(crate) start: Box<[u8]>,
    /// Where the next leaf starts; the last one has no end.
    pub(crate) end: Option<Box<[u8]>>,
}

impl LeafRange {
    pub(crate) fn bounds(&self) -> Bounds<'_> {
        let end = self.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(&self.start), end)
    }
}

impl Default for Leaves {
    fn default() -> Self {
        let by_start = BTreeMap::from([(Box::from(&[][..]), Leaf::default())]);
        let (latest, taken) = (Timestamp::ZERO, Timestamp::ZERO);
        Self { by_start, next_number: 1, dirty: Vec::new(), gone: Vec::new(), latest, taken }
    }
}

impl Leaves {
    /// The leaves that a checkpoint of this time has, by start, with their numbers and how
    /// many entries each has.
    pub(crate) fn loaded(at: Timestamp, mut found: Vec<(Box<[u8]>, u64, u64)>) -> Self {
        found.sort_unstable();
        let next_number = found.iter().map(|(_, number, _)| number + 1).max().unwrap_or(0);
        if let Some((start, ..)) = found.first_mut() {
            // Nothing is below it.
            *start = Box::default();
        }
        let mut leaves = Self { next_number, latest: at, taken: at, ..Self::default() };
        if found.is_empty() {
            leaves.next_number = 1;
            return leaves;
        }
        leaves.by_start.clear();
        for (start, number, entries) in found {
            leaves.by_start.insert(start, Leaf { number, entries, ..Leaf::default() });
        }
        leaves
    }

    fn mark(dirty: &mut Vec<Box<[u8]>>, start: &[u8], leaf: &mut Leaf) {
        if !leaf.dirty {
            leaf.dirty = true;
            dirty.push(start.into());
        }
    }

    /// Notes a new value of so many bytes that `commit` wrote, of a new entry or in the
    /// place of the value that one had. Gives where the leaf starts, if that is to be
    /// [`cut`](Self::cut).
    #[must_use]
    pub(crate) fn written(
        &mut self,
        key: &[u8],
        bytes: usize,
        commit: Timestamp,
        old: Option<ReplacedValue>,
    ) -> Option<Box<[u8]>> {
        self.latest = commit;
        if old.is_some_and(|old| old.commit > self.taken && bytes <= old.bytes) {
            // Its leaf is dirty, and does not grow.
            return None;
        }
        let Self { by_start, dirty, .. } = self;
        let (start, leaf) = leaf_of(by_start, key);
        Self::mark(dirty, start, leaf);
        leaf.entries += u64::from(old.is_none());
        leaf.bytes += (key.len() + bytes) as u64;
        let too_large = leaf.entries > ENTRIES_MAX || leaf.bytes > BYTES_MAX;
        too_large.then(|| start.into())
    }

    /// Measures a leaf, and cuts it in two if it is too large.
    pub(crate) fn cut(&mut self, start: &[u8], keyspace: &Keyspace, pin: &Pin) {
        let end = self.end_of(start);
        let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        // SAFETY: cut in a commit, under its lock.
        let walk = unsafe { keyspace.walk((Bound::Included(start), upper), false, pin) };
        let sizes: Vec<(&[u8], u64)> =
            walk.map(|(key, entry)| (key, (key.len() + entry.newest_bytes(pin)) as u64)).collect();
        let bytes: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
        let mut entries = sizes.len() as u64;
        let too_large = entries > ENTRIES_MAX || bytes > BYTES_MAX / 2;
        if let Some(at) = middle(&sizes, bytes).filter(|_| too_large) {
            let (number, above) = (self.next_number, entries - at as u64);
            self.next_number += 1;
            let start: Box<[u8]> = sizes[at].0.into();
            self.dirty.push(start.clone());
            let leaf = Leaf { number, entries: above, bytes: 0, dirty: true };
            self.by_start.insert(start, leaf);
            entries = at as u64;
        }
        let leaf = self.by_start.get_mut(start).expect("it is being cut");
        (leaf.entries, leaf.bytes) = (entries, 0);
    }

    fn end_of(&self, start: &[u8]) -> Option<Box<[u8]>> {
        let above = (Bound::Excluded(start), Bound::Unbounded);
        self.by_start.range::<[u8], _>(above).next().map(|(start, _)| start.clone())
    }

    /// Notes that an entry is gone for good.
    pub(crate) fn removed(&mut self, key: &[u8]) {
        let (start, leaf) = leaf_of(&mut self.by_start, key);
        leaf.entries = leaf.entries.saturating_sub(1);
        if leaf.entries >= ENTRIES_MIN / 2 || start.is_empty() {
            return;
        }
        let (start, entries): (Box<[u8]>, u64) = (start.into(), leaf.entries);
        let below = (Bound::Unbounded, Bound::Excluded(&*start));
        let below = self.by_start.range_mut::<[u8], _>(below).next_back();
        let (below_start, below) = below.expect("the first leaf starts with the empty key");
        if entries > 0 && entries + below.entries >= ENTRIES_MIN {
            return;
        }
        below.entries += entries;
        Self::mark(&mut self.dirty, below_start, below);
        if let Some(leaf) = self.by_start.remove(&start) {
            self.gone.push(leaf.number);
        }
    }

    /// What has to be written, and which blocks must go, since this was last asked.
    pub(crate) fn take(&mut self) -> (Vec<LeafRange>, Vec<u64>) {
        self.taken = self.latest;
        let mut ranges = Vec::new();
        for start in std::mem::take(&mut self.dirty) {
            let Some(leaf) = self.by_start.get_mut(&start).filter(|leaf| leaf.dirty) else {
                continue;
            };
            leaf.dirty = false;
            let number = leaf.number;
            let end = self.end_of(&start);
            ranges.push(LeafRange { number, start, end });
        }
        (ranges, std::mem::take(&mut self.gone))
    }

    /// Gives back what was taken and not written: whatever leaves have the keys now
    /// are dirty.
    pub(crate) fn give_back(&mut self, ranges: &[LeafRange], gone: Vec<u64>) {
        self.gone.extend(gone);
        for range in ranges {
            let Self { by_start, dirty, .. } = self;
            let first: Box<[u8]> = leaf_of(by_start, &range.start).0.into();
            let from = (Bound::Included(&*first), Bound::Unbounded);
            for (start, leaf) in by_start.range_mut::<[u8], _>(from) {
                if range.end.as_ref().is_some_and(|end| start >= end) {
                    break;
                }
                Self::mark(dirty, start, leaf);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(number: u64) -> Timestamp {
        Timestamp::new(number)
    }

    fn old(commit: u64, bytes: usize) -> Option<ReplacedValue> {
        Some(ReplacedValue { commit: ts(commit), bytes })
    }

    fn written(leaves: &mut Leaves, commit: u64, bytes: usize, old: Option<ReplacedValue>) {
        assert_eq!(leaves.written(b"k", bytes, ts(commit), old), None);
    }

    #[test]
    fn what_is_written_again_is_noted_once_between_two_checkpoints() {
        let mut leaves = Leaves::loaded(ts(5), vec![(Box::default(), 3, 1)]);
        written(&mut leaves, 6, 10, old(4, 10));
        assert_eq!(leaves.take().0.len(), 1, "it was as the checkpoint has it");
        assert!(leaves.take().0.is_empty());
        written(&mut leaves, 7, 10, old(6, 10));
        written(&mut leaves, 8, 10, old(7, 10));
        assert_eq!(leaves.by_start[&[][..]].bytes, 2 * 11, "once for each checkpoint");
        assert_eq!(leaves.take().0.len(), 1);
        written(&mut leaves, 9, 10, old(8, 10));
        assert_eq!(leaves.take().0.len(), 1, "the one before was not noted, and came before");
    }

    #[test]
    fn what_grows_is_measured_some_time() {
        let mut leaves = Leaves::default();
        let step = BYTES_MAX as usize / 4;
        let mut commits = (1..).map(|commit| {
            let old = (commit > 1).then(|| old(commit - 1, step * (commit as usize - 1)));
            leaves.written(b"k", step * commit as usize, ts(commit), old.flatten())
        });
        let first = commits.by_ref().take(9).position(|too_large| too_large.is_some());
        assert_eq!(first, Some(2), "a quarter, and two, and three");
    }
}
