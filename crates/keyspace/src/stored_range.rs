//! The committed entries of a range, fetched from the index in chunks.
#![expect(unsafe_code, reason = "what a snapshot sees is borrowed for as long as it is open")]

use std::ops::Bound;

use selvedge_index::Entry as Indexed;
use selvedge_mvcc::{SnapshotRef, Version, pin};

use crate::bounds::{Bounds, OwnedBounds, borrowed, owned};
use crate::entry::{Entry, EntryHeader};
use crate::keyspace::{Keyspace, kept_for};

/// Entries fetched under the first pin, and at most under a later one: a reader
/// of a few entries does not fetch many, and no pin is held for long.
const CHUNK_MIN: usize = 8;
const CHUNK_MAX: usize = 128;
/// How far ahead of the reader versions are asked for. Entries are as soon as they are
/// fetched; each is elsewhere in memory, and its version elsewhere again.
const AHEAD: usize = 16;

/// An entry that the snapshot sees: its key and its version.
pub(crate) type Seen<'a> = (&'a [u8], &'a Version<EntryHeader>);

/// The entries between two bounds that a snapshot sees. The pin of the index is
/// held while a chunk is fetched, never longer: what was fetched stays for the
/// snapshot, though it leaves the index meanwhile (K5).
#[derive(Debug)]
pub(crate) struct StoredRange<'a> {
    keyspace: &'a Keyspace,
    at: SnapshotRef<'a>,
    reverse: bool,
    bounds: OwnedBounds,
    /// Entries of the index, of which those before `next` have been passed.
    chunk: Vec<Indexed<'a, Entry>>,
    next: usize,
    /// Entries of the next chunk; none when there is nothing behind this one.
    chunk_len: usize,
    /// What `peek` found.
    found: Option<Seen<'a>>,
}

impl<'a> StoredRange<'a> {
    pub(crate) fn new(
        keyspace: &'a Keyspace,
        at: SnapshotRef<'a>,
        bounds: Bounds<'_>,
        reverse: bool,
    ) -> Self {
        let (chunk, bounds) = (Vec::new(), owned(bounds));
        let (next, chunk_len, found) = (0, CHUNK_MIN, None);
        Self { keyspace, at, reverse, bounds, chunk, next, chunk_len, found }
    }

    /// The next entry, which stays the next one.
    pub(crate) fn peek(&mut self) -> Option<Seen<'a>> {
        if self.found.is_none() {
            self.found = self.find();
        }
        self.found
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Option<Seen<'a>> {
        self.found.take().or_else(|| self.find())
    }

    /// The next one that the snapshot sees.
    #[inline]
    fn find(&mut self) -> Option<Seen<'a>> {
        // Ends: each turn passes an entry of a range that is finite, or fetches more.
        loop {
            while let Some(entry) = self.chunk.get(self.next) {
                self.next += 1;
                if let Some(ahead) = self.chunk.get(self.next + AHEAD) {
                    ahead.value().record.prefetch_newest();
                }
                if let Some(version) = entry.value().record.read(self.at) {
                    return Some((entry.key(), version));
                }
            }
            if self.chunk_len == 0 {
                return None;
            }
            self.fetch();
        }
    }

    #[cold]
    fn fetch(&mut self) {
        let last = self.chunk.last().map(|last| Bound::Excluded(last.key()));
        let (start, end) = borrowed(&self.bounds);
        let rest = match (last, self.reverse) {
            (None, _) => (start, end),
            (Some(last), false) => (last, end),
            (Some(last), true) => (start, last),
        };
        let pin = pin();
        // SAFETY: the snapshot is open for 'a.
        let mut range = unsafe { self.keyspace.index.range(rest, pin.guard()) };
        self.chunk.clear();
        self.next = 0;
        range.take_entries(self.reverse, self.chunk_len, |entry| {
            // SAFETY: fetched while the snapshot is open, which it is for 'a.
            self.chunk.push(unsafe { kept_for(entry) });
        });
        let is_full = self.chunk.len() == self.chunk_len;
        self.chunk_len = if is_full { (2 * self.chunk_len).min(CHUNK_MAX) } else { 0 };
        self.chunk.iter().take(AHEAD).for_each(|entry| entry.value().record.prefetch_newest());
    }
}
