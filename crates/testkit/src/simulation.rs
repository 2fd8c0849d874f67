//! The simulation of durability: lives of databases on a disk that fails.
//!
//! ```text
//! seed -> options, workload, disasters
//!           database  <- same steps ->  model: every state there ever was,
//!              |                               and which of them must survive
//!           crash, kill, failing files, full disk, flipped bits
//!              |
//!           opened: what is there is one of the states, none before the last
//!                   that was acknowledged
//! ```
//!
//! A *story* is one such life, told by its seed: the same seed gives the same story,
//! of which the digest of all steps tells. Everything runs on one thread.
//!
//! What is checked:
//! - after each opening, the whole database is some state of the model, and all that
//!   was acknowledged as durable is in it; the database finds nothing wrong with
//!   itself;
//! - while it is open, every reader sees the state of its timestamp, for as long as
//!   it lasts, whatever happens to the files;
//! - after a failed write nothing is written any more, new readers see what is
//!   durable and nothing else, and opening again goes on from there;
//! - lack of space is told before anything is applied, and ends nothing;
//! - no timestamp, node or edge is given out twice, whatever was lost;
//! - a flipped bit is told, or changes nothing; at most it ends the log where nothing
//!   durable says that more was durable;
//! - indexes, defined and built in the midst of all that, say what documents say, to each
//!   reader: also those of which the build was interrupted;
//! - errors are of the kind that tells what to do about them.
//!
//! Reading order: `story`, `steps`, `opening`, `workload`, `indexes`, `model`, `look`,
//! `trouble`, `trace`.

mod indexes;
mod look;
mod model;
mod opening;
mod steps;
mod story;
mod trace;
mod trouble;
mod workload;

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

pub use self::story::Counts;
use self::story::Story;

/// File operations that are told when something is wrong.
const OPERATIONS_TOLD: usize = 40;

/// A story that went as it should.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Of all its steps.
    pub digest: u64,
    /// How many there were.
    pub steps: u64,
    /// What happened.
    pub counts: Counts,
}

/// A story that did not.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which one.
    pub seed: u64,
    /// What is wrong.
    pub what: String,
    /// The last steps, the last one last.
    pub steps: Vec<String>,
    /// The last file operations.
    pub operations: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, what, steps, operations } = self;
        writeln!(f, "seed {seed}: the last steps")?;
        steps.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
        writeln!(f, "the last file operations")?;
        operations.iter().try_for_each(|operation| writeln!(f, "  {operation}"))?;
        writeln!(f, "seed {seed}: {what}")?;
        write!(f, "again: cargo xtask sim --first {seed} --seeds 1 --verbose")
    }
}

thread_local! {
    /// Where and why this thread panicked last.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what panics say for the failures that come of them, instead of printing it.
pub fn quiet_panics() {
    set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        PANIC.with(|told| *told.borrow_mut() = format!("{panic}\n{backtrace}"));
    }));
}

/// Runs the story of a seed; tells each step as it comes, if it is to be loud.
///
/// # Errors
/// What is wrong with the database.
pub fn run(seed: u64, is_loud: bool) -> Result<Outcome, Box<Failure>> {
    let mut story = Story::new(seed, is_loud);
    let told = catch_unwind(AssertUnwindSafe(|| story.run()));
    let what = match told {
        Ok(Ok(())) => {
            let (digest, steps) = (story.trace.digest(), story.trace.count());
            return Ok(Outcome { digest, steps, counts: story.counts });
        }
        Ok(Err(what)) => what,
        Err(_) => format!("panicked: {}", PANIC.with(|told| told.borrow().clone())),
    };
    let all = story.files.operations();
    let last = all.iter().skip(all.len().saturating_sub(OPERATIONS_TOLD));
    let operations = last.map(ToString::to_string).collect();
    let steps = story.trace.last_steps();
    // What is left of the story may be in any state, as after a panic.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(story)));
    Err(Box::new(Failure { seed, what, steps, operations }))
}
