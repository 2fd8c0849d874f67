//! All tables of a keyed index, and the directory that the hash of a key chooses one by:
//! extendible hashing (Fagin et al., 1979). The writer never rebuilds more than one table
//! at once, and tables are bounded, so that whoever waits for it waits for a bounded time.
//!
//! ```text
//! hash       mark: 8 bits | .. | index in the directory: as many as that needs | line: 16 bits
//! directory  0 1 2 3 4 5 6 7, by the lowest of those bits; a table of depth 2 is there twice
//! ```
//!
//! A table that is full is replaced by one twice as long, and when that would be too long by
//! two, between which the next bit of the hash decides; if the directory does not go by
//! that bit yet, it is doubled first.
#![expect(unsafe_code, reason = "tables and directories are freed by who knows their readers")]

use std::hash::{BuildHasher as _, Hasher as _};
use std::ptr::{self, NonNull};

use ahash::RandomState;
use selvedge_base::sync::CachePadded;
use selvedge_base::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::entry::{Block, Entry};
use crate::key_parts::KeyParts;
use crate::key_table::{self, Counts, KeyTable, LINE_SLOTS, Line, RawTable};

/// Where the bits are that choose a table: above those that choose a line.
const INDEX_SHIFT: u32 = 16;
/// Bits above [`INDEX_SHIFT`] that may choose a table: those below the mark.
const DEPTH_MAX: u32 = 40;
/// Lines of a table beyond which it is split: to rebuild one takes so long.
pub(crate) const LINES_MAX: usize = 2048;
/// Tables that a piece of a directory leads to; there is a power of two of pieces.
const PIECE: usize = if cfg!(loom) { 1 } else { 8 };

#[repr(align(64))]
struct Piece<V>([AtomicPtr<Line<V>>; PIECE]);

/// A directory as an address, as [`RawTable`]: with how many pieces there are.
type RawDirectory<V> = *mut Piece<V>;

pub(crate) struct KeyTables<V> {
    hasher: RandomState,
    lines_max: usize,
    /// Where what a value leads to lies.
    address: fn(&V) -> *const (),
    directory: CachePadded<AtomicPtr<Piece<V>>>,
    /// Written by the writer only, read by anyone as a hint: Relaxed without a partner.
    bytes: AtomicUsize,
}

const fn tag_bits<V>() -> usize {
    align_of::<Piece<V>>() - 1
}

fn pieces<V>(raw: RawDirectory<V>) -> *mut [Piece<V>] {
    let len = 1_usize << (raw.addr() & tag_bits::<V>());
    ptr::slice_from_raw_parts_mut(raw.map_addr(|address| address & !tag_bits::<V>()), len)
}

/// A directory of so many pieces, with what `table` says.
fn allocate<V>(len: usize, table: impl Fn(usize) -> RawTable<V>) -> RawDirectory<V> {
    let piece = |at| Piece(std::array::from_fn(|slot| AtomicPtr::new(table(at * PIECE + slot))));
    let pieces: Box<[Piece<V>]> = (0..len).map(piece).collect();
    let raw = Box::into_raw(pieces).cast::<Piece<V>>();
    raw.map_addr(|address| address | len.trailing_zeros() as usize)
}

#[inline]
fn index_of(hash: u64) -> usize {
    (hash >> INDEX_SHIFT) as usize
}

impl<V> KeyTables<V> {
    pub(crate) fn new(seed: u64, lines_max: usize) -> Self {
        let directory = allocate(1, |_| ptr::null_mut());
        Self {
            hasher: RandomState::with_seeds(seed, !seed, 0x5e1_7ed6e, 0x6e7a),
            lines_max,
            address: |_| ptr::null(),
            directory: CachePadded::new(AtomicPtr::new(directory)),
            bytes: AtomicUsize::new(size_of::<Piece<V>>()),
        }
    }

    /// The same, with hints where what a value leads to lies.
    pub(crate) fn hinting(mut self, address: fn(&V) -> *const ()) -> Self {
        self.address = address;
        self
    }

    /// The hash of a key: of its first two bytes, and of the rest.
    #[inline]
    pub(crate) fn hash<'k>(&self, key: impl Into<KeyParts<'k>>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        key.into().hash_into(&mut hasher);
        hasher.finish()
    }

    /// Bytes of tables and directory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where the address of the table for a hash is.
    ///
    /// # Safety
    ///
    /// For `'t` no directory is freed that was current since the call began.
    #[inline]
    unsafe fn place<'t>(&self, hash: u64) -> &'t AtomicPtr<Line<V>> {
        // Acquire, partner: the Release store in `double`.
        let directory = self.directory.load(Ordering::Acquire);
        // SAFETY: never null; by the contract it is not freed.
        let pieces = unsafe { &*pieces(directory) };
        let at = index_of(hash) & (pieces.len() * PIECE - 1);
        &pieces[at / PIECE].0[at % PIECE]
    }

    /// The table for a hash.
    ///
    /// # Safety
    ///
    /// For `'t` neither directory nor table is freed that was current since the call
    /// began.
    #[inline]
    pub(crate) unsafe fn table<'t>(&self, hash: u64) -> Option<KeyTable<'t, V>> {
        // SAFETY: the caller's contract.
        let place = unsafe { self.place(hash) };
        // Acquire, partner: the Release store in `put`.
        // SAFETY: from `allocate`; by the contract it is not freed.
        unsafe { KeyTable::from_raw(place.load(Ordering::Acquire)) }
    }

    /// Writer only: adds an entry; what this replaced.
    ///
    /// # Safety
    ///
    /// The caller is the only writer, and keeps what comes back as long as readers may be
    /// in it; entries that are in here are alive, and this one is not in here.
    pub(crate) unsafe fn insert(&self, hash: u64, entry: NonNull<Block<V>>) -> Replaced<V> {
        // SAFETY: only the writer, which is here, has tables and directories freed: so
        // they stay, here and below.
        let replaced = match unsafe { self.table(hash) } {
            None => {
                let table = key_table::allocate(1, PIECE.trailing_zeros());
                self.count_bytes(KeyTable::<V>::bytes(1), 0);
                // SAFETY: as above; nothing was there.
                unsafe { self.put(hash, table) };
                Replaced::nothing()
            }
            Some(table) => {
                let Counts { live, used, depth } = table.counts();
                let lines = lines_for(live + 1);
                if used < table.lines() * LINE_SLOTS * 3 / 4 {
                    Replaced::nothing()
                } else if lines <= self.lines_max || depth == DEPTH_MAX {
                    // SAFETY: the caller's contract, here and below.
                    unsafe { self.rebuild(hash, &table, lines) }
                } else {
                    // SAFETY: as above.
                    unsafe { self.split(hash, &table) }
                }
            }
        };
        // SAFETY: as above.
        let table = unsafe { self.table(hash) }.expect("put there, if none was");
        // SAFETY: as above.
        unsafe { self.add(&table, hash, entry) };
        replaced
    }

    /// Writer only: takes an entry out; what this replaced.
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert); the entry is in here.
    pub(crate) unsafe fn remove(&self, hash: u64, entry: NonNull<Block<V>>) -> Replaced<V> {
        // SAFETY: as in `insert`.
        let table = unsafe { self.table(hash) }.expect("the table of an entry");
        let emptied = table.remove(hash, entry).expect("an entry of the tree is in its table");
        let Counts { live, used, depth } = table.counts();
        let live = live - 1;
        table.count(Counts { live, used: used - usize::from(emptied), depth });
        if table.lines() > 1 && live < table.lines() * LINE_SLOTS / 8 {
            // SAFETY: the caller's contract.
            return unsafe { self.rebuild(hash, &table, lines_for(live)) };
        }
        Replaced::nothing()
    }

    /// Makes this table the one for a hash and all that share as many bits as it has depth;
    /// gives what was there.
    ///
    /// # Safety
    ///
    /// The caller is the only writer, and keeps what comes back.
    unsafe fn put(&self, hash: u64, table: RawTable<V>) -> RawTable<V> {
        // SAFETY: as in `insert`; not null.
        let depth = unsafe { KeyTable::from_raw(table) }.map(|table| table.counts().depth);
        let step = 1_usize << depth.expect("a table");
        // Relaxed: the writer reads its own store.
        // SAFETY: as in `insert`.
        let pieces = unsafe { &*pieces(self.directory.load(Ordering::Relaxed)) };
        let mut replaced = ptr::null_mut();
        for at in (index_of(hash) & (step - 1)..pieces.len() * PIECE).step_by(step) {
            let place = &pieces[at / PIECE].0[at % PIECE];
            // Relaxed: as above.
            replaced = place.load(Ordering::Relaxed);
            // Release, partner: the Acquire load in `table`, which then finds it filled.
            place.store(table, Ordering::Release);
        }
        replaced
    }

    /// Puts a table of so many lines with the same entries in the place of one.
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert).
    #[cold]
    unsafe fn rebuild(&self, hash: u64, table: &KeyTable<'_, V>, lines: usize) -> Replaced<V> {
        let raw = key_table::allocate(lines, table.counts().depth);
        // SAFETY: not null, and nobody else has it.
        let new = unsafe { KeyTable::from_raw(raw) }.expect("just allocated");
        // SAFETY: the caller's contract.
        table.each(|block| unsafe { self.add(&new, self.hash_of(block), block) });
        self.count_bytes(KeyTable::<V>::bytes(lines), KeyTable::<V>::bytes(table.lines()));
        // SAFETY: the caller's contract.
        let table = unsafe { self.put(hash, raw) };
        Replaced { table, directory: ptr::null_mut() }
    }

    /// Puts two tables in the place of one, between which the next bit decides.
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert).
    #[cold]
    unsafe fn split(&self, hash: u64, table: &KeyTable<'_, V>) -> Replaced<V> {
        let Counts { live, depth, .. } = table.counts();
        let bit = 1 << depth;
        let mut entries = [Vec::with_capacity(live), Vec::new()];
        table.each(|block| {
            // SAFETY: the caller's contract.
            let hash = unsafe { self.hash_of(block) };
            entries[usize::from(index_of(hash) & bit != 0)].push((hash, block));
        });
        // SAFETY: the caller's contract.
        let directory = unsafe { self.double_for(depth + 1) };
        self.count_bytes(0, KeyTable::<V>::bytes(table.lines()));
        let mut table = ptr::null_mut();
        for (entries, side) in entries.into_iter().zip([0, bit]) {
            // If all are on one side this may be too long: then the hashes are not random.
            let lines = lines_for(entries.len() + 1);
            let raw = key_table::allocate(lines, depth + 1);
            // SAFETY: not null, and nobody else has it.
            let new = unsafe { KeyTable::from_raw(raw) }.expect("just allocated");
            for (hash, block) in entries {
                // SAFETY: the caller's contract.
                unsafe { self.add(&new, hash, block) };
            }
            self.count_bytes(KeyTable::<V>::bytes(lines), 0);
            let side = (index_of(hash) & !bit | side) as u64;
            // SAFETY: the caller's contract; both give the table that is split.
            table = unsafe { self.put(side << INDEX_SHIFT, raw) };
        }
        Replaced { table, directory }
    }

    /// Doubles the directory if it goes by fewer bits; gives the one that this replaces,
    /// or null.
    ///
    /// # Safety
    ///
    /// As for [`put`](Self::put).
    unsafe fn double_for(&self, depth: u32) -> RawDirectory<V> {
        // Relaxed, here and below: the writer reads its own stores.
        let old = self.directory.load(Ordering::Relaxed);
        // SAFETY: as in `insert`.
        let pieces = unsafe { &*pieces(old) };
        let tables = pieces.len() * PIECE;
        if 1 << depth <= tables {
            return ptr::null_mut();
        }
        let new = allocate(2 * pieces.len(), |at| {
            let at = at & (tables - 1);
            pieces[at / PIECE].0[at % PIECE].load(Ordering::Relaxed)
        });
        self.count_bytes(2 * size_of_val(pieces), size_of_val(pieces));
        // Release, partner: the Acquire load in `place`, which then finds it filled.
        self.directory.store(new, Ordering::Release);
        old
    }

    /// # Safety
    ///
    /// The entry is alive.
    unsafe fn hash_of(&self, block: NonNull<Block<V>>) -> u64 {
        // SAFETY: the caller's contract.
        self.hash(unsafe { Entry::from_raw(block) }.key())
    }

    /// Adds an entry to a table with room, and counts it.
    ///
    /// # Safety
    ///
    /// The entry is alive.
    unsafe fn add(&self, table: &KeyTable<'_, V>, hash: u64, entry: NonNull<Block<V>>) {
        // SAFETY: the caller's contract.
        let hint = unsafe { self.hint_of(entry) };
        let fresh = table.insert(hash, entry, hint);
        let Counts { live, used, depth } = table.counts();
        table.count(Counts { live: live + 1, used: used + usize::from(fresh), depth });
    }

    /// Where what the entry leads to lies.
    ///
    /// # Safety
    ///
    /// The entry is alive.
    unsafe fn hint_of(&self, entry: NonNull<Block<V>>) -> *const () {
        // SAFETY: the caller's contract.
        (self.address)(unsafe { Entry::from_raw(entry) }.value())
    }

    /// Writer only: what the entry leads to has moved.
    ///
    /// # Safety
    ///
    /// As for [`remove`](Self::remove).
    pub(crate) unsafe fn hint(&self, hash: u64, entry: NonNull<Block<V>>) {
        // SAFETY: as in `insert`.
        if let Some(table) = unsafe { self.table(hash) } {
            // SAFETY: the caller's contract.
            table.hint(hash, entry, unsafe { self.hint_of(entry) });
        }
    }

    fn count_bytes(&self, more: usize, less: usize) {
        self.bytes.store(self.bytes.load(Ordering::Relaxed) + more - less, Ordering::Relaxed);
    }
}

/// Lines for so many entries: half of their slots stay free, at least.
fn lines_for(live: usize) -> usize {
    (2 * live).div_ceil(LINE_SLOTS).next_power_of_two()
}

impl<V> Drop for KeyTables<V> {
    fn drop(&mut self) {
        // Relaxed, here and below: exclusive access, so whoever wrote last happened before.
        let directory = self.directory.load(Ordering::Relaxed);
        // SAFETY: never null; not unlinked, and so never retired.
        let pieces = unsafe { &*pieces(directory) };
        let places = || pieces.iter().flat_map(|piece| &piece.0);
        for (at, place) in places().enumerate() {
            let raw = place.load(Ordering::Relaxed);
            // SAFETY: null, or alive: the places of a table come after its first one.
            let table = unsafe { KeyTable::from_raw(raw) };
            let depth = table.map(|table| table.counts().depth);
            // The last of its places frees it.
            if depth.is_some_and(|depth| at + (1 << depth) >= pieces.len() * PIECE) {
                // SAFETY: linked until now; the exclusive borrow proves that nobody is in it.
                unsafe { key_table::free(raw) };
            }
        }
        // SAFETY: as above; its places are used no more.
        unsafe { free(directory) };
    }
}

/// Frees a directory, and none of its tables.
///
/// # Safety
///
/// It is unlinked, freed once, and nobody uses it any more.
unsafe fn free<V>(raw: RawDirectory<V>) {
    // SAFETY: from a box of this length, in `allocate`; ours alone, by the contract.
    let pieces = unsafe { Box::from_raw(pieces(raw)) };
    #[cfg(loom)]
    end(pieces);
    #[cfg(not(loom))]
    drop(pieces);
}

/// As for the lines of a table.
#[cfg(loom)]
fn end<V>(mut pieces: Box<[Piece<V>]>) {
    pieces.iter_mut().flat_map(|piece| &mut piece.0).for_each(|place| place.with_mut(|_| ()));
    std::mem::forget(pieces);
}

/// What a change of the tables replaced: earlier readers may be in it. Dropping it frees
/// it.
pub(crate) struct Replaced<V> {
    table: RawTable<V>,
    directory: RawDirectory<V>,
}

impl<V> Replaced<V> {
    fn nothing() -> Self {
        Self { table: ptr::null_mut(), directory: ptr::null_mut() }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.table.is_null() && self.directory.is_null()
    }
}

impl<V> Drop for Replaced<V> {
    fn drop(&mut self) {
        if !self.table.is_null() {
            // SAFETY: unlinked by the writer, freed here only, and without readers, by the
            // contract of who was handed it.
            unsafe { key_table::free(self.table) };
        }
        if !self.directory.is_null() {
            // SAFETY: as above.
            unsafe { free(self.directory) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::entry;

    /// What a value leads to: so many cache lines behind it.
    fn address(value: &AtomicUsize) -> *const () {
        let line = (ptr::from_ref(value).addr() >> 6) + value.load(Ordering::Relaxed);
        ptr::without_provenance(line << 6)
    }

    /// Tables are rebuilt and split again and again; the hints go with the entries.
    #[test]
    fn hints_say_where_what_values_lead_to_lies() {
        let tables = KeyTables::new(7, 4).hinting(address);
        let keys: Vec<_> = (0..500_u16).map(u16::to_be_bytes).collect();
        let block = |key: &[u8; 2]| entry::allocate(key, AtomicUsize::new(1));
        let blocks: Vec<_> = keys.iter().map(block).collect();
        // SAFETY: freed at the end.
        let value = |at: usize| unsafe { Entry::from_raw(blocks[at]) }.value();
        let mut replaced = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            value(at).store(1000 + at, Ordering::Relaxed);
            // SAFETY: one thread; entries and tables are freed at the end.
            replaced.push(unsafe { tables.insert(tables.hash(key), blocks[at]) });
        }
        let hinted = |at: usize| {
            let hash = tables.hash(&keys[at]);
            // SAFETY: as above.
            unsafe { tables.table(hash) }.and_then(|table| table.hinted(hash, blocks[at]))
        };
        assert!((0..500).all(|at| hinted(at) == Some(address(value(at)))));
        for at in (0..500).step_by(3) {
            value(at).store(1 << 20 | at, Ordering::Relaxed);
            assert_ne!(hinted(at), Some(address(value(at))));
            // SAFETY: as above.
            unsafe { tables.hint(tables.hash(&keys[at]), blocks[at]) };
        }
        assert!((0..500).all(|at| hinted(at) == Some(address(value(at)))));
        for at in 10..500 {
            // SAFETY: as above; it is in there.
            replaced.push(unsafe { tables.remove(tables.hash(&keys[at]), blocks[at]) });
        }
        assert!((0..10).all(|at| hinted(at) == Some(address(value(at)))));
        assert_eq!(hinted(10), None);
        drop((replaced, tables));
        // SAFETY: allocated above, used no more.
        blocks.into_iter().for_each(|block| unsafe { entry::free(block) });
    }
}
