//! Atomic operations, run and recorded: each is one call, and has no start.

use selvedge::{Atomic as Staging, AtomicOutcome, KvCommit, Versionstamp};

use super::{Done, Worker, document, failed, fault, receipt};
use crate::history::txn::{
    EntryValue, Interval, Isolation, Name, Op, Operation, Outcome, Timestamp, Txn,
};

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

    /// Gives a key that ends with the stamp of the commit a document of its own, with
    /// this number.
    #[must_use]
    pub fn stamp(mut self, prefix: &Name, number: i64) -> Self {
        let value = EntryValue::Document(self.worker.pen.content(number, Vec::new()));
        self.ops.push(Op::Stamp { prefix: prefix.clone(), value, key: None });
        self
    }

    /// Adds to the number of an entry.
    #[must_use]
    pub fn sum(self, key: &Name, operand: u64) -> Self {
        self.compute(key, Operation::Sum, operand)
    }

    /// Computes the number of an entry.
    #[must_use]
    pub fn compute(mut self, key: &Name, operation: Operation, operand: u64) -> Self {
        self.ops.push(Op::Compute { key: key.clone(), operation, operand, result: None });
        self
    }

    /// Commits; whether it did, or checks failed.
    ///
    /// # Errors
    /// Any that no concurrency explains. It is recorded all the same.
    pub fn commit(mut self) -> Done<bool> {
        let Worker { pen, db, .. } = self.worker;
        if pen.leaves_receipts {
            self = self.set(&receipt(pen.thread), 0);
        }
        let mut ops = self.ops;
        let kv = db.kv();
        let mut atomic = kv.atomic();
        for op in &ops {
            atomic = staged(atomic, op)?;
        }
        pen.pause();
        let called = pen.now();
        let result = atomic.commit();
        let time = Interval { called, returned: pen.now() };
        let outcome = match &result {
            Ok(AtomicOutcome::Committed(commit)) => {
                ops.iter_mut().try_for_each(|op| note_result(op, commit))?;
                Outcome::Committed(commit.versionstamp().timestamp())
            }
            Ok(AtomicOutcome::ChecksFailed(failed)) => Outcome::ChecksFailed(failed.clone()),
            Err(error) => failed(error),
        };
        let txn = Txn {
            number: 0,
            thread: pen.thread,
            isolation: Isolation::Serializable,
            is_atomic: true,
            is_durable: false,
            start: Timestamp::ZERO,
            begin: time,
            end: time,
            outcome,
            ops,
        };
        let is_committed = txn.is_committed();
        pen.txns.borrow_mut().push(txn);
        result.map(|_| is_committed).map_err(fault("an atomic operation"))
    }
}

fn staged<'kv>(atomic: Staging<'kv>, op: &Op) -> Done<Staging<'kv>> {
    Ok(match op {
        Op::Check { key, expected } => atomic.check(&**key, expected.map(Versionstamp::from)),
        Op::Set { key, value: EntryValue::Document(content) } => {
            atomic.set(&**key, document(content))
        }
        Op::Set { key, value: EntryValue::Number(number) } => atomic.set(&**key, *number),
        Op::Remove { key } => atomic.delete(&**key),
        Op::Stamp { prefix, value: EntryValue::Document(content), .. } => {
            atomic.set_versionstamped(&**prefix, document(content))
        }
        Op::Compute { key, operation, operand, .. } => match operation {
            Operation::Sum => atomic.sum(&**key, *operand),
            Operation::Min => atomic.min(&**key, *operand),
            Operation::Max => atomic.max(&**key, *operand),
        },
        op => return Err(format!("`{op}` is no atomic operation")),
    })
}

/// Notes what a commit tells of an operation.
fn note_result(op: &mut Op, commit: &KvCommit) -> Done {
    match op {
        Op::Compute { key, result, .. } => {
            *result = commit.number(&**key);
            result.ok_or("a computed number is not told")?;
        }
        Op::Stamp { prefix, key, .. } => {
            let told = String::from_utf8(commit.stamped_key(&**prefix));
            *key = Some(told.map_err(|_| "a stamped key is no text")?.into());
        }
        _ => {}
    }
    Ok(())
}
