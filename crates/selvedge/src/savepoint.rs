//! Savepoints: positions inside a transaction to roll back to.

use selvedge_base::limits::SAVEPOINTS_MAX;
use selvedge_base::mutant;
use selvedge_base::sync::atomic::{AtomicU64, Ordering};
use selvedge_graph::{GraphError, GraphMark};
use selvedge_keyspace::EntryMark;

use crate::stores::StoreWrites;

/// A position inside one transaction, see
/// [`Transaction::savepoint`](crate::Transaction::savepoint).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Savepoint(u64);

/// The savepoints of a transaction, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Savepoints(Vec<(u64, GraphMark, EntryMark)>);

impl Savepoints {
    pub(crate) fn add(&mut self, writes: &mut StoreWrites) -> Result<Savepoint, GraphError> {
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
        let entries = writes.entries_mut().mark();
        self.0.push((number, writes.graph.mark(), entries));
        Ok(Savepoint(number))
    }

    fn position(&self, savepoint: Savepoint) -> Result<usize, GraphError> {
        let found = self.0.iter().position(|(number, ..)| *number == savepoint.0);
        found.ok_or(GraphError::SavepointEnded)
    }

    /// Rolls back to a savepoint, which stays; later ones end.
    pub(crate) fn roll_back(
        &mut self,
        savepoint: Savepoint,
        writes: &mut StoreWrites,
    ) -> Result<(), GraphError> {
        let at = self.position(savepoint)?;
        self.0.truncate(at + 1);
        if mutant::is("rollback-to-ignored") {
            return Ok(());
        }
        let (_, graph, entries) = self.0[at];
        writes.graph.roll_back_to(graph)?;
        let undone = writes.entries.as_mut().is_none_or(|writes| writes.roll_back_to(entries));
        undone.then_some(()).ok_or(GraphError::SavepointEnded)
    }

    /// Ends a savepoint and those after it, and keeps what was staged.
    pub(crate) fn release(
        &mut self,
        savepoint: Savepoint,
        writes: &mut StoreWrites,
    ) -> Result<(), GraphError> {
        let at = self.position(savepoint)?;
        self.0.truncate(at);
        if self.0.is_empty() {
            writes.graph.forget_marks();
        }
        Ok(())
    }
}
