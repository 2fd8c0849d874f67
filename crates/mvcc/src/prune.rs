//! What pruning still owes: versions that stay only because an open snapshot
//! needs them, filed under that snapshot until it ends.

use std::collections::BTreeMap;

use selvedge_base::Timestamp;

use crate::horizon::ActiveStarts;

/// A retained version: which record, and which of its versions.
#[derive(Clone, Copy, Debug)]
pub struct Retained<R> {
    /// The record.
    pub record: R,
    /// The commit timestamp of the version that stays.
    pub commit: Timestamp,
}

/// Retained versions by *blocker*: the start timestamp of one snapshot that
/// needs them. `R` names a record.
///
/// Invariant G1: every version that is neither newest nor unlinked is filed
/// under a blocker that was active when it was filed. When a blocker has ended,
/// its versions are looked at again: each goes, or is filed under another
/// snapshot that needs it. So the work done is proportional to what ends, and a
/// long reader next to many short ones costs nothing extra.
#[derive(Debug)]
pub struct Garbage<R> {
    filed: BTreeMap<Timestamp, Vec<Retained<R>>>,
    /// Versions whose blocker has ended, to be looked at again.
    due: Vec<Retained<R>>,
    len: usize,
}

impl<R> Default for Garbage<R> {
    fn default() -> Self {
        Self { filed: BTreeMap::new(), due: Vec::new(), len: 0 }
    }
}

impl<R> Garbage<R> {
    /// Files a version under a snapshot that needs it; true if it is the first
    /// one filed under that snapshot.
    pub fn file(&mut self, blocker: Timestamp, retained: Retained<R>) -> bool {
        self.len += 1;
        let filed = self.filed.entry(blocker).or_default();
        filed.push(retained);
        filed.len() == 1
    }

    /// Takes up to `most` versions whose blocker is no longer active.
    pub fn take_due(&mut self, active: &ActiveStarts, most: usize) -> Vec<Retained<R>> {
        if self.due.len() < most {
            let ended: Vec<_> =
                self.filed.keys().copied().filter(|start| !active.contains(*start)).collect();
            for start in ended {
                self.due.extend(self.filed.remove(&start).into_iter().flatten());
            }
        }
        let taken = self.due.split_off(self.due.len().saturating_sub(most));
        self.len -= taken.len();
        if self.due.is_empty() {
            // The burst is over: give its memory back.
            self.due = Vec::new();
        }
        taken
    }

    /// The blockers under which versions are filed, oldest first.
    pub fn blockers(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.filed.keys().copied()
    }

    /// The number of filed versions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn versions_come_due_when_their_blocker_ends() {
        let ts = Timestamp::new;
        let mut garbage = Garbage::default();
        assert!(garbage.file(ts(5), Retained { record: 'a', commit: ts(1) }));
        assert!(!garbage.file(ts(5), Retained { record: 'b', commit: ts(2) }));
        assert!(garbage.file(ts(9), Retained { record: 'a', commit: ts(7) }));
        let active: ActiveStarts = [ts(5), ts(9)].into_iter().collect();
        assert!(garbage.take_due(&active, 8).is_empty());
        let active: ActiveStarts = [ts(9)].into_iter().collect();
        assert_eq!(garbage.take_due(&active, 1).len(), 1, "no more than asked for");
        assert_eq!(garbage.take_due(&active, 8).len(), 1);
        assert_eq!(garbage.len(), 1);
        assert_eq!(garbage.blockers().collect::<Vec<_>>(), [ts(9)]);
    }
}
