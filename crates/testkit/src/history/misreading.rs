//! What a wrong read is called: the same wrong document has another name after who
//! wrote it, and after what else the transaction saw.

use super::anomaly::Anomaly;
use super::marks::{self, Item, Marks, Sight};
use super::txn::{Content, History, Op, Txn};

/// One read that is wrong, and all there is to know around it.
pub(super) struct Misreading<'j, 'h> {
    pub(super) history: &'h History,
    pub(super) marks: &'j Marks<'h>,
    pub(super) txn: &'h Txn,
    /// Which of its operations.
    pub(super) index: usize,
}

impl Misreading<'_, '_> {
    /// The name of having read `seen` where what `expected` wrote was to be read.
    /// Whether a number is one that its version wrote is known to the caller.
    pub(super) fn name(
        &self,
        item: &Item,
        seen: Option<Sight<'_>>,
        expected: Option<usize>,
    ) -> Anomaly {
        let is_own = expected == Some(self.txn.number);
        let known = match seen.map(|seen| self.writer(item, seen)) {
            Some(Err(name)) => return name,
            _ if is_own => return Anomaly::OwnWriteUnseen,
            Some(Ok(writer)) => Some(writer),
            None => None,
        };
        if self.is_repeated(item, seen) {
            return Anomaly::NonRepeatableRead;
        }
        let commit = known.and_then(|writer| self.history.txns[writer].commit());
        let is_future = commit.is_some_and(|commit| commit > self.txn.start);
        let is_fractured = match known {
            Some(writer) if is_future => self.misses_others_of(item, writer),
            _ => expected.is_some_and(|missed| self.sees_others_of(item, missed)),
        };
        match (known, expected) {
            _ if is_fractured => Anomaly::FracturedRead,
            (None, _) => Anomaly::MissingRead,
            (Some(_), _) if is_future => Anomaly::FutureRead,
            (Some(_), None) => Anomaly::DeletedRead,
            (Some(_), Some(_)) => Anomaly::StaleRead,
        }
    }

    fn writer(&self, item: &Item, seen: Sight<'_>) -> Result<usize, Anomaly> {
        match seen {
            Sight::Document(content) => self.document_writer(item, content),
            Sight::Number(..) => self.marks.writer_of(seen).ok_or(Anomaly::InventedRead),
        }
    }

    /// Who wrote a document, if somebody committed it there.
    fn document_writer(&self, item: &Item, seen: &Content) -> Result<usize, Anomaly> {
        if seen.is_torn {
            return Err(Anomaly::TornDocument);
        }
        let mark = self.marks.get(seen.mark).ok_or(Anomaly::InventedRead)?;
        if mark.item != *item {
            return Err(Anomaly::InventedRead);
        }
        if mark.content != seen {
            return Err(Anomaly::TornDocument);
        }
        if mark.txn != self.txn.number && self.history.txns[mark.txn].commit().is_none() {
            return Err(Anomaly::DirtyRead);
        }
        if !mark.is_last {
            return Err(Anomaly::IntermediateRead);
        }
        Ok(mark.txn)
    }

    /// Others that the transaction read, with those who wrote them.
    fn others(&self, item: &Item) -> impl Iterator<Item = (Item, Option<usize>)> {
        let reads = self.txn.ops.iter().flat_map(marks::reads);
        let others = reads.filter(move |(read, _)| read != item);
        others.map(|(read, seen)| (read, seen.and_then(|seen| self.marks.writer_of(seen))))
    }

    fn sees_others_of(&self, item: &Item, writer: usize) -> bool {
        self.others(item).any(|(_, seen)| seen == Some(writer))
    }

    fn misses_others_of(&self, item: &Item, writer: usize) -> bool {
        let wrote = |other: &Item| {
            let ops = &self.history.txns[writer].ops;
            ops.iter().filter_map(marks::written).any(|(written, _)| written == *other)
        };
        self.others(item).any(|(other, seen)| seen != Some(writer) && wrote(&other))
    }

    /// Whether the transaction read something else there before, and did not write
    /// it since.
    fn is_repeated(&self, item: &Item, seen: Option<Sight<'_>>) -> bool {
        for op in self.txn.ops[..self.index].iter().rev() {
            let is_undone = matches!(op, Op::RollbackTo { .. });
            if is_undone || marks::written(op).is_some_and(|(written, _)| written == *item) {
                return false;
            }
            if let Some((_, before)) = marks::reads(op).into_iter().find(|(read, _)| read == item) {
                return before != seen;
            }
        }
        false
    }
}
