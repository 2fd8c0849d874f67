//! What can be wrong with a history, by the names of the literature.

use std::fmt;

/// The name of an anomaly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Anomaly {
    /// Of two concurrent transactions that read and wrote the same, both committed.
    LostUpdate,
    /// Of two concurrent transactions that wrote the same, both committed.
    ConcurrentWrites,
    /// What a transaction wrote that did not commit was seen.
    DirtyRead,
    /// What a transaction wrote and then wrote over was seen.
    IntermediateRead,
    /// A value that nobody wrote, or wrote elsewhere.
    InventedRead,
    /// Parts of two documents as one.
    TornDocument,
    /// Some of what a transaction wrote was seen, and some was not.
    FracturedRead,
    /// The same was read twice, and differed.
    NonRepeatableRead,
    /// Something committed after the start was seen.
    FutureRead,
    /// Something that had been written over at the start was seen.
    StaleRead,
    /// Something that had been deleted at the start was seen.
    DeletedRead,
    /// Something that existed at the start was not seen.
    MissingRead,
    /// A transaction did not see its own write.
    OwnWriteUnseen,
    /// A set has more members than at the start.
    Phantom,
    /// A set has fewer members than at the start.
    Hole,
    /// A number is not that of the start.
    WrongCount,
    /// The version of a node or an entry is not the timestamp of the commit that wrote it.
    WrongVersion,
    /// A transaction began at a state older than one that others had been told of.
    StaleStart,
    /// A transaction began at a state that nobody had begun to commit.
    FutureStart,
    /// Commit timestamps that are not unique, or not in the order of time.
    DisorderedCommits,
    /// An edge of which an end does not exist.
    DanglingEdge,
    /// Two nodes with one key, or a node given out twice.
    Twins,
    /// Something was done that must be refused, or refused that must be done.
    WrongRefusal,
    /// A conflict over something that nobody wrote.
    GroundlessConflict,
    /// A range is not in the order of its keys, or longer than asked for.
    DisorderedRange,
    /// A computed number is not that of all who committed to it.
    WrongSum,
    /// A key that ends with the stamp of its commit ends with another one.
    WrongStamp,
    /// Committed, although a check did not hold right before.
    CheckIgnored,
    /// Checks failed, and no state of that time explains those and no others.
    GroundlessCheckFailure,
    /// A serializable transaction committed, although what it read had been changed.
    ReadOverwritten,
    /// Told to have written nothing, although something was left to write.
    WritesDropped,
    /// A law of the workload is broken.
    BrokenLaw,
    /// A cycle of writes (G0).
    DirtyWriteCycle,
    /// A cycle of writes and reads of them (G1c).
    CircularInformationFlow,
    /// A cycle with one read of what was written over (G-single).
    ReadSkew,
    /// Two transactions saw two others in different orders.
    LongFork,
    /// Transactions that read what the next one writes (G2-item).
    WriteSkew,
    /// As a write skew, by the members of a set (G2).
    PredicateWriteSkew,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LostUpdate => "lost update (P4)",
            Self::ConcurrentWrites => "concurrent writes of the same, both committed",
            Self::DirtyRead => "dirty read (G1a)",
            Self::IntermediateRead => "intermediate read (G1b)",
            Self::InventedRead => "read of what nobody wrote there",
            Self::TornDocument => "torn document",
            Self::FracturedRead => "fractured read",
            Self::NonRepeatableRead => "non-repeatable read (P2)",
            Self::FutureRead => "read from the future",
            Self::StaleRead => "stale read",
            Self::DeletedRead => "read of what was deleted",
            Self::MissingRead => "read misses what exists",
            Self::OwnWriteUnseen => "own write unseen",
            Self::Phantom => "phantom",
            Self::Hole => "hole",
            Self::WrongCount => "wrong count",
            Self::WrongVersion => "wrong version",
            Self::StaleStart => "stale start, against real time",
            Self::FutureStart => "start in the future, against real time",
            Self::DisorderedCommits => "commit timestamps out of order",
            Self::DanglingEdge => "dangling edge",
            Self::Twins => "twins",
            Self::WrongRefusal => "wrongly done or refused",
            Self::GroundlessConflict => "conflict without ground",
            Self::DisorderedRange => "range out of order",
            Self::WrongSum => "wrong sum",
            Self::WrongStamp => "key with the stamp of another commit",
            Self::CheckIgnored => "committed though a check did not hold",
            Self::GroundlessCheckFailure => "failed checks that no state explains",
            Self::ReadOverwritten => "committed though what it read had changed",
            Self::WritesDropped => "writes dropped",
            Self::BrokenLaw => "law of the workload broken",
            Self::DirtyWriteCycle => "cycle of writes (G0)",
            Self::CircularInformationFlow => "circular information flow (G1c)",
            Self::ReadSkew => "read skew (G-single)",
            Self::LongFork => "long fork",
            Self::WriteSkew => "write skew (G2-item)",
            Self::PredicateWriteSkew => "write skew through a set (G2)",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is called.
    pub name: Anomaly,
    /// The transactions that have to do with it.
    pub txns: Vec<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

/// What was found: how often each, and a few of them.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) told: Vec<Finding>,
    /// All of them, told or not.
    pub(super) total: usize,
}

/// Anomalies that are told of one name: a fault makes thousands.
const TOLD_MAX: usize = 20;

impl Findings {
    pub(super) fn add(
        &mut self,
        name: Anomaly,
        txns: impl Into<Vec<usize>>,
        what: impl FnOnce() -> String,
    ) {
        self.total += 1;
        if self.told.iter().filter(|told| told.name == name).count() < TOLD_MAX {
            self.told.push(Finding { name, txns: txns.into(), what: what() });
        }
    }
}
