//! The soak: mixed load on real files for as long as one likes, in bounded memory.
//!
//! ```text
//! round:  writers, long readers, a history      on threads of their own
//!         checkpoints, compactions              beside them
//!         a watch: memory, files, versions      beside all
//! then:   nothing is retained, the laws hold, the database finds nothing wrong
//!         with itself; it is closed, or its last handle dropped, and opened again
//! ```
//!
//! The data set is bounded: what comes goes, what grows is cut. So everything else must
//! be, too:
//! - *memory*: behind a warm-up of a fifth of the time, the median of the anonymous
//!   resident memory (`RssAnon`) between rounds, when the allocator has given back what
//!   is free, over the last fifth of what is left is at most 5 % above that over the
//!   first; at any time it is below a gibibyte;
//! - *files*: the same at any time with 25 %, and never more than a fixed number of
//!   bytes;
//! - *versions*: never more of them retained than records times open snapshots, and none
//!   once no snapshot is open.
//!
//! Every reader checks the laws (`laws.rs`) at the moment it begins at, and that what it sees
//! stays as it is. A part of the load is recorded and judged as a [history](crate::history),
//! slice by slice, on the same database.
//!
//! Reading order: `ground`, `entries`, `laws`, `writers`, `readers`, `watch`, `rounds`.

mod entries;
mod ground;
mod laws;
mod readers;
mod rounds;
mod watch;
mod writers;

use std::time::Duration;

pub use self::rounds::run;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// For how long.
    pub time: Duration,
    /// Decides what each thread does, though not how they meet.
    pub seed: u64,
    /// Tells how it goes, round by round.
    pub is_loud: bool,
}

/// What went as it should.
#[derive(Clone, Debug)]
pub struct Report(pub Vec<String>);

/// The result of whatever may go wrong.
type Told<T = ()> = Result<T, String>;

/// The fault `name` is planted: in a build with planted faults, and if asked for.
fn is_planted(name: &str) -> bool {
    cfg!(selvedge_mutants) && std::env::var("SELVEDGE_MUTANT").is_ok_and(|fault| fault == name)
}
