//! Hash and ordered indexes: one writer, readers without locks.
//!
//! Commits happen under one lock, so an index has one writer at a time: whoever
//! holds that lock. Readers are any number, take no lock, never wait and never
//! hold up the writer. An index maps to *candidates*: whether a snapshot may see
//! a record is told by the record, which the index knows nothing of.
//!
//! # Hash index
//!
//! [`HashIndex`] maps a hash to ids. Its 64 shards each point to a [table] of
//! slots, open addressing with linear probing; a slot is a pair of atomics.
//!
//! ```text
//! writer   hash := h   id := 7 (Release) . . . . . id := removed . . table' := live entries; shard := table' (Release)
//!                            |                                                     |
//! reader   shard (Acquire)   id (Acquire), then hash; ends at an empty slot        still in table: the writer keeps it
//! ```
//!
//! - H1. The hash of a slot is written once, before its first id. A removed slot
//!   is filled again only by an entry of the same hash. So an id that was read
//!   belongs to the hash read after it.
//! - H2. An entry stays in its slot until it is removed or the table is replaced.
//!   A replaced table never changes again and holds all that was live then. So a
//!   walk misses nothing that was there before it began and is there after.
//! - H3. At most seven tenths of the slots of a table were ever filled. So every
//!   walk ends at an empty slot.
//! - H4. A replaced table is freed by dropping its [`RetiredTable`], and the
//!   writer does so only after the readers that began before. The index knows no
//!   epochs; the caller chooses how to wait.
//!
//! Orderings: the Release of an id pairs with the Acquire of a walk and carries
//! the hash (H1); the Release of a shard's table pairs with the Acquire at the
//! start of a walk and carries the slots (H2). A removal is Relaxed, as nothing is
//! read behind it. The counts are Relaxed: the writer reads its own stores, for
//! everybody else they are hints.
//!
//! # Ordered index
//!
//! [`OrderedIndex`] maps byte keys, in order, to values of a stable address. It is
//! a B+-tree whose nodes never change once they can be reached: a write copies
//! the nodes from the leaf up to the root, and then swaps the root pointer. Several
//! entries may be one [`Edit`], which swaps it once.
//!
//! ```text
//! writer   path to the leaf | copies, splits, joins | root := root' (Release) | retires the old path
//!                                                          |                        |
//! reader   pin | root (Acquire), nodes, entries: all of one tree . . . . . . unpin  |
//! epochs   . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . .  old path to the pool
//! ```
//!
//! - O1. Nodes that can be reached from a root do not change, but for a link
//!   that only the writer and the epochs use. So all that follows from one load
//!   of the root is one consistent tree.
//! - O2. Entries (value and key, one heap block each) are shared by all trees
//!   that have them. Separators belong to the inner node that has them, so that
//!   no node depends on an entry that is gone.
//! - O3. A node or entry is retired after the root that does not reach it was
//!   stored, and freed when all guards of that time are gone. So whoever pinned
//!   before loading the root may use what the root reaches until unpinning.
//! - O4. All leaves are of one height, leaves have an entry at least, inner nodes
//!   two children. A node that falls below a quarter of the capacity is joined
//!   with a neighbour. The separator left of a child is above all keys before
//!   it, and not above any key in it.
//! - O5. Freed nodes wait in the index's pool, of bounded size, for the next
//!   write. Any thread returns nodes to its stack, only the writer takes them.
//! - O6. Nodes bear the number of the edit that made them, and no two edits have the
//!   same. One with the number of the edit under way is in no tree that was ever
//!   published, so the edit may change it in place, and free it at once.
//!
//! Orderings: the Release of the root pairs with the Acquire of readers and carries
//! the nodes (O1). The Release push of freed nodes pairs with the writer's
//! Acquire of the whole stack and carries the last uses of the nodes (O5); pushes
//! are read-modify-writes, so the Acquire pairs with every one of them and not
//! only the last. What O3 needs is in the fences of the epochs.
//!
//! # Keyed index
//!
//! [`KeyedIndex`] is an ordered index of which single keys are found by their hash: tables
//! of cache lines with seven slots each, and a directory over them, lead to the entries. The
//! key that an entry holds is compared; eight bits of its hash, all those of a line in
//! one word, stand beside the addresses, so that others are hardly looked at.
//!
//! ```text
//! writer   tree | slot := entry, marks := .. (Release) . tree without | marks := .. | hands the entry back
//!                          |                                                                     |
//! reader   snapshot | directory, table, marks, slot (Acquire each), key, value . . . end  |  freed by the caller
//! ```
//!
//! - Y1. An entry of the tree is in its table, outside of a write under way. It stays
//!   in its slot until it is removed or the table is replaced; H2 holds of these
//!   tables, too. At most three quarters of the slots are in use, so that every walk
//!   ends at a line with an empty one.
//! - Y2. An address in a slot is that of an entry which is there, or was a moment ago;
//!   its key tells. So slots are filled again by any entry, and whatever the marks
//!   say that a reader has loaded, it finds nothing wrong.
//! - Y3. Tables are bounded: one that would grow beyond that is split. A split or doubled
//!   part stays as it was, as a replaced table does; no entry is added before all parts
//!   of the change are stored. So whoever finds an earlier part finds all of before.
//! - Y4. Entries, tables and directories are handed back to the writer's caller, who frees them: so
//!   a reader needs no guard, if that caller knows of it otherwise. Guards are for the
//!   nodes of the tree.
//!
//! Orderings: the Release of directory and table pair with the Acquires of a walk and
//! carry places and lines. The Release of a slot pairs with its Acquire and carries the
//! entry. The Release of the marks pairs with the Acquire of a walk and carries the slot:
//! or a reader could take the mark of a new entry for that of the one before in the slot,
//! which may have been freed before the reader began. A removal is Relaxed: nothing is
//! read behind it, and who must not see the entry began behind the caller's wait.
//!
//! # Left out
//!
//! Several writers, waiting, visibility, comparing keys behind a hash, and
//! updates of values in place: those are the business of whoever calls.
//!
//! Reading order: `table`, `hash_index`; then `prefix`, `entry`, `node`, `leaf`,
//! `inner`, `path`, `range`, `pieces`, `insert`, `remove`, `pool`, `edit`, `ordered_index`; then
//! `key_table`, `key_tables`, `keyed_index`.
//!
//! [table]: RetiredTable

mod edit;
mod entry;
mod hash_index;
mod inner;
mod insert;
#[cfg(test)]
mod invariants;
mod key_parts;
mod key_table;
mod key_tables;
#[cfg(all(test, loom))]
mod key_tables_model;
mod keyed_index;
mod leaf;
mod node;
mod ordered_index;
mod path;
mod pieces;
mod pool;
mod prefix;
mod range;
mod remove;
mod table;

pub use edit::Edit;
pub use entry::Entry;
pub use hash_index::HashIndex;
pub use key_parts::KeyParts;
pub use keyed_index::{KeyedEdit, KeyedIndex, RetiredParts};
pub use ordered_index::{KEY_BYTES_MAX, OrderedIndex};
pub use range::Range;
pub use table::{Candidates, RetiredTable};
