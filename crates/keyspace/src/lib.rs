//! Ordered keyed entries under snapshots, as a participant of the one commit
//! path.
//!
//! An *entry* is a key of bytes and a record of its values. A transaction stages
//! what it wants in [`EntryWrites`], reads through an [`EntryView`], and hands
//! the writes to the engine. There are three ways to change an entry, or to
//! depend on one, and they differ in what is compared with what:
//!
//! ```text
//!                         start                          commit (under the lock)
//!  -----------------------o------------------------------o----------------> time
//!  snapshot write         |<---- nobody else writes ---->|  or Conflict
//!  validated read         |<---- nobody else writes ---->|  or Conflict
//!  check                                    as expected: |  or ChecksFailed
//!  blind mutation                         evaluated here:|  or WrongType
//! ```
//!
//! A commit is judged in this order: checks, first committer wins, validated
//! reads, blind mutations. A failed check comes first because it is an answer,
//! while a conflict only asks to try again. Then, and only then, versions are
//! installed and entries made. Invariants:
//!
//! - K1: outside of a commit under way, an entry is in the index exactly while
//!   its record holds a version. Validation changes nothing; installing makes
//!   entries that hold a version from the start; the pruning that empties a
//!   record takes its entry out.
//! - K2: while a snapshot is open, every entry of which it sees a value stays in
//!   the index, with its key, at its address. The version that is seen stays
//!   linked (R2 of `selvedge_mvcc`), so the record is not empty (K1).
//! - K3: an entry with a retained version has a name, and the name leads to it.
//!   The reverse does not hold: what is filed for pruning may outlive the entry,
//!   so a name is a number that is looked up, never a pointer (`EntryNames`).
//! - K4: whatever was committed to a range after a start timestamp is found by
//!   walking the records of the range while that snapshot is open, deletions
//!   included: a tombstone that is newer than an active start is not pruned, so
//!   its record is not empty (K1).
//! - K5: an entry that is taken out of the index, and a table of the index that is
//!   replaced, are freed when every snapshot has ended that was open then: they go to
//!   the limbo of the engine, when the commit is settled. So whoever has a snapshot
//!   open, or the commit lock, looks a key up without a pin.
//!
//! Reading order: `keyspace`, `entry_writes`, `judge`, `participant`, `entry_view`,
//! `entry_range`; then `time` and `expirations`, `watchers`; then `redo`, `leaves` and
//! `checkpoint`.
//!
//! Left out on purpose: what the bytes of keys mean, and of values but numbers.

mod bounds;
mod check;
mod checkpoint;
mod compaction;
mod encoding;
mod entry;
mod entry_names;
mod entry_range;
mod entry_view;
mod entry_writes;
mod error;
mod expirations;
mod journal;
mod judge;
mod keyspace;
mod leaf_block;
mod leaves;
mod mutation;
mod number;
mod number_steps;
mod participant;
mod read_set;
mod redo;
mod staged;
mod staged_versions;
mod stamped_key;
mod stored_range;
mod time;
mod v8_number;
mod value;
mod watchers;
mod writer;

pub use bounds::Bounds;
pub use check::Expected;
pub use checkpoint::EntryChanges;
pub use compaction::CompactedPiece;
pub use encoding::Encoding;
pub use entry_names::EntryName;
pub use entry_range::EntryRange;
pub use entry_view::{EntryView, RangeOptions};
pub use entry_writes::{EntryMark, EntryWrites};
pub use error::{ComputationError, InputError, Refusal};
pub use keyspace::Keyspace;
pub use mutation::{Mutation, Operation, V8Sum};
pub use number::NoNumber;
pub use selvedge_index::KeyParts;
pub use stamped_key::{STAMP_SUFFIX_BYTES, stamp_text, stamped_key};
pub use time::ReadTime;
pub use v8_number::V8Number;
pub use value::EntryValue;
pub use watchers::{Bell, Watcher, Watchers};
pub use writer::EntryWriter;
