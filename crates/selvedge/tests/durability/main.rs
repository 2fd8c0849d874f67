//! Databases on disk, as the public crate shows them: what is kept, what is refused,
//! and what is told, when the disk, the process or the machine fails.
//!
//! Each test is a story of its own and repeats exactly, threads aside. Random runs
//! against a model are elsewhere.

mod backup;
mod checkpoints;
mod closing;
mod damage;
mod failing;
mod files;
mod fixtures;
mod full_disk;
mod ids;
mod locking;
mod machine;
mod memory;
mod names;
mod poison;
mod refused;
mod sealed;
mod state;
mod sync_levels;
mod traps;
