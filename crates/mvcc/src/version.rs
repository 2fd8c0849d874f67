//! One version of a record: when it was committed, what came before, a header
//! and a run of bytes, in a single allocation.
#![expect(unsafe_code, reason = "header and bytes share one allocation of varying size")]

use std::alloc::{Layout, handle_alloc_error};
use std::fmt;
use std::ptr::{self, NonNull};

use selvedge_base::Timestamp;
use selvedge_base::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::arena::{Arena, Chunk};
use crate::pool;

/// A version in a chain. `H` is the typed part of its value; bytes follow.
///
/// Immutable once installed, but for `prev`, which the pruner moves past
/// versions that nobody can see, and for a mark that its readers may set.
#[repr(C)]
pub struct Version<H> {
    commit: AtomicU64,
    prev: AtomicPtr<Version<H>>,
    #[cfg(any(loom, shuttle))]
    life: life::Life,
    len: u32,
    tombstone: bool,
    /// Whether it lies in an arena.
    in_arena: bool,
    /// Set by the first reader who has verified what the version refers to.
    verified: AtomicBool,
    header: H,
}

impl<H> Version<H> {
    /// The commit timestamp; zero until the version is installed.
    #[must_use]
    #[inline]
    pub fn commit(&self) -> Timestamp {
        #[cfg(any(loom, shuttle))]
        self.life.check();
        // Written before the version is linked, with Release; Relaxed is enough
        // for whoever got here through an Acquire load of the link.
        Timestamp::new(self.commit.load(Ordering::Relaxed))
    }

    /// The typed part of the value.
    #[must_use]
    #[inline]
    pub fn header(&self) -> &H {
        #[cfg(any(loom, shuttle))]
        self.life.check();
        &self.header
    }

    /// The bytes of the value.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        #[cfg(any(loom, shuttle))]
        self.life.check();
        // SAFETY: `len` bytes were allocated and initialised behind the struct.
        unsafe { std::slice::from_raw_parts(self.data(), self.len as usize) }
    }

    /// Whether this version says that the entity does not exist.
    #[must_use]
    #[inline]
    pub fn is_tombstone(&self) -> bool {
        #[cfg(any(loom, shuttle))]
        self.life.check();
        self.tombstone
    }

    /// Whether a reader has verified what the version refers to.
    #[must_use]
    #[inline]
    pub fn is_verified(&self) -> bool {
        // Verifying twice does no harm, so nothing need be ordered.
        self.verified.load(Ordering::Relaxed)
    }

    /// Notes that what the version refers to has been verified.
    pub fn set_verified(&self) {
        self.verified.store(true, Ordering::Relaxed);
    }

    /// Bytes of memory that the version takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.len as usize
    }

    /// Where the bytes start: at a multiple of the alignment of `Self`.
    #[inline]
    fn data(&self) -> *const u8 {
        ptr::from_ref(self).wrapping_add(1).cast()
    }

    #[inline]
    pub(crate) fn prev(&self) -> *mut Self {
        #[cfg(any(loom, shuttle))]
        self.life.check();
        // Partner: the Release stores in `Record::install` and `set_prev`.
        self.prev.load(Ordering::Acquire)
    }

    pub(crate) fn set_prev(&self, prev: *mut Self) {
        self.prev.store(prev, Ordering::Release);
    }

    pub(crate) fn set_commit(&self, commit: Timestamp) {
        self.commit.store(commit.get(), Ordering::Relaxed);
    }

    fn layout(len: usize) -> Layout {
        let (layout, at) = Layout::new::<Self>()
            .extend(Layout::array::<u8>(len).expect("the length of a version fits u32"))
            .expect("the length of a version fits u32");
        debug_assert_eq!(at, size_of::<Self>());
        layout
    }

    /// Frees a version.
    ///
    /// # Safety
    /// `version` came from [`VersionBox::into_raw`], nobody else can reach it,
    /// and it is freed once.
    pub(crate) unsafe fn free(version: NonNull<Self>) {
        // SAFETY: the caller is the only one who holds the version.
        #[cfg(any(loom, shuttle))]
        if unsafe { version.as_ref() }.life.end() {
            return;
        }
        // SAFETY: as above; the layout is the one of the allocation.
        unsafe {
            let layout = Self::layout(version.as_ref().len as usize);
            let in_arena = version.as_ref().in_arena;
            ptr::drop_in_place(version.as_ptr());
            if in_arena {
                Chunk::give_back(version.cast());
            } else {
                pool::give_back(version.cast(), layout);
            }
        }
    }
}

impl<H: fmt::Debug> fmt::Debug for Version<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version")
            .field("commit", &self.commit())
            .field("header", &self.header)
            .field("len", &self.len)
            .field("tombstone", &self.tombstone)
            .finish_non_exhaustive()
    }
}

/// A version that is not installed yet, and owned.
pub struct VersionBox<H>(NonNull<Version<H>>);

// SAFETY: the box owns its version alone; sending it sends the header.
unsafe impl<H: Send> Send for VersionBox<H> {}
// SAFETY: sharing the box shares the header and immutable bytes.
unsafe impl<H: Sync> Sync for VersionBox<H> {}

impl<H> VersionBox<H> {
    /// A version with `header` and `len` zero bytes.
    ///
    /// # Panics
    /// If `len` is beyond `u32`; the limits on keys and documents are far below.
    #[must_use]
    pub fn zeroed(header: H, len: usize) -> Self {
        // SAFETY: the bytes are zeroed here.
        unsafe { Self::allocate(header, len, false, |layout| pool::allocate_zeroed(layout)) }
    }

    /// A version with `header` and the concatenation of `parts` as bytes.
    ///
    /// # Panics
    /// As [`VersionBox::zeroed`].
    #[must_use]
    pub fn new(header: H, parts: &[&[u8]]) -> Self {
        // SAFETY: the layout is not empty: a version has fields.
        Self::concatenated(header, parts, false, |layout| unsafe { pool::allocate(layout) })
    }

    /// As [`VersionBox::new`], behind the one made last in `arena`.
    ///
    /// # Panics
    /// As [`VersionBox::zeroed`].
    #[must_use]
    pub fn new_in(arena: &mut Arena, header: H, parts: &[&[u8]]) -> Self {
        let place = |layout| arena.place(layout).as_ptr();
        let mut version = Self::concatenated(header, parts, false, place);
        // SAFETY: owned alone.
        unsafe { version.0.as_mut() }.in_arena = true;
        version
    }

    /// A tombstone with `header` and the bytes `bytes`.
    #[must_use]
    pub fn tombstone(header: H, bytes: &[u8]) -> Self {
        // SAFETY: as in `new`.
        Self::concatenated(header, &[bytes], true, |layout| unsafe { pool::allocate(layout) })
    }

    fn concatenated(
        header: H,
        parts: &[&[u8]],
        tombstone: bool,
        allocate: impl FnOnce(Layout) -> *mut u8,
    ) -> Self {
        let len = parts.iter().map(|part| part.len()).sum();
        // SAFETY: all `len` bytes are written below, before anything reads them.
        let version = unsafe { Self::allocate(header, len, tombstone, allocate) };
        let mut at = version.data().cast_mut();
        for part in parts {
            // SAFETY: the parts fill the allocation, one behind the other.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), at, part.len());
                at = at.add(part.len());
            }
        }
        version
    }

    /// Allocates a version through `allocate`, and writes all but its bytes.
    ///
    /// # Safety
    /// The bytes are initialised, by `allocate` or before they are read.
    unsafe fn allocate(
        header: H,
        len: usize,
        tombstone: bool,
        allocate: impl FnOnce(Layout) -> *mut u8,
    ) -> Self {
        let len32 = u32::try_from(len).expect("the length of a version fits u32");
        let layout = Version::<H>::layout(len);
        let raw = allocate(layout).cast::<Version<H>>();
        let Some(at) = NonNull::new(raw) else { handle_alloc_error(layout) };
        let version = Version {
            commit: AtomicU64::new(0),
            prev: AtomicPtr::new(ptr::null_mut()),
            #[cfg(any(loom, shuttle))]
            life: life::Life::default(),
            len: len32,
            tombstone,
            in_arena: false,
            verified: AtomicBool::new(false),
            header,
        };
        // SAFETY: freshly allocated, large enough and aligned.
        unsafe { at.write(version) };
        Self(at)
    }

    /// The typed part, while the version is still owned.
    #[must_use]
    pub fn header_mut(&mut self) -> &mut H {
        // SAFETY: owned alone.
        unsafe { &mut self.0.as_mut().header }
    }

    /// The bytes, while the version is still owned.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: owned alone, so nobody else reads or writes the bytes.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.0.as_ref().data().cast_mut(),
                self.0.as_ref().len as usize,
            )
        }
    }

    /// Takes ownership back.
    ///
    /// # Safety
    /// `version` came from [`VersionBox::into_raw`] and is owned by nobody else;
    /// what can still reach it does so only until the box is dropped.
    pub(crate) unsafe fn from_raw(version: NonNull<Version<H>>) -> Self {
        Self(version)
    }

    /// Gives up ownership.
    pub(crate) fn into_raw(self) -> NonNull<Version<H>> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }
}

impl<H> std::ops::Deref for VersionBox<H> {
    type Target = Version<H>;

    #[inline]
    fn deref(&self) -> &Version<H> {
        // SAFETY: the box owns a live version.
        unsafe { self.0.as_ref() }
    }
}

impl<H> Drop for VersionBox<H> {
    fn drop(&mut self) {
        // SAFETY: owned alone and not installed.
        unsafe { Version::free(self.0) }
    }
}

impl<H: fmt::Debug> fmt::Debug for VersionBox<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(any(loom, shuttle))]
mod life {
    //! Under the model checker a freed version is kept, marked as dead, so that
    //! a use after free is a failed model and not undefined behaviour.
    #[cfg(loom)]
    use loom::cell::UnsafeCell;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug, Default)]
    pub(super) struct Life {
        #[cfg(loom)]
        cell: UnsafeCell<()>,
        dead: AtomicBool,
    }

    impl Life {
        pub(super) fn check(&self) {
            if std::thread::panicking() {
                // The model has failed already; a second panic would abort.
                return;
            }
            // A read that races with the free fails the model here ..
            #[cfg(loom)]
            self.cell.with(|_| ());
            // .. and one ordered after it fails here.
            assert!(!self.dead.load(Ordering::Relaxed), "use after free of a version");
        }

        /// Marks the end of the version; true: keep its memory.
        pub(super) fn end(&self) -> bool {
            #[cfg(loom)]
            self.cell.with_mut(|_| ());
            self.dead.store(true, Ordering::Relaxed);
            true
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn holds_header_and_bytes() {
        let version = VersionBox::new(String::from("header"), &[b"ab", b"", b"cde"]);
        assert_eq!(version.header(), "header");
        assert_eq!(version.bytes(), b"abcde");
        assert!(!version.is_tombstone());
        assert_eq!(version.bytes().as_ptr() as usize % align_of::<Version<String>>(), 0);
        assert!(!version.is_verified());
        version.set_verified();
        assert!(version.is_verified(), "nobody verifies it again");
        let tombstone = VersionBox::tombstone((), b"key");
        assert!(tombstone.is_tombstone());
        assert_eq!(tombstone.bytes(), b"key");
    }
}
