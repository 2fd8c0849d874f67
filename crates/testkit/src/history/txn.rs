//! What is recorded: transactions, and what each of them did and saw.

use std::borrow::Cow;

pub use selvedge::{Isolation, NodeId, Timestamp};

/// The name of a label or an edge type, or the key of an entry.
pub type Name = Cow<'static, str>;

/// The document of a node or an edge. Every one that is written has a mark of its
/// own, so that whoever reads it knows who wrote it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Content {
    /// Different in every document that is written. It stands in the first and in
    /// the last field.
    pub mark: u64,
    /// What the workload counts with.
    pub number: i64,
    /// What the workload appends to.
    pub list: Vec<i64>,
    /// Read only: the first and the last field differ, or a field is missing.
    pub is_torn: bool,
}

/// A node that was read by its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenNode {
    /// Its label.
    pub label: Name,
    /// Its key.
    pub key: Option<String>,
    /// Its document.
    pub content: Content,
    /// The commit that wrote it; `None` if the transaction itself did.
    pub version: Option<Timestamp>,
}

/// What an entry of a keyspace has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EntryValue {
    /// A document, with a mark of its own.
    Document(Content),
    /// A number, which sums are computed on.
    Number(u64),
}

/// An entry that was read by its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenEntry {
    /// Its value.
    pub value: EntryValue,
    /// The commit that wrote it; `None` if the transaction itself did.
    pub version: Option<Timestamp>,
}

/// Keys from one on and before another one, and how they are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRange {
    /// The first key, if it exists.
    pub from: Name,
    /// The first one beyond.
    pub to: Name,
    /// From the last one to the first.
    pub is_backward: bool,
    /// So many entries at most.
    pub limit: Option<usize>,
}

/// Numbers from one to another, both included, by which an index is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumberRange {
    /// The label.
    pub label: Name,
    /// The least.
    pub least: i64,
    /// The greatest.
    pub most: i64,
    /// From the greatest to the least.
    pub is_backward: bool,
    /// So many nodes at most.
    pub limit: Option<usize>,
}

/// Which edges at a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// Those that leave it.
    Out,
    /// Those that reach it.
    In,
    /// Both.
    Both,
}

/// An edge of a type that allows one between two nodes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EdgeName {
    /// Where it starts.
    pub source: NodeId,
    /// Its type.
    pub edge_type: Name,
    /// Where it ends.
    pub target: NodeId,
}

/// What a number is computed with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// The sum, modulo 2^64.
    Sum,
    /// The smaller one.
    Min,
    /// The larger one.
    Max,
}

impl Operation {
    /// What becomes of a number, or of none.
    #[must_use]
    pub fn apply(self, stored: Option<u64>, operand: u64) -> u64 {
        match (self, stored) {
            (_, None) => operand,
            (Self::Sum, Some(stored)) => stored.wrapping_add(operand),
            (Self::Min, Some(stored)) => stored.min(operand),
            (Self::Max, Some(stored)) => stored.max(operand),
        }
    }
}

/// The key that begins with `prefix` and ends with the stamp of a commit: as a part of an
/// ordered key, a string of 20 hexadecimal digits.
pub(super) fn stamped(prefix: &Name, commit: Timestamp) -> Name {
    format!("{prefix}\u{2}{:016x}0000\0", commit.get()).into()
}

/// One operation, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "a variant tells of its fields")]
pub enum Op {
    /// A node, by its id.
    Node { node: NodeId, seen: Option<SeenNode> },
    /// A node, by its key.
    Get { label: Name, key: String, seen: Option<NodeId> },
    /// The nodes with a label.
    Scan { label: Name, seen: Vec<NodeId> },
    /// Their number.
    Count { label: Name, seen: u64 },
    /// The number of edges of a type.
    CountEdges { edge_type: Name, seen: u64 },
    /// The neighbours of a node along edges of a type, or of all; one comes once for
    /// each edge.
    Neighbours { node: NodeId, way: Way, edge_type: Option<Name>, seen: Vec<NodeId> },
    /// An edge.
    Edge { edge: EdgeName, seen: Option<Content> },
    /// The nodes that are 1 to `depth` hops away, along edges of a type out.
    Traverse { start: NodeId, edge_type: Name, depth: u32, seen: Vec<NodeId> },
    /// The nodes of an index, in the order of their numbers, then of their ids.
    Ranked { range: NumberRange, seen: Vec<NodeId> },
    /// The node with this list, by a unique index.
    Holder { label: Name, list: Vec<i64>, seen: Option<NodeId> },
    /// A new node; `None`: refused, for its key, or its list, is taken.
    Insert { label: Name, key: Option<String>, content: Content, done: Option<NodeId> },
    /// A node's document, replaced; `false`: refused, for there is no such node, or
    /// another one has the list.
    Put { node: NodeId, content: Content, done: bool },
    /// A node deleted with its edges, and how many those were; `None`: there is no
    /// such node.
    Delete { node: NodeId, done: Option<u64> },
    /// A new edge, or another document of the old one; `false`: refused, for one of
    /// its ends does not exist.
    Link { edge: EdgeName, content: Content, done: bool },
    /// An edge removed, if there was one.
    Unlink { edge: EdgeName, done: bool },
    /// An entry, by its key.
    Entry { key: Name, seen: Option<SeenEntry> },
    /// The entries of a range of keys, as far as its limit.
    Range { range: KeyRange, seen: Vec<(Name, SeenEntry)> },
    /// A value for a key.
    Set { key: Name, value: EntryValue },
    /// An entry removed, if there is one.
    Remove { key: Name },
    /// A value for a key that ends with the stamp of the commit; then the key, where it
    /// is told.
    Stamp { prefix: Name, value: EntryValue, key: Option<Name> },
    /// Computes the number of an entry when the transaction commits; then the new one,
    /// where it is told.
    Compute { key: Name, operation: Operation, operand: u64, result: Option<u64> },
    /// An entry that is expected to have this version, or not to exist, right before
    /// the commit.
    Check { key: Name, expected: Option<Timestamp> },
    /// A position to roll back to, by its number.
    Savepoint { number: usize },
    /// What was written since a savepoint is undone, and later savepoints end; what was
    /// read stays read.
    RollbackTo { number: usize },
}

impl Op {
    /// Whether it changes something, or would.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Insert { .. }
                | Self::Put { .. }
                | Self::Delete { .. }
                | Self::Link { .. }
                | Self::Unlink { .. }
                | Self::Set { .. }
                | Self::Remove { .. }
                | Self::Stamp { .. }
                | Self::Compute { .. }
        )
    }

    /// Whether it is about entries of a keyspace.
    #[must_use]
    pub fn is_of_keyspace(&self) -> bool {
        matches!(
            self,
            Self::Entry { .. }
                | Self::Range { .. }
                | Self::Set { .. }
                | Self::Remove { .. }
                | Self::Stamp { .. }
                | Self::Compute { .. }
                | Self::Check { .. }
        )
    }
}

/// When a call was made and when it returned, in nanoseconds since the history
/// began. What is not known is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// Taken before the call.
    pub called: u64,
    /// Taken after it.
    pub returned: u64,
}

impl Interval {
    /// At any time.
    pub const UNKNOWN: Self = Self { called: 0, returned: u64::MAX };
}

/// What a commit was refused for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Clash {
    /// Somebody else wrote the node.
    Node(NodeId),
    /// Somebody else took the key.
    Key(Name, String),
    /// Somebody else wrote an edge between these.
    Edge(NodeId, NodeId),
    /// Somebody else wrote the entry, or one that was read to be validated.
    Entry(Name),
    /// An edge and the deletion of its end, or a read that was validated.
    Other,
}

/// How a transaction ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Committed, with this timestamp.
    Committed(Timestamp),
    /// Committed without having written.
    ReadOnly,
    /// Rolled back of its own will, or refused for a disk that fails.
    RolledBack,
    /// Refused: something was written at this timestamp.
    Conflict(Clash, Timestamp),
    /// Refused: these of its checks did not hold, counted from 0.
    ChecksFailed(Vec<usize>),
    /// The disk failed, or the machine crashed, before anybody was told: it has
    /// happened, or not.
    Unknown,
}

/// A transaction, a snapshot, or an atomic operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Txn {
    /// Its place in the history.
    pub number: usize,
    /// The thread that ran it.
    pub thread: usize,
    /// How it ran.
    pub isolation: Isolation,
    /// An atomic operation, which has no start: it is judged by the state right before
    /// its commit, and counts as serializable.
    pub is_atomic: bool,
    /// A snapshot that waits until what it sees is durable. Others may see a commit
    /// that is lost when the disk fails.
    pub is_durable: bool,
    /// Its start timestamp; zero for an atomic operation.
    pub start: Timestamp,
    /// Its beginning.
    pub begin: Interval,
    /// Its end.
    pub end: Interval,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did, in order.
    pub ops: Vec<Op>,
}

impl Txn {
    /// Its commit timestamp, if it has one.
    #[must_use]
    pub fn commit(&self) -> Option<Timestamp> {
        match self.outcome {
            Outcome::Committed(commit) => Some(commit),
            _ => None,
        }
    }

    /// Whether it commits blindly to a state other than that of its start, without
    /// saying that the two are the same.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.isolation == Isolation::Snapshot && !self.is_atomic
    }

    /// Which of its operations stand: those that it did not roll back itself.
    #[must_use]
    pub fn standing(&self) -> Vec<bool> {
        let mut stands = vec![true; self.ops.len()];
        let mut savepoints: Vec<(usize, usize)> = Vec::new();
        for (index, op) in self.ops.iter().enumerate() {
            match op {
                Op::Savepoint { number } => savepoints.push((*number, index)),
                Op::RollbackTo { number } => {
                    let known = savepoints.iter().rposition(|(known, _)| known == number);
                    let Some(place) = known else { continue };
                    savepoints.truncate(place + 1);
                    stands[savepoints[place].1 + 1..index].fill(false);
                }
                _ => {}
            }
        }
        stands
    }

    /// The operations that stand.
    pub fn standing_ops(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter().zip(self.standing()).filter(|(_, stands)| *stands).map(|(op, _)| op)
    }

    /// Whether what it read counts: it was not given up.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        matches!(self.outcome, Outcome::Committed(_) | Outcome::ReadOnly)
    }
}

/// All transactions of one life of a database, from when it was empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// What it is about, for whoever reads it.
    pub title: String,
    /// Labels whose nodes are indexed by number, and of which no two have one list.
    pub indexed: Vec<Name>,
    /// The transactions; each one's number is its index.
    pub txns: Vec<Txn>,
    /// The first transactions after each reopening that may have lost what nobody was
    /// told of.
    pub reopened: Vec<usize>,
}

impl History {
    /// Merges what threads recorded.
    #[must_use]
    pub fn merge(title: String, threads: Vec<Vec<Txn>>) -> Self {
        let mut txns: Vec<_> = threads.into_iter().flatten().collect();
        txns.sort_by_key(|txn| (txn.begin.called, txn.thread));
        for (number, txn) in txns.iter_mut().enumerate() {
            txn.number = number;
        }
        Self { title, txns, ..Self::default() }
    }

    /// Which life of the database a transaction belongs to, counted from 0.
    #[must_use]
    pub fn life(&self, number: usize) -> usize {
        self.reopened.partition_point(|first| *first <= number)
    }

    /// Goes on after a reopening with what threads recorded since.
    #[must_use]
    pub fn reopened(mut self, threads: Vec<Vec<Txn>>) -> Self {
        let first = self.txns.len();
        let mut later = Self::merge(String::new(), threads).txns;
        later.iter_mut().for_each(|txn| txn.number += first);
        self.reopened.push(first);
        self.txns.extend(later);
        self
    }
}
