//! Blocks of freed nodes, kept for the next ones: a write makes and retires one
//! node per level, all of a few sizes, and the allocator would be most of its cost.
#![expect(unsafe_code, reason = "free blocks are linked by raw pointers")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::ptr::{self, NonNull};

use selvedge_base::sync::atomic::Ordering;
use selvedge_base::sync::unscheduled::{AtomicPtr, AtomicUsize};

use crate::node::{Header, Node, NodePtr};

/// Blocks have a multiple of this many bytes.
const BYTES_STEP: usize = 256;
/// Sizes that are kept; larger blocks, of nodes with long keys, are freed.
const SIZES: usize = 8;
/// Bytes kept at most: about what the epochs return at once beside a busy writer.
const BYTES_MAX: usize = 1 << 20;

/// The free blocks of one index. Shared with the epochs that return blocks.
pub(crate) struct Pool {
    /// A stack of blocks of any size: pushed by any thread, taken as a whole by
    /// the writer, so that no pop can mistake one head for another.
    returned: AtomicPtr<Header>,
    /// Bytes on the stack and the shelves.
    bytes: AtomicUsize,
    /// The writer's own stacks, by size.
    shelves: UnsafeCell<[Option<NodePtr>; SIZES]>,
    /// Edits so far, the writer's own.
    edits: Cell<u64>,
}

// SAFETY: a pool owns its blocks, which are plain memory.
unsafe impl Send for Pool {}
// SAFETY: the shelves and the count of edits are touched by the writer only, of which
// there is one at a time (`Writer::new`), and by dropping; the rest is atomic.
unsafe impl Sync for Pool {}

impl Pool {
    pub(crate) fn new() -> Self {
        Self {
            returned: AtomicPtr::new(ptr::null_mut()),
            bytes: AtomicUsize::new(0),
            shelves: UnsafeCell::new([None; SIZES]),
            edits: Cell::new(0),
        }
    }

    /// Takes back a chain of nodes, any thread.
    ///
    /// # Safety
    ///
    /// The nodes were made by writers with this pool, are linked by
    /// `Header::next`, are given back once, and nobody uses them any more.
    pub(crate) unsafe fn give_back(&self, chain: NodePtr) {
        // Relaxed, no partner: a bound, not a count that anything relies on.
        let mut bytes = self.bytes.load(Ordering::Relaxed);
        let bytes_before = bytes;
        let mut kept: Option<(NodePtr, NodePtr)> = None;
        let mut next = Some(chain);
        while let Some(block) = next {
            // SAFETY: alive and ours alone, by the contract, until kept or freed here.
            unsafe {
                next = block.as_ref().next.get();
                let size = block.as_ref().bytes as usize;
                if size > SIZES * BYTES_STEP || bytes + size > BYTES_MAX {
                    free(block);
                    continue;
                }
                bytes += size;
                block.as_ref().next.set(kept.map(|(first, _)| first));
                kept = Some((block, kept.map_or(block, |(_, last)| last)));
            }
        }
        if let Some((first, last)) = kept {
            // Relaxed, no partner: as above.
            self.bytes.fetch_add(bytes - bytes_before, Ordering::Relaxed);
            // SAFETY: ours alone until the push succeeds.
            unsafe { self.push(first, last) };
        }
    }

    /// # Safety
    ///
    /// A chain of blocks from the first to the last that nobody else knows.
    unsafe fn push(&self, first: NodePtr, last: NodePtr) {
        // Relaxed: a guess, which the exchange checks.
        let mut head = self.returned.load(Ordering::Relaxed);
        loop {
            // SAFETY: by the contract, until the exchange succeeds.
            unsafe { last.as_ref() }.next.set(NonNull::new(head));
            // Release, partner: the Acquire swap in `Writer::restock`, which then sees the
            // links, and after all uses of the blocks. Relaxed on failure: a guess again.
            match self.returned.compare_exchange_weak(
                head,
                first.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(found) => head = found,
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Relaxed: exclusive access, so all pushes happened before.
        let returned = NonNull::new(self.returned.load(Ordering::Relaxed));
        let shelves = self.shelves.get_mut().iter().copied();
        for mut block in shelves.chain([returned]) {
            while let Some(free_block) = block {
                // SAFETY: the pool owns its free blocks, and each is in one chain.
                unsafe {
                    block = free_block.as_ref().next.get();
                    free(free_block);
                }
            }
        }
    }
}

/// The right to write to a tree, for one edit: makes nodes, retires nodes, and counts
/// the bytes of both.
pub(crate) struct Writer<'p> {
    pool: &'p Pool,
    capacity: usize,
    /// The number of the edit, in all nodes that it makes. Never used twice.
    edit: u64,
    bytes_made: Cell<usize>,
    retired: Cell<Retired>,
}

/// Nodes that are not in the tree of an edit any more, but in the one before.
#[derive(Clone, Copy, Default)]
pub(crate) struct Retired {
    /// Linked by `Header::next`.
    pub(crate) chain: Option<NodePtr>,
    pub(crate) bytes: usize,
}

impl<'p> Writer<'p> {
    /// # Safety
    ///
    /// There is no other `Writer` of this pool while this one is used, and
    /// earlier ones are ordered before it by happens-before. Nobody else knows a
    /// node that it makes before it is used for the last time.
    pub(crate) unsafe fn new(pool: &'p Pool, capacity: usize) -> Self {
        let edit = pool.edits.get() + 1;
        pool.edits.set(edit);
        Self { pool, capacity, edit, bytes_made: Cell::new(0), retired: Cell::default() }
    }

    /// The number of the edit.
    pub(crate) fn edit(&self) -> u64 {
        self.edit
    }

    /// Whether this edit has made a node, so that nobody else knows it.
    pub(crate) fn owns<V>(&self, node: Node<'_, V>) -> bool {
        node.edit() == self.edit
    }

    /// Takes a node that the tree of this edit does not have any more, and that is not
    /// used any more here: frees it if it is one of its own, otherwise keeps it for who
    /// waits for its readers.
    pub(crate) fn retire<V>(&self, node: Node<'_, V>) {
        let at = node.as_ptr();
        if self.owns(node) {
            // SAFETY: made by this writer; nobody else has come to know it.
            unsafe { self.discard(at) };
            return;
        }
        let Retired { chain, bytes } = self.retired.get();
        // SAFETY: alive, as it was in the tree until now. Readers may be in it, but
        // they do not look at `next`.
        unsafe { at.as_ref() }.next.set(chain);
        self.retired.set(Retired { chain: Some(at), bytes: bytes + node.bytes() });
    }

    /// What was retired.
    pub(crate) fn retired(&self) -> Retired {
        self.retired.get()
    }

    /// Entries of a leaf and children of an inner node at most.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of all nodes that were made and not discarded.
    pub(crate) fn bytes_made(&self) -> usize {
        self.bytes_made.get()
    }

    /// A block with room for so many bytes; gives its true size too.
    pub(crate) fn allocate(&self, bytes: usize) -> (NodePtr, usize) {
        let size = bytes.next_multiple_of(BYTES_STEP);
        self.bytes_made.set(self.bytes_made.get() + size);
        let shelf = size / BYTES_STEP - 1;
        if shelf < SIZES
            && let Some(block) = self.take(shelf)
        {
            // Relaxed, no partner: as in `give_back`.
            self.pool.bytes.fetch_sub(size, Ordering::Relaxed);
            return (block, size);
        }
        let layout = layout(size);
        // SAFETY: not empty, one step at least.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }.cast()) else {
            handle_alloc_error(layout)
        };
        (block, size)
    }

    fn take(&self, shelf: usize) -> Option<NodePtr> {
        // SAFETY: the shelves are the writer's, by the contract of `new`, and this
        // borrow of them ends before the next call.
        let shelves = unsafe { &mut *self.pool.shelves.get() };
        if shelves[shelf].is_none() {
            self.restock(shelves);
        }
        let block = shelves[shelf]?;
        // SAFETY: free blocks are alive, with their header, and the pool's alone.
        shelves[shelf] = unsafe { block.as_ref() }.next.get();
        Some(block)
    }

    /// Sorts the returned blocks into the shelves.
    fn restock(&self, shelves: &mut [Option<NodePtr>; SIZES]) {
        // Relaxed: only whether it is worth the swap.
        if self.pool.returned.load(Ordering::Relaxed).is_null() {
            return;
        }
        // Acquire, partner: the Release exchange in `Pool::push`.
        let mut next = NonNull::new(self.pool.returned.swap(ptr::null_mut(), Ordering::Acquire));
        while let Some(block) = next {
            // SAFETY: blocks on the stack are alive, with their header, and now the
            // writer's alone.
            let header = unsafe { block.as_ref() };
            let shelf = header.bytes as usize / BYTES_STEP - 1;
            next = header.next.replace(shelves[shelf]);
            shelves[shelf] = Some(block);
        }
    }

    /// Frees a node that was made and is not wanted.
    ///
    /// # Safety
    ///
    /// This writer made the node, it is in no tree, and nobody uses it any more.
    pub(crate) unsafe fn discard(&self, node: NodePtr) {
        // SAFETY: by the contract.
        unsafe {
            self.bytes_made.set(self.bytes_made.get() - node.as_ref().bytes as usize);
            node.as_ref().next.set(None);
            self.pool.give_back(node);
        }
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, align_of::<Header>()).expect("a node is far below 2 GiB")
}

/// Frees the block of a node, but nothing that the node points to.
///
/// # Safety
///
/// A [`Writer`] allocated it, it is freed once, and nobody uses it any more.
pub(crate) unsafe fn free(block: NodePtr) {
    // SAFETY: alive, and of the layout that its header tells.
    unsafe { dealloc(block.as_ptr().cast(), layout(block.as_ref().bytes as usize)) };
}
