//! One heap block per entry of the ordered index: the value, then the key. Its
//! address is stable while the entry is in the tree.
#![expect(unsafe_code, reason = "the key's bytes follow the value in one allocation")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::marker::PhantomData;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::slice;

use selvedge_base::prefetch::prefetch;

/// The fixed part of the block; the key's bytes follow `key_len` directly.
/// Never borrowed as a whole, since a reference would not reach the key.
#[repr(C)]
pub(crate) struct Block<V> {
    value: V,
    key_len: u32,
}

/// An entry of an index, kept for `'t`: its value and its key, which are looked at
/// when they are asked for. A link of a leaf.
#[repr(transparent)]
pub struct Entry<'t, V> {
    block: NonNull<Block<V>>,
    lifetime: PhantomData<&'t V>,
}

impl<V> Clone for Entry<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Entry<'_, V> {}

impl<V> fmt::Debug for Entry<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.key()).finish()
    }
}

// SAFETY: stands for a shared reference to a key and a value.
unsafe impl<V: Sync> Send for Entry<'_, V> {}
// SAFETY: as above.
unsafe impl<V: Sync> Sync for Entry<'_, V> {}

/// Where the key starts in the block: in the padding, if there is any.
const fn key_at<V>() -> usize {
    offset_of!(Block<V>, key_len) + size_of::<u32>()
}

fn layout<V>(key_len: usize) -> Layout {
    let bytes = (key_at::<V>() + key_len).max(size_of::<Block<V>>());
    // Allocators have blocks of such sizes that are aligned by themselves.
    let bytes = bytes.next_multiple_of(align_of::<Block<V>>());
    Layout::from_size_align(bytes, align_of::<Block<V>>()).expect("a key is below 4 GiB")
}

/// The block that a value is in.
pub(crate) fn block_of<V>(value: &V) -> NonNull<Block<V>> {
    const { assert!(offset_of!(Block<V>, value) == 0, "the value comes first") };
    NonNull::from(value).cast()
}

/// Allocates the block of an entry.
pub(crate) fn allocate<V>(key: &[u8], value: V) -> NonNull<Block<V>> {
    let key_len = u32::try_from(key.len()).expect("a key is below 4 GiB");
    let layout = layout::<V>(key.len());
    // SAFETY: the layout is not empty, there is the length of the key.
    let Some(block) = NonNull::new(unsafe { alloc(layout) }.cast::<Block<V>>()) else {
        handle_alloc_error(layout)
    };
    // SAFETY: fresh memory, aligned and large enough for the fixed part and for
    // the key behind it. The key comes second because writing the fixed part may
    // touch its padding, where the key may start.
    unsafe {
        block.write(Block { value, key_len });
        block
            .cast::<u8>()
            .add(key_at::<V>())
            .copy_from_nonoverlapping(NonNull::from_ref(key).cast::<u8>(), key.len());
    }
    block
}

/// Drops the value and frees the block.
///
/// # Safety
///
/// `block` came from [`allocate`], is freed once, and nobody uses it any more.
pub(crate) unsafe fn free<V>(block: NonNull<Block<V>>) {
    // SAFETY: the block is initialised and, by the contract, ours alone; its
    // layout follows from the length it was allocated with.
    unsafe {
        let layout = layout::<V>((*block.as_ptr()).key_len as usize);
        (&raw mut (*block.as_ptr()).value).drop_in_place();
        dealloc(block.as_ptr().cast(), layout);
    }
}

impl<'t, V> Entry<'t, V> {
    /// # Safety
    ///
    /// `block` came from [`allocate`] and is not freed during `'t`.
    pub(crate) unsafe fn from_raw(block: NonNull<Block<V>>) -> Self {
        Self { block, lifetime: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> NonNull<Block<V>> {
        self.block
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(self) -> &'t [u8] {
        // SAFETY: the block is alive for 't by the contract of `from_raw`, its key
        // was written by `allocate` and never changes.
        unsafe {
            let start = self.block.cast::<u8>().add(key_at::<V>());
            slice::from_raw_parts(start.as_ptr(), (*self.block.as_ptr()).key_len as usize)
        }
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(self) -> &'t V {
        // SAFETY: as for the key; nobody takes the value mutably before `free`.
        unsafe { &(*self.block.as_ptr()).value }
    }

    /// Asks memory for the entry, which is to be looked at soon. A hint.
    #[inline]
    pub fn prefetch(self) {
        prefetch(self.block.as_ptr(), [0, size_of::<Block<V>>()]);
    }

    /// Bytes of the block.
    pub(crate) fn bytes(self) -> usize {
        layout::<V>(self.key().len()).size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_value_are_where_they_were_put() {
        fn check<V: Copy + PartialEq + std::fmt::Debug>(value: V) {
            for len in 0..40_u8 {
                let key: Vec<u8> = (0..len).collect();
                let block = allocate(&key, value);
                // SAFETY: just allocated and freed once, after the last use.
                unsafe {
                    let entry = Entry::from_raw(block);
                    assert_eq!((entry.key(), *entry.value()), (&key[..], value));
                    free(block);
                }
            }
        }
        check(());
        check(7_u8);
        check(7_u64);
        check(7_u128);
    }
}
