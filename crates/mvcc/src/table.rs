//! A table from dense identifiers to slots that never move: a radix tree whose
//! leaves hold the slots, grown by one writer, read without locks.
#![expect(unsafe_code, reason = "tree nodes are linked by raw pointer")]

use std::fmt;
use std::marker::PhantomData;
use std::ptr;

use selvedge_base::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use crate::limbo::Retired;
use crate::record::SnapshotRef;

/// Bits of an identifier that one inner node resolves.
#[cfg(not(loom))]
const INNER_BITS: u32 = 9;
#[cfg(loom)]
const INNER_BITS: u32 = 2;
const INNER_SLOTS: usize = 1 << INNER_BITS;

/// Aligned so that the low bits of a pointer to it are free for the height.
#[repr(align(64))]
struct Inner {
    /// Inner nodes one level below, or leaves at level 1.
    children: [AtomicPtr<()>; INNER_SLOTS],
}

/// Low bits of the root pointer that hold the height of the tree.
const HEIGHT_MASK: usize = align_of::<Inner>() - 1;

impl Inner {
    fn new() -> *mut Self {
        let children = std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
        Box::into_raw(Box::new(Self { children }))
    }
}

struct Leaf<T, const LEAF: usize> {
    /// Slots in use; only the writer reads and changes it.
    live: AtomicU32,
    slots: [T; LEAF],
}

/// What a walk down the tree met.
enum Place<'t> {
    /// The pointer to the leaf, which may be null.
    Leaf(&'t AtomicPtr<()>),
    /// An inner node is missing: `1 << shift` leaves are absent together.
    Absent { shift: u32 },
    /// Beyond what the tree reaches at its height.
    Beyond,
}

/// Slots of `T` by identifier. `LEAF` slots, a power of two, make a leaf.
///
/// Leaves appear when the writer first asks for one of their slots, and go when
/// none of their slots is in use; a later use makes a new, empty leaf. Inner
/// nodes (4 KiB for 512 leaves) stay. An empty table is one word.
pub struct Table<T, const LEAF: usize> {
    /// The root, with the height of the tree in its low bits: 0 for none; the
    /// children of a node at height 1 are leaves.
    root: AtomicPtr<Inner>,
    leaves: AtomicUsize,
    owns: PhantomData<T>,
}

impl<T, const LEAF: usize> Table<T, LEAF> {
    /// Bits of an identifier that a leaf resolves.
    const LEAF_BITS: u32 = {
        assert!(LEAF.is_power_of_two());
        LEAF.trailing_zeros()
    };

    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            root: AtomicPtr::new(ptr::null_mut()),
            leaves: AtomicUsize::new(0),
            owns: PhantomData,
        }
    }

    /// The root and its height.
    #[inline]
    fn root(&self) -> (*mut Inner, u32) {
        // Partner: the Release store in `grow`.
        let tagged = self.root.load(Ordering::Acquire);
        (tagged.map_addr(|addr| addr & !HEIGHT_MASK), (tagged.addr() & HEIGHT_MASK) as u32)
    }

    /// Walks down to the leaf with this prefix (identifier without leaf bits).
    #[inline]
    fn place(&self, prefix: u64) -> Place<'_> {
        let (root, height) = self.root();
        if prefix.checked_shr(INNER_BITS * height) != Some(0) {
            // Shifts of 64 bits and more only arise for trees that reach
            // every identifier.
            if INNER_BITS * height < u64::BITS {
                return Place::Beyond;
            }
        }
        // SAFETY: inner nodes live as long as the table.
        let Some(mut node) = (unsafe { root.as_ref() }) else { return Place::Beyond };
        let mut rest = prefix;
        for level in (1..height).rev() {
            let shift = INNER_BITS * level;
            // Partner: the Release stores in `grow` and `make_inner`.
            let child = node.children[(rest >> shift) as usize].load(Ordering::Acquire);
            rest &= (1 << shift) - 1;
            // SAFETY: as above; children above level 1 are inner nodes.
            match unsafe { child.cast::<Inner>().as_ref() } {
                Some(child) => node = child,
                None => return Place::Absent { shift },
            }
        }
        Place::Leaf(&node.children[rest as usize])
    }

    #[inline]
    fn leaf(&self, prefix: u64) -> *mut Leaf<T, LEAF> {
        let (root, height) = self.root();
        // Two levels reach what most tables hold. The way there has no loop, so
        // that more walks fit into what a processor overlaps.
        // SAFETY: inner nodes live as long as the table. Partners of the loads:
        // as in `place`.
        let Some(mut node) = (unsafe { root.as_ref() }) else { return ptr::null_mut() };
        if height == 2 && prefix >> (2 * INNER_BITS) == 0 {
            let child = node.children[(prefix >> INNER_BITS) as usize].load(Ordering::Acquire);
            // SAFETY: as above; children above level 1 are inner nodes.
            match unsafe { child.cast::<Inner>().as_ref() } {
                Some(child) => node = child,
                None => return ptr::null_mut(),
            }
        } else if height != 1 || prefix >> INNER_BITS != 0 {
            return self.leaf_at_any_height(prefix);
        }
        node.children[prefix as usize % INNER_SLOTS].load(Ordering::Acquire).cast()
    }

    #[cold]
    fn leaf_at_any_height(&self, prefix: u64) -> *mut Leaf<T, LEAF> {
        match self.place(prefix) {
            // Partner: the Release store in `slot_or_new`.
            Place::Leaf(place) => place.load(Ordering::Acquire).cast(),
            Place::Absent { .. } | Place::Beyond => ptr::null_mut(),
        }
    }

    /// The slot of `id`, if its leaf exists.
    ///
    /// The open snapshot keeps the leaf alive: leaves are retired through
    /// [`Limbo`](crate::limbo::Limbo).
    #[must_use]
    #[inline]
    pub fn get<'s>(&'s self, id: u64, _at: SnapshotRef<'s>) -> Option<&'s T> {
        // SAFETY: the snapshot was open before the leaf is loaded.
        unsafe { self.slot(id) }
    }

    /// The slots of the leaf of `id`, if it exists: `id % LEAF` is the place of
    /// `id` among them. The open snapshot keeps the leaf alive.
    #[must_use]
    #[inline]
    pub fn leaf_slots<'s>(&'s self, id: u64, _at: SnapshotRef<'s>) -> Option<&'s [T; LEAF]> {
        // SAFETY: the snapshot was open before the leaf is loaded.
        let leaf = unsafe { self.leaf(id >> Self::LEAF_BITS).as_ref() }?;
        Some(&leaf.slots)
    }

    /// The slot of `id`, if its leaf exists.
    ///
    /// # Safety
    /// For `'w` the caller holds the commit lock, or a snapshot is open.
    #[must_use]
    #[inline]
    pub unsafe fn slot<'w>(&self, id: u64) -> Option<&'w T> {
        // SAFETY: the caller keeps leaves from being freed.
        let leaf = unsafe { self.leaf(id >> Self::LEAF_BITS).as_ref() }?;
        Some(&leaf.slots[id as usize % LEAF])
    }

    /// The first identifier at or after `from` whose leaf exists.
    #[must_use]
    pub fn next_present(&self, from: u64, _at: SnapshotRef<'_>) -> Option<u64> {
        let mut id = from;
        loop {
            let prefix = id >> Self::LEAF_BITS;
            let shift = match self.place(prefix) {
                Place::Leaf(leaf) if !leaf.load(Ordering::Acquire).is_null() => return Some(id),
                Place::Leaf(_) => 0,
                Place::Absent { shift } => shift,
                Place::Beyond => return None,
            };
            id = (((prefix >> shift) + 1) << shift) << Self::LEAF_BITS;
        }
    }

    /// The slot of `id`, made if need be.
    ///
    /// # Safety
    /// The caller holds the commit lock for `'w`.
    pub unsafe fn slot_or_new<'w>(&self, id: u64) -> &'w T
    where
        T: Default,
    {
        let prefix = id >> Self::LEAF_BITS;
        let place = loop {
            match self.place(prefix) {
                Place::Leaf(place) => break place,
                Place::Absent { shift } => self.make_inner(prefix, shift),
                Place::Beyond => self.grow(),
            }
        };
        if place.load(Ordering::Relaxed).is_null() {
            let slots: [T; LEAF] = std::array::from_fn(|_| T::default());
            let leaf = Box::into_raw(Box::new(Leaf { live: AtomicU32::new(0), slots }));
            // Partner: the Acquire loads in `leaf` and `next_present`.
            place.store(leaf.cast(), Ordering::Release);
            self.leaves.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: under the commit lock the leaf that was just ensured stays.
        unsafe { self.slot(id) }.expect("the leaf was just ensured")
    }

    /// Puts a new root above the old one.
    fn grow(&self) {
        let (old, height) = self.root();
        let new = Inner::new();
        // SAFETY: not shared yet.
        unsafe { (*new).children[0].store(old.cast(), Ordering::Relaxed) };
        let tagged = new.map_addr(|addr| addr | (height as usize + 1));
        // Partner: the Acquire load in `root`.
        self.root.store(tagged, Ordering::Release);
    }

    /// Makes the missing inner node on the way to `prefix` that covers
    /// `1 << shift` leaves.
    fn make_inner(&self, prefix: u64, shift: u32) {
        let (root, height) = self.root();
        let (mut node, mut rest) = (root, prefix);
        for level in (1..height).rev() {
            let step = INNER_BITS * level;
            // SAFETY: inner nodes live as long as the table.
            let place = unsafe { &(*node).children[(rest >> step) as usize] };
            rest &= (1 << step) - 1;
            if step == shift {
                // Partner: the Acquire load in `place`.
                place.store(Inner::new().cast(), Ordering::Release);
                return;
            }
            node = place.load(Ordering::Relaxed).cast();
        }
    }

    /// Counts a slot of the leaf of `id` as used (`+1`) or no longer used
    /// (`-1`).
    ///
    /// # Safety
    /// The caller holds the commit lock; the slot exists.
    pub unsafe fn count_live(&self, id: u64, change: i32) {
        // SAFETY: under the commit lock the leaf stays.
        let leaf =
            unsafe { self.leaf(id >> Self::LEAF_BITS).as_ref() }.expect("a counted slot exists");
        let now = leaf.live.load(Ordering::Relaxed).checked_add_signed(change);
        leaf.live.store(now.expect("no more slots end than began"), Ordering::Relaxed);
    }

    /// Unlinks the leaf of `id` if none of its slots is in use.
    ///
    /// # Safety
    /// The caller holds the commit lock, and puts what it gets into the limbo.
    pub unsafe fn unlink_dead_leaf(&self, id: u64) -> Option<Retired>
    where
        T: Send + 'static,
    {
        let Place::Leaf(place) = self.place(id >> Self::LEAF_BITS) else { return None };
        let leaf = place.load(Ordering::Relaxed).cast::<Leaf<T, LEAF>>();
        // SAFETY: under the commit lock the leaf stays.
        if unsafe { leaf.as_ref() }?.live.load(Ordering::Relaxed) != 0 {
            return None;
        }
        place.store(ptr::null_mut(), Ordering::Release);
        self.leaves.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: made by Box, unlinked just now, dropped once by the limbo.
        Some(Retired::new(unsafe { Box::from_raw(leaf) }))
    }

    /// The number of leaves.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.leaves.load(Ordering::Relaxed)
    }

    /// Frees the subtree below `node`, which is at `height`.
    ///
    /// # Safety
    /// Nobody else can reach the table any more.
    unsafe fn free(node: *mut Inner, height: u32) {
        // SAFETY: made by Box and freed once.
        let node = unsafe { Box::from_raw(node) };
        for child in &node.children {
            let child = child.load(Ordering::Relaxed);
            match (child.is_null(), height) {
                (true, _) => {}
                // SAFETY: as above; height 1 has leaves as children.
                (false, 1) => drop(unsafe { Box::from_raw(child.cast::<Leaf<T, LEAF>>()) }),
                // SAFETY: as above.
                (false, _) => unsafe { Self::free(child.cast(), height - 1) },
            }
        }
    }
}

impl<T, const LEAF: usize> Default for Table<T, LEAF> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const LEAF: usize> Drop for Table<T, LEAF> {
    fn drop(&mut self) {
        let (root, height) = self.root();
        if height > 0 {
            // SAFETY: `&mut self`: nobody else can reach the table.
            unsafe { Self::free(root, height) };
        }
    }
}

impl<T, const LEAF: usize> fmt::Debug for Table<T, LEAF> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("leaves", &self.leaves()).finish_non_exhaustive()
    }
}

// SAFETY: slots are shared by reference, and dropped with the table or the
// limbo, on whichever thread that happens.
unsafe impl<T: Send + Sync, const LEAF: usize> Sync for Table<T, LEAF> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, const LEAF: usize> Send for Table<T, LEAF> {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use selvedge_base::Timestamp;
    use selvedge_base::sync::atomic::AtomicU64;

    fn at<'s>() -> SnapshotRef<'s> {
        // SAFETY: single-threaded tests.
        unsafe { SnapshotRef::new(Timestamp::ZERO) }
    }

    #[test]
    fn far_ids_do_not_collide() {
        let table = Table::<AtomicU64, 16>::new();
        let ids = [0, 1, 15, 16, (1 << 20) + 3, 1 << 21, (1 << 33) + 1, u64::MAX >> 2, u64::MAX];
        for id in ids {
            assert!(table.get(id, at()).is_none_or(|slot| slot.load(Ordering::Relaxed) == 0));
            // SAFETY: single-threaded.
            unsafe { table.slot_or_new(id) }.store(id ^ 7, Ordering::Relaxed);
        }
        for id in ids {
            assert_eq!(table.get(id, at()).unwrap().load(Ordering::Relaxed), id ^ 7);
        }
        assert_eq!(table.next_present(17, at()), Some(17));
        assert_eq!(table.next_present(32, at()), Some(1 << 20));
        assert_eq!(table.next_present((1 << 21) + 16, at()), Some(1 << 33));
    }

    /// However high the tree is: the bits of an identifier that it does not reach count.
    #[test]
    fn ids_beyond_the_tree_are_not_there() {
        for highest in [0, 1, 1023, 1024, (1 << 19) - 1, 1 << 19, 1 << 30] {
            let table = Table::<AtomicU64, 2>::new();
            // SAFETY: single-threaded.
            unsafe { table.slot_or_new(highest) };
            for bit in 0..u64::BITS {
                let beyond = 1 << bit | 1 << 63;
                assert!(table.get(beyond, at()).is_none(), "{beyond:#x} beside {highest}");
            }
        }
    }

    #[test]
    fn dead_leaves_go_and_come_again() {
        let table = Table::<AtomicU64, 16>::new();
        // SAFETY: single-threaded.
        unsafe {
            table.slot_or_new(40).store(1, Ordering::Relaxed);
            table.count_live(40, 1);
            assert!(table.unlink_dead_leaf(41).is_none());
            table.count_live(40, -1);
            assert!(table.unlink_dead_leaf(41).is_some());
            assert!(table.get(40, at()).is_none());
            assert_eq!(table.slot_or_new(40).load(Ordering::Relaxed), 0);
        }
        assert_eq!(table.leaves(), 1);
    }
}
