//! Names of entries for pruning: numbers that are looked up.
//!
//! What is filed for pruning may name an entry that is gone:
//!
//! ```text
//! snapshot A   o--------------------x
//! key k        | put @1 | put @2    |  delete @3: nobody needs @1, @2 any more,
//!                @1 filed under A   |  the record is emptied, the entry freed
//! garbage        {k, @1} ......................... due now: which k?
//! ```
//!
//! Hence a name is no pointer but the number of a slot, and slots are used again.
//! A name whose slot is free is passed over. A name whose slot meanwhile belongs
//! to another entry prunes that one, which does no harm: pruning removes what
//! nobody can see, whoever asks for it.

use selvedge_base::sync::atomic::Ordering;

use crate::entry::{Entry, EntryPointer};

/// What an entry holds while it has no name.
pub(crate) const NO_NAME: u64 = u64::MAX;

/// Free slots beyond which the memory is given back when the last name goes.
const FREE_SLOTS_MAX: usize = 1024;

/// Names an entry for pruning. It may outlive the entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EntryName(u64);

/// Which entry has which name: the keyspace's state behind the commit lock. An
/// entry has a name while one of its versions is retained, so a serial workload
/// uses the same slot over and over.
#[derive(Debug, Default)]
pub(crate) struct EntryNames {
    slots: Vec<Option<EntryPointer>>,
    free: Vec<u64>,
}

impl EntryNames {
    /// The name of `entry`, given to it now if it has none.
    pub(crate) fn name(&mut self, entry: &Entry) -> EntryName {
        let name = entry.name.load(Ordering::Relaxed);
        if name != NO_NAME {
            return EntryName(name);
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u64 - 1
        });
        self.slots[slot as usize] = Some(EntryPointer::to(entry));
        entry.name.store(slot, Ordering::Relaxed);
        EntryName(slot)
    }

    /// The entry with this name, if there is one.
    pub(crate) fn entry(&self, name: EntryName) -> Option<EntryPointer> {
        self.slots.get(name.0 as usize).copied().flatten()
    }

    /// Takes the name of `entry` back, if it has one.
    pub(crate) fn release(&mut self, entry: &Entry) {
        let name = entry.name.swap(NO_NAME, Ordering::Relaxed);
        if name == NO_NAME {
            return;
        }
        self.slots[name as usize] = None;
        self.free.push(name);
        if self.free.len() == self.slots.len() && self.free.len() > FREE_SLOTS_MAX {
            *self = Self::default();
        }
    }

    /// The number of names in use.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvedge_base::sync::atomic::AtomicU64;
    use selvedge_mvcc::Record;

    fn entry() -> Entry {
        Entry { record: Record::default(), name: AtomicU64::new(NO_NAME) }
    }

    #[test]
    fn slots_are_used_again() {
        let (mut names, first, second) = (EntryNames::default(), entry(), entry());
        let name = names.name(&first);
        assert_eq!(names.name(&first), name, "an entry keeps its name");
        assert_ne!(names.name(&second), name);
        names.release(&first);
        names.release(&first);
        assert_eq!(names.len(), 1);
        assert!(names.entry(name).is_none(), "a stale name leads nowhere");
        let third = entry();
        assert_eq!(names.name(&third), name);
        assert!(names.entry(name).is_some());
    }

    #[test]
    fn a_burst_gives_its_memory_back() {
        let mut names = EntryNames::default();
        let entries: Vec<_> = (0..=FREE_SLOTS_MAX).map(|_| entry()).collect();
        let last = entries.iter().map(|entry| names.name(entry)).last();
        entries.iter().for_each(|entry| names.release(entry));
        assert_eq!(names.len(), 0);
        assert_eq!(names.slots.capacity(), 0);
        assert!(names.entry(last.unwrap()).is_none());
    }
}
