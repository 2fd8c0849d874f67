//! Arenas: versions that lie one behind the other in memory, in the order in
//! which they were made.
#![expect(unsafe_code, reason = "hands out raw memory from chunks it counts the use of")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::NonNull;

use selvedge_base::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a chunk. One version that lives on keeps its chunk, so they are not
/// very large.
const CHUNK_BYTES: usize = 256 << 10;
/// A version that takes more has a chunk of its own, so that no more than so much
/// is left over at the end of another.
const PLACE_BYTES_MAX: usize = CHUNK_BYTES / 16;

/// The head of a chunk. Behind it lie versions, each behind a pointer to the
/// chunk.
#[repr(C, align(16))]
pub(crate) struct Chunk {
    /// Versions in the chunk, and the arena while it fills it.
    users: AtomicUsize,
    bytes: usize,
}

/// Bytes in front of each version.
const BACK_POINTER: usize = size_of::<NonNull<Chunk>>();

impl Chunk {
    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, align_of::<Self>()).expect("a version is below 4 GiB")
    }

    fn new(bytes: usize) -> NonNull<Self> {
        let layout = Self::layout(bytes);
        // SAFETY: the layout is not empty: there is room for the head.
        let Some(chunk) = NonNull::new(unsafe { alloc(layout) }.cast::<Self>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: freshly allocated, large enough and aligned.
        unsafe { chunk.write(Self { users: AtomicUsize::new(1), bytes }) };
        chunk
    }

    /// The place at `taken` bytes from the head, behind its back pointer.
    ///
    /// # Safety
    /// The place and its back pointer lie within the chunk, at a multiple of the
    /// size of a back pointer, and nothing else does there.
    unsafe fn place(chunk: NonNull<Self>, taken: usize) -> NonNull<u8> {
        // SAFETY: the caller's contract; aligned, since chunks are.
        unsafe {
            let at = chunk.cast::<u8>().add(taken);
            at.cast::<NonNull<Self>>().write(chunk);
            at.add(BACK_POINTER)
        }
    }

    /// Ends one use; the last one frees the chunk.
    ///
    /// # Safety
    /// The caller holds a use, and ends it once.
    unsafe fn release(chunk: NonNull<Self>) {
        // SAFETY: alive while there is a use.
        let head = unsafe { chunk.as_ref() };
        // Release, and Acquire by the last: whatever others did with their parts
        // of the chunk comes before it is freed. A load, and not a fence, since
        // the thread sanitizer sees no fences.
        if head.users.fetch_sub(1, Ordering::Release) == 1 {
            head.users.load(Ordering::Acquire);
            let layout = Self::layout(head.bytes);
            // SAFETY: nobody uses it any more; the layout is that of `new`.
            unsafe { dealloc(chunk.as_ptr().cast(), layout) };
        }
    }

    /// Gives back the place of a version.
    ///
    /// # Safety
    /// [`Arena::place`] gave it, and it is given back once.
    pub(crate) unsafe fn give_back(place: NonNull<u8>) {
        // SAFETY: the pointer to the chunk lies in front of the place.
        unsafe { Self::release(place.cast::<NonNull<Self>>().sub(1).read()) };
    }
}

/// Where versions are made one behind the other.
#[derive(Default)]
pub struct Arena {
    chunk: Option<NonNull<Chunk>>,
    /// Bytes of the chunk that are taken.
    taken: usize,
}

impl Arena {
    /// An arena without a chunk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A place for `layout`, to be given back through [`Chunk::give_back`].
    pub(crate) fn place(&mut self, layout: Layout) -> NonNull<u8> {
        assert!(layout.align() <= BACK_POINTER, "places are aligned like pointers");
        let needed = BACK_POINTER + layout.size().next_multiple_of(BACK_POINTER);
        if needed > PLACE_BYTES_MAX {
            let chunk = Chunk::new(size_of::<Chunk>() + needed);
            // SAFETY: the first place of the chunk, whose one use is the version's.
            return unsafe { Chunk::place(chunk, size_of::<Chunk>()) };
        }
        let chunk = match self.chunk {
            // SAFETY: the arena uses its chunk.
            Some(chunk) if self.taken + needed <= unsafe { chunk.as_ref() }.bytes => chunk,
            _ => {
                let old = self.chunk.take();
                // SAFETY: the arena's use of its chunk, ended once.
                old.into_iter().for_each(|chunk| unsafe { Chunk::release(chunk) });
                self.taken = size_of::<Chunk>();
                *self.chunk.insert(Chunk::new(CHUNK_BYTES))
            }
        };
        // SAFETY: within the chunk, which the arena uses and the version will.
        unsafe {
            chunk.as_ref().users.fetch_add(1, Ordering::Relaxed);
            let place = Chunk::place(chunk, self.taken);
            self.taken += needed;
            place
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Some(chunk) = self.chunk.take() {
            // SAFETY: the arena's use of its chunk, ended once.
            unsafe { Chunk::release(chunk) };
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("taken", &self.taken).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::version::VersionBox;

    #[test]
    fn versions_lie_one_behind_the_other_and_outlive_the_arena() {
        let mut arena = Arena::new();
        let bytes = vec![7_u8; 1000];
        let mut versions = Vec::new();
        let mut large = Vec::new();
        for n in 0..1000_u64 {
            versions.push(VersionBox::new_in(&mut arena, n, &[&bytes]));
            if n % 100 == 0 {
                let len = PLACE_BYTES_MAX + n as usize * 1000;
                large.push(VersionBox::new_in(&mut arena, n, &[&vec![9; len]]));
            }
        }
        drop(arena);
        // A large one between small ones does not part them.
        let near = |pair: &[VersionBox<u64>]| {
            let at = |version: &VersionBox<u64>| std::ptr::from_ref(&**version).addr();
            at(&pair[1]).wrapping_sub(at(&pair[0])) < 1100
        };
        let neighbours = versions.windows(2).filter(|pair| near(pair)).count();
        assert!(neighbours > 990, "{neighbours} follow one another");
        assert!(versions.iter().zip(0..).all(|(version, n)| *version.header() == n));
        assert!(versions.iter().all(|version| version.bytes() == bytes));
        assert!(large.iter().all(|version| version.bytes().iter().all(|byte| *byte == 9)));
        assert_eq!(large.last().expect("ten").bytes().len(), PLACE_BYTES_MAX + 900_000);
    }

    #[test]
    fn an_arena_that_goes_leaves_its_chunk_to_the_versions() {
        let mut arena = Arena::new();
        let version = VersionBox::new_in(&mut arena, 1_u64, &[b"bytes"]);
        let chunk = arena.chunk.expect("made for the version");
        // SAFETY: called while the version uses the chunk.
        let users = || unsafe { chunk.as_ref() }.users.load(Ordering::Relaxed);
        assert_eq!(users(), 2);
        drop(arena);
        assert_eq!(users(), 1, "the version is the last one, and frees it");
        drop(version);
    }
}
