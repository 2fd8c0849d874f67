//! Leaves: finding an entry, and the copies of a leaf with one more or less.
#![expect(unsafe_code, reason = "a leaf's links are entries, which its type does not tell")]

use crate::entry::Entry;
use crate::node::{Draft, Node, NodePtr, Rest, words_of};
use crate::pool::Writer;
use crate::prefix::{below, equal, word};

impl<'t, V> Node<'t, V> {
    /// The entries of a leaf, in key order.
    pub(crate) fn entries(self) -> &'t [Entry<'t, V>] {
        assert!(self.height() == 0, "only leaves link to entries");
        // SAFETY: a leaf of a tree with values of type V that is kept for 't, by
        // `Node::from_raw`.
        unsafe { self.links() }
    }

    /// The slot of a key in this leaf, or the one where it belongs.
    pub(crate) fn find(self, key: &[u8]) -> Result<usize, usize> {
        let rest = match self.rest_of(key) {
            Rest::Of(rest) => rest,
            Rest::Below => return Err(0),
            Rest::Above => return Err(self.len()),
        };
        let (words, wanted) = (self.words(), word(rest));
        let low = below(words, wanted);
        // The same word: the entries decide, usually a single one.
        let same = equal(words, wanted, low);
        if same == 0 {
            return Err(low);
        }
        let skip = key.len() - rest.len();
        self.entries()[low..low + same]
            .binary_search_by(|entry| entry.key()[skip..].cmp(rest))
            .map(|slot| low + slot)
            .map_err(|slot| low + slot)
    }

    /// A copy of this leaf with one more entry.
    pub(crate) fn with_entry(
        self,
        writer: &Writer<'_>,
        slot: usize,
        entry: Entry<'_, V>,
    ) -> NodePtr {
        let (entries, words, shared) = (self.entries(), self.words(), self.shared());
        let Some(rest) = entry.key().strip_prefix(shared) else {
            // The leaf shares fewer bytes from now on.
            return leaf_of(writer, &[&entries[..slot], &[entry], &entries[slot..]].concat());
        };
        Draft::leaf(writer, entries.len() + 1, shared)
            .words(&words[..slot])
            .words(&[word(rest)])
            .words(&words[slot..])
            .links(&entries[..slot])
            .links(&[entry])
            .links(&entries[slot..])
            .finish()
    }

    /// Puts one more entry into this very leaf; false if its block has no room, or the
    /// leaf would share fewer bytes.
    ///
    /// # Safety
    ///
    /// No tree that others may read from has this leaf, and nothing that was borrowed
    /// from it is used any more.
    pub(crate) unsafe fn insert_here(self, slot: usize, entry: Entry<'_, V>) -> bool {
        let word = entry.key().strip_prefix(self.shared()).map(word);
        // SAFETY: the caller's contract; the links of a leaf are entries.
        word.is_some_and(|word| unsafe { self.insert_in_place(slot, word, entry) })
    }

    /// A copy of this leaf with one entry less.
    pub(crate) fn without_entry(self, writer: &Writer<'_>, slot: usize) -> NodePtr {
        let (entries, words) = (self.entries(), self.words());
        Draft::leaf(writer, entries.len() - 1, self.shared())
            .words(&words[..slot])
            .words(&words[slot + 1..])
            .links(&entries[..slot])
            .links(&entries[slot + 1..])
            .finish()
    }
}

/// A leaf of these entries, which are in key order.
pub(crate) fn leaf_of<V>(writer: &Writer<'_>, entries: &[Entry<'_, V>]) -> NodePtr {
    let (shared, words) = words_of(entries.iter().map(|entry| entry.key()));
    Draft::leaf(writer, entries.len(), shared).words(&words).links(entries).finish()
}
