//! The test kit: scripts that say step by step what transactions see.
//!
//! A *script* is a text file. It tells of one database, in memory, with a
//! simulated clock and no background thread; of *actors*, which are explicit
//! transactions and snapshots; and of what each step of theirs gives:
//!
//! ```text
//! # Lost update (P4): both read x, both write it, the first committer wins.
//! insert x value=10        -> ok x @1
//!
//! t1: begin                -> ok @1
//! t2: begin                -> ok @1
//! t1: set x value=11       -> ok
//! t2: set x value=12       -> ok
//! t1: commit               -> ok @2
//! t2: commit               -> conflict: x was written by @2, began at @1
//! ```
//!
//! [`Script::check`] runs one and shows where it differs; with the environment
//! variable `UPDATE_SCRIPTS=1` the file is rewritten to what came out.
//!
//! # Lines
//! A step is one line: an actor and a colon, or neither for a transaction of its
//! own; a verb with its arguments; `->`; the expected output. `#` opens a comment.
//! The first line of a script is a comment that says what the script shows.
//!
//! Nodes are named by label and key, `User:alice`; the label `Item` goes without
//! saying. A node without a key has the key `_`. Of several nodes of one name,
//! inserted one after the other, the second is `alice#2`. Edges are named by their
//! ends and type; of a multi type the second edge that was linked is `#2`.
//!
//! # Verbs
//! | who | verbs |
//! |---|---|
//! | the database | `open [first_node_id=N]`, `stats FIELD..`, `step`, `advance SECONDS`, `skip_ids N`, `fails STEP`, `panics STEP` |
//! | an actor | `begin [serializable] [label=L]`, `snapshot [label=L]`, `commit`, `rollback`, `drop`, `savepoint S`, `rollback_to S`, `release S` |
//! | either | reads, listed in `session/reading.rs`: `get`, `node`, `scan`, `neighbours`, .. |
//! | either | writes, listed in `session/writing.rs`: `insert`, `set`, `delete`, `link`, .. |
//!
//! `get` goes through the key, `node` through the id, and `state` through
//! everything: it tells all nodes and edges and complains if two ways to read
//! them disagree. When a script ends, its actors end too; then nothing may be
//! retained, open or reserved any more, in any script.
//!
//! Reading order: `script`, `command`, `session`, `names`.
#![deny(missing_docs)]

mod command;
pub mod history;
pub mod model;
mod names;
pub mod online_build;
mod script;
mod session;
pub mod simulation;
pub mod soak;
pub mod threads;

pub use command::{Command, ScriptError};
pub use script::{Difference, Script};
pub use session::Session;
