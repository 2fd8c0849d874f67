//! The committed entries of a range, fetched from the index in chunks.
#![expect(unsafe_code, reason = "what a snapshot sees is borrowed for as long as it is open")]

use std::collections::VecDeque;
use std::ops::Bound;

use selvedge_mvcc::{SnapshotRef, Version, pin};
use smallvec::SmallVec;

use crate::bounds::{Bounds, OwnedBounds, borrowed, owned};
use crate::entry::{Entry, EntryHeader};
use crate::keyspace::{Keyspace, beyond_the_pin};

/// Entries walked under the first pin, and at most under a later one: a reader
/// of a few entries does not fetch many, and no pin is held for long.
const CHUNK_MIN: usize = 8;
const CHUNK_MAX: usize = 128;

/// An entry that the snapshot sees: its key and its version.
pub(crate) type Seen<'a> = (&'a [u8], &'a Version<EntryHeader>);

/// The entries between two bounds that a snapshot sees. The pin of the index is
/// held while a chunk is fetched, never longer.
#[derive(Debug)]
pub(crate) struct StoredRange<'a> {
    keyspace: &'a Keyspace,
    at: SnapshotRef<'a>,
    reverse: bool,
    /// What is still to be walked.
    rest: Option<OwnedBounds>,
    chunk: VecDeque<Seen<'a>>,
    chunk_len: usize,
}

impl<'a> StoredRange<'a> {
    pub(crate) fn new(
        keyspace: &'a Keyspace,
        at: SnapshotRef<'a>,
        bounds: Bounds<'_>,
        reverse: bool,
    ) -> Self {
        let rest = Some(owned(bounds));
        Self { keyspace, at, reverse, rest, chunk: VecDeque::new(), chunk_len: CHUNK_MIN }
    }

    /// The next entry, which stays the next one.
    pub(crate) fn peek(&mut self) -> Option<Seen<'a>> {
        // Ends: each turn walks over entries of a range that is finite, and a
        // chunk in which the snapshot sees nothing is followed by another.
        while self.chunk.is_empty() && self.rest.is_some() {
            self.fetch();
        }
        self.chunk.front().copied()
    }

    pub(crate) fn next(&mut self) -> Option<Seen<'a>> {
        let next = self.peek();
        self.chunk.pop_front();
        next
    }

    fn fetch(&mut self) {
        let Some(rest) = self.rest.take() else { return };
        let pin = pin();
        // SAFETY: the snapshot is open for 'a.
        let walk = unsafe { self.keyspace.walk(borrowed(&rest), self.reverse, &pin) };
        // Each entry is elsewhere in memory, and its version elsewhere again: all are
        // asked for before the first is read.
        let mut walked = SmallVec::<[(&[u8], &Entry); CHUNK_MAX]>::new();
        for (key, entry) in walk.take(self.chunk_len) {
            entry.record.prefetch();
            walked.push((key, entry));
        }
        walked.iter().for_each(|(_, entry)| entry.record.prefetch_newest());
        for (key, entry) in &walked {
            if let Some(version) = entry.record.read(self.at) {
                // SAFETY: the snapshot sees this version of the entry with this
                // key, and is open for 'a.
                self.chunk.push_back(unsafe { (beyond_the_pin(*key), beyond_the_pin(version)) });
            }
        }
        let last = walked.last().map(|(key, _)| *key);
        if let Some(last) = last.filter(|_| walked.len() == self.chunk_len) {
            let last = Bound::Excluded(Box::from(last));
            self.rest = Some(if self.reverse { (rest.0, last) } else { (last, rest.1) });
            self.chunk_len = (2 * self.chunk_len).min(CHUNK_MAX);
        }
    }
}
