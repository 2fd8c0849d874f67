//! Histories: what many threads did on one database, and whether isolation held.
//!
//! ```text
//! seed -> what each thread does
//!           |
//!         threads --> database      each records what it saw, and its timestamps
//!           |
//!         history --> judge         state by state, in the order of commits
//!           |           |
//!          text      anomalies, by their names
//! ```
//!
//! The judge trusts nothing but what clients saw: it builds the database anew from
//! what committed transactions wrote, and compares.
//!
//! What is judged, of every transaction, those that were given up too:
//! - each read of a node, edge or key gives the newest version that is not newer than
//!   the start, or the transaction's own; a node's version is the commit that wrote
//!   it;
//! - each scan, count, neighbourhood and walk is that of the start, with neither
//!   phantoms nor holes;
//! - each entry and each range of a keyspace is that of the start, as far as it was
//!   read, own writes on top; sums come to what all who committed have added; checks of
//!   commits held right before them, and those that failed did in some state of the time;
//! - each range of an index, and each look-up in a unique one, is that of the start, own
//!   writes on top, in order, also while the index is being built anew beside it; no two
//!   nodes have what a unique index allows once;
//! - of concurrent transactions that wrote the same, one was refused, and none without
//!   a reason; no edge dangles; no key has two nodes;
//! - commit timestamps are unique, and all timestamps keep to real time;
//! - a commit of which nobody was told, since the disk failed or the machine crashed, has
//!   happened as a whole, or not at all; what was told, or seen to last, lasts;
//! - what a serializable transaction read was unchanged when it committed;
//! - dependencies have no cycle but those that snapshot isolation permits, and those
//!   among serializable transactions none at all.
//!
//! Which transactions a thread runs is determined by the seed; how they meet is up to
//! the system, so a history with an anomaly is kept as text, to be judged again.
//!
//! Reading order: `txn`, `text`, `parse`, `unknown`, `state`, `judge`, `reading`, `misreading`, `indexed`,
//! `committing`, `concurrency`, `entries`, `entry_reading`, `checks`, `marks`, `changes`, `validation`,
//! `real_time`, `cycles`, `components`, `anomaly`; then `workload` and the files behind it,
//! `recorder`, `life`, `edn`.

mod anomaly;
mod changes;
mod checks;
mod committing;
mod components;
mod concurrency;
mod cycles;
mod edn;
mod entries;
mod entry_reading;
mod indexed;
mod judge;
mod life;
mod marks;
mod misreading;
mod parse;
mod reading;
mod real_time;
mod recorder;
mod state;
mod text;
mod txn;
mod unknown;
mod validation;
mod workload;

pub use self::anomaly::{Anomaly, Finding};
pub use self::edn::list_append;
pub use self::judge::{Verdict, judge};
pub use self::life::{Medium, Plan, Ran, run, run_beside};
pub use self::recorder::{Active, Atomic, Done, Seat, Worker};
pub use self::txn::{
    Clash, Content, EdgeName, EntryValue, History, Interval, Isolation, KeyRange, Name, NodeId,
    NumberRange, Op, Operation, Outcome, SeenEntry, SeenNode, Timestamp, Txn, Way,
};
pub use self::workload::{WORKLOADS, Workload};
