//! `snapshot_read`: ranges of keys, all as of one snapshot.

use bytes::Bytes;
use std::sync::Arc;

use selvedge::{Error, KvEntry, KvView, PendingSync, Selection};

use crate::answer;
use crate::database::Database;
use crate::limits::{READ_ENTRIES_MAX, READ_KEY_BYTES_MAX, READ_RANGES_MAX};
use crate::refusal::Refusal;
use crate::room::Room;
use crate::wire;

/// Reads of so few entries are done where the request is read; larger ones would keep
/// others waiting.
const INLINE_ENTRIES_MAX: usize = 100;

/// A read whose limits are kept.
#[derive(Debug)]
pub(crate) struct Read {
    ranges: Vec<wire::ReadRange>,
    entries_max: usize,
}

impl Read {
    pub(crate) fn decode(body: Bytes) -> Result<Self, Refusal> {
        let bound = |read: &mut wire::SnapshotRead| read.ranges.truncate(READ_RANGES_MAX + 1);
        let read = wire::decode(body, bound)?;
        if read.ranges.len() > READ_RANGES_MAX {
            return Err(Refusal::TooManyRanges);
        }
        let mut entries_max = 0_usize;
        for range in &read.ranges {
            if range.start.len() > READ_KEY_BYTES_MAX || range.end.len() > READ_KEY_BYTES_MAX {
                return Err(Refusal::ReadKeyTooLarge);
            }
            let limit = usize::try_from(range.limit).ok().filter(|limit| *limit > 0);
            entries_max = entries_max.saturating_add(limit.ok_or(Refusal::InvalidReadLimit)?);
        }
        if entries_max > READ_ENTRIES_MAX {
            return Err(Refusal::TooManyEntries);
        }
        Ok(Self { ranges: read.ranges, entries_max })
    }

    /// Whether it takes so long that others should not wait for it.
    pub(crate) fn is_long(&self) -> bool {
        self.entries_max > INLINE_ENTRIES_MAX
    }

    /// The answer, and what of it is not on the disk yet.
    pub(crate) fn answer(
        &self,
        database: &Database,
        room: &Arc<Room>,
    ) -> Result<(Bytes, Option<PendingSync>), Refusal> {
        database.kv.db().view(|snapshot| {
            let view = snapshot.keyspace(&database.kv)?;
            let ranges = self.ranges.iter().map(|range| read_range(&view, range));
            let ranges = ranges.collect::<Result<Vec<_>, Error>>()?;
            Ok((answer::snapshot_read(&ranges, room)?, snapshot.pending_sync()))
        })
    }
}

fn read_range<'v>(view: &KvView<'v>, range: &wire::ReadRange) -> Result<Vec<KvEntry<'v>>, Error> {
    // How clients ask for one key: from it on, and before the next one that there is.
    if range.end.strip_suffix(&[0]) == Some(&range.start) {
        return Ok(view.get(&range.start)?.into_iter().collect());
    }
    let selection = Selection::range(&range.start, &range.end).limit(range.limit as usize);
    view.list(if range.reverse { selection.reverse() } else { selection })
}
