//! The segments of an open log: those that records lie in or may be written to,
//! and spare ones.
//!
//! ```text
//!      spare            in use               ahead          not there
//!   [ 3 ] [ 4 ]   [ 5 ] [ 6 ] [ 7 ..end ]   [ 8 ]          9, 10, ..
//!                 \------- ready ------------------/ prepared
//! ```
//!
//! A segment that is needed is made from a spare one by renaming it, or filled
//! with zeros; it is ready once its name is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use selvedge_base::sync::atomic::{AtomicUsize, Ordering};
use selvedge_base::sync::{LockRank, Mutex, MutexGuard, mutex};
use selvedge_env::File;

use crate::error::StorageError;
use crate::log_buffer::Buffer;
use crate::log_tail::SLACK_BYTES;
use crate::position::LogPosition;
use crate::segment::{SegmentDir, SegmentNumber, Spot};

const MISSING: &str = "the segment is missing, or shorter than it was made";

/// The segments of an open log.
#[derive(Debug)]
pub(crate) struct Segments {
    dir: SegmentDir,
    ready: Mutex<BTreeMap<SegmentNumber, Arc<dyn File>>>,
    spares: Mutex<Spares>,
    /// For statistics: all of them.
    count: AtomicUsize,
}

/// Segments that are neither in use nor ready, under whatever name they have.
/// Whoever makes, renames or removes segments holds the lock on them.
#[derive(Debug, Default)]
pub(crate) struct Spares(BTreeSet<SegmentNumber>);

/// Why a segment is not ready.
#[derive(Debug)]
pub(crate) enum NotReady {
    /// It could not be made. Nothing depends on it yet.
    Refused(StorageError),
    /// Nobody knows which names are durable.
    Unknown(StorageError),
}

impl Segments {
    /// Takes over the segments that are there: the one that holds `first` and those
    /// that follow it without a gap are ready, all others are spare.
    pub(crate) fn adopt(dir: SegmentDir, first: LogPosition) -> Result<Self, StorageError> {
        let mut spares = dir.list()?;
        let count = AtomicUsize::new(spares.len());
        let (mut ready, mut next) = (BTreeMap::new(), dir.segment_of(first));
        while spares.contains(&next)
            && let Some(file) = dir.open_whole(next)?
        {
            spares.remove(&next);
            ready.insert(next, file);
            next = next.next();
        }
        let ready = mutex(LockRank::LogReady, ready);
        let spares = mutex(LockRank::LogSpares, Spares(spares));
        Ok(Self { dir, ready, spares, count })
    }

    pub(crate) fn dir(&self) -> &SegmentDir {
        &self.dir
    }

    /// Behind the last segment that is ready.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if a segment is missing that a log with this end
    /// has had (L2).
    pub(crate) fn prepared_from(&self, end: LogPosition) -> Result<LogPosition, StorageError> {
        let ready = self.ready.lock();
        let next = ready.last_key_value().map(|(last, _)| last.next());
        match next.map(|next| self.dir.start_of(next)) {
            Some(prepared) if end.get() + SLACK_BYTES <= prepared.get() => Ok(prepared),
            Some(prepared) if prepared > end => Err(self.dir.corrupt(prepared, MISSING)),
            _ => Err(self.dir.corrupt(end, MISSING)),
        }
    }

    /// Takes the lock on making, renaming and removing segments.
    pub(crate) fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock()
    }

    /// How many segments there are, spare ones included.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Makes the segment `next`, the one behind the last that is ready.
    pub(crate) fn prepare(&self, spares: &mut Spares, next: SegmentNumber) -> Result<(), NotReady> {
        let recycled = self.recycle_spare(spares, next).map_err(NotReady::Refused)?;
        let file = match recycled {
            Some(file) => file,
            None => {
                let file = self.dir.make(next).map_err(NotReady::Refused)?;
                self.count.fetch_add(1, Ordering::Relaxed);
                file
            }
        };
        self.dir.sync_names().map_err(NotReady::Unknown)?;
        self.ready.lock().insert(next, file);
        Ok(())
    }

    /// Renames a spare segment to become `next`. The one that has this name comes
    /// first: a rename of another would replace it unseen.
    fn recycle_spare(
        &self,
        spares: &mut Spares,
        next: SegmentNumber,
    ) -> Result<Option<Arc<dyn File>>, StorageError> {
        while let Some(spare) = spares.0.get(&next).or_else(|| spares.0.first()).copied() {
            let Some(file) = self.dir.open_whole(spare)? else {
                // Not a segment that this log can use.
                self.remove(spares, spare)?;
                continue;
            };
            if spare != next {
                self.dir.rename(spare, next)?;
            }
            spares.0.remove(&spare);
            return Ok(Some(file));
        }
        Ok(None)
    }

    /// Makes the ready segments below `first` spare.
    pub(crate) fn retire_below(&self, spares: &mut Spares, first: SegmentNumber) {
        let mut ready = self.ready.lock();
        let kept = ready.split_off(&first);
        spares.0.extend(std::mem::replace(&mut *ready, kept).into_keys());
    }

    /// Makes the ready segments from `end` on spare.
    pub(crate) fn retire_from(&self, spares: &mut Spares, end: SegmentNumber) {
        spares.0.extend(self.ready.lock().split_off(&end).into_keys());
    }

    /// Removes spare segments until no more than `most` are left. Their names may
    /// come back by a crash; they are spare again then.
    pub(crate) fn shed(&self, spares: &mut Spares, most: usize) -> Result<(), StorageError> {
        while spares.0.len() > most
            && let Some(last) = spares.0.last().copied()
        {
            self.remove(spares, last)?;
        }
        Ok(())
    }

    fn remove(&self, spares: &mut Spares, spare: SegmentNumber) -> Result<(), StorageError> {
        self.dir.remove(spare)?;
        spares.0.remove(&spare);
        self.count.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    /// Writes records, and the zeros behind them, at `position`: one call for each
    /// piece and segment.
    pub(crate) fn write(
        &self,
        mut position: LogPosition,
        buffer: &Buffer,
    ) -> Result<(), StorageError> {
        for piece in buffer.pieces() {
            self.write_bytes(position, piece)?;
            position = LogPosition::new(position.get() + piece.len() as u64);
        }
        Ok(())
    }

    /// Writes bytes at `position`.
    pub(crate) fn write_bytes(
        &self,
        mut position: LogPosition,
        mut bytes: &[u8],
    ) -> Result<(), StorageError> {
        while !bytes.is_empty() {
            let Spot { segment, offset, room } = self.dir.spot(position);
            let len = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (part, rest) = bytes.split_at(len);
            let written = self.file(position)?.write_all_at(part, offset);
            written.map_err(|error| self.dir.error("write", segment, &error))?;
            bytes = rest;
            position = LogPosition::new(position.get() + len as u64);
        }
        Ok(())
    }

    /// Syncs the segments that hold the bytes from `start` to `end`, in order;
    /// gives their number.
    pub(crate) fn sync(&self, start: LogPosition, end: LogPosition) -> Result<u64, StorageError> {
        let (mut at, mut count) = (start, 0);
        while at < end {
            let segment = self.dir.segment_of(at);
            let synced = self.file(at)?.sync_data();
            synced.map_err(|error| self.dir.error("sync", segment, &error))?;
            at = self.dir.start_of(segment.next());
            count += 1;
        }
        Ok(count)
    }

    fn file(&self, position: LogPosition) -> Result<Arc<dyn File>, StorageError> {
        let segment = self.dir.segment_of(position);
        let file = self.ready.lock().get(&segment).cloned();
        file.ok_or_else(|| self.dir.corrupt(position, MISSING))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use selvedge_env::{FileSystem, SimulatedFiles};

    use super::*;

    const SEGMENT_BYTES: u64 = 4096;

    /// The error names the segment that is not there, and not one that is.
    #[test]
    fn the_missing_segment_is_named() {
        let machine = SimulatedFiles::new(1);
        machine.create_dir(Path::new("db")).unwrap();
        let dir = || SegmentDir::new(machine.process(), Path::new("db"), SEGMENT_BYTES);
        let position = LogPosition::new;
        let missing = |segments: &Segments, end| match segments.prepared_from(position(end)) {
            Ok(prepared) => Err(prepared),
            Err(StorageError::Corrupt { path, .. }) => Ok(path),
            Err(other) => panic!("{other}"),
        };
        let name = |number: u64| Ok(Path::new("db").join(format!("log-{number:016x}")));

        let none = Segments::adopt(dir(), position(0)).unwrap();
        assert_eq!(missing(&none, 10), name(0));
        let first = dir().segment_of(position(0));
        dir().make(first).unwrap();
        dir().make(first.next()).unwrap();
        let two = Segments::adopt(dir(), position(0)).unwrap();
        let prepared = 2 * SEGMENT_BYTES;
        assert_eq!(missing(&two, 10), Err(position(prepared)));
        assert_eq!(missing(&two, prepared - SLACK_BYTES), Err(position(prepared)));
        // The header of the next record would reach into the third.
        assert_eq!(missing(&two, prepared - SLACK_BYTES + 1), name(2));
        assert_eq!(missing(&two, prepared + SEGMENT_BYTES + 1), name(3));
    }
}
