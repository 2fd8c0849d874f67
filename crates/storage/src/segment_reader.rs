//! The bytes of the log across its segments.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use selvedge_env::{File, OpenMode};

use crate::error::StorageError;
use crate::position::LogPosition;
use crate::segment::{SegmentDir, SegmentNumber, Spot};

/// Reads the log by position.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    dir: SegmentDir,
    /// The segments that were there at the beginning.
    there: BTreeSet<SegmentNumber>,
    /// The one read last.
    open: Option<(SegmentNumber, Arc<dyn File>)>,
}

impl SegmentReader {
    pub(crate) fn new(dir: SegmentDir) -> Result<Self, StorageError> {
        let there = dir.list()?;
        Ok(Self { dir, there, open: None })
    }

    pub(crate) fn dir(&self) -> &SegmentDir {
        &self.dir
    }

    /// Whether every segment with a byte from `start` to `end` is there.
    pub(crate) fn reaches(&self, start: LogPosition, end: LogPosition) -> bool {
        let mut at = self.dir.segment_of(start);
        while self.dir.start_of(at) < end {
            if !self.there.contains(&at) {
                return false;
            }
            at = at.next();
        }
        true
    }

    /// The first segment behind the one that holds `position`.
    pub(crate) fn segment_behind(&self, position: LogPosition) -> Option<SegmentNumber> {
        let segment = self.dir.segment_of(position);
        self.there.range((Bound::Excluded(segment), Bound::Unbounded)).next().copied()
    }

    /// Reads what is at `position`; gives the number of bytes, which is less than
    /// asked for where a segment is missing or too short.
    pub(crate) fn read(
        &mut self,
        position: LogPosition,
        buffer: &mut [u8],
    ) -> Result<usize, StorageError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let spot = self.dir.spot(LogPosition::new(position.get() + filled as u64));
            let rest = &mut buffer[filled..];
            let len = usize::try_from(spot.room).map_or(rest.len(), |room| room.min(rest.len()));
            let read = self.read_segment(spot, &mut rest[..len])?;
            filled += read;
            if read < len {
                break;
            }
        }
        Ok(filled)
    }

    fn read_segment(&mut self, spot: Spot, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let Some(file) = self.file(spot.segment)? else { return Ok(0) };
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], spot.offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.dir.error("read", spot.segment, &error)),
            }
        }
        Ok(filled)
    }

    fn file(&mut self, segment: SegmentNumber) -> Result<Option<Arc<dyn File>>, StorageError> {
        if let Some((open, file)) = &self.open
            && *open == segment
        {
            return Ok(Some(Arc::clone(file)));
        }
        if !self.there.contains(&segment) {
            return Ok(None);
        }
        let file = self.dir.open(segment, OpenMode::Read)?;
        self.open = file.clone().map(|file| (segment, file));
        Ok(file)
    }
}
