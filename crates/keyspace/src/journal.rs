//! The changes that savepoints may undo, numbered.

/// Numbers every change since the first mark, so that a mark in a part that was
/// rolled back is known even after others have taken the place of that part.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    recording: bool,
    changes: Vec<u64>,
    last: u64,
}

/// A position in a journal: behind how many changes, and behind which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct JournalMark {
    len: usize,
    change: u64,
}

impl Journal {
    /// Notes a change.
    pub(crate) fn note(&mut self) {
        if self.recording {
            self.last += 1;
            self.changes.push(self.last);
        }
    }

    /// Forgets all changes and marks.
    pub(crate) fn clear(&mut self) {
        if self.recording {
            *self = Self::default();
        }
    }

    /// The current position. From the first one on changes are recorded.
    pub(crate) fn mark(&mut self) -> JournalMark {
        self.recording = true;
        JournalMark {
            len: self.changes.len(),
            change: self.changes.last().copied().unwrap_or_default(),
        }
    }

    /// Forgets the changes behind a position; false if the position lies in a
    /// part that was itself rolled back.
    pub(crate) fn roll_back_to(&mut self, mark: JournalMark) -> bool {
        let change = match mark.len {
            0 => Some(0),
            len => self.changes.get(len - 1).copied(),
        };
        let known = self.recording && change == Some(mark.change);
        if known {
            self.changes.truncate(mark.len);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_does_not_survive_the_part_that_it_lies_in() {
        let mut journal = Journal::default();
        journal.note();
        let first = journal.mark();
        journal.note();
        let second = journal.mark();
        assert!(journal.roll_back_to(second));
        assert!(journal.roll_back_to(first));
        journal.note();
        journal.note();
        assert!(!journal.roll_back_to(second), "another change is in its place");
        assert!(journal.roll_back_to(first));
    }
}
