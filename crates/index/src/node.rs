//! A node of the ordered index: one allocation, about as long as its contents,
//! immutable once others may read it. This file knows the layout and nothing else.
//!
//! ```text
//! leaf   header | word per entry     | entry pointers |                      | shared
//! inner  header | word per separator | child pointers | end per separator    | shared | rests
//! ```
//!
//! A node stands for a sorted list of keys: the entries of a leaf, the
//! separators between the children of an inner node. All of them start with
//! the *shared* bytes; the *word* of a key is made of the eight bytes after
//! those, and its *rest* is everything after those. A leaf leaves the rests to
//! the entries, an inner node owns them, so that it never depends on an entry.
#![expect(unsafe_code, reason = "nodes are allocations of a length known at run time")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;

use crate::pool::Writer;
use crate::prefix::{common, word};

/// Levels of a tree at most. Inner nodes have two children at least, and of any
/// capacity worth using, dozens: never met, but it bounds every path.
pub(crate) const HEIGHT_MAX: usize = 16;
/// Shared bytes at most; a longer common prefix is cut to this, which is slower
/// but as correct.
const SHARED_MAX: usize = 4096;
/// The fixed part of a node. Never borrowed together with what follows it.
#[repr(C, align(8))]
pub(crate) struct Header {
    /// Entries of a leaf, children of an inner node.
    len: u16,
    shared: u16,
    /// 0 for a leaf.
    height: u16,
    /// Of the whole block, as allocated.
    pub(crate) bytes: u32,
    /// The number of the edit that made it.
    pub(crate) edit: u64,
    /// Links nodes that are retired, and blocks that are free. Readers never
    /// look at it, so the writer may set it while they are in the node.
    pub(crate) next: Cell<Option<NodePtr>>,
}

/// A link is a pointer, whatever to, and as long as a word.
const LINK_BYTES: usize = size_of::<NonNull<u8>>();
const _: () = assert!(LINK_BYTES == size_of::<u64>(), "words and links move by the same steps");

/// A node that was made and can be put into a tree.
pub(crate) type NodePtr = NonNull<Header>;

/// What determines the layout.
#[derive(Clone, Copy)]
struct Shape {
    height: usize,
    len: usize,
    shared: usize,
    /// Bytes of all rests together; 0 for a leaf.
    rests: usize,
}

impl Shape {
    /// Keys, each with a word.
    fn keys(self) -> usize {
        if self.height == 0 { self.len } else { self.len - 1 }
    }

    fn words_at() -> usize {
        size_of::<Header>()
    }

    fn links_at(self) -> usize {
        Self::words_at() + self.keys() * size_of::<u64>()
    }

    fn ends_at(self) -> usize {
        self.links_at() + self.len * LINK_BYTES
    }

    fn shared_at(self) -> usize {
        let ends = if self.height == 0 { 0 } else { self.keys() };
        self.ends_at() + ends * size_of::<u32>()
    }

    fn rests_at(self) -> usize {
        self.shared_at() + self.shared
    }

    fn bytes(self) -> usize {
        self.rests_at() + self.rests
    }
}

/// A node in a tree that is kept for `'t`, with all that it points to.
pub(crate) struct Node<'t, V> {
    at: NodePtr,
    tree: PhantomData<&'t V>,
}

impl<V> Clone for Node<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Node<'_, V> {}

impl<V> PartialEq for Node<'_, V> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

/// How a key relates to the shared bytes of a node.
pub(crate) enum Rest<'k> {
    /// Below every key that starts with them.
    Below,
    /// Above every key that starts with them.
    Above,
    /// It starts with them; this is what follows.
    Of(&'k [u8]),
}

impl<'t, V> Node<'t, V> {
    /// # Safety
    ///
    /// `at` came from [`Draft::finish`], its links are children of the height
    /// below or, in a leaf, entries with values of type `V`, and neither it nor
    /// anything that can be reached from it is freed during `'t`.
    pub(crate) unsafe fn from_raw(at: NodePtr) -> Self {
        Self { at, tree: PhantomData }
    }

    pub(crate) fn as_ptr(self) -> NodePtr {
        self.at
    }

    fn header(self) -> &'t Header {
        // SAFETY: alive and immutable for 't, by the contract of `from_raw`.
        unsafe { self.at.as_ref() }
    }

    /// All but the length of the rests, which no offset depends on.
    fn shape(self) -> Shape {
        let Header { len, shared, height, .. } = *self.header();
        Shape { height: height.into(), len: len.into(), shared: shared.into(), rests: 0 }
    }

    pub(crate) fn height(self) -> usize {
        self.header().height.into()
    }

    /// Entries of a leaf, children of an inner node.
    pub(crate) fn len(self) -> usize {
        self.header().len.into()
    }

    pub(crate) fn bytes(self) -> usize {
        self.header().bytes as usize
    }

    /// The number of the edit that made it.
    pub(crate) fn edit(self) -> u64 {
        self.header().edit
    }

    pub(crate) fn words(self) -> &'t [u64] {
        // SAFETY: `Draft` wrote this many words there and `finish` checked it.
        unsafe { self.part(Shape::words_at(), self.shape().keys()) }
    }

    /// Entries of a leaf, children of an inner node.
    ///
    /// # Safety
    ///
    /// `L` is the type of the links of this node.
    pub(crate) unsafe fn links<L>(self) -> &'t [L] {
        const { assert!(size_of::<L>() == LINK_BYTES) };
        let shape = self.shape();
        // SAFETY: `Draft` wrote this many links there and `finish` checked it.
        unsafe { self.part(shape.links_at(), shape.len) }
    }

    pub(crate) fn shared(self) -> &'t [u8] {
        let shape = self.shape();
        // SAFETY: `Draft` wrote this many bytes there and `finish` checked it.
        unsafe { self.part(shape.shared_at(), shape.shared) }
    }

    /// The rest of a separator of an inner node.
    pub(crate) fn rest(self, separator: usize) -> &'t [u8] {
        let shape = self.shape();
        debug_assert!(shape.height > 0, "a leaf leaves the rests to its entries");
        // SAFETY: `Draft` wrote an end per separator there, and rests up to the last
        // of the ends, which ascend; `finish` checked it.
        unsafe {
            let ends: &[u32] = self.part(shape.ends_at(), shape.keys());
            let start = if separator == 0 { 0 } else { ends[separator - 1] as usize };
            self.part(shape.rests_at() + start, ends[separator] as usize - start)
        }
    }

    /// # Safety
    ///
    /// `count` initialised `T` are at this offset, aligned.
    unsafe fn part<T>(self, offset: usize, count: usize) -> &'t [T] {
        // SAFETY: by the contract; `at` may be used for the whole allocation, which
        // is alive and immutable for 't.
        unsafe { slice::from_raw_parts(self.at.byte_add(offset).cast::<T>().as_ptr(), count) }
    }

    /// Overwrites one of the children of an inner node.
    ///
    /// # Safety
    ///
    /// No tree that others may read from has this node, nothing that was borrowed from
    /// it is used any more, and it has that child.
    pub(crate) unsafe fn set_child(self, child: usize, with: NodePtr) {
        // SAFETY: within the links, by the contract, and seen by nobody.
        unsafe {
            self.at.byte_add(self.shape().links_at()).cast::<NodePtr>().add(child).write(with)
        };
    }

    /// Puts a word and a link at a slot of a leaf, if its block has room for them.
    ///
    /// # Safety
    ///
    /// As for [`set_child`](Self::set_child); it is a leaf with entries before the slot,
    /// and `L` is the type of its links.
    pub(crate) unsafe fn insert_in_place<L>(self, slot: usize, word: u64, link: L) -> bool {
        const { assert!(size_of::<L>() == LINK_BYTES) };
        let old = self.shape();
        let new = Shape { len: old.len + 1, ..old };
        assert!(old.height == 0 && slot <= old.len, "a slot of a leaf, or behind its last");
        let Ok(len) = u16::try_from(new.len) else { return false };
        if new.bytes() > self.bytes() {
            return false;
        }
        let (before, after) = (slot * LINK_BYTES, (old.len - slot) * LINK_BYTES);
        let (words, links) = (Shape::words_at(), new.links_at());
        // SAFETY: within the block, whose size was compared; seen by nobody. What is
        // behind moves first, so that nothing is overwritten that has yet to move.
        unsafe {
            let shift = |from: usize, to: usize, bytes: usize| {
                let from = self.at.byte_add(from).cast::<u8>();
                from.copy_to(self.at.byte_add(to).cast(), bytes);
            };
            shift(old.shared_at(), new.shared_at(), old.shared);
            shift(old.links_at() + before, links + before + LINK_BYTES, after);
            shift(old.links_at(), links, before);
            shift(words + before, words + before + size_of::<u64>(), after);
            self.at.byte_add(words + before).cast::<u64>().write(word);
            self.at.byte_add(links + before).cast::<L>().write(link);
            (&raw mut (*self.at.as_ptr()).len).write(len);
        }
        true
    }

    /// Compares a key with the shared bytes.
    pub(crate) fn rest_of(self, key: &[u8]) -> Rest<'_> {
        if self.header().shared == 0 {
            return Rest::Of(key);
        }
        let shared = self.shared();
        match key.strip_prefix(shared) {
            Some(rest) => Rest::Of(rest),
            None if key < shared => Rest::Below,
            None => Rest::Above,
        }
    }
}

/// The shared bytes of sorted keys and their words. Nothing is taken for shared
/// unless two neighbours would have the same word without.
pub(crate) fn words_of<'k>(
    keys: impl DoubleEndedIterator<Item = &'k [u8]> + Clone,
) -> (&'k [u8], Vec<u64>) {
    let words: Vec<u64> = keys.clone().map(word).collect();
    if words.windows(2).all(|pair| pair[0] != pair[1]) {
        return (&[], words);
    }
    let first = keys.clone().next().unwrap_or_default();
    let last = keys.clone().next_back().unwrap_or_default();
    let shared = &first[..common(first, last).min(SHARED_MAX)];
    (shared, keys.map(|key| word(&key[shared.len()..])).collect())
}

/// A node under construction. Its parts are appended in order, each part from
/// the left; what is missing or too much is caught by an assertion.
pub(crate) struct Draft {
    at: NodePtr,
    shape: Shape,
    words: usize,
    links: usize,
    ends: usize,
    rests: usize,
}

impl Draft {
    pub(crate) fn leaf(writer: &Writer<'_>, len: usize, shared: &[u8]) -> Self {
        Self::new(writer, Shape { height: 0, len, shared: shared.len(), rests: 0 }, shared)
    }

    pub(crate) fn inner(
        writer: &Writer<'_>,
        height: usize,
        len: usize,
        shared: &[u8],
        rests: usize,
    ) -> Self {
        assert!(0 < height && height < HEIGHT_MAX && len > 0);
        Self::new(writer, Shape { height, len, shared: shared.len(), rests }, shared)
    }

    fn new(writer: &Writer<'_>, shape: Shape, shared: &[u8]) -> Self {
        let (at, bytes) = writer.allocate(shape.bytes());
        let small = |number: usize| u16::try_from(number).expect("bounded by its constant");
        let header = Header {
            len: small(shape.len),
            shared: small(shape.shared),
            height: small(shape.height),
            bytes: u32::try_from(bytes).expect("a node is far below 4 GiB"),
            edit: writer.edit(),
            next: Cell::new(None),
        };
        // SAFETY: fresh memory, laid out by the same shape.
        unsafe {
            at.write(header);
            at.byte_add(shape.shared_at())
                .cast::<u8>()
                .copy_from_nonoverlapping(NonNull::from_ref(shared).cast(), shared.len());
        }
        Self { at, shape, words: 0, links: 0, ends: 0, rests: 0 }
    }

    /// A copy of an inner node with another child.
    pub(crate) fn with_child<V>(
        writer: &Writer<'_>,
        node: Node<'_, V>,
        child: usize,
        with: NodePtr,
    ) -> NodePtr {
        assert!(node.height() > 0 && child < node.len(), "an inner node has this child");
        let (at, bytes) = writer.allocate(node.bytes());
        // SAFETY: blocks of the same size, the old one copied whole, and then in the
        // copy, which nobody knows yet, its edit and one of its links, checked above,
        // overwritten. (Bytes of padding may be uninitialised, and stay so.)
        unsafe {
            at.cast::<u8>().copy_from_nonoverlapping(node.at.cast(), bytes);
            (&raw mut (*at.as_ptr()).edit).write(writer.edit());
            Node::<V>::from_raw(at).set_child(child, with);
        }
        at
    }

    pub(crate) fn words(&mut self, words: &[u64]) -> &mut Self {
        assert!(self.words + words.len() <= self.shape.keys(), "one word per key");
        // SAFETY: within the words, by the assertion.
        unsafe { self.append(Shape::words_at(), self.words, words) };
        self.words += words.len();
        self
    }

    pub(crate) fn links<L: Copy>(&mut self, links: &[L]) -> &mut Self {
        const { assert!(size_of::<L>() == LINK_BYTES) };
        assert!(self.links + links.len() <= self.shape.len, "as many links as announced");
        // SAFETY: within the links, by the assertion.
        unsafe { self.append(self.shape.links_at(), self.links, links) };
        self.links += links.len();
        self
    }

    /// Appends the rest of the next separator of an inner node.
    pub(crate) fn rest(&mut self, rest: &[u8]) -> &mut Self {
        assert!(self.shape.height > 0 && self.ends < self.shape.keys(), "one rest per separator");
        assert!(self.rests + rest.len() <= self.shape.rests, "as many bytes as announced");
        let end = u32::try_from(self.rests + rest.len()).expect("a node is far below 4 GiB");
        // SAFETY: within the ends and within the rests, by the assertions.
        unsafe {
            self.append(self.shape.rests_at(), self.rests, rest);
            self.append(self.shape.ends_at(), self.ends, &[end]);
        }
        self.rests += rest.len();
        self.ends += 1;
        self
    }

    /// # Safety
    ///
    /// The part at `offset` has room for `values` behind `done` others.
    unsafe fn append<T: Copy>(&mut self, offset: usize, done: usize, values: &[T]) {
        // SAFETY: by the contract; nobody else knows of the node yet.
        unsafe {
            let to = self.at.byte_add(offset).cast::<T>().add(done);
            to.copy_from_nonoverlapping(NonNull::from_ref(values).cast(), values.len());
        }
    }

    pub(crate) fn finish(&mut self) -> NodePtr {
        let Shape { height, len, rests, .. } = self.shape;
        let keys = self.shape.keys();
        let ends = if height == 0 { 0 } else { keys };
        assert!(
            (self.words, self.links, self.ends, self.rests) == (keys, len, ends, rests),
            "every part of a node is written"
        );
        self.at
    }
}
