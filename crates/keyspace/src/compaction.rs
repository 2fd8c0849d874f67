//! Compaction: laying values in memory in the order of keys.
//!
//! Commits leave versions wherever there was room. A range reads faster when the value
//! of the next key lies next. Entries stay where they are.
#![expect(unsafe_code, reason = "the engine calls this with the commit lock held")]

use std::ops::Bound;

use selvedge_mvcc::{Arena, Retired, VersionBox, pin};

use crate::keyspace::Keyspace;
use crate::writer::EntryWriter;

/// Entries of one piece, between two commits.
const PIECE_ENTRIES: usize = 512;

/// What one piece of a compaction has done.
#[derive(Debug)]
pub struct CompactedPiece {
    /// Values that were moved.
    pub moved: usize,
    /// The key behind which to go on; none at the end.
    pub last_key: Option<Vec<u8>>,
}

impl Keyspace {
    /// Moves the values of some entries into `arena`, beginning behind a key, or with
    /// the first one.
    ///
    /// # Safety
    /// The caller holds the commit lock, between two commits.
    pub unsafe fn compact(
        &self,
        writer: &mut EntryWriter,
        arena: &mut Arena,
        behind: Option<&[u8]>,
    ) -> CompactedPiece {
        let (mut piece, mut seen) = (CompactedPiece { moved: 0, last_key: None }, 0);
        let start = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let pin = pin();
        // SAFETY: what is found is read under the pin.
        let mut range = unsafe { self.index.range((start, Bound::Unbounded), pin.guard()) };
        range.take_entries(false, PIECE_ENTRIES, |entry| {
            seen += 1;
            if seen == PIECE_ENTRIES {
                piece.last_key = Some(entry.key().to_vec());
            }
            // SAFETY: the caller's contract; settling moves what is retired to the
            // limbo.
            let old = unsafe {
                entry
                    .value()
                    .record
                    .move_newest(|old| VersionBox::new_in(arena, *old.header(), &[old.bytes()]))
            };
            if let Some(old) = old {
                // SAFETY: the caller's contract.
                unsafe { self.index.moved(entry.key(), entry.value()) };
                writer.moved.push(Retired::new(old));
                piece.moved += 1;
            }
        });
        piece
    }
}
