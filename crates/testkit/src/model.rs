//! The database against the obvious slow one.
//!
//! A run interleaves transactions of both isolations and snapshots on one database,
//! step by step in one thread. The model copies the whole state at every begin and
//! judges commits by comparing what was written and read. On disk the database is
//! ended and opened again in between. Beside nodes and edges there are a few numbers in
//! a keyspace, which are written together with them, and by atomic operations alone.
//!
//! Who makes up the steps is elsewhere: property tests and fuzzing.
//!
//! Reading order: `state`, `transition`, `transaction`, `judge`, `look`, `write`,
//! `harness`.

mod harness;
mod judge;
mod look;
mod state;
mod transaction;
mod transition;
mod write;

pub use self::harness::Harness;
pub use self::look::Look;
pub use self::state::{DIRECTIONS, ENTRIES, FIELDS, KEYS, LABELS, Name, TYPES, Walk};
pub use self::transition::{
    Computation, Ending, Expected, Mutation, Pick, SLOTS, Shape, Slot, Transition, Write,
};
