//! Whole transactions, on the real engine, under schedules drawn by `shuttle`: at each
//! atomic access, lock, condition and operation on files it decides which thread goes
//! on. What loom proves of small parts is tried here of all parts together, log,
//! checkpoints and recovery included.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test -p selvedge --release --test shuttle \
//!     --target-dir target/shuttle
//! ```
//!
//! `SELVEDGE_SHUTTLE_SCHEDULES` says how many schedules there are, of all programs
//! together. They come in batches, each of a seed; a failure tells the seed, and
//! `SELVEDGE_SHUTTLE_SEED` begins with it, so that the same happens again.
//!
//! In memory the history that the threads record is judged as those of
//! `cargo xtask history` are; where the disk fails or the database is closed, what each
//! thread was told is held against what is there in the end. Each program also says
//! which outcomes its schedules must meet: one that never meets the case it was written
//! for checks nothing.
//!
//! With planted faults (`--cfg selvedge_mutants` beside it, one named by
//! `SELVEDGE_MUTANT`) some program must fail:
//!
//! | fault | found by, among others |
//! |---|---|
//! | `validation-off`, `write-validation-off` | `increments_of_one_node` |
//! | `read-validation-off` | `write_skew_is_refused` |
//! | `check-ignored` | `atomic_operations_against_a_transaction` |
//! | `endpoint-unchecked` | `linking_against_deleting` |
//! | `publish-before-install` | `increments_of_one_node`, `snapshots_beside_pruning` |
//! | `prune-one-too-far`, `horizon-without-recheck` | `snapshots_beside_pruning` |
//! | `fsync-left-out`, `acknowledged-before-sync` | `a_crash_beside_commits` |
//! | `failure-told-to-nobody`, `synced-after-failure` | `a_failing_sync_beside_commits` |
//! | `heir-left-asleep` | `closing_beside_commits` |
//!
//! Left out: orders weaker than sequential consistency, which are loom's business; the
//! collector of epochs, in place of which is one that frees as early as it may.
#![cfg(shuttle)]

#[path = "shuttle/durability.rs"]
mod durability;
#[path = "shuttle/entries.rs"]
mod entries;
#[path = "shuttle/files.rs"]
mod files;
#[path = "shuttle/isolation.rs"]
mod isolation;
#[path = "shuttle/schedules.rs"]
mod schedules;
#[path = "shuttle/story.rs"]
mod story;
