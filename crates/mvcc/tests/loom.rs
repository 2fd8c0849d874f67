//! Models of the handshakes between readers, commits and pruning, each run
//! through every schedule and every stale read that the memory model allows.
//!
//! The models are compiled from the real modules. `--cfg loom` gives these the
//! atomics of the model checker, a registry of four slots, tables with four
//! children to a node and a collector that frees the moment nobody is pinned:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p selvedge-mvcc --release --test loom \
//!     --target-dir target/loom
//! ```
//!
//! A larger `LOOM_MAX_PREEMPTIONS` searches deeper than the bounds below.
#![cfg(loom)]
#![expect(unsafe_code, reason = "the models take the place of the engine and its commit lock")]

#[path = "loom/database.rs"]
mod database;
#[path = "loom/slots.rs"]
mod slots;
#[path = "loom/structure.rs"]
mod structure;
#[path = "loom/visibility.rs"]
mod visibility;
