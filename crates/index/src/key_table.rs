//! One table of the keyed index: from the hash of a key to its entry. The unit is a
//! cache line of seven slots; a line that is full overflows into the next one.
//!
//! ```text
//! line   marks: 8 bits of the hash, for each slot | 7 addresses of entries
//! ```
#![expect(unsafe_code, reason = "slots hold pointers to entries")]

use std::ptr::{self, NonNull};

use selvedge_base::prefetch::prefetch;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::entry::{Block, Entry};

/// Slots of a line.
pub(crate) const LINE_SLOTS: usize = 7;

/// The mark of a slot that was never filled, or may be taken for that: a walk ends at
/// a line with one.
const EMPTY: u8 = 0;
/// The mark of a slot whose entry is gone, in a line that a walk must go on behind.
/// The eighth mark of every line, of which there is no slot, is this.
const REMOVED: u8 = 1;
/// The least mark of an entry.
const TAKEN: u8 = 2;

const NO_ENTRIES: u64 = (REMOVED as u64) << 56;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

#[repr(C, align(64))]
struct Line<V> {
    marks: AtomicU64,
    entries: [AtomicPtr<Block<V>>; LINE_SLOTS],
}

/// A power of two of lines, of which at least one has an empty slot.
pub(crate) struct KeyTable<V> {
    lines: Box<[Line<V>]>,
}

#[inline]
fn mark_of(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(TAKEN)
}

/// The highest bit of every byte that is zero. Of those above the first one, a byte of
/// one may be taken for zero.
#[inline]
fn zero_bytes(bytes: u64) -> u64 {
    bytes.wrapping_sub(LOW_BITS) & !bytes & (LOW_BITS << 7)
}

/// The first of the bytes found.
#[inline]
fn first(bytes: u64) -> usize {
    (bytes.trailing_zeros() / 8) as usize
}

/// The bytes of a word that are this one.
#[inline]
fn bytes_like(bytes: u64, byte: u8) -> u64 {
    zero_bytes(bytes ^ (u64::from(byte) * LOW_BITS))
}

fn with_mark(marks: u64, slot: usize, mark: u8) -> u64 {
    marks & !(0xFF << (8 * slot)) | u64::from(mark) << (8 * slot)
}

impl<V> Line<V> {
    fn new() -> Self {
        let entries = std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
        Self { marks: AtomicU64::new(NO_ENTRIES), entries }
    }

    /// The entry in a slot that is marked, now or a moment ago.
    #[inline]
    fn entry(&self, slot: usize) -> Option<NonNull<Block<V>>> {
        // Acquire, partner: the Release store in `insert`. The mark that led here may
        // be that of an earlier entry: then the key says so.
        NonNull::new(self.entries.get(slot)?.load(Ordering::Acquire))
    }
}

impl<V> KeyTable<V> {
    pub(crate) fn new(lines: usize) -> Self {
        assert!(lines.is_power_of_two(), "a table has a power of two of lines");
        Self { lines: (0..lines).map(|_| Line::new()).collect() }
    }

    pub(crate) fn bytes(lines: usize) -> usize {
        lines * size_of::<Line<V>>()
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.lines.len() - 1)
    }

    fn behind(&self, line: usize) -> usize {
        (line + 1) & (self.lines.len() - 1)
    }

    /// The entry with a key, of which this is the hash.
    ///
    /// # Safety
    ///
    /// No entry that was in the table when this was called, or came in since, is
    /// freed during `'t`.
    #[inline]
    pub(crate) unsafe fn find<'t>(&self, hash: u64, key: &[u8]) -> Option<Entry<'t, V>> {
        let mut at = self.home(hash);
        // Ends at a line with an empty slot, and every table keeps one.
        loop {
            let line = &self.lines[at];
            // Acquire, partner: the Release store of the marks in `insert`.
            let marks = line.marks.load(Ordering::Acquire);
            let mut same = bytes_like(marks, mark_of(hash));
            while same != 0 {
                if let Some(block) = line.entry(first(same)) {
                    // SAFETY: alive, by the contract.
                    let entry = unsafe { Entry::from_raw(block) };
                    if entry.key() == key {
                        return Some(entry);
                    }
                }
                same &= same - 1;
            }
            if zero_bytes(marks) != 0 {
                return None;
            }
            at = self.behind(at);
        }
    }

    /// Asks for the line where the walk for `hash` begins.
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch(&raw const self.lines[self.home(hash)], [0]);
    }

    /// What is probably the entry that the walk for `hash` ends at.
    ///
    /// # Safety
    ///
    /// As for [`find`](Self::find).
    pub(crate) unsafe fn likely<'t>(&self, hash: u64) -> Option<Entry<'t, V>> {
        let line = &self.lines[self.home(hash)];
        let same = bytes_like(line.marks.load(Ordering::Acquire), mark_of(hash));
        // SAFETY: alive, by the contract.
        line.entry(first(same)).map(|block| unsafe { Entry::from_raw(block) })
    }

    /// Writer only: adds an entry; whether in a slot that was empty. The caller has
    /// made sure that an empty one remains.
    pub(crate) fn insert(&self, hash: u64, entry: NonNull<Block<V>>) -> bool {
        let mut at = self.home(hash);
        loop {
            let line = &self.lines[at];
            // Relaxed: only the writer stores to lines.
            let marks = line.marks.load(Ordering::Relaxed);
            // Both marks of slots that are free become zero, the eighth does not.
            let free = zero_bytes(marks & !LOW_BITS | 0x80 << 56);
            if free != 0 {
                let slot = first(free);
                // Release, partner: the Acquire load in `Line::entry`.
                line.entries[slot].store(entry.as_ptr(), Ordering::Release);
                let marked = with_mark(marks, slot, mark_of(hash));
                // Release, partner: the Acquire load in `find`.
                line.marks.store(marked, Ordering::Release);
                return marks >> (8 * slot) & 0xFF == u64::from(EMPTY);
            }
            at = self.behind(at);
        }
    }

    /// Writer only: takes an entry out; whether its slot is empty again, or `None` if
    /// it is not there.
    ///
    /// In a line with an empty slot every walk ends, whichever slot that is; in a full
    /// one the slot only keeps its place.
    pub(crate) fn remove(&self, hash: u64, entry: NonNull<Block<V>>) -> Option<bool> {
        let mut at = self.home(hash);
        loop {
            let line = &self.lines[at];
            // Relaxed, here and below: as in `insert`. A removal carries nothing.
            let marks = line.marks.load(Ordering::Relaxed);
            let ends_here = zero_bytes(marks) != 0;
            let mut same = bytes_like(marks, mark_of(hash));
            while same != 0 {
                let slot = first(same);
                if line.entry(slot) == Some(entry) {
                    let mark = if ends_here { EMPTY } else { REMOVED };
                    line.marks.store(with_mark(marks, slot, mark), Ordering::Relaxed);
                    return Some(ends_here);
                }
                same &= same - 1;
            }
            if ends_here {
                return None;
            }
            at = self.behind(at);
        }
    }

    /// Writer only: a new table of so many lines with the entries of this one.
    ///
    /// # Safety
    ///
    /// The entries are alive, and `hash` is of the keys as it was when they came in.
    pub(crate) unsafe fn rebuilt(&self, lines: usize, hash: impl Fn(&[u8]) -> u64) -> Self {
        let table = Self::new(lines);
        for line in &self.lines {
            // Relaxed: as in `insert`.
            let marks = line.marks.load(Ordering::Relaxed).to_le_bytes();
            for slot in (0..LINE_SLOTS).filter(|slot| marks[*slot] >= TAKEN) {
                let Some(block) = line.entry(slot) else { continue };
                // SAFETY: by the contract.
                let entry = unsafe { Entry::from_raw(block) };
                table.insert(hash(entry.key()), block);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry;

    #[test]
    fn a_full_line_overflows_and_a_walk_goes_on_behind_what_was_removed() {
        let table = KeyTable::new(2);
        let blocks: Vec<_> = (0..10_u8).map(|key| entry::allocate(&[key], key)).collect();
        // All of the last line, so that it overflows into the first, and of one mark.
        let hash = 7 << 56 | 1;
        let found = |key: u8| {
            // SAFETY: freed at the end.
            unsafe { table.find(hash, &[key]) }.map(|entry| *entry.value())
        };
        blocks[..9].iter().for_each(|block| assert!(table.insert(hash, *block)));
        assert!((0..9).all(|key| found(key) == Some(key)) && found(9).is_none());
        assert_eq!(table.remove(hash, blocks[1]), Some(false), "others are behind that line");
        assert_eq!(table.remove(hash, blocks[1]), None);
        assert_eq!([1, 8].map(found), [None, Some(8)]);
        assert!(!table.insert(hash, blocks[9]), "in the place that is free");
        assert_eq!([9, 8].map(found), [Some(9), Some(8)]);
        assert_eq!(table.remove(hash, blocks[8]), Some(true), "walks end in its line");
        assert_eq!([7, 8].map(found), [Some(7), None]);
        assert!(table.insert(hash, blocks[8]));
        // SAFETY: the entries are alive.
        let larger = unsafe { table.rebuilt(4, |_| 9 << 56 | 2) };
        // SAFETY: freed below.
        let found = unsafe { larger.find(9 << 56 | 2, &[9]) }.map(|entry| *entry.value());
        assert_eq!(found, Some(9));
        // SAFETY: allocated above, used no more.
        blocks.into_iter().for_each(|block| unsafe { entry::free(block) });
    }

    #[test]
    fn bytes_are_found_in_words() {
        let word = u64::from_le_bytes([5, 0, 1, 9, 5, 0, 2, 1]);
        assert_eq!(first(zero_bytes(word)), 1);
        assert_eq!(first(bytes_like(word, 9)), 3);
        assert_eq!(bytes_like(word, 7), 0);
        let fives = bytes_like(word, 5);
        assert_eq!((first(fives), first(fives & (fives - 1))), (0, 4));
        assert_eq!(with_mark(word, 3, 0xFE).to_le_bytes(), [5, 0, 1, 0xFE, 5, 0, 2, 1]);
    }
}
