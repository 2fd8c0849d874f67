//! One segment of the log: its number, its name, its file.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_env::{File, FileSystem, OpenMode};

use crate::error::StorageError;
use crate::position::LogPosition;

/// Segments have a length that is a multiple of this: a page.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// A segment that is being made: it gets its name once it is complete, so that no
/// crash leaves half a segment under the name of a whole one.
const NEW: &str = "log.new";
const PREFIX: &str = "log-";
/// How much of a log is read at once.
const READ_BYTES: u64 = 1 << 20;
/// Zeros written with one call.
const ZEROS_BYTES: usize = 256 << 10;

/// The number of a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SegmentNumber(u64);

impl SegmentNumber {
    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(crate) const fn back(self, segments: u64) -> Self {
        Self(self.0 - segments)
    }

    fn name(self) -> String {
        format!("{PREFIX}{:016x}", self.0)
    }

    fn of_name(name: &str) -> Option<Self> {
        let number = Self(u64::from_str_radix(name.strip_prefix(PREFIX)?, 16).ok()?);
        (number.name() == name).then_some(number)
    }
}

/// Where a position lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    pub(crate) segment: SegmentNumber,
    pub(crate) offset: u64,
    /// Bytes from there to the end of the segment; at least one.
    pub(crate) room: u64,
}

/// Damage at a position of the log in `dir`, told by the file and the place in it.
#[must_use]
pub fn log_corrupt(
    dir: &Path,
    segment_bytes: u64,
    position: LogPosition,
    what: impl Into<String>,
) -> StorageError {
    let segment = SegmentNumber(position.get() / segment_bytes);
    StorageError::corrupt(&dir.join(segment.name()), position.get() % segment_bytes, what)
}

/// The segments in a directory, as files.
#[derive(Clone, Debug)]
pub(crate) struct SegmentDir {
    files: Arc<dyn FileSystem>,
    dir: PathBuf,
    segment_bytes: u64,
}

impl SegmentDir {
    pub(crate) fn new(files: Arc<dyn FileSystem>, dir: &Path, segment_bytes: u64) -> Self {
        assert!(
            segment_bytes > 0 && segment_bytes.is_multiple_of(PAGE_BYTES),
            "segments are made of pages of {PAGE_BYTES} bytes"
        );
        Self { files, dir: dir.to_owned(), segment_bytes }
    }

    /// How much of the log is read at once: a mebibyte, or less where segments are
    /// so small that it would be several.
    pub(crate) fn window_bytes(&self) -> usize {
        self.segment_bytes.saturating_mul(2).min(READ_BYTES) as usize
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn path(&self, segment: SegmentNumber) -> PathBuf {
        self.dir.join(segment.name())
    }

    /// The segment that `position` lies in.
    pub(crate) fn segment_of(&self, position: LogPosition) -> SegmentNumber {
        SegmentNumber(position.get() / self.segment_bytes)
    }

    pub(crate) fn start_of(&self, segment: SegmentNumber) -> LogPosition {
        LogPosition::new(segment.0 * self.segment_bytes)
    }

    pub(crate) fn spot(&self, position: LogPosition) -> Spot {
        let offset = position.get() % self.segment_bytes;
        Spot { segment: self.segment_of(position), offset, room: self.segment_bytes - offset }
    }

    /// Damage at a position.
    pub(crate) fn corrupt(&self, position: LogPosition, what: impl Into<String>) -> StorageError {
        log_corrupt(&self.dir, self.segment_bytes, position, what)
    }

    /// The error of trying `what` with a segment.
    pub(crate) fn error(
        &self,
        what: &'static str,
        segment: SegmentNumber,
        error: &io::Error,
    ) -> StorageError {
        StorageError::io(what, &self.path(segment), error)
    }

    /// The segments that are there.
    pub(crate) fn list(&self) -> Result<BTreeSet<SegmentNumber>, StorageError> {
        let names = self.files.list(&self.dir);
        let names = names.map_err(|error| StorageError::io("list", &self.dir, &error))?;
        // One that no log comes to is somebody else's file.
        let last = self.segment_of(LogPosition::MAX);
        let numbers = names.iter().filter_map(|name| SegmentNumber::of_name(name));
        Ok(numbers.filter(|number| *number <= last).collect())
    }

    /// Opens a segment; None if there is none.
    pub(crate) fn open(
        &self,
        segment: SegmentNumber,
        mode: OpenMode,
    ) -> Result<Option<Arc<dyn File>>, StorageError> {
        match self.files.open(&self.path(segment), mode) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(|error| self.error("open", segment, &error)),
        }
    }

    /// Opens a segment for writing, if it is there and has its full length: all
    /// of it was written once, so that writing to it again takes no space.
    pub(crate) fn open_whole(
        &self,
        segment: SegmentNumber,
    ) -> Result<Option<Arc<dyn File>>, StorageError> {
        let Some(file) = self.open(segment, OpenMode::Write)? else { return Ok(None) };
        let len = file.len().map_err(|error| self.error("measure", segment, &error))?;
        Ok((len >= self.segment_bytes).then_some(file))
    }

    /// Makes a segment full of zeros, and syncs it; its name is not durable yet.
    pub(crate) fn make(&self, segment: SegmentNumber) -> Result<Arc<dyn File>, StorageError> {
        let path = self.dir.join(NEW);
        self.remove_path(&path)?;
        let made = self.make_at(&path).and_then(|file| {
            let renamed = self.files.rename(&path, &self.path(segment));
            renamed.map_err(|error| self.error("name", segment, &error))?;
            Ok(file)
        });
        made.inspect_err(|_| {
            // It holds space that is badly needed when that was the reason; if it
            // stays, the next attempt removes it.
            let _ = self.remove_path(&path);
        })
    }

    fn make_at(&self, path: &Path) -> Result<Arc<dyn File>, StorageError> {
        let failed = |what| move |error: io::Error| StorageError::io(what, path, &error);
        let file = self.files.open(path, OpenMode::Create).map_err(failed("make"))?;
        let zeros = vec![0; ZEROS_BYTES.min(self.segment_bytes as usize)];
        let mut offset = 0;
        while offset < self.segment_bytes {
            let bytes = (self.segment_bytes - offset).min(zeros.len() as u64);
            file.write_all_at(&zeros[..bytes as usize], offset).map_err(failed("fill"))?;
            offset += bytes;
        }
        file.sync_data().map_err(failed("sync"))?;
        Ok(file)
    }

    /// Gives a segment another number; the name is not durable yet.
    pub(crate) fn rename(
        &self,
        from: SegmentNumber,
        to: SegmentNumber,
    ) -> Result<(), StorageError> {
        let renamed = self.files.rename(&self.path(from), &self.path(to));
        renamed.map_err(|error| self.error("recycle", from, &error))
    }

    /// Removes a segment. Fine if there is none.
    pub(crate) fn remove(&self, segment: SegmentNumber) -> Result<(), StorageError> {
        self.remove_path(&self.path(segment))
    }

    fn remove_path(&self, path: &Path) -> Result<(), StorageError> {
        match self.files.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| StorageError::io("remove", path, &error)),
        }
    }

    /// Makes the names of segments durable.
    pub(crate) fn sync_names(&self) -> Result<(), StorageError> {
        let synced = self.files.sync_dir(&self.dir);
        synced.map_err(|error| StorageError::io("sync", &self.dir, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_not() {
        for number in [0, 7, 10, u64::MAX] {
            let segment = SegmentNumber(number);
            assert_eq!(SegmentNumber::of_name(&segment.name()), Some(segment));
        }
        assert_eq!(SegmentNumber(0x7a).name(), "log-000000000000007a");
        let others =
            [NEW, "log-", "log-7a", "log-000000000000007A", "log-+00000000000007a", "data-7"];
        for name in others {
            assert_eq!(SegmentNumber::of_name(name), None, "{name}");
        }
    }
}
