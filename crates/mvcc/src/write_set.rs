//! The write set of a transaction: what it will write, by entity, with
//! savepoints.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use selvedge_base::hash::FixedState;

/// Beyond this many entries look-ups go through a hash index.
const LINEAR_MAX: usize = 8;

/// Entries that an emptied set keeps room for.
const ENTRIES_KEPT: usize = 64;

fn hash<K: Hash + ?Sized>(key: &K) -> u64 {
    // Positions never leave the process, and keys are small and fixed in form: a
    // fixed seed serves, and makes runs repeat exactly.
    FixedState::default().hash_one(key)
}

/// A position that a write set can be rolled back to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark(usize);

/// Writes by key, in the order in which the keys were first written. A few
/// entries are searched one by one; more are indexed.
#[derive(Debug)]
pub struct WriteSet<K, W> {
    entries: Vec<(K, W)>,
    index: Option<Box<HashTable<u32>>>,
    /// While a savepoint is open: what each change replaced; `None` for a new
    /// entry.
    undo: Vec<(u32, Option<W>)>,
    recording: bool,
}

impl<K, W> Default for WriteSet<K, W> {
    fn default() -> Self {
        Self { entries: Vec::new(), index: None, undo: Vec::new(), recording: false }
    }
}

impl<K: Eq + Hash, W> WriteSet<K, W> {
    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is written.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    fn position<Q>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        match &self.index {
            None => self.entries.iter().position(|(entry, _)| entry.borrow() == key),
            Some(index) => {
                let found = |at: &u32| self.entries[*at as usize].0.borrow() == key;
                index.find(hash(key), found).map(|at| *at as usize)
            }
        }
    }

    /// What is written at `key`.
    #[must_use]
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&W>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.position(key).map(|at| &self.entries[at].1)
    }

    /// Writes at `key` in place of what is written there, and gives its position; the
    /// write, if nothing is.
    ///
    /// # Errors
    /// The write, if nothing is written at `key`.
    pub fn replace<Q>(&mut self, key: &Q, write: W) -> Result<usize, W>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let Some(at) = self.position(key) else { return Err(write) };
        let old = std::mem::replace(&mut self.entries[at].1, write);
        if self.recording {
            self.undo.push((at as u32, Some(old)));
        }
        Ok(at)
    }

    /// The entry at a position, in the order of first writing.
    #[must_use]
    pub fn entry(&self, at: usize) -> Option<&(K, W)> {
        self.entries.get(at)
    }

    /// Writes at `key`; gives the position of the entry and whether it is new.
    ///
    /// # Panics
    /// Beyond 2^32 entries; the limit on a transaction's writes is far below.
    pub fn put(&mut self, key: K, write: W) -> (usize, bool) {
        let write = match self.replace(&key, write) {
            Ok(at) => return (at, false),
            Err(write) => write,
        };
        (self.add(key, write), true)
    }

    /// Writes at `key`, at which nothing is written; gives its position.
    ///
    /// # Panics
    /// As [`put`](Self::put).
    pub fn add(&mut self, key: K, write: W) -> usize {
        let at = u32::try_from(self.entries.len()).expect("the limit on writes is below 2^32");
        self.entries.push((key, write));
        if self.recording {
            self.undo.push((at, None));
        }
        self.add_to_index(at);
        at as usize
    }

    fn add_to_index(&mut self, at: u32) {
        let Self { entries, index, .. } = self;
        let rehash = |at: &u32| hash(&entries[*at as usize].0);
        match index {
            Some(index) => {
                index.insert_unique(rehash(&at), at, rehash);
            }
            None if entries.len() > LINEAR_MAX => {
                let mut table = HashTable::with_capacity(4 * LINEAR_MAX);
                for at in 0..entries.len() as u32 {
                    table.insert_unique(rehash(&at), at, rehash);
                }
                *index = Some(Box::new(table));
            }
            None => {}
        }
    }

    /// A position to come back to. From the first mark on changes are recorded.
    pub fn mark(&mut self) -> Mark {
        self.recording = true;
        Mark(self.undo.len())
    }

    /// Ends every mark: nothing is recorded any more.
    #[inline]
    pub fn forget_marks(&mut self) {
        self.recording = false;
        self.undo = Vec::new();
    }

    /// Undoes every change since `mark`; false if the mark lies in a part that
    /// was itself rolled back.
    pub fn roll_back_to(&mut self, mark: Mark) -> bool {
        if mark.0 > self.undo.len() {
            return false;
        }
        while self.undo.len() > mark.0 {
            let Some((at, old)) = self.undo.pop() else { break };
            match old {
                Some(old) => self.entries[at as usize].1 = old,
                None => self.remove_last(at),
            }
        }
        true
    }

    /// Removes the entry that was added last, which is the one at `at`.
    fn remove_last(&mut self, at: u32) {
        debug_assert_eq!(at as usize + 1, self.entries.len(), "undone in reverse order");
        if let (Some(index), Some((key, _))) = (&mut self.index, self.entries.last())
            && let Ok(found) = index.find_entry(hash(key), |other| *other == at)
        {
            found.remove();
        }
        self.entries.pop();
    }

    /// All entries in the order of first writing.
    pub fn iter(&self) -> impl Iterator<Item = &(K, W)> + Clone {
        self.entries.iter()
    }

    /// All entries, for changing their writes on the way to the commit.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut W)> {
        self.entries.iter_mut().map(|(key, write)| (&*key, write))
    }

    /// Takes all entries out, in the order of first writing; the set is as new,
    /// but keeps its room for some entries.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, W)> + '_ {
        self.index = None;
        self.undo.clear();
        self.recording = false;
        self.entries.drain(..)
    }

    /// Whether [`clear`](Self::clear) would change nothing.
    #[must_use]
    #[inline]
    pub fn is_as_new(&self) -> bool {
        self.entries.is_empty()
            && self.entries.capacity() <= ENTRIES_KEPT
            && self.index.is_none()
            && !self.recording
    }

    /// Empties the set; it keeps its room for some entries.
    #[inline]
    pub fn clear(&mut self) {
        self.forget_marks();
        if self.entries.capacity() != 0 {
            drop(self.drain());
            self.entries.shrink_to(ENTRIES_KEPT);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8, u16),
        Mark,
        RollBack,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0..24_u8, any::<u16>()).prop_map(|(key, write)| Step::Put(key, write)),
            1 => proptest::strategy::Just(Step::Mark),
            1 => proptest::strategy::Just(Step::RollBack),
        ];
        prop::collection::vec(step, 0..120)
    }

    /// What was replaced was once recorded for ever after the first mark, and the
    /// room for it kept.
    #[test]
    fn nothing_is_recorded_when_marks_are_forgotten() {
        for clear in [false, true] {
            let mut set = WriteSet::default();
            set.mark();
            for write in 0..100 {
                set.put(1, write);
            }
            assert_eq!(set.undo.len(), 100);
            if clear {
                set.clear()
            } else {
                set.forget_marks()
            }
            for write in 0..100 {
                set.put(1, write);
            }
            assert_eq!((set.undo.len(), set.undo.capacity()), (0, 0));
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_map_that_is_copied_at_each_mark(steps in steps()) {
            let mut set = WriteSet::default();
            let mut model = BTreeMap::new();
            let mut marks = Vec::new();
            for step in steps {
                match step {
                    Step::Put(key, write) => {
                        let (_, new) = set.put(key, write);
                        prop_assert_eq!(new, model.insert(key, write).is_none());
                    }
                    Step::Mark => marks.push((set.mark(), model.clone())),
                    Step::RollBack => if let Some((mark, old)) = marks.pop() {
                        assert!(set.roll_back_to(mark));
                        model = old;
                    },
                }
                for key in 0..24 {
                    prop_assert_eq!(set.get(&key), model.get(&key));
                }
                prop_assert_eq!(set.len(), model.len());
            }
            let drained: BTreeMap<_, _> = set.drain().collect();
            prop_assert_eq!(drained, model);
        }
    }
}
