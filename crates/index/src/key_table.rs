//! One table of the keyed index: from the hash of a key to its entry. The unit is a
//! cache line of four slots; a line that is full overflows into the next one.
//!
//! ```text
//! line   marks: 8 bits of the hash, for each slot | 4 addresses of entries | 4 hints
//! last   what the writer counts                   | nothing
//! ```
#![expect(unsafe_code, reason = "slots hold pointers to entries")]

use std::ptr::{self, NonNull};

use selvedge_base::prefetch::prefetch;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::entry::{Block, Entry};
use crate::key_parts::KeyParts;

/// Slots of a line.
pub(crate) const LINE_SLOTS: usize = 4;

/// The mark of a slot that was never filled, or may be taken for that: a walk ends at
/// a line with one.
const EMPTY: u8 = 0;
/// The mark of a slot whose entry is gone, in a line that a walk must go on behind.
/// Marks of which there is no slot are this.
const REMOVED: u8 = 1;
/// The least mark of an entry.
const TAKEN: u8 = 2;

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
/// The lowest bit of each mark of which there is no slot.
const NO_SLOTS: u64 = LOW_BITS << (8 * LINE_SLOTS);
const NO_ENTRIES: u64 = REMOVED as u64 * NO_SLOTS;

#[repr(C, align(64))]
pub(crate) struct Line<V> {
    marks: AtomicU64,
    entries: [AtomicPtr<Block<V>>; LINE_SLOTS],
    /// Where what the value of an entry leads to lies, or lay, see [`hint_at`]: it is asked
    /// for together with the entry, which is one wait for memory less. Relaxed without a
    /// partner: no access is made through them.
    hints: [AtomicU32; LINE_SLOTS],
}

/// An address says how far it is from its cache line by so many bits.
const LINE_BITS: u32 = 6;

/// A hint at an address: the lower half of the number of its cache line. If there is
/// none, at the entry itself.
fn hint_at(address: *const (), entry: *const ()) -> u32 {
    let at = if address.is_null() { entry } else { address };
    (at.addr() as u64 >> LINE_BITS) as u32
}

/// The address, rounded down, if it is less than 128 GiB away from the entry.
#[inline]
fn hinted_at(hint: u32, entry: *const ()) -> *const () {
    let near = entry.addr() as u64 >> LINE_BITS;
    let away = hint.wrapping_sub(near as u32).cast_signed();
    let line = near.wrapping_add_signed(i64::from(away));
    entry.with_addr((line << LINE_BITS) as usize)
}

/// Where an entry is: in a line with these marks, in which walks end or do not.
struct Place<'t, V> {
    line: &'t Line<V>,
    slot: usize,
    marks: u64,
    ends_here: bool,
}

/// A table that is not freed during `'t`: a power of two of lines, of which at least one
/// has an empty slot, and one line more, for what the writer counts.
pub(crate) struct KeyTable<'t, V> {
    all: &'t [Line<V>],
}

/// A table as an address: of the first line, and in the bits that its alignment leaves
/// free how many there are.
pub(crate) type RawTable<V> = *mut Line<V>;

const fn tag_bits<V>() -> usize {
    align_of::<Line<V>>() - 1
}

fn all_lines<V>(raw: RawTable<V>) -> *mut [Line<V>] {
    let lines = 1_usize << (raw.addr() & tag_bits::<V>());
    ptr::slice_from_raw_parts_mut(raw.map_addr(|address| address & !tag_bits::<V>()), lines + 1)
}

/// Allocates an empty table of so many lines.
pub(crate) fn allocate<V>(lines: usize, depth: u32) -> RawTable<V> {
    assert!(lines.is_power_of_two(), "a table has a power of two of lines");
    let all: Box<[Line<V>]> = (0..=lines).map(|_| Line::new()).collect();
    let raw = Box::into_raw(all).cast::<Line<V>>();
    let raw = raw.map_addr(|address| address | lines.trailing_zeros() as usize);
    // SAFETY: not null, and nobody else has it.
    let table = unsafe { KeyTable::from_raw(raw) }.expect("just allocated");
    table.count(Counts { live: 0, used: 0, depth });
    raw
}

/// Frees a table, and none of its entries.
///
/// # Safety
///
/// It is unlinked, freed once, and nobody uses it any more.
pub(crate) unsafe fn free<V>(raw: RawTable<V>) {
    // SAFETY: from a box of this length, in `allocate`; ours alone, by the contract.
    let lines = unsafe { Box::from_raw(all_lines(raw)) };
    #[cfg(loom)]
    end(lines);
    #[cfg(not(loom))]
    drop(lines);
}

/// Tells the model checker that the lines have ended, and keeps them: a use after that
/// fails the model instead of being undefined.
#[cfg(loom)]
fn end<V>(mut lines: Box<[Line<V>]>) {
    lines.iter_mut().for_each(|line| line.marks.with_mut(|_| ()));
    std::mem::forget(lines);
}

/// What the writer knows of a table: one word of its last line.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) live: usize,
    /// Slots that are not empty: of the live and of the removed.
    pub(crate) used: usize,
    /// Bits of the hash that all of its entries share, of those that choose a table.
    pub(crate) depth: u32,
}

const COUNT_BITS: u32 = 28;

impl Counts {
    fn pack(self) -> u64 {
        debug_assert!(self.live <= self.used && self.used >> COUNT_BITS == 0, "a bounded table");
        self.live as u64
            | (self.used as u64) << COUNT_BITS
            | u64::from(self.depth) << (2 * COUNT_BITS)
    }

    fn unpack(word: u64) -> Self {
        let count = |at: u32| (word >> at) as usize & ((1 << COUNT_BITS) - 1);
        let depth = (word >> (2 * COUNT_BITS)) as u32;
        Self { live: count(0), used: count(COUNT_BITS), depth }
    }
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
        let hints = std::array::from_fn(|_| AtomicU32::new(0));
        Self { marks: AtomicU64::new(NO_ENTRIES), entries, hints }
    }

    /// The entry in a slot that is marked, now or a moment ago.
    #[inline]
    fn entry(&self, slot: usize) -> Option<NonNull<Block<V>>> {
        // Acquire, partner: the Release store in `insert`. The mark that led here may
        // be that of an earlier entry: then the key says so.
        NonNull::new(self.entries.get(slot)?.load(Ordering::Acquire))
    }

    /// Asks for what the entry in a slot probably leads to.
    #[inline]
    fn prefetch_hinted(&self, slot: usize, entry: NonNull<Block<V>>) {
        // The model checker would follow every value that a hint may have.
        if cfg!(not(loom))
            && let Some(hint) = self.hints.get(slot)
        {
            let at = hinted_at(hint.load(Ordering::Relaxed), entry.as_ptr().cast());
            prefetch(at, [0, 64, 128]);
        }
    }
}

impl<'t, V> KeyTable<'t, V> {
    /// The table at an address; `None` if that is null.
    ///
    /// # Safety
    ///
    /// It came from [`allocate`], and is not freed during `'t`.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: RawTable<V>) -> Option<Self> {
        // SAFETY: by the contract, the lines that `allocate` made.
        (!raw.is_null()).then(|| Self { all: unsafe { &*all_lines(raw) } })
    }

    /// Lines with slots.
    pub(crate) fn lines(&self) -> usize {
        self.all.len() - 1
    }

    pub(crate) fn bytes(lines: usize) -> usize {
        (lines + 1) * size_of::<Line<V>>()
    }

    /// Writer only: what it counted.
    pub(crate) fn counts(&self) -> Counts {
        // Relaxed, here and below: the writer reads its own stores, nobody else does.
        Counts::unpack(self.all[self.lines()].marks.load(Ordering::Relaxed))
    }

    pub(crate) fn count(&self, counts: Counts) {
        self.all[self.lines()].marks.store(counts.pack(), Ordering::Relaxed);
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.lines() - 1)
    }

    fn behind(&self, line: usize) -> usize {
        (line + 1) & (self.lines() - 1)
    }

    /// The entry with a key, of which this is the hash.
    ///
    /// # Safety
    ///
    /// No entry that was in the table when this was called, or came in since, is
    /// freed during `'t`.
    #[inline(always)]
    pub(crate) unsafe fn find(&self, hash: u64, key: KeyParts<'_>) -> Option<Entry<'t, V>> {
        let mut at = self.home(hash);
        // Ends at a line with an empty slot, and every table keeps one.
        loop {
            let line = &self.all[at];
            // Acquire, partner: the Release store of the marks in `insert`.
            let marks = line.marks.load(Ordering::Acquire);
            let mut same = bytes_like(marks, mark_of(hash));
            while same != 0 {
                if let Some(block) = line.entry(first(same)) {
                    line.prefetch_hinted(first(same), block);
                    // SAFETY: alive, by the contract.
                    let entry = unsafe { Entry::from_raw(block) };
                    if key.is(entry.key()) {
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
        prefetch(&raw const self.all[self.home(hash)], [0]);
    }

    /// Asks for what is probably the entry that the walk for `hash` ends at, and for what
    /// that leads to.
    ///
    /// # Safety
    ///
    /// As for [`find`](Self::find).
    pub(crate) unsafe fn prefetch_likely(&self, hash: u64) {
        let line = &self.all[self.home(hash)];
        let slot = first(bytes_like(line.marks.load(Ordering::Acquire), mark_of(hash)));
        if let Some(block) = line.entry(slot) {
            // SAFETY: alive, by the contract.
            unsafe { Entry::from_raw(block) }.prefetch();
            line.prefetch_hinted(slot, block);
        }
    }

    /// Writer only: where an entry is, if it is here.
    fn place(&self, hash: u64, entry: NonNull<Block<V>>) -> Option<Place<'t, V>> {
        let mut at = self.home(hash);
        loop {
            let line = &self.all[at];
            // Relaxed: as in `insert`.
            let marks = line.marks.load(Ordering::Relaxed);
            let ends_here = zero_bytes(marks) != 0;
            let mut same = bytes_like(marks, mark_of(hash));
            while same != 0 {
                let slot = first(same);
                if line.entry(slot) == Some(entry) {
                    return Some(Place { line, slot, marks, ends_here });
                }
                same &= same - 1;
            }
            if ends_here {
                return None;
            }
            at = self.behind(at);
        }
    }

    /// Writer only: what an entry leads to lies there from now on.
    pub(crate) fn hint(&self, hash: u64, entry: NonNull<Block<V>>, address: *const ()) {
        if let Some(Place { line, slot, .. }) = self.place(hash, entry) {
            let hint = hint_at(address, entry.as_ptr().cast());
            line.hints[slot].store(hint, Ordering::Relaxed);
        }
    }

    /// Where what an entry leads to lies, as was told last, rounded down to a cache line.
    #[cfg(test)]
    pub(crate) fn hinted(&self, hash: u64, entry: NonNull<Block<V>>) -> Option<*const ()> {
        let Place { line, slot, .. } = self.place(hash, entry)?;
        Some(hinted_at(line.hints[slot].load(Ordering::Relaxed), entry.as_ptr().cast()))
    }

    /// Writer only: adds an entry, and where what it leads to lies; whether in a slot that
    /// was empty. The caller has made sure that an empty one remains.
    pub(crate) fn insert(&self, hash: u64, entry: NonNull<Block<V>>, hint: *const ()) -> bool {
        let mut at = self.home(hash);
        loop {
            let line = &self.all[at];
            // Relaxed: only the writer stores to lines.
            let marks = line.marks.load(Ordering::Relaxed);
            // Both marks of slots that are free become zero, those of no slot do not.
            let free = zero_bytes(marks & !LOW_BITS | NO_SLOTS << 7);
            if free != 0 {
                let slot = first(free);
                // Release, partner: the Acquire load in `Line::entry`.
                line.entries[slot].store(entry.as_ptr(), Ordering::Release);
                let hint = hint_at(hint, entry.as_ptr().cast());
                line.hints[slot].store(hint, Ordering::Relaxed);
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
        let Place { line, slot, marks, ends_here } = self.place(hash, entry)?;
        let mark = if ends_here { EMPTY } else { REMOVED };
        // Relaxed: a removal carries nothing.
        line.marks.store(with_mark(marks, slot, mark), Ordering::Relaxed);
        Some(ends_here)
    }

    /// Writer only: each entry. Asks for the entries of a line while it gives those of the
    /// line before, as they are anywhere in memory.
    pub(crate) fn each(&self, mut each: impl FnMut(NonNull<Block<V>>)) {
        let mut ahead = Vec::with_capacity(LINE_SLOTS);
        for line in &self.all[..self.lines()] {
            // Relaxed: as in `insert`.
            let marks = line.marks.load(Ordering::Relaxed).to_le_bytes();
            let taken = (0..LINE_SLOTS).filter(|slot| marks[*slot] >= TAKEN);
            let now: Vec<_> = taken.filter_map(|slot| line.entry(slot)).collect();
            now.iter().for_each(|block| prefetch(block.as_ptr(), [0, size_of::<Block<V>>()]));
            std::mem::replace(&mut ahead, now).into_iter().for_each(&mut each);
        }
        ahead.into_iter().for_each(each);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::entry;

    #[test]
    fn a_full_line_overflows_and_a_walk_goes_on_behind_what_was_removed() {
        let raw = allocate(4, 3);
        // SAFETY: freed at the end.
        let table = unsafe { KeyTable::from_raw(raw) }.unwrap();
        assert_eq!((table.lines(), table.counts().depth), (4, 3));
        let blocks: Vec<_> = (0..7_u8).map(|key| entry::allocate(&[key], key)).collect();
        // All of the last line, so that it overflows into the first, and of one mark.
        let hash = 7 << 56 | 3;
        let found = |key: u8| {
            // SAFETY: freed at the end.
            unsafe { table.find(hash, (&[key]).into()) }.map(|entry| *entry.value())
        };
        blocks[..6].iter().for_each(|block| assert!(table.insert(hash, *block, ptr::null())));
        assert!((0..6).all(|key| found(key) == Some(key)) && found(6).is_none());
        assert_eq!(table.remove(hash, blocks[1]), Some(false), "others are behind that line");
        assert_eq!(table.remove(hash, blocks[1]), None);
        assert_eq!([1, 5].map(found), [None, Some(5)]);
        assert!(!table.insert(hash, blocks[6], ptr::null()), "in the place that is free");
        assert_eq!([6, 5].map(found), [Some(6), Some(5)]);
        assert_eq!(table.remove(hash, blocks[5]), Some(true), "walks end in its line");
        assert_eq!([4, 5].map(found), [Some(4), None]);
        assert!(table.insert(hash, blocks[5], ptr::null()));
        let mut each = Vec::new();
        table.each(|block| each.push(block));
        each.sort_unstable();
        let mut there = [&blocks[..1], &blocks[2..]].concat();
        there.sort_unstable();
        assert_eq!(each, there);
        // SAFETY: nobody uses it from here on.
        unsafe { free(raw) };
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
