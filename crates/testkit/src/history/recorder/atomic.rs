//! Atomic operations, run and recorded: each is one call, and has no start.

use selvedge::{AtomicOutcome, Versionstamp};

use super::{Done, Worker, document, fault};
use crate::history::txn::{EntryValue, Interval, Isolation, Name, Op, Outcome, Timestamp, Txn};

/// An atomic operation on the keyspace, as it is put together.
pub struct Atomic<'w> {
    pub(super) worker: &'w Worker,
    pub(super) ops: Vec<Op>,
}

impl Atomic<'_> {
    /// Expects an entry to have this version, or not to exist.
    #[must_use]
    pub fn check(mut self, key: &Name, expected: Option<Timestamp>) -> Self {
        self.ops.push(Op::Check { key: key.clone(), expected });
        self
    }

    /// Gives a key a document of its own, with this number.
    #[must_use]
    pub fn set(mut self, key: &Name, number: i64) -> Self {
        let content = self.worker.pen.content(number, Vec::new());
        self.ops.push(Op::Set { key: key.clone(), value: EntryValue::Document(content) });
        self
    }

    /// Removes an entry, if there is one.
    #[must_use]
    pub fn remove(mut self, key: &Name) -> Self {
        self.ops.push(Op::Remove { key: key.clone() });
        self
    }

    /// Adds to the number of an entry.
    #[must_use]
    pub fn sum(mut self, key: &Name, operand: u64) -> Self {
        self.ops.push(Op::Sum { key: key.clone(), operand, result: None });
        self
    }

    /// Commits; whether it did, or checks failed.
    ///
    /// # Errors
    /// Any that no concurrency explains.
    pub fn commit(self) -> Done<bool> {
        let Self { worker: Worker { pen, db, .. }, mut ops } = self;
        let kv = db.kv();
        let mut atomic = kv.atomic();
        for op in &ops {
            atomic = match op {
                Op::Check { key, expected } => {
                    atomic.check(&**key, expected.map(Versionstamp::from))
                }
                Op::Set { key, value: EntryValue::Document(content) } => {
                    atomic.set(&**key, document(content))
                }
                Op::Set { key, value: EntryValue::Number(number) } => atomic.set(&**key, *number),
                Op::Remove { key } => atomic.delete(&**key),
                Op::Sum { key, operand, .. } => atomic.sum(&**key, *operand),
                op => return Err(format!("`{op}` is no atomic operation")),
            };
        }
        pen.pause();
        let called = pen.now();
        let outcome = atomic.commit().map_err(fault("an atomic operation"))?;
        let time = Interval { called, returned: pen.now() };
        let outcome = match outcome {
            AtomicOutcome::Committed(commit) => {
                for op in &mut ops {
                    if let Op::Sum { key, result, .. } = op {
                        *result = commit.number(&**key);
                        result.ok_or("a sum is not told")?;
                    }
                }
                Outcome::Committed(commit.versionstamp().timestamp())
            }
            AtomicOutcome::ChecksFailed(failed) => Outcome::ChecksFailed(failed),
        };
        let txn = Txn {
            number: 0,
            thread: pen.thread,
            isolation: Isolation::Serializable,
            is_atomic: true,
            start: Timestamp::ZERO,
            begin: time,
            end: time,
            outcome,
            ops,
        };
        let is_committed = txn.is_committed();
        pen.txns.borrow_mut().push(txn);
        Ok(is_committed)
    }
}
