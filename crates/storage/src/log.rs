//! The write-ahead log: what was committed since the last checkpoint, in order.
//!
//! ```text
//!   reserve   before the commit lock: room in segments, room in memory;
//!             everything that may fail or wait
//!   append    under the commit lock: into the buffer; no I/O, no failure
//!   sync_through
//!             behind it: the first to ask writes and syncs for all
//! ```
//!
//! Formats, and what reading back proves, stand in `docs/design/storage.md`.
//! Reading order: `record`, `payload`, `segment`, `segments`, `log_buffer`,
//! `log_tail`, `log_writer`, this file; then `log_walk`, `log_search`,
//! `log_reader`.
//!
//! Invariants:
//!
//! - L1: records lie one behind the other, each names the one before, and `synced`
//!   in a record was durable when the record was made.
//! - L2: the segments that hold the end of the log, and the next 48 bytes, exist
//!   under durable names. A segment that is missing is damage, never an end.
//! - L3: nothing is written behind the first failure of a write or sync.
//! - L4: one thread writes at a time, and in order; all that is written before a
//!   sync is in the segments that the sync covers.
//! - L5: what was read back is durable before anything is appended, and what is
//!   appended then has an incarnation that is on no record there is.
//!
//! Locks, outer first: spare segments (held during I/O by who makes room), the
//! turn of the writer, the tail (held by `append` inside the commit lock), the
//! ready segments. The last three are held for moments, never during I/O.

use std::path::Path;
use std::sync::Arc;

use selvedge_base::Timestamp;
use selvedge_base::sync::{LockRank, Mutex, mutex};
use selvedge_env::FileSystem;

use crate::error::StorageError;
use crate::log_reader::{LogReader, ReadMode};
use crate::log_statistics::LogStatistics;
use crate::log_tail::{Lack, SLACK_BYTES, Tail, TailStart};
use crate::log_writer::LogWriter;
use crate::payload::Payload;
use crate::position::{LogPosition, LogStart};
use crate::record::{ALIGNMENT, COMMIT_BYTES_MAX, RecordKind, record_bytes};
use crate::segment::SegmentDir;
use crate::segments::{NotReady, Segments, Spares};

/// Segments kept ready in front of the one that is being filled.
const SEGMENTS_AHEAD: u64 = 1;

/// How a log is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// Bytes in a segment: a multiple of 4096, the same for as long as the database
    /// exists.
    pub segment_bytes: u64,
    /// How much may wait in memory to be written before reservations wait too. As
    /// much again may be on its way to the disk.
    pub buffer_bytes_max: usize,
    /// How many segments that are not in use are kept for later, instead of being
    /// removed.
    pub segments_kept: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 8 << 20, buffer_bytes_max: 16 << 20, segments_kept: 4 }
    }
}

/// The log, open for writing. Any thread may use it.
#[derive(Debug)]
pub struct Log {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    salt: u32,
    options: LogOptions,
    tail: Mutex<Tail>,
    writer: LogWriter,
    segments: Segments,
}

/// Room for one record. Dropped, it goes back to the log.
#[derive(Debug)]
#[must_use = "dropped, it gives its room back"]
pub struct Reservation {
    core: Arc<Core>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.core.tail.lock().give_back(self.bytes);
        }
    }
}

impl Log {
    /// Makes a new log that starts at `start`. Segments that are there are removed.
    ///
    /// # Errors
    /// Of the system.
    ///
    /// # Panics
    /// If `options` ask for segments that are not made of pages, or `start` is not
    /// between two records.
    pub fn create(
        files: Arc<dyn FileSystem>,
        dir: &Path,
        salt: u32,
        start: LogStart,
        incarnation: u32,
        options: LogOptions,
    ) -> Result<Self, StorageError> {
        assert!(start.position.get().is_multiple_of(ALIGNMENT), "between records");
        let dir = SegmentDir::new(files, dir, options.segment_bytes);
        for segment in dir.list()? {
            dir.remove(segment)?;
        }
        let end = start.position;
        let prepared = end.get() + SLACK_BYTES;
        let mut segment = dir.segment_of(end);
        while dir.start_of(segment).get() < prepared {
            dir.make(segment)?;
            segment = segment.next();
        }
        dir.sync_names()?;
        let start =
            TailStart { end: start, newest: Timestamp::ZERO, covered: end, content_end: end };
        let segments = Segments::adopt(dir, start.end.position)?;
        Self::assemble(segments, salt, incarnation, &start, options)
    }

    /// Whether any part of a log is in `dir`.
    ///
    /// # Errors
    /// Of the system.
    pub fn exists(files: &Arc<dyn FileSystem>, dir: &Path) -> Result<bool, StorageError> {
        // What the segments are called does not depend on their size.
        let segments = SegmentDir::new(Arc::clone(files), dir, LogOptions::default().segment_bytes);
        Ok(!segments.list()?.is_empty())
    }

    /// Begins to read the log in `dir` at `start`; at the end,
    /// [`LogReader::finish`] opens it for writing.
    ///
    /// # Errors
    /// Of the system; damage shows while reading.
    ///
    /// # Panics
    /// If `options` ask for segments that are not made of pages.
    pub fn open(
        files: Arc<dyn FileSystem>,
        dir: &Path,
        salt: u32,
        start: LogStart,
        options: LogOptions,
        mode: ReadMode,
    ) -> Result<LogReader, StorageError> {
        LogReader::new(files, dir, salt, start, options, mode)
    }

    /// A log that goes on at `start`; everything before is durable, and so are the
    /// names of the segments.
    pub(crate) fn assemble(
        segments: Segments,
        salt: u32,
        incarnation: u32,
        start: &TailStart,
        options: LogOptions,
    ) -> Result<Self, StorageError> {
        let prepared = segments.prepared_from(start.end.position)?;
        let writer = LogWriter::new(start.end.position, options.buffer_bytes_max);
        let tail = Tail::new(salt, incarnation, start, prepared, options.buffer_bytes_max);
        let core = Core { salt, options, tail: mutex(LockRank::LogTail, tail), writer, segments };
        Ok(Self { core: Arc::new(core) })
    }

    /// A payload for [`append`](Self::append).
    #[must_use]
    pub fn payload(&self, bytes: Vec<u8>) -> Payload {
        Payload::new(self.core.salt, bytes)
    }

    /// Reserves room for a record with a payload of up to so many bytes. May write
    /// and wait: segments are made ready here, and what waits in memory is written
    /// out if it is too much.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`]: nothing has changed, and it may be tried again
    /// once there is space. [`StorageError::TooLarge`], [`StorageError::Poisoned`];
    /// others of the system.
    pub fn reserve(&self, payload_bytes: usize) -> Result<Reservation, StorageError> {
        if payload_bytes > COMMIT_BYTES_MAX {
            let (actual, limit) = (payload_bytes as u64, COMMIT_BYTES_MAX as u64);
            return Err(StorageError::TooLarge { actual, limit });
        }
        let core = &self.core;
        let bytes = record_bytes(payload_bytes);
        loop {
            core.writer.check()?;
            let lack = core.tail.lock().reserve(bytes);
            match lack {
                Ok(()) => break,
                Err(Lack::Memory(end)) => {
                    core.writer.take_through(end, &core.tail, &core.segments)?;
                }
                Err(Lack::Segments) => {
                    core.prepare_for(bytes)?;
                    break;
                }
            }
        }
        Ok(Reservation { core: Arc::clone(core), bytes })
    }

    /// Appends a record and gives the position behind it. Does no I/O and cannot
    /// fail. Who appends orders what is appended; for commits that is the commit
    /// lock.
    ///
    /// Once the log is poisoned, what is appended is dropped: syncing through it
    /// tells.
    ///
    /// # Panics
    /// If the payload is longer than what was reserved.
    pub fn append(
        &self,
        mut reservation: Reservation,
        kind: RecordKind,
        timestamp: Timestamp,
        payload: Payload,
    ) -> LogPosition {
        let core = &self.core;
        debug_assert!(Arc::ptr_eq(core, &reservation.core), "reserved in this log");
        assert!(record_bytes(payload.len()) <= reservation.bytes, "what was reserved suffices");
        let mut tail = core.tail.lock();
        tail.give_back(std::mem::take(&mut reservation.bytes));
        if core.writer.is_poisoned() {
            return tail.append_to_nothing(&payload);
        }
        tail.append(kind, timestamp, core.writer.durable(), payload)
    }

    /// Behind the last record that was appended.
    #[must_use]
    pub fn end(&self) -> LogStart {
        self.core.tail.lock().end()
    }

    /// Everything before this position is durable.
    #[must_use]
    pub fn durable(&self) -> LogPosition {
        self.core.writer.durable()
    }

    /// Makes everything before `position` durable, with whatever else was appended
    /// meanwhile, or waits until another thread has.
    ///
    /// # Errors
    /// [`StorageError::Poisoned`]: nobody knows whether it is durable.
    ///
    /// # Panics
    /// If `position` lies behind the end.
    pub fn sync_through(&self, position: LogPosition) -> Result<(), StorageError> {
        let core = &self.core;
        core.writer.sync_through(position, &core.tail, &core.segments)
    }

    /// Makes everything durable that has been appended.
    ///
    /// # Errors
    /// As [`sync_through`](Self::sync_through).
    pub fn sync(&self) -> Result<(), StorageError> {
        self.sync_through(self.end().position)
    }

    /// Gives everything that has been appended to the system, which survives the
    /// end of the process, but not of the machine.
    ///
    /// # Errors
    /// [`StorageError::Poisoned`].
    pub fn write_out(&self) -> Result<(), StorageError> {
        let core = &self.core;
        core.writer.write_through(self.end().position, &core.tail, &core.segments)
    }

    /// Makes a segment ready, if none is ready ahead: called from the background,
    /// it spares those who reserve the wait.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`], which poisons nothing; [`StorageError::Poisoned`];
    /// others of the system.
    pub fn prepare_ahead(&self) -> Result<(), StorageError> {
        let core = &self.core;
        core.prepare(&mut core.segments.spares(), |tail| core.ahead(tail) >= SEGMENTS_AHEAD)
    }

    /// Whether [`mark`](Self::mark) would leave one.
    #[must_use]
    pub fn owes_mark(&self) -> bool {
        self.core.tail.lock().owes_mark(self.core.writer.durable())
    }

    /// Leaves a mark, if there is a commit or note that is durable without any
    /// record that says so: damage to it is told from a torn write by the mark. To
    /// be called when the log has been idle for a while; does not sync.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve) and [`write_out`](Self::write_out).
    pub fn mark(&self) -> Result<(), StorageError> {
        let core = &self.core;
        core.writer.check()?;
        if !core.tail.lock().owes_mark(core.writer.durable()) {
            return Ok(());
        }
        // Two who come at the same time leave two marks, which is as good.
        let newest = core.tail.lock().newest();
        self.append(self.reserve(0)?, RecordKind::Mark, newest, self.payload(Vec::new()));
        self.write_out()
    }

    /// Gives up the segments that lie wholly below `below`, which is durable, and
    /// where reading the log will never start again: the manifest that says so is
    /// durable. Some are kept for what comes, the others removed.
    ///
    /// # Errors
    /// Of the system, [`StorageError::Poisoned`]; what could not be removed is
    /// tried again by the next call.
    pub fn recycle(&self, below: LogPosition) -> Result<(), StorageError> {
        let core = &self.core;
        let mut spares = core.segments.spares();
        // Under the lock: who closes the log waits for it.
        core.writer.check()?;
        let first = core.segments.dir().segment_of(below.min(core.writer.durable()));
        core.segments.retire_below(&mut spares, first);
        let kept = core.options.segments_kept;
        let ahead = core.trim(&mut spares, (kept as u64).max(SEGMENTS_AHEAD));
        core.segments.shed(&mut spares, kept.saturating_sub(ahead as usize))
    }

    /// Nothing is written any more: the files must be opened again.
    pub fn poison(&self, reason: impl Into<String>) {
        self.core.writer.poison(reason.into());
    }

    /// Whether the log is poisoned: one load.
    #[must_use]
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.core.writer.is_poisoned()
    }

    /// [`StorageError::Poisoned`], if the log is.
    #[must_use]
    pub fn poisoned(&self) -> Option<StorageError> {
        self.core.writer.check().err()
    }

    /// What the log has done since it was opened.
    #[must_use]
    pub fn statistics(&self) -> LogStatistics {
        let core = &self.core;
        // One lock after the other: the tail is locked inside the turn of the writer.
        let tail = core.tail.lock().counts();
        let writer = core.writer.counts();
        LogStatistics {
            records: tail.records,
            bytes: tail.bytes,
            groups: writer.groups,
            group_records_max: writer.group_records_max,
            syncs: writer.syncs,
            write_outs: writer.write_outs,
            segments: core.segments.count(),
        }
    }

    /// Makes everything durable, and leaves a mark. When this returns, with or
    /// without an error, no thread writes to the files any more, and none will:
    /// whoever tries gets [`StorageError::Poisoned`].
    ///
    /// # Errors
    /// [`StorageError::Poisoned`]: nobody knows what of the end is durable.
    pub fn close(&self) -> Result<(), StorageError> {
        let synced = self.sync();
        if synced.is_ok() {
            // Only a help; and it needs space, which there may be none of.
            let _ = self.mark();
        }
        let core = &self.core;
        core.writer.poison("the log was closed".to_owned());
        core.writer.wait_until_idle();
        drop(core.segments.spares());
        synced
    }
}

impl Core {
    /// Reserves `bytes` in segments that it makes if need be.
    fn prepare_for(&self, bytes: u64) -> Result<(), StorageError> {
        let mut spares = self.segments.spares();
        let prepared = self.prepare(&mut spares, |tail| tail.reserve_in_segments(bytes));
        if let Err(StorageError::NoSpace { .. }) = prepared {
            // What was made for this one is in the way of everybody else, first of
            // all of the checkpoint that would bring relief.
            self.trim(&mut spares, SEGMENTS_AHEAD);
            // A name that cannot be removed now is tried again by `recycle`.
            let _ = self.segments.shed(&mut spares, 0);
        }
        prepared
    }

    /// Makes segments ready until there are enough.
    fn prepare(
        &self,
        spares: &mut Spares,
        mut is_enough: impl FnMut(&mut Tail) -> bool,
    ) -> Result<(), StorageError> {
        let dir = self.segments.dir();
        loop {
            self.writer.check()?;
            let mut tail = self.tail.lock();
            if is_enough(&mut tail) {
                return Ok(());
            }
            let next = dir.segment_of(tail.prepared());
            drop(tail);
            match self.segments.prepare(spares, next) {
                Ok(()) => self.tail.lock().set_prepared(dir.start_of(next.next())),
                Err(NotReady::Refused(error)) => return Err(error),
                Err(NotReady::Unknown(error)) => {
                    self.writer.poison(error.to_string());
                    return self.writer.check();
                }
            }
        }
    }

    /// How many segments are ready that nothing is promised in.
    fn ahead(&self, tail: &Tail) -> u64 {
        let last = self.segments.dir().segment_of(LogPosition::new(tail.promised() - 1));
        let end = self.segments.dir().segment_of(tail.prepared());
        end.get() - last.get() - 1
    }

    /// Makes spare what is ready beyond `most` segments ahead; gives how many stay.
    fn trim(&self, spares: &mut Spares, most: u64) -> u64 {
        let dir = self.segments.dir();
        let mut tail = self.tail.lock();
        let ahead = self.ahead(&tail);
        if ahead <= most {
            return ahead;
        }
        let end = dir.segment_of(tail.prepared()).back(ahead - most);
        tail.set_prepared(dir.start_of(end));
        drop(tail);
        self.segments.retire_from(spares, end);
        most
    }
}
