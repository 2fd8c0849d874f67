//! Reading the log back, deciding where it ends, and going on from there.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use selvedge_base::{Timestamp, mutant};
use selvedge_env::FileSystem;

use crate::error::StorageError;
use crate::log::{Log, LogOptions};
use crate::log_batch::Batch;
use crate::log_search::search;
use crate::log_tail::TailStart;
use crate::log_walk::{Stop, Walk};
use crate::position::{LogPosition, LogStart};
use crate::record::{ALIGNMENT, HEADER_BYTES, RecordKind};
use crate::segment::SegmentDir;
use crate::segment_reader::SegmentReader;
use crate::segments::Segments;

/// What is done about damage, and how far is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadMode {
    /// Everything; damage to what was durable is an error.
    Strict,
    /// Everything in front of the damage, if there is any. Only for reading.
    UpToDamage,
    /// What lies before this position, all of which is durable: less is an error.
    /// Only for reading.
    Until(LogPosition),
}

/// Where the log ends, and why there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEnd {
    /// Behind the last record.
    pub start: LogStart,
    /// The newest timestamp of a record; that of an empty log is zero.
    pub newest_timestamp: Timestamp,
    /// The newest incarnation that any record has, one that was cut included. The
    /// next must be newer.
    pub newest_incarnation: u32,
    /// Everything before this was durable when it was written, as records say.
    pub synced: LogPosition,
    /// Bytes of records that were begun behind the end, and never known to be
    /// durable; at least these.
    pub bytes_cut: u64,
    /// What is missing, if reading stopped there
    /// ([`ReadMode::UpToDamage`]): [`StorageError::Corrupt`], or that it could not
    /// be read.
    pub damage: Option<StorageError>,
}

/// Reads the log from one end to the other.
#[derive(Debug)]
pub struct LogReader {
    walk: Walk,
    salt: u32,
    first: LogPosition,
    options: LogOptions,
    mode: ReadMode,
    /// Where batches began: the first one at or before what is known to be synced.
    resume: VecDeque<LogStart>,
    newest_timestamp: Timestamp,
    content_end: LogPosition,
    stop: Option<Stop>,
    outcome: Option<Result<LogEnd, StorageError>>,
}

impl LogReader {
    pub(crate) fn new(
        files: Arc<dyn FileSystem>,
        dir: &Path,
        salt: u32,
        start: LogStart,
        options: LogOptions,
        mode: ReadMode,
    ) -> Result<Self, StorageError> {
        let dir = SegmentDir::new(files, dir, options.segment_bytes);
        let can_start = start.position.get().is_multiple_of(ALIGNMENT);
        if !can_start || start.position > LogPosition::MAX {
            return Err(dir.corrupt(start.position, "no record can start here"));
        }
        let limit = match mode {
            ReadMode::Until(limit) => Some(limit),
            ReadMode::Strict | ReadMode::UpToDamage => None,
        };
        Ok(Self {
            walk: Walk::new(SegmentReader::new(dir)?, salt, start, limit),
            salt,
            first: start.position,
            options,
            mode,
            resume: VecDeque::new(),
            newest_timestamp: Timestamp::ZERO,
            content_end: start.position,
            stop: None,
            outcome: None,
        })
    }

    /// Reads the next records: about a mebibyte, or one if it is larger. False, and
    /// no records, at the end.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] with the place of the damage, if something is
    /// missing that was durable; others of the system. All that was read before is
    /// right.
    pub fn next_batch(&mut self, batch: &mut Batch) -> Result<bool, StorageError> {
        while self.outcome.is_none() {
            if let Some(stop) = self.stop {
                self.outcome = Some(self.judge(stop));
                break;
            }
            let start = self.walk.at();
            match self.walk.next(batch) {
                Ok(stop) => self.stop = stop,
                Err(error) => self.outcome = Some(self.unreadable(error)),
            }
            if !batch.records().is_empty() {
                self.note(start, batch);
                return Ok(true);
            }
        }
        batch.restart(self.walk.at().position);
        match &self.outcome {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(false),
        }
    }

    fn note(&mut self, start: LogStart, batch: &Batch) {
        self.resume.push_back(start);
        while self.resume.get(1).is_some_and(|next| next.position <= self.walk.synced()) {
            self.resume.pop_front();
        }
        for record in batch.records() {
            self.newest_timestamp = self.newest_timestamp.max(record.timestamp);
            if record.kind != RecordKind::Mark {
                self.content_end = record.end.position;
            }
        }
    }

    /// Decides whether the walk ended where the log does.
    fn judge(&mut self, stop: Stop) -> Result<LogEnd, StorageError> {
        let at = self.walk.at().position;
        let (what, is_damage) = match stop {
            Stop::Limit => return Ok(self.end_at(at, self.walk.incarnation(), None)),
            Stop::Wrong(what) => (what, matches!(self.mode, ReadMode::Until(_))),
            // The log never came here without having the segment (L2).
            Stop::Missing => ("the segment is missing, or shorter than it was made", true),
        };
        let incarnation = self.walk.incarnation();
        let found = search(self.walk.reader(), self.salt, at, incarnation);
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.unreadable(error),
        };
        let what = match found.witness {
            Some(witness) => {
                format!("{what}, but the record at {witness} says that it was durable")
            }
            None if is_damage => what.to_owned(),
            None => return Ok(self.end_at(found.end, found.incarnation, None)),
        };
        let damage = self.walk.dir().corrupt(at, what);
        match self.mode {
            ReadMode::Strict | ReadMode::Until(_) => Err(damage),
            ReadMode::UpToDamage => Ok(self.end_at(found.end, found.incarnation, Some(damage))),
        }
    }

    /// What cannot be read is damage like any other to who reads up to it.
    fn unreadable(&self, error: StorageError) -> Result<LogEnd, StorageError> {
        match self.mode {
            ReadMode::Strict | ReadMode::Until(_) => Err(error),
            ReadMode::UpToDamage => {
                Ok(self.end_at(self.walk.at().position, self.walk.incarnation(), Some(error)))
            }
        }
    }

    fn end_at(
        &self,
        cut_end: LogPosition,
        newest_incarnation: u32,
        damage: Option<StorageError>,
    ) -> LogEnd {
        let start = self.walk.at();
        LogEnd {
            start,
            newest_timestamp: self.newest_timestamp,
            newest_incarnation,
            synced: self.walk.synced(),
            bytes_cut: cut_end.get() - start.position.get(),
            damage,
        }
    }

    /// Where the log ends; None while there is more to read, or if it is damaged.
    #[must_use]
    pub fn end(&self) -> Option<&LogEnd> {
        self.outcome.as_ref()?.as_ref().ok()
    }

    /// Makes durable what was read, and opens the log behind it for writing, as the
    /// database of a new `incarnation`.
    ///
    /// # Errors
    /// Of the system. If the log was not read to its end, or only for reading: that
    /// it cannot be continued. In every case opening may begin anew.
    ///
    /// # Panics
    /// If `incarnation` is not newer than all that were found.
    pub fn finish(self, incarnation: u32) -> Result<Log, StorageError> {
        let end = match (self.outcome, self.mode) {
            (Some(Ok(end)), ReadMode::Strict) => end,
            (Some(Err(error)), _) => return Err(error),
            _ => return Err(refused(self.walk.dir())),
        };
        assert!(incarnation > end.newest_incarnation, "an incarnation is used once");
        let Self { walk, resume, first, options, salt, content_end, .. } = self;
        let segments = Segments::adopt(walk.dir().clone(), first)?;
        if !mutant::is("cut-not-durable") {
            make_durable(walk, resume.front(), &segments, &end)?;
        }
        // A process that was killed may have left names that are not durable.
        segments.dir().sync_names()?;
        let start = TailStart {
            end: end.start,
            newest: end.newest_timestamp,
            covered: end.synced,
            content_end,
        };
        Log::assemble(segments, salt, incarnation, &start, options)
    }
}

fn refused(dir: &SegmentDir) -> StorageError {
    StorageError::Io {
        what: "continue the log in",
        path: dir.dir().to_owned(),
        kind: io::ErrorKind::InvalidInput,
        message: "it was not read to its end for writing".to_owned(),
    }
}

/// Makes durable what was read, and that nothing follows.
fn make_durable(
    mut walk: Walk,
    resume: Option<&LogStart>,
    segments: &Segments,
    end: &LogEnd,
) -> Result<(), StorageError> {
    let cut = end.start.position;
    // A record that was cut must not be begun any more: its segments may go, and
    // without them it would be taken for damage.
    let is_begun = walk.is_begun()?;
    let mut synced_to = cut;
    if is_begun {
        segments.write_bytes(cut, &[0; HEADER_BYTES])?;
        synced_to = LogPosition::new(cut.get() + HEADER_BYTES as u64);
    }
    if let Some(start) = resume.filter(|_| end.synced < cut) {
        rewrite(walk.again_from(*start), segments, end)?;
    }
    segments.sync(end.synced, synced_to)?;
    Ok(())
}

/// Writes what was read once more, from what is known to be synced on. The system
/// may have it in memory only, and consider it written: a sync alone would do
/// nothing for it then.
fn rewrite(mut walk: Walk, segments: &Segments, end: &LogEnd) -> Result<(), StorageError> {
    let mut batch = Batch::new();
    loop {
        let stop = walk.next(&mut batch)?;
        let known = end.synced.max(batch.start());
        if known < batch.end() {
            let skipped = (known.get() - batch.start().get()) as usize;
            segments.write_bytes(known, &batch.bytes()[skipped..])?;
        }
        match stop {
            None => {}
            Some(Stop::Limit) if walk.at() == end.start => return Ok(()),
            Some(_) => {
                let what = "what is read here has changed since it was read first";
                return Err(segments.dir().corrupt(walk.at().position, what));
            }
        }
    }
}
