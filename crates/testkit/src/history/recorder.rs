//! Running transactions on a database and recording what each does and sees.
//!
//! Every thread records for itself: nothing that it does for the record is seen by
//! another thread, lest recording order what is to be left to chance.

mod atomic;
mod indexed;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use selvedge::{
    Conflict, ConflictKind, Db, Direction, DocRef, Document, Entity, Error, ErrorKind, KvEntry,
    NamedEdge, Read, Savepoint, Selection, Snapshot, SyncLevel, Transaction, TransactionOptions,
    Versionstamp, doc,
};

use super::txn::{
    Clash, Content, EdgeName, EntryValue, Interval, Isolation, KeyRange, Name, NodeId, Op,
    Operation, Outcome, SeenEntry, SeenNode, Timestamp, Txn, Way,
};

pub use self::atomic::Atomic;

/// The result of whatever the database may fail at, for no good reason.
pub type Done<T = ()> = Result<T, String>;

fn fault(what: &str) -> impl Fn(Error) -> String {
    move |error| format!("{what} fails: {error}")
}

/// The key of the entry by which a thread on a disk that fails tells what it has
/// committed last.
pub(super) fn receipt(thread: usize) -> Name {
    format!("z{thread:03}").into()
}

/// How a commit ended that did not go well.
fn failed(error: &Error) -> Outcome {
    match error {
        Error::Conflict(conflict) => Outcome::Conflict(clash(conflict), conflict.committed),
        Error::ChecksFailed(failed) => Outcome::ChecksFailed(failed.clone()),
        Error::OutcomeUnknown(_) => Outcome::Unknown,
        _ => Outcome::RolledBack,
    }
}

/// What a thread records with.
struct Pen {
    thread: usize,
    /// The clock of all threads.
    began: Instant,
    next_mark: Cell<u64>,
    random: RefCell<fastrand::Rng>,
    /// Of so many operations, one lets other threads run.
    yields: usize,
    leaves_receipts: bool,
    txns: RefCell<Vec<Txn>>,
}

impl Pen {
    /// A document that nobody has written before.
    fn content(&self, number: i64, list: Vec<i64>) -> Content {
        let mark = self.next_mark.get();
        self.next_mark.set(mark + 1);
        Content { mark, number, list, is_torn: false }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn pause(&self) {
        if self.random.borrow_mut().usize(..self.yields) == 0 {
            std::thread::yield_now();
        }
    }
}

/// One thread in one round of a history.
pub struct Worker {
    pen: Rc<Pen>,
    db: Db,
    /// The share of the history that is done, from 0 to 1.
    pub progress: f64,
}

/// What makes a worker.
#[derive(Clone, Copy)]
pub struct Seat {
    /// Decides what is drawn.
    pub seed: u64,
    /// Which thread it is.
    pub thread: usize,
    /// Which round.
    pub round: usize,
    /// When the history began.
    pub began: Instant,
    /// Of so many operations, one lets other threads run.
    pub yields: usize,
}

impl Worker {
    /// A worker, in its seat.
    #[must_use]
    pub fn new(db: Db, seat: Seat) -> Self {
        let Seat { seed, thread, round, began, yields } = seat;
        let place = (thread as u64 + 1) << 40 | (round as u64) << 32;
        let random = fastrand::Rng::with_seed(seed ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let pen = Pen {
            thread,
            began,
            next_mark: Cell::new(place),
            random: RefCell::new(random),
            yields,
            leaves_receipts: false,
            txns: RefCell::default(),
        };
        Self { pen: Rc::new(pen), db, progress: 0.0 }
    }

    /// The same on a disk that fails: all that it commits writes an entry, too, that
    /// tells whether it has happened, and its snapshots, but for some,
    /// wait until what they see is durable.
    ///
    /// # Panics
    /// While a transaction is open.
    #[must_use]
    pub fn with_receipts(mut self) -> Self {
        let pen = Rc::get_mut(&mut self.pen).expect("no transaction is open");
        pen.leaves_receipts = true;
        self
    }

    /// A number below `end`, drawn.
    pub fn below(&self, end: usize) -> usize {
        self.pen.random.borrow_mut().usize(..end)
    }

    /// Whether a draw of one in `of` came out.
    pub fn one_in(&self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// One of several, drawn.
    pub fn one_of<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// For no good reason.
    pub fn begin(&self, isolation: Isolation) -> Done<Active> {
        let mut options = TransactionOptions::new().isolation(isolation);
        if self.one_in(100) {
            options = options.sync(SyncLevel::Full);
        }
        self.open(isolation, || Ok(Reader::Transaction(self.db.begin(&options)?)))
    }

    /// Opens a snapshot.
    ///
    /// # Errors
    /// For no good reason.
    pub fn snapshot(&self) -> Done<Active> {
        if self.pen.leaves_receipts && !self.one_in(4) {
            return self.durable_snapshot();
        }
        self.open(Isolation::Snapshot, || Ok(Reader::Snapshot(self.db.snapshot()?)))
    }

    /// Opens a snapshot of what is durable.
    ///
    /// # Errors
    /// For no good reason.
    pub fn durable_snapshot(&self) -> Done<Active> {
        let mut active =
            self.open(Isolation::Snapshot, || Ok(Reader::Snapshot(self.db.snapshot_durable()?)))?;
        active.txn.is_durable = true;
        Ok(active)
    }

    /// An atomic operation that does nothing yet.
    #[must_use]
    pub fn atomic(&self) -> Atomic<'_> {
        Atomic { worker: self, ops: Vec::new() }
    }

    fn open(
        &self,
        isolation: Isolation,
        open: impl FnOnce() -> Result<Reader, Error>,
    ) -> Done<Active> {
        self.pen.pause();
        let called = self.pen.now();
        let reader = open().map_err(fault("begin"))?;
        let begin = Interval { called, returned: self.pen.now() };
        let start = match &reader {
            Reader::Transaction(reader) => reader.timestamp(),
            Reader::Snapshot(reader) => reader.timestamp(),
        };
        let txn = Txn {
            number: 0,
            thread: self.pen.thread,
            isolation,
            is_atomic: false,
            is_durable: false,
            start,
            begin,
            end: Interval::UNKNOWN,
            outcome: Outcome::ReadOnly,
            ops: Vec::new(),
        };
        Ok(Active { pen: Rc::clone(&self.pen), reader, savepoints: Vec::new(), txn })
    }

    /// What was recorded.
    pub fn into_txns(self) -> Vec<Txn> {
        self.pen.txns.take()
    }
}

enum Reader {
    Transaction(Transaction<'static>),
    Snapshot(Snapshot<'static>),
}

/// A transaction or a snapshot that is open.
pub struct Active {
    pen: Rc<Pen>,
    reader: Reader,
    savepoints: Vec<Savepoint>,
    txn: Txn,
}

/// Reads through whatever is open.
macro_rules! read {
    ($active:ident, $reader:ident => $read:expr) => {
        match &$active.reader {
            Reader::Transaction($reader) => $read,
            Reader::Snapshot($reader) => $read,
        }
        .map_err(fault("a read"))?
    };
}

fn content_of(document: DocRef<'_>) -> Content {
    let mark = document.get("mark").and_then(|mark| mark.as_u64());
    let mirror = document.get("mirror").and_then(|mark| mark.as_u64());
    let number = document.get("number").and_then(|number| number.as_i64());
    let list = document.get("list").and_then(|list| list.as_list());
    let is_whole = mark.is_some() && mark == mirror && number.is_some() && list.is_some();
    let elements = list.into_iter().flat_map(|list| list.iter());
    Content {
        mark: mark.unwrap_or(0),
        number: number.unwrap_or(0),
        list: elements.filter_map(|element| element.as_i64()).collect(),
        is_torn: !is_whole,
    }
}

fn document(content: &Content) -> Document {
    let Content { mark, number, list, .. } = content;
    doc! { "mark": *mark, "number": *number, "list": list.clone(), "mirror": *mark }
}

fn seen_node(reader: &impl Read, id: NodeId) -> Result<Option<SeenNode>, Error> {
    let node = reader.node(id)?;
    Ok(node.map(|node| SeenNode {
        label: Name::from(node.label().to_owned()),
        key: node.key().map(str::to_owned),
        content: content_of(node.document()),
        version: node.version(),
    }))
}

fn seen_entry(entry: &KvEntry<'_>) -> SeenEntry {
    let value = match (entry.number(), entry.document()) {
        (Some(number), _) => EntryValue::Number(number),
        (None, Ok(document)) => EntryValue::Document(content_of(document)),
        (None, Err(_)) => EntryValue::Document(Content { is_torn: true, ..Content::default() }),
    };
    SeenEntry { value, version: entry.versionstamp().map(Versionstamp::timestamp) }
}

fn seen_range(reader: &impl Read, range: &KeyRange) -> Result<Vec<(Name, SeenEntry)>, Error> {
    let mut selection = Selection::range(&*range.from, &*range.to);
    selection = selection.limit(range.limit.unwrap_or(usize::MAX));
    if range.is_backward {
        selection = selection.reverse();
    }
    let entries = reader.kv_view().range(selection)?;
    let seen = entries.map(|entry| {
        let entry = entry?;
        let key = String::from_utf8_lossy(entry.key_bytes()).into_owned();
        Ok((key.into(), seen_entry(&entry)))
    });
    seen.collect()
}

fn seen_neighbours(
    reader: &impl Read,
    node: NodeId,
    way: Way,
    edge_type: Option<&str>,
) -> Result<(Vec<NodeId>, u64), Error> {
    let direction = match way {
        Way::Out => Direction::Out,
        Way::In => Direction::In,
        Way::Both => Direction::Both,
    };
    let seen = reader.neighbours(node, direction, edge_type)?.collect();
    Ok((seen, reader.degree(node, direction, edge_type)?))
}

fn seen_edge(reader: &impl Read, edge: &EdgeName) -> Result<Option<Content>, Error> {
    let found = reader.edge(edge.source, &edge.edge_type, edge.target)?;
    Ok(found.map(|edge| content_of(edge.document())))
}

fn seen_walk(
    reader: &impl Read,
    start: NodeId,
    edge_type: &str,
    depth: u32,
) -> Result<Vec<NodeId>, Error> {
    let walk = reader.traverse(start)?.edge_type(edge_type).depth(1..=depth);
    walk.map(|step| Ok(step?.node)).collect()
}

impl Active {
    fn note(&mut self, op: Op) {
        self.txn.ops.push(op);
        self.pen.pause();
    }

    /// Reads a node.
    ///
    /// # Errors
    /// For no good reason.
    pub fn node(&mut self, node: NodeId) -> Done<Option<SeenNode>> {
        let seen = read!(self, reader => seen_node(reader, node));
        self.note(Op::Node { node, seen: seen.clone() });
        Ok(seen)
    }

    /// Looks a key up.
    ///
    /// # Errors
    /// For no good reason.
    pub fn get(&mut self, label: &'static str, key: &str) -> Done<Option<NodeId>> {
        let seen = read!(self, reader => reader.get_node(label, key)).map(|node| node.id());
        self.note(Op::Get { label: label.into(), key: key.to_owned(), seen });
        Ok(seen)
    }

    /// Reads which nodes have a label.
    ///
    /// # Errors
    /// For no good reason.
    pub fn scan(&mut self, label: &'static str) -> Done<Vec<NodeId>> {
        let seen: Vec<_> = read!(self, reader => reader.scan(label)).collect();
        self.note(Op::Scan { label: label.into(), seen: seen.clone() });
        Ok(seen)
    }

    /// Reads how many nodes have a label.
    ///
    /// # Errors
    /// For no good reason.
    pub fn count(&mut self, label: &'static str) -> Done<u64> {
        let seen = read!(self, reader => reader.count(label));
        self.note(Op::Count { label: label.into(), seen });
        Ok(seen)
    }

    /// Reads how many edges have a type.
    ///
    /// # Errors
    /// For no good reason.
    pub fn count_edges(&mut self, edge_type: &'static str) -> Done<u64> {
        let seen = read!(self, reader => reader.count_edges(edge_type));
        self.note(Op::CountEdges { edge_type: edge_type.into(), seen });
        Ok(seen)
    }

    /// Reads who is at the other ends of the edges at a node.
    ///
    /// # Errors
    /// For no good reason.
    pub fn neighbours(
        &mut self,
        node: NodeId,
        way: Way,
        edge_type: Option<&'static str>,
    ) -> Done<Vec<NodeId>> {
        let (seen, degree) = read!(self, reader => seen_neighbours(reader, node, way, edge_type));
        if degree != seen.len() as u64 {
            return Err(format!("node {node} has degree {degree} and neighbours {seen:?}"));
        }
        let edge_type = edge_type.map(Name::from);
        self.note(Op::Neighbours { node, way, edge_type, seen: seen.clone() });
        Ok(seen)
    }

    /// Reads an edge.
    ///
    /// # Errors
    /// For no good reason.
    pub fn edge(&mut self, edge: &EdgeName) -> Done<Option<Content>> {
        let seen = read!(self, reader => seen_edge(reader, edge));
        self.note(Op::Edge { edge: edge.clone(), seen: seen.clone() });
        Ok(seen)
    }

    /// Walks along edges.
    ///
    /// # Errors
    /// For no good reason.
    pub fn traverse(
        &mut self,
        start: NodeId,
        edge_type: &'static str,
        depth: u32,
    ) -> Done<Vec<NodeId>> {
        let seen = read!(self, reader => seen_walk(reader, start, edge_type, depth));
        let edge_type = edge_type.into();
        self.note(Op::Traverse { start, edge_type, depth, seen: seen.clone() });
        Ok(seen)
    }

    /// A document that nobody has written before.
    pub fn content(&self, number: i64, list: Vec<i64>) -> Content {
        self.pen.content(number, list)
    }

    /// Does what may be refused for what there is, and for nothing else.
    fn write<T>(
        &mut self,
        write: impl FnOnce(&mut Transaction<'static>) -> Result<T, Error>,
    ) -> Done<Option<T>> {
        let Reader::Transaction(transaction) = &mut self.reader else {
            return Err("a snapshot cannot write".to_owned());
        };
        match write(transaction) {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.kind() == ErrorKind::Input => Ok(None),
            Err(error) => Err(fault("a write")(error)),
        }
    }

    /// Inserts a node; None if it is refused for what is there.
    ///
    /// # Errors
    /// For no good reason.
    pub fn insert(
        &mut self,
        label: &'static str,
        key: Option<&str>,
        number: i64,
    ) -> Done<Option<NodeId>> {
        self.insert_with(label, key, (number, Vec::new()))
    }

    /// The same, with a list.
    ///
    /// # Errors
    /// For no good reason.
    pub fn insert_with(
        &mut self,
        label: &'static str,
        key: Option<&str>,
        (number, list): (i64, Vec<i64>),
    ) -> Done<Option<NodeId>> {
        let content = self.content(number, list);
        let done = self.write(|txn| txn.insert_node(label, key, document(&content)))?;
        let key = key.map(str::to_owned);
        self.note(Op::Insert { label: label.into(), key, content, done });
        Ok(done)
    }

    /// Writes the document of a node; whether there is one.
    ///
    /// # Errors
    /// For no good reason.
    pub fn put(&mut self, node: NodeId, number: i64, list: Vec<i64>) -> Done<bool> {
        let content = self.content(number, list);
        // Two ways to the same document.
        let in_place = content.mark.is_multiple_of(2);
        let done = self.write(|txn| {
            let document = document(&content);
            if in_place { txn.set_many(node, document) } else { txn.replace(node, document) }
        })?;
        let done = done.is_some();
        self.note(Op::Put { node, content, done });
        Ok(done)
    }

    /// Deletes a node; how many edges went with it.
    ///
    /// # Errors
    /// For no good reason.
    pub fn delete(&mut self, node: NodeId) -> Done<Option<u64>> {
        let done = self.write(|txn| txn.delete_node(node))?;
        self.note(Op::Delete { node, done });
        Ok(done)
    }

    /// Links two nodes, or writes their edge; whether both are there.
    ///
    /// # Errors
    /// For no good reason.
    pub fn link(&mut self, edge: &EdgeName, number: i64) -> Done<bool> {
        let content = self.content(number, Vec::new());
        let EdgeName { source, edge_type, target } = edge;
        let done =
            self.write(|txn| txn.link_nodes(*source, edge_type, *target, document(&content)))?;
        let done = done.is_some();
        self.note(Op::Link { edge: edge.clone(), content, done });
        Ok(done)
    }

    /// Removes an edge; whether there was one.
    ///
    /// # Errors
    /// For no good reason.
    pub fn unlink(&mut self, edge: &EdgeName) -> Done<bool> {
        let EdgeName { source, edge_type, target } = edge;
        let done = self.write(|txn| txn.unlink_nodes(*source, edge_type, *target))?;
        let done = done.is_some_and(|edges| edges > 0);
        self.note(Op::Unlink { edge: edge.clone(), done });
        Ok(done)
    }

    /// An entry, by its key.
    ///
    /// # Errors
    /// For no good reason.
    pub fn entry(&mut self, key: &Name) -> Done<Option<SeenEntry>> {
        let seen = read!(self, reader => {
            reader.kv_view().get(&**key).map(|entry| entry.as_ref().map(seen_entry))
        });
        self.note(Op::Entry { key: key.clone(), seen: seen.clone() });
        Ok(seen)
    }

    /// The entries of a range.
    ///
    /// # Errors
    /// For no good reason.
    pub fn range(&mut self, range: KeyRange) -> Done<Vec<(Name, SeenEntry)>> {
        let seen = read!(self, reader => seen_range(reader, &range));
        self.note(Op::Range { range, seen: seen.clone() });
        Ok(seen)
    }

    /// Does what may not be refused.
    fn stage<T>(
        &mut self,
        stage: impl FnOnce(&mut Transaction<'static>) -> Result<T, Error>,
    ) -> Done {
        let done = self.write(stage)?;
        done.map(drop).ok_or_else(|| "a write to a keyspace is refused".to_owned())
    }

    /// Gives a key a document of its own, with this number.
    ///
    /// # Errors
    /// For no good reason.
    pub fn set(&mut self, key: &Name, number: i64) -> Done {
        let content = self.content(number, Vec::new());
        self.stage(|txn| txn.kv().set(&**key, document(&content)))?;
        self.note(Op::Set { key: key.clone(), value: EntryValue::Document(content) });
        Ok(())
    }

    /// Removes an entry, if there is one.
    ///
    /// # Errors
    /// For no good reason.
    pub fn remove(&mut self, key: &Name) -> Done {
        self.stage(|txn| txn.kv().delete(&**key))?;
        self.note(Op::Remove { key: key.clone() });
        Ok(())
    }

    /// Adds to the number of an entry when this commits.
    ///
    /// # Errors
    /// For no good reason.
    pub fn sum(&mut self, key: &Name, operand: u64) -> Done {
        self.compute(key, Operation::Sum, operand)
    }

    /// Computes the number of an entry when this commits.
    ///
    /// # Errors
    /// For no good reason.
    pub fn compute(&mut self, key: &Name, operation: Operation, operand: u64) -> Done {
        self.stage(|txn| match operation {
            Operation::Sum => txn.kv().sum(&**key, operand),
            Operation::Min => txn.kv().min(&**key, operand),
            Operation::Max => txn.kv().max(&**key, operand),
        })?;
        self.note(Op::Compute { key: key.clone(), operation, operand, result: None });
        Ok(())
    }

    /// A position to roll back to.
    ///
    /// # Errors
    /// For no good reason.
    pub fn savepoint(&mut self) -> Done<usize> {
        let savepoint = self.write(Transaction::savepoint)?.ok_or("a savepoint is refused")?;
        let number = self.savepoints.len();
        self.savepoints.push(savepoint);
        self.note(Op::Savepoint { number });
        Ok(number)
    }

    /// Undoes what was written since.
    ///
    /// # Errors
    /// For no good reason.
    pub fn rollback_to(&mut self, number: usize) -> Done {
        let savepoint = *self.savepoints.get(number).ok_or("there is no such savepoint")?;
        let done = self.write(|txn| txn.rollback_to(savepoint))?;
        done.ok_or("rolling back to a savepoint is refused")?;
        self.note(Op::RollbackTo { number });
        Ok(())
    }

    /// Expects an entry to have this version, or not to exist, right before the commit.
    ///
    /// # Errors
    /// For no good reason.
    pub fn check(&mut self, key: &Name, expected: Option<Timestamp>) -> Done {
        self.stage(|txn| txn.kv().check(&**key, expected.map(Versionstamp::from)))?;
        self.note(Op::Check { key: key.clone(), expected });
        Ok(())
    }

    /// Commits; whether it did, or was refused.
    ///
    /// # Errors
    /// Any other than a conflict, or a check that failed. It is recorded all the same.
    pub fn commit(mut self) -> Done<bool> {
        if self.pen.leaves_receipts && self.txn.ops.iter().any(Op::is_write) {
            self.set(&receipt(self.pen.thread), 0)?;
        }
        let Self { pen, reader, mut txn, .. } = self;
        let called = pen.now();
        let result = match reader {
            Reader::Transaction(transaction) => transaction.commit(),
            Reader::Snapshot(_) => Ok(txn.start),
        };
        txn.end = Interval { called, returned: pen.now() };
        txn.outcome = match &result {
            // Nothing was left to write: the timestamp is that of the snapshot.
            Ok(at) if *at == txn.start => Outcome::ReadOnly,
            Ok(at) => Outcome::Committed(*at),
            Err(error) => failed(error),
        };
        let is_committed = txn.is_committed();
        pen.txns.borrow_mut().push(txn);
        match result {
            Ok(_) | Err(Error::Conflict(_) | Error::ChecksFailed(_)) => Ok(is_committed),
            Err(error) => Err(fault("a commit")(error)),
        }
    }

    /// Rolls back.
    pub fn rollback(self) {
        let Self { pen, reader, mut txn, .. } = self;
        let called = pen.now();
        drop(reader);
        txn.end = Interval { called, returned: pen.now() };
        txn.outcome = Outcome::RolledBack;
        pen.txns.borrow_mut().push(txn);
    }
}

fn clash(conflict: &Conflict) -> Clash {
    match &conflict.entity {
        // What the database keeps for itself: entries of indexes, and the schema.
        Entity::Index { .. } => Clash::Other,
        Entity::Entry(key) if key.first().is_some_and(u8::is_ascii_control) => Clash::Other,
        Entity::Entry(key) => Clash::Entry(String::from_utf8_lossy(key).into_owned().into()),
        _ if conflict.kind != ConflictKind::Write => Clash::Other,
        Entity::Node(node) => Clash::Node(*node),
        Entity::Key { label, key } => Clash::Key(label.clone().into(), key.clone()),
        Entity::Edge(NamedEdge { edge, .. }) => Clash::Edge(edge.source, edge.target),
        _ => Clash::Other,
    }
}
