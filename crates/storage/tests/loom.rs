//! Models of group commit: whoever needs something durable leads or waits, and each
//! model is run through every schedule within a bound of forced switches, as those of
//! `crates/mvcc/tests/loom.rs` are, which tells more of the bound.
//!
//! The models drive the real log, on files in memory that fail when told. `--cfg loom`
//! gives the log the locks, conditions, atomics and parking of the model checker:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p selvedge-storage --release --test loom \
//!     --target-dir target/loom
//! ```
//!
//! A thread that nobody wakes is a deadlock, which the checker reports. With planted
//! faults (`--cfg selvedge_mutants`, one named by `SELVEDGE_MUTANT`) some model must
//! fail:
//!
//! | fault | found by, among others |
//! |---|---|
//! | `acknowledged-before-sync`, `fsync-left-out` | `one_syncs_for_both` |
//! | `heir-left-asleep` | `who_comes_late_leads_next` |
//! | `woken-before-told` | `one_syncs_for_both` |
//! | `failure-acknowledged` | `a_leader_that_fails_tells_all` |
//! | `failure-told-to-nobody` | `a_leader_that_fails_tells_all` |
//! | `synced-after-failure` | `a_leader_that_fails_tells_all` |
//! | `closed-without-waiting` | `nothing_is_written_once_it_is_closed` |
//! | `passing-untold` | `who_waits_for_room_is_told` |
#![cfg(loom)]

#[path = "loom/commits.rs"]
mod commits;
#[path = "loom/disk.rs"]
mod disk;
#[path = "loom/failures.rs"]
mod failures;
