//! Models of the handshakes between readers, commits and pruning, each run
//! through every schedule and every stale read that the memory model allows.
//!
//! The models are compiled from the real modules. `--cfg loom` gives these the
//! atomics of the model checker, a registry of four slots, tables with four
//! children to a node, and a collector that frees the moment nobody is pinned:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p selvedge-mvcc --release --test loom \
//!     --target-dir target/loom
//! ```
//!
//! Each model bounds how often a thread is switched away from while it could go
//! on: three times, four where two threads suffice and the model is small, twice
//! where three threads or several commits would take minutes. A model that runs
//! on takes three to ten times as long for each further switch; every fault below
//! is found with two. `LOOM_MAX_PREEMPTIONS` overrides the bounds.
//!
//! The models are checked in turn. A build with planted faults takes the name of
//! one from the environment, and then some model must fail:
//!
//! ```sh
//! for mutant in $(grep -rhoE 'mutant::is\("[a-z-]+' crates/mvcc | cut -d'"' -f2 | sort -u); do
//!     SELVEDGE_MUTANT=$mutant RUSTFLAGS="--cfg loom --cfg selvedge_mutants" \
//!         cargo test -p selvedge-mvcc --release --test loom --target-dir target/loom \
//!         >/dev/null 2>&1 && echo "$mutant survives"
//! done
//! ```
//!
//! | fault | found by, among others |
//! |---|---|
//! | `begin-without-fence`, `horizon-without-recheck` | `begin_against_prune` |
//! | `high-water-lowered-late`, `high-water-lowering-unseen` | `begin_against_the_high_water_mark` |
//! | `prune-one-too-far` | `pruning_between_two_snapshots` |
//! | `head-before-stamp`, `stamp-read-once` | `atomic_publication`, `a_commit_that_fails_half_way_is_never_seen` |
//! | `walk-without-pin` | `begin_against_prune` |
//! | `tombstone-ignored` | `begin_against_emptying` |
//! | `limbo-freed-early`, `limbo-freed-by-an-old-scan` | `leaves_come_and_go_under_a_snapshot` |
//! | `write-validation-off`, `validation-off` | `the_first_committer_wins` |
//!
//! `read-validation-off` survives: no model here validates reads, which is
//! single-threaded work under the commit lock.
//!
//! Left out: sequentially consistent accesses, which the checker takes for
//! acquire and release (the crate uses fences alone), and addresses that are
//! given out again after a free (the crate compares no pointers).
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
