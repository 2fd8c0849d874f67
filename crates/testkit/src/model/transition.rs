//! What a run consists of, and which step may follow which. The state that this
//! needs is what each handle is: nodes and edges are picked by number from
//! whatever there is when the step is taken.

use selvedge::{Document, EdgeTypeDef, Isolation, Value};

use super::look::Look;
use super::state::Name;

/// Picks a node or an edge.
pub type Pick = u8;
/// Handles that are open at the same time.
pub const SLOTS: usize = 5;

/// A write, of nodes and edges that are there when it comes to it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are the operations of a transaction")]
pub enum Write {
    Insert {
        label: Name,
        key: Option<Name>,
        document: Document,
    },
    Upsert {
        label: Name,
        key: Name,
        document: Document,
    },
    Set {
        node: Pick,
        field: Name,
        value: Value,
    },
    SetMany {
        node: Pick,
        fields: Document,
    },
    Unset {
        node: Pick,
        field: Name,
    },
    Replace {
        node: Pick,
        document: Document,
    },
    Delete {
        node: Pick,
    },
    Define {
        name: Name,
        def: EdgeTypeDef,
    },
    Link {
        source: Pick,
        edge_type: Name,
        target: Pick,
        document: Document,
    },
    Unlink {
        source: Pick,
        edge_type: Name,
        target: Pick,
    },
    UnlinkEdge {
        edge: Pick,
    },
    UpdateEdge {
        edge: Pick,
        fields: Document,
    },
    UnsetEdge {
        edge: Pick,
        field: Name,
    },
    ReplaceEdge {
        edge: Pick,
        document: Document,
    },
    SetEntry {
        key: u8,
        value: u64,
    },
    DeleteEntry {
        key: u8,
    },
    Compute {
        key: u8,
        computation: Computation,
        operand: u64,
    },
    /// Deletes an entry whose key ends with a stamp, if there is one.
    DeleteStamped {
        entry: Pick,
    },
}

/// What becomes of a number and an operand; what is not there becomes the operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "they are the computations of a keyspace")]
pub enum Computation {
    Sum,
    Min,
    Max,
}

impl Computation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sum, Self::Min, Self::Max];
}

/// A mutation of an atomic operation.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "they are the mutations of a keyspace")]
pub enum Mutation {
    Set { key: u8, value: u64 },
    SetStamped { prefix: u8, value: u64 },
    Delete { key: u8 },
    Compute { key: u8, computation: Computation, operand: u64 },
}

/// Which version a check expects.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// The one at the start.
    Seen,
    /// The newest one.
    Latest,
    /// None: the node is not there.
    Absent,
}

/// A step of a run.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are the operations of a database")]
pub enum Transition {
    Begin {
        slot: usize,
        isolation: Isolation,
    },
    Snapshot {
        slot: usize,
    },
    Commit {
        slot: usize,
    },
    Drop {
        slot: usize,
    },
    Write {
        slot: usize,
        write: Write,
    },
    /// One write as a transaction of its own.
    Auto(Write),
    /// An atomic operation on entries. There is no start, so that [`Expected::Seen`] is
    /// a version that no entry has any more, or yet.
    Atomic {
        checks: Vec<(u8, Expected)>,
        mutations: Vec<Mutation>,
    },
    Savepoint {
        slot: usize,
    },
    RollbackTo {
        slot: usize,
        savepoint: Pick,
    },
    Release {
        slot: usize,
        savepoint: Pick,
    },
    Look {
        slot: usize,
        look: Look<Pick>,
    },
    GetForUpdate {
        slot: usize,
        node: Pick,
    },
    Check {
        slot: usize,
        node: Pick,
        expected: Expected,
    },
    CheckEntry {
        slot: usize,
        key: u8,
        expected: Expected,
    },
    Step {
        most: usize,
    },
    Compact,
    /// Only on disk, as is what follows.
    Checkpoint,
    /// The database ends and is opened again. Transactions end before; snapshots are
    /// read on, if it was closed.
    Reopen(Ending),
}

/// How a database on disk ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Closed, with a checkpoint.
    Close,
    /// Its last handle is dropped.
    Drop,
    /// Its process is killed.
    Kill,
    /// The machine loses power.
    Crash,
}

/// What a handle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Slot {
    /// Free.
    #[default]
    Empty,
    /// A snapshot.
    Snapshot,
    /// A transaction.
    Transaction,
}

/// What each handle is.
#[derive(Clone, Debug, Default)]
pub struct Shape(pub [Slot; SLOTS]);

impl Shape {
    /// The handles that are of a kind.
    #[must_use]
    pub fn slots(&self, wanted: Slot) -> Vec<usize> {
        (0..SLOTS).filter(|slot| self.0[*slot] == wanted).collect()
    }

    /// Whether a step may come next.
    #[must_use]
    pub fn permits(&self, transition: &Transition) -> bool {
        match transition {
            Transition::Begin { slot, .. } | Transition::Snapshot { slot } => {
                self.0[*slot] == Slot::Empty
            }
            Transition::Drop { slot } => self.0[*slot] != Slot::Empty,
            Transition::Auto(_)
            | Transition::Atomic { .. }
            | Transition::Step { .. }
            | Transition::Compact
            | Transition::Checkpoint
            | Transition::Reopen(_) => true,
            Transition::Commit { slot }
            | Transition::Write { slot, .. }
            | Transition::Savepoint { slot }
            | Transition::RollbackTo { slot, .. }
            | Transition::Release { slot, .. }
            | Transition::Look { slot, .. }
            | Transition::GetForUpdate { slot, .. }
            | Transition::CheckEntry { slot, .. }
            | Transition::Check { slot, .. } => self.0[*slot] == Slot::Transaction,
        }
    }

    /// The handles behind a step.
    #[must_use]
    pub fn after(mut self, transition: &Transition) -> Self {
        match transition {
            Transition::Begin { slot, .. } => self.0[*slot] = Slot::Transaction,
            Transition::Snapshot { slot } => self.0[*slot] = Slot::Snapshot,
            Transition::Commit { slot } | Transition::Drop { slot } => {
                self.0[*slot] = Slot::Empty;
            }
            Transition::Reopen(_) => self = Self::default(),
            _ => {}
        }
        self
    }
}
