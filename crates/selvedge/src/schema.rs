//! Definitions of labels and edge types: stored, enforced, changed.
//!
//! ```text
//! Db::define  ->  the schema as one entry of the database's own keyspace,
//!                 written by an ordinary commit
//! commit      ->  install: the cell has it, since this commit   (before it is published)
//! transaction ->  the schema of its start  ->  rules: every document that it stages
//! commit      ->  validate: what it wrote is defined as it was at its start, or Conflict
//! ```
//!
//! Invariants:
//! - D1: a transaction, or snapshot, that began at a timestamp sees the schema that the
//!   newest commit up to there left behind, whatever comes later.
//! - D2: a document that a commit installs keeps the definition that its label, or edge
//!   type, has at that commit.
//! - D3: the cell and the entry say the same: both change in one install, and the cell
//!   is filled from the entry when a database is opened.
//!
//! Reading order: `cell`, `rules`, `define`, `change`, `migrate`,
//! `verify`, `error`.

pub(crate) mod cell;
pub(crate) mod change;
pub(crate) mod define;
pub(crate) mod error;
pub(crate) mod migrate;
pub(crate) mod rules;
pub(crate) mod verify;
