//! The registry: which snapshots are open, without a lock.
#![expect(unsafe_code, reason = "slot chunks are allocated once and shared by raw pointer")]

#[cfg(not(any(loom, shuttle)))]
use std::cell::Cell;
use std::fmt;
use std::ptr::{self, NonNull};

#[cfg(not(loom))]
use selvedge_base::limits::SNAPSHOTS_MAX;
use selvedge_base::sync::CachePadded;
use selvedge_base::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
use selvedge_base::{Timestamp, mutant};

use crate::horizon::ActiveStarts;
use crate::oracle::Oracle;

#[cfg(not(loom))]
const CHUNK_SLOTS: usize = 64;
#[cfg(loom)]
const CHUNK_SLOTS: usize = 2;
#[cfg(not(loom))]
const CHUNKS: usize = SNAPSHOTS_MAX / CHUNK_SLOTS;
#[cfg(loom)]
const CHUNKS: usize = 2;
const SLOTS: usize = CHUNKS * CHUNK_SLOTS;

/// What a slot holds while nobody uses it.
const FREE: u64 = u64::MAX;

/// One open handle: a cache line of its own, so that threads that begin and end
/// at the same time do not disturb each other.
#[repr(align(64))]
struct Slot {
    start: AtomicU64,
    /// When the handle was opened, or first seen to hold a version back, in
    /// microseconds of the engine's clock; 0 while unknown.
    since_micros: AtomicU64,
    /// Whether the engine knows a label of the handle. Relaxed: only the holder
    /// of the handle looks.
    labelled: AtomicBool,
    index: SlotIndex,
}

impl Slot {
    /// Takes the slot, if it is free, with a start that is yet to be confirmed.
    #[inline]
    fn try_take(&self, start: Timestamp) -> bool {
        // Acquire: partner of the Release store in `close`, so that what the
        // previous owner read is over before this owner begins.
        let free = self.start.load(Ordering::Relaxed) == FREE;
        let (order, failed) = (Ordering::Acquire, Ordering::Relaxed);
        free && self.start.compare_exchange(FREE, start.get(), order, failed).is_ok()
    }
}

struct Chunk {
    slots: [Slot; CHUNK_SLOTS],
}

impl Chunk {
    /// The chunk with this number.
    fn new(number: usize) -> Box<Self> {
        let slots = std::array::from_fn(|at| Slot {
            start: AtomicU64::new(FREE),
            since_micros: AtomicU64::new(0),
            labelled: AtomicBool::new(false),
            index: SlotIndex((number * CHUNK_SLOTS + at) as u32),
        });
        Box::new(Self { slots })
    }
}

/// The number of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SlotIndex(u32);

/// An open slot and the start timestamp it protects. Whoever holds it must hand
/// it back through [`Registry::close`], once.
#[derive(Debug)]
pub struct OpenSlot {
    start: Timestamp,
    /// The slot, which lives as long as the registry.
    slot: NonNull<Slot>,
}

// SAFETY: the slot is made of atomics, and any thread may close it.
unsafe impl Send for OpenSlot {}
// SAFETY: shared, an open slot only tells its start and its number.
unsafe impl Sync for OpenSlot {}

impl OpenSlot {
    /// A slot that this thread has taken, with the start that it confirmed.
    fn settled(slot: &Slot) -> Self {
        let start = Timestamp::new(slot.start.load(Ordering::Relaxed));
        Self { start, slot: NonNull::from(slot) }
    }

    /// The start timestamp of the snapshot.
    #[must_use]
    #[inline]
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The number of the slot.
    #[must_use]
    pub fn index(&self) -> SlotIndex {
        self.slot().index
    }

    /// Notes that the engine keeps a label for this handle.
    pub fn note_label(&self) {
        self.slot().labelled.store(true, Ordering::Relaxed);
    }

    /// Whether a label was noted.
    #[must_use]
    #[inline]
    pub fn is_labelled(&self) -> bool {
        self.slot().labelled.load(Ordering::Relaxed)
    }

    #[inline]
    fn slot(&self) -> &Slot {
        // SAFETY: a chunk, once linked, lives until the registry is dropped, and
        // whoever holds an open slot keeps the registry.
        unsafe { self.slot.as_ref() }
    }
}

/// The high-water mark: slots at and above it are free. With it, in the upper
/// bits, the number of times that it was lowered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct HighWater(u64);

impl HighWater {
    const SLOT_BITS: u32 = 16;

    #[inline]
    fn slots(self) -> usize {
        (self.0 & ((1 << Self::SLOT_BITS) - 1)) as usize
    }

    #[inline]
    fn lowerings(self) -> u64 {
        self.0 >> Self::SLOT_BITS
    }

    #[inline]
    fn covers(self, index: SlotIndex) -> bool {
        self.slots() > index.0 as usize
    }

    fn raised_over(self, index: SlotIndex) -> Self {
        self.max(Self(self.lowerings() << Self::SLOT_BITS | (u64::from(index.0) + 1)))
    }

    fn lowered_to(self, slots: usize) -> Self {
        Self((self.lowerings() + 1) << Self::SLOT_BITS | slots as u64)
    }
}

const _: () = assert!(SLOTS < 1 << HighWater::SLOT_BITS, "the mark holds the number of every slot");

/// Every slot is taken: [`SNAPSHOTS_MAX`] handles are open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegistryFull;

/// The slots of all open snapshots.
///
/// Begin against prune is a Dekker handshake, with a sequentially consistent
/// fence on both sides:
///
/// ```text
/// begin:  slot := v            prune:  V0 := visible
///         fence                        fence
///         visible == v ?               scan the slots
/// ```
///
/// Whichever fence comes first, either the scan finds `v`, or the second read
/// of `visible` returns at least V0 and begin repeats with that. A snapshot
/// that the scan misses therefore starts at V0 or later, and the pruner treats
/// V0 itself as an active start and touches nothing newer.
///
/// The scan must also reach the slot, so the high-water mark has to cover it at
/// the scan, and not merely when begin ends. Begin makes sure of that before its
/// fence, be it before or after it takes the slot, and after it that nobody has lowered the mark since:
///
/// ```text
/// begin:  slot := v                    lower:  look for the highest slot taken
///         mark covers the slot, or             lower the mark, unless raised
///         is raised over it                    fence
///         fence                                look again, and raise it over
///         visible == v ?                       what was missed
///         no lowering since ?
/// ```
///
/// If the fence of lower comes first, begin sees the lowering and starts again;
/// otherwise lower sees the slot when it looks again. The mark counts its
/// lowerings, since a mark lowered, missed by a scan, and raised by another
/// begin would look as if it had covered the slot all the time.
pub struct Registry {
    /// The first of the chunks, which is there from the beginning.
    first: NonNull<Chunk>,
    chunks: [AtomicPtr<Chunk>; CHUNKS],
    /// A [`HighWater`]. Read at every begin and scan, written rarely. Relaxed
    /// everywhere: the fences order it, and it guards nothing by itself.
    high_water: CachePadded<AtomicU64>,
}

#[cfg(not(any(loom, shuttle)))]
thread_local! {
    /// Where this thread looks for a free slot: its own base first, then the
    /// lowest slot it recently used.
    static HINT: Cell<(u32, u32)> = const { Cell::new((u32::MAX, 0)) };
}

#[cfg(not(any(loom, shuttle)))]
#[inline]
fn hint() -> (u32, u32) {
    HINT.with(|hint| {
        if hint.get().0 == u32::MAX {
            hint.set(first_hint());
        }
        hint.get()
    })
}

/// Where a thread looks first: threads start spread over the first chunk.
#[cfg(not(any(loom, shuttle)))]
#[cold]
fn first_hint() -> (u32, u32) {
    use selvedge_base::sync::atomic::AtomicU32;
    static THREADS: AtomicU32 = AtomicU32::new(0);
    // Order is irrelevant.
    let base = THREADS.fetch_add(1, Ordering::Relaxed) % CHUNK_SLOTS as u32;
    (base, base)
}

#[cfg(not(any(loom, shuttle)))]
#[inline]
fn remember(cursor: impl Fn(u32) -> u32) {
    HINT.with(|hint| {
        let (base, old) = hint.get();
        hint.set((base, cursor(old)));
    });
}

/// In a model every thread looks at the same slots, lowest first.
#[cfg(any(loom, shuttle))]
fn hint() -> (u32, u32) {
    (0, 0)
}

#[cfg(any(loom, shuttle))]
fn remember(_cursor: impl Fn(u32) -> u32) {}

impl Registry {
    /// A registry without open snapshots.
    #[must_use]
    pub fn new() -> Self {
        let chunks: [AtomicPtr<Chunk>; CHUNKS] =
            std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
        let first = NonNull::from(Box::leak(Chunk::new(0)));
        chunks[0].store(first.as_ptr(), Ordering::Release);
        Self { first, chunks, high_water: CachePadded::new(AtomicU64::new(0)) }
    }

    #[inline]
    fn slot(&self, index: SlotIndex) -> &Slot {
        let index = index.0 as usize;
        let number = index / CHUNK_SLOTS;
        // Partner: the Release exchange in `new_chunk` (or the store in `new`).
        let mut at = self.chunks[number].load(Ordering::Acquire);
        if at.is_null() {
            at = self.new_chunk(number);
        }
        // SAFETY: a chunk, once linked, lives until the registry is dropped.
        let chunk = unsafe { &*at };
        &chunk.slots[index % CHUNK_SLOTS]
    }

    /// The slot that a thread looks at first, which lies in the first chunk.
    #[inline]
    fn base_slot(&self, base: u32) -> &Slot {
        // SAFETY: made with the registry, and lives until it is dropped.
        &unsafe { self.first.as_ref() }.slots[base as usize % CHUNK_SLOTS]
    }

    /// Links a chunk of free slots, unless another thread does so first.
    #[cold]
    fn new_chunk(&self, number: usize) -> *mut Chunk {
        let fresh = Box::into_raw(Chunk::new(number));
        let chunk = &self.chunks[number];
        match chunk.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: `fresh` was never shared: the exchange failed.
                drop(unsafe { Box::from_raw(fresh) });
                other
            }
        }
    }

    /// Opens a snapshot at the newest visible timestamp.
    ///
    /// # Errors
    /// [`RegistryFull`] if [`SNAPSHOTS_MAX`] handles are open.
    // Inlined always, and nothing returned in memory on the way: an open snapshot
    // then lives in registers.
    #[inline(always)]
    pub fn open(&self, oracle: &Oracle) -> Result<OpenSlot, RegistryFull> {
        let (base, cursor) = hint();
        let (start, mark) = (oracle.visible(), self.mark());
        mutant::linger("horizon-without-recheck");
        let slot = self.base_slot(base);
        if !slot.try_take(start) {
            let index = self.take_other_slot(cursor, oracle).ok_or(RegistryFull)?;
            return Ok(OpenSlot::settled(self.slot(index)));
        }
        if mark.covers(slot.index) && self.is_settled(start, mark, oracle) {
            return Ok(OpenSlot { start, slot: NonNull::from(slot) });
        }
        self.settle(slot, oracle);
        Ok(OpenSlot::settled(slot))
    }

    /// The part of the handshake behind the fence: whether nothing has moved
    /// since the slot was taken with `start`, and `mark` covered it.
    #[inline]
    fn is_settled(&self, start: Timestamp, mark: HighWater, oracle: &Oracle) -> bool {
        // Partner: the fences in `active` and `lower_high_water`.
        if !mutant::is("begin-without-fence") {
            fence(Ordering::SeqCst);
        }
        let fresh = oracle.visible() == start || mutant::is("horizon-without-recheck");
        let as_high = self.mark().lowerings() == mark.lowerings();
        fresh && (as_high || mutant::is("high-water-lowering-unseen"))
    }

    /// Repeats the handshake for a slot that is taken, until nothing moves
    /// meanwhile.
    #[cold]
    fn settle(&self, slot: &Slot, oracle: &Oracle) {
        loop {
            let start = oracle.visible();
            // Release: a scan that finds this, and not the FREE of the owner before,
            // comes behind what that owner read all the same.
            slot.start.store(start.get(), Ordering::Release);
            let mark = self.cover(slot.index);
            if self.is_settled(start, mark, oracle) {
                return;
            }
        }
    }

    #[inline]
    fn mark(&self) -> HighWater {
        HighWater(self.high_water.load(Ordering::Relaxed))
    }

    fn raise(&self, to: HighWater) -> HighWater {
        HighWater(self.high_water.fetch_max(to.0, Ordering::Relaxed)).max(to)
    }

    /// Gives a mark that covers the slot.
    fn cover(&self, index: SlotIndex) -> HighWater {
        let mut mark = self.mark();
        // As a rule it is covered already. Ends: each further turn means that the
        // mark was lowered meanwhile, which happens now and then, under the
        // commit lock.
        while !mark.covers(index) {
            mark = self.raise(mark.raised_over(index));
        }
        mark
    }

    /// Takes the first free slot from `cursor` on, and settles it; `None` if all
    /// are taken.
    #[cold]
    fn take_other_slot(&self, cursor: u32, oracle: &Oracle) -> Option<SlotIndex> {
        let start = oracle.visible();
        let indices = (0..SLOTS as u32).map(|step| SlotIndex((cursor + step) % SLOTS as u32));
        let index = { indices }.find(|index| self.slot(*index).try_take(start))?;
        remember(|_| index.0);
        self.settle(self.slot(index), oracle);
        Some(index)
    }

    /// Closes a snapshot of this registry; its slot is free for the next.
    #[inline]
    pub fn close(&self, open: OpenSlot) {
        let slot = open.slot();
        debug_assert!(ptr::eq(self.slot(slot.index), slot), "of this registry");
        slot.since_micros.store(0, Ordering::Relaxed);
        slot.labelled.store(false, Ordering::Relaxed);
        // Partner: the Acquire loads in `active`: when the scan sees the slot
        // free, every read of this snapshot happened before.
        slot.start.store(FREE, Ordering::Release);
        if hint().0 != slot.index.0 {
            remember(|cursor| cursor.min(slot.index.0));
        }
    }

    /// The start timestamps of every open snapshot but `own`, as a pruner must
    /// see them: the caller has read the visible timestamp *before* (V0), and
    /// holds the commit lock.
    pub fn active(&self, own: Option<SlotIndex>) -> ActiveStarts {
        // Partner: the fence in `open`.
        fence(Ordering::SeqCst);
        let mut active = ActiveStarts::new();
        self.each_open(|index, start, _| {
            if Some(index) != own {
                active.add(start);
            }
        });
        active.seal();
        active
    }

    /// Visits every open slot: its number, start timestamp and, if known, since
    /// when it is open, in microseconds of the engine's clock.
    pub fn each_open(&self, mut visit: impl FnMut(SlotIndex, Timestamp, Option<u64>)) {
        for index in 0..self.high_water() {
            let index = SlotIndex(index as u32);
            let slot = self.slot(index);
            // Partner: the Release store in `close`.
            let start = slot.start.load(Ordering::Acquire);
            if start != FREE {
                let since = slot.since_micros.load(Ordering::Relaxed);
                visit(index, Timestamp::new(start), (since != 0).then_some(since));
            }
        }
    }

    /// Notes since when `index` is open, if nothing is noted yet. A wrong note
    /// (the slot changed hands meanwhile) misleads statistics, nothing else.
    pub fn note_since(&self, index: SlotIndex, micros: u64) {
        let slot = self.slot(index);
        if slot.since_micros.load(Ordering::Relaxed) == 0 {
            slot.since_micros.store(micros.max(1), Ordering::Relaxed);
        }
    }

    /// Lowers the high-water mark to the highest slot in use, so that a burst
    /// of snapshots long gone does not slow down every later scan. The caller
    /// holds the commit lock: nobody else scans or lowers meanwhile.
    pub fn lower_high_water(&self) {
        let mark = self.mark();
        let old = mark.slots();
        let taken = |index: &SlotIndex| self.slot(*index).start.load(Ordering::Acquire) != FREE;
        let highest =
            |from: usize| (from..old).rev().map(|index| SlotIndex(index as u32)).find(taken);
        let new = highest(0).map_or(0, |index| index.0 as usize + 1);
        if new == old {
            return;
        }
        let lowered = mark.lowered_to(new);
        // Refused if the mark was raised meanwhile, for a slot that was not
        // looked at here.
        let relaxed = Ordering::Relaxed;
        if self.high_water.compare_exchange(mark.0, lowered.0, relaxed, relaxed).is_err() {
            return;
        }
        if mutant::is("high-water-lowered-late") {
            return;
        }
        // Partner: the fence in `open`: a begin that has not seen the lowered
        // mark took its slot before this fence, so the second look finds it.
        fence(Ordering::SeqCst);
        if let Some(missed) = highest(new) {
            self.raise(lowered.raised_over(missed));
        }
    }

    /// One more than the highest slot that a scan visits.
    #[must_use]
    pub fn high_water(&self) -> usize {
        self.mark().slots()
    }
}

// SAFETY: chunks are made of atomics, and owned by the registry.
unsafe impl Send for Registry {}
// SAFETY: as above.
unsafe impl Sync for Registry {}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for chunk in &self.chunks {
            let at = chunk.load(Ordering::Acquire);
            if !at.is_null() {
                // SAFETY: the registry owns its chunks, and nobody borrows it.
                drop(unsafe { Box::from_raw(at) });
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut open = f.debug_map();
        self.each_open(|index, start, _| {
            open.entry(&index.0, &start);
        });
        open.finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn opens_closes_and_reuses() {
        let (oracle, registry) = (Oracle::new(Timestamp::ZERO), Registry::new());
        let first = registry.open(&oracle).unwrap();
        let second = registry.open(&oracle).unwrap();
        assert_ne!(first.index(), second.index());
        let mut open = 0;
        registry.each_open(|_, _, _| open += 1);
        assert_eq!(open, 2);
        assert_eq!(registry.active(None).len(), 1, "both began at the same timestamp");
        registry.close(second);
        assert!(registry.active(Some(first.index())).is_empty());
        let index = first.index();
        registry.close(first);
        assert_eq!(registry.open(&oracle).unwrap().index(), index);
    }

    #[test]
    fn is_full_at_the_limit_and_recovers() {
        let (oracle, registry) = (Oracle::new(Timestamp::ZERO), Registry::new());
        let open: Vec<_> = (0..SNAPSHOTS_MAX).map(|_| registry.open(&oracle).unwrap()).collect();
        assert_eq!(registry.open(&oracle).unwrap_err(), RegistryFull);
        for slot in open {
            registry.close(slot);
        }
        registry.lower_high_water();
        assert_eq!(registry.high_water(), 0);
        let slot = registry.open(&oracle).unwrap();
        assert!(registry.high_water() <= CHUNK_SLOTS, "low slots come first after a burst");
        registry.close(slot);
    }
}
