//! Definitions of labels and edge types: enforced by every way to write, stored,
//! seen by each snapshot as they were.

mod crashing;
mod defaults;
mod defining;
mod enforcing;
mod migrating;
mod stored;
mod threads;
