//! Savepoints: positions inside a transaction to roll back to.

use selvedge_base::limits::SAVEPOINTS_MAX;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_graph::{GraphError, GraphMark, GraphWrites};

/// A position inside one transaction, see
/// [`Transaction::savepoint`](crate::Transaction::savepoint).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Savepoint(u64);

/// The savepoints of a transaction, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Savepoints(Vec<(u64, GraphMark)>);

impl Savepoints {
    pub(crate) fn add(&mut self, writes: &mut GraphWrites) -> Result<Savepoint, GraphError> {
        // Numbers are unique in the process, so that a savepoint of another
        // transaction is never taken for one of this. Order is irrelevant.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.0.len() == SAVEPOINTS_MAX {
            return Err(GraphError::Limit {
                what: "the number of savepoints in a transaction",
                actual: self.0.len() as u64 + 1,
                limit: SAVEPOINTS_MAX as u64,
            });
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.0.push((number, writes.mark()));
        Ok(Savepoint(number))
    }

    fn position(&self, savepoint: Savepoint) -> Result<usize, GraphError> {
        let found = self.0.iter().position(|(number, _)| *number == savepoint.0);
        found.ok_or(GraphError::SavepointEnded)
    }

    /// Rolls back to a savepoint, which stays; later ones end.
    pub(crate) fn roll_back(
        &mut self,
        savepoint: Savepoint,
        writes: &mut GraphWrites,
    ) -> Result<(), GraphError> {
        let at = self.position(savepoint)?;
        self.0.truncate(at + 1);
        writes.roll_back_to(self.0[at].1)
    }

    /// Ends a savepoint and those after it, and keeps what was staged.
    pub(crate) fn release(
        &mut self,
        savepoint: Savepoint,
        writes: &mut GraphWrites,
    ) -> Result<(), GraphError> {
        let at = self.position(savepoint)?;
        self.0.truncate(at);
        if self.0.is_empty() {
            writes.forget_marks();
        }
        Ok(())
    }
}
