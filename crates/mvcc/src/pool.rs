//! Memory of versions that were freed, kept by each thread for the versions that it
//! makes next.
//!
//! A commit makes a version and frees another one of about the same size. The freed one
//! was looked at a moment ago, so its memory is in the cache, while what an allocator
//! gives out is, in a large database, somewhere in all that memory: to write there waits
//! for it, and to give single places of full pages back is the dearest thing that
//! allocators do.
//!
//! A build for a tool that looks for uses after the end, or for a model checker, keeps
//! nothing: there every version ends in the allocator.
#![expect(unsafe_code, reason = "memory is handed out and taken back by raw pointer")]

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::ptr::{self, NonNull};

/// Sizes are rounded up to a multiple of this.
const STEP: usize = 16;
/// Larger versions are not kept.
const SIZE_MAX: usize = 1024;
/// Bytes that a thread keeps at most: more than what the collector frees at once.
const BYTES_KEPT: usize = 256 << 10;

const IS_POOLED: bool = !cfg!(any(loom, shuttle, fuzzing, selvedge_unpooled));

/// A kept place: the next one of its size lies behind the pointer in it.
struct Place {
    next: Option<NonNull<Place>>,
}

/// The places that a thread keeps, by size.
struct Pool {
    places: [Option<NonNull<Place>>; SIZE_MAX / STEP],
    bytes: usize,
}

thread_local! {
    static POOL: RefCell<Pool> =
        const { RefCell::new(Pool { places: [None; SIZE_MAX / STEP], bytes: 0 }) };
}

/// The layout that places for `layout` have, if such are kept.
#[inline]
fn kept_as(layout: Layout) -> Option<Layout> {
    let is_kept = IS_POOLED && layout.size() <= SIZE_MAX && layout.align() <= STEP;
    let size = layout.size().next_multiple_of(STEP);
    if is_kept { Layout::from_size_align(size, STEP).ok() } else { None }
}

impl Pool {
    fn slot(&mut self, size: usize) -> &mut Option<NonNull<Place>> {
        &mut self.places[size / STEP - 1]
    }

    fn take(&mut self, size: usize) -> Option<NonNull<Place>> {
        let slot = self.slot(size);
        let place = (*slot)?;
        // SAFETY: kept places are owned by the pool, and begin with a `Place`.
        *slot = unsafe { place.as_ref() }.next;
        self.bytes -= size;
        Some(place)
    }

    /// Keeps a place; false if there are enough.
    ///
    /// # Safety
    /// The place has this size, was allocated with [`kept_as`], and is owned by the
    /// caller, who gives it up if this is true.
    unsafe fn put(&mut self, place: NonNull<Place>, size: usize) -> bool {
        if self.bytes + size > BYTES_KEPT {
            return false;
        }
        self.bytes += size;
        let slot = self.slot(size);
        // SAFETY: large enough and aligned, since it is a multiple of `STEP`.
        unsafe { place.write(Place { next: *slot }) };
        *slot = Some(place);
        true
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for size in (1..=self.places.len()).map(|steps| steps * STEP) {
            while let Some(place) = self.take(size) {
                let layout = Layout::from_size_align(size, STEP).expect("the layout of a place");
                // SAFETY: allocated with this layout, and owned by the pool.
                unsafe { dealloc(place.as_ptr().cast(), layout) };
            }
        }
    }
}

/// Memory for a version; null if there is none.
///
/// # Safety
/// The layout is not empty.
#[inline]
pub(crate) unsafe fn allocate(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's contract, here and below.
    let Some(kept) = kept_as(layout) else { return unsafe { alloc(layout) } };
    // While the thread ends there is no pool.
    let place = POOL.try_with(|pool| pool.borrow_mut().take(kept.size()));
    match place {
        Ok(Some(place)) => place.as_ptr().cast(),
        // SAFETY: as above.
        _ => unsafe { alloc(kept) },
    }
}

/// As [`allocate`], with zeros in it.
///
/// # Safety
/// As there.
pub(crate) unsafe fn allocate_zeroed(layout: Layout) -> *mut u8 {
    // SAFETY: the caller's contract; what was allocated has room for all the zeros.
    unsafe {
        let place = allocate(layout);
        if !place.is_null() {
            ptr::write_bytes(place, 0, layout.size());
        }
        place
    }
}

/// Takes memory back.
///
/// # Safety
/// It came from [`allocate`] or [`allocate_zeroed`] with this layout, on whichever
/// thread, and is given back once.
#[inline]
pub(crate) unsafe fn give_back(place: NonNull<u8>, layout: Layout) {
    let Some(kept) = kept_as(layout) else {
        // SAFETY: the caller's contract: then `allocate` asked the allocator.
        return unsafe { dealloc(place.as_ptr(), layout) };
    };
    // SAFETY: the caller's contract.
    let put = POOL.try_with(|pool| unsafe { pool.borrow_mut().put(place.cast(), kept.size()) });
    if !put.unwrap_or(false) {
        // SAFETY: as above; places are allocated with the layout of kept ones.
        unsafe { dealloc(place.as_ptr(), kept) };
    }
}

#[cfg(all(test, not(any(loom, shuttle, fuzzing, selvedge_unpooled))))]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).expect("a layout")
    }

    fn kept_bytes() -> usize {
        POOL.with(|pool| pool.borrow().bytes)
    }

    /// Runs on a thread of its own, whose pool is empty.
    fn alone(work: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(work).join().expect("the test passes"));
    }

    #[test]
    fn what_was_freed_last_is_used_next_for_a_version_of_its_size() {
        alone(|| {
            // SAFETY: each is given back once, with its layout.
            unsafe {
                let [first, second] = [100, 112].map(|size| allocate(layout(size)));
                give_back(NonNull::new(first).expect("memory"), layout(100));
                give_back(NonNull::new(second).expect("memory"), layout(112));
                assert_eq!(kept_bytes(), 2 * 112);
                let other = allocate(layout(96));
                assert_eq!(kept_bytes(), 2 * 112, "of another size");
                let again = [allocate_zeroed(layout(101)), allocate(layout(112))];
                assert_eq!(again, [second, first]);
                assert_eq!(std::slice::from_raw_parts(second, 101), [0; 101]);
                assert_eq!(kept_bytes(), 0);
                for (place, size) in [(other, 96), (again[0], 101), (again[1], 112)] {
                    give_back(NonNull::new(place).expect("memory"), layout(size));
                }
            }
        });
    }

    #[test]
    fn a_thread_keeps_so_much_and_nothing_that_is_large() {
        alone(|| {
            // SAFETY: each is given back once, with its layout.
            unsafe {
                let large = allocate(layout(SIZE_MAX + 1));
                give_back(NonNull::new(large).expect("memory"), layout(SIZE_MAX + 1));
                assert_eq!(kept_bytes(), 0);
                let many: Vec<_> = (0..1000).map(|_| allocate(layout(SIZE_MAX))).collect();
                for place in many {
                    give_back(NonNull::new(place).expect("memory"), layout(SIZE_MAX));
                }
                assert_eq!(kept_bytes(), BYTES_KEPT);
            }
        });
    }
}
