//! Multi-version concurrency control: many threads, one consistent state.
//!
//! ```text
//!        begin             read                     commit (under the lock)
//!  R ----o-----------------o---o---------------------------------------------> time
//!        start = 4         sees 4, whatever is committed meanwhile
//!  W ------o--------------------------o-----o--------o---------o-----o------->
//!          start = 4                  validate       |         |     prune
//!                                           stamp 5  install   publish 5
//! ```
//!
//! A *snapshot* is an open slot of the [`registry`] that holds a start timestamp.
//! It sees, of every [`record`], the newest [`version`] that was committed at or
//! before its start. A commit validates its [`write_set`] ([`validator`]: first
//! committer wins), gets a timestamp from the [`oracle`], installs new versions
//! on top of the old ones, and publishes. Only then may older versions go:
//! [`horizon`] and [`prune`] say who can still *see* them, [`reclaim`] and
//! [`limbo`] who may still *hold a pointer*.
//!
//! Invariants, each with its argument where it is named:
//! - O1, O2 ([`oracle`]): what is visible is fully installed; one commit at a time.
//! - R1, R2 ([`record`]): the stamp precedes the head; what is seen stays linked.
//! - G1 ([`prune`]): every retained version is filed under a snapshot that needs it.
//!
//! This crate touches no file, clock or thread. It has no lock of its own: what
//! changes a record is `unsafe` and asks for the commit lock of the engine.
//! Left out on purpose: what is stored in a record, and how commits reach a disk.

pub mod arena;
pub mod horizon;
pub mod limbo;
pub mod oracle;
mod pool;
pub mod prune;
pub mod reclaim;
pub mod record;
pub mod registry;
pub mod table;
pub mod validator;
pub mod version;
pub mod write_set;

pub use arena::Arena;
pub use horizon::ActiveStarts;
pub use limbo::{Limbo, Retired};
pub use oracle::Oracle;
pub use prune::{Garbage, Retained};
pub use reclaim::{Pin, pin};
pub use record::{Fate, PruneOutcome, Record, SnapshotRef, Stamp};
pub use registry::{OpenSlot, Registry, RegistryFull, SlotIndex};
pub use table::Table;
pub use validator::{Overtaken, check_read, check_write};
pub use version::{Version, VersionBox};
pub use write_set::{Mark, WriteSet};
