//! A log on a simulated machine, and what it should hold.

use std::path::{Path, PathBuf};

use fastrand::Rng;
use selvedge_base::Timestamp;
use selvedge_env::{FileSystem, OpenMode, SimulatedFiles};
use selvedge_storage::{
    Batch, Log, LogEnd, LogOptions, LogPosition, LogReader, LogStart, ReadMode, RecordKind,
    StorageError,
};

pub(crate) const SALT: u32 = 0x5A17;

/// A record as it was appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: RecordKind,
    pub(crate) timestamp: Timestamp,
    pub(crate) incarnation: u32,
    pub(crate) position: LogPosition,
    pub(crate) end: LogPosition,
    pub(crate) payload: Vec<u8>,
}

/// A log, and what it should hold.
pub(crate) struct World {
    pub(crate) files: SimulatedFiles,
    pub(crate) rng: Rng,
    pub(crate) options: LogOptions,
    /// What a manifest would say: where to start, and the incarnation then.
    pub(crate) start: LogStart,
    pub(crate) incarnation_saved: u32,
    pub(crate) log: Log,
    pub(crate) incarnation: u32,
    /// All that was appended behind the start, marks included.
    pub(crate) entries: Vec<Entry>,
    /// Beside each entry, what was durable when it was appended.
    pub(crate) synced: Vec<LogPosition>,
    /// Everything before this was reported to be durable.
    pub(crate) acknowledged: LogPosition,
    newest: Timestamp,
}

pub(crate) fn dir() -> &'static Path {
    Path::new("/db")
}

pub(crate) fn position(bytes: u64) -> LogPosition {
    LogPosition::new(bytes)
}

/// The options that most tests use: small segments, so that borders are met.
pub(crate) fn small() -> LogOptions {
    LogOptions { segment_bytes: 4096, buffer_bytes_max: 16 << 10, segments_kept: 3 }
}

/// Reads everything there is to read.
pub(crate) fn read_all(reader: &mut LogReader) -> Result<Vec<Entry>, StorageError> {
    let (mut batch, mut entries) = (Batch::new(), Vec::new());
    while reader.next_batch(&mut batch)? {
        assert!(!batch.records().is_empty());
        entries.extend(batch.records().iter().map(|record| Entry {
            kind: record.kind,
            timestamp: record.timestamp,
            incarnation: record.incarnation,
            position: record.position,
            end: record.end.position,
            payload: batch.payload(record).to_vec(),
        }));
    }
    assert!(batch.records().is_empty());
    Ok(entries)
}

impl World {
    pub(crate) fn new(seed: u64, options: LogOptions) -> Self {
        Self::starting_at(seed, options, LogStart::default())
    }

    pub(crate) fn starting_at(seed: u64, options: LogOptions, start: LogStart) -> Self {
        let files = SimulatedFiles::new(seed);
        files.create_dir(dir()).expect("nothing goes wrong yet");
        let log = Log::create(files.process(), dir(), SALT, start, 1, options);
        Self {
            files,
            rng: Rng::with_seed(seed),
            options,
            start,
            incarnation_saved: 1,
            log: log.expect("nothing goes wrong yet"),
            incarnation: 1,
            entries: Vec::new(),
            synced: Vec::new(),
            acknowledged: start.position,
            newest: Timestamp::ZERO,
        }
    }

    /// The number of bytes of a payload: often small, sometimes about a segment,
    /// rarely several of them.
    pub(crate) fn draw_len(&mut self) -> usize {
        let segment = self.options.segment_bytes as usize;
        match self.rng.u8(..16) {
            0 => 0,
            1..=7 => self.rng.usize(..100),
            8..=11 => self.rng.usize(..1000),
            12 | 13 => segment - 48 * 2 + self.rng.usize(..48 * 3),
            14 => self.rng.usize(..segment * 5),
            _ if self.rng.u8(..8) == 0 => (64 << 10) + self.rng.usize(..segment),
            _ => self.rng.usize(..segment),
        }
    }

    /// Appends a record with a random payload.
    pub(crate) fn append(&mut self, len: usize) -> Result<LogPosition, StorageError> {
        // Some of the bytes are added late, as under a commit lock.
        let late = self.rng.usize(..=len.min(16));
        let mut bytes = vec![0; len];
        self.rng.fill(&mut bytes);
        let reservation = self.log.reserve(len)?;
        let mut payload = self.log.payload(bytes[..len - late].to_vec());
        payload.extend(&bytes[len - late..]);
        let (kind, timestamp) = if self.rng.u8(..8) == 0 {
            (RecordKind::Note, self.newest)
        } else {
            (RecordKind::Commit, self.newest.next())
        };
        let (begin, synced) = (self.log.end().position, self.log.durable());
        let end = self.log.append(reservation, kind, timestamp, payload);
        assert_eq!(end, self.log.end().position);
        self.newest = timestamp;
        self.note(kind, begin, end, synced, bytes);
        Ok(end)
    }

    /// Appends what an engine leaves whenever it opens the log: the same bytes each
    /// time, if nothing has changed.
    pub(crate) fn append_lease(&mut self) -> Result<(), StorageError> {
        let bytes = b"leased".to_vec();
        let reservation = self.log.reserve(bytes.len())?;
        let (begin, synced) = (self.log.end().position, self.log.durable());
        let payload = self.log.payload(bytes.clone());
        let end = self.log.append(reservation, RecordKind::Note, self.newest, payload);
        self.note(RecordKind::Note, begin, end, synced, bytes);
        Ok(())
    }

    fn note(
        &mut self,
        kind: RecordKind,
        position: LogPosition,
        end: LogPosition,
        synced: LogPosition,
        payload: Vec<u8>,
    ) {
        let (timestamp, incarnation) = (self.newest, self.incarnation);
        self.entries.push(Entry { kind, timestamp, incarnation, position, end, payload });
        self.synced.push(synced);
    }

    pub(crate) fn sync_through(&mut self, position: LogPosition) -> Result<(), StorageError> {
        self.log.sync_through(position)?;
        assert!(self.log.durable() >= position);
        self.acknowledged = self.acknowledged.max(self.log.durable());
        Ok(())
    }

    /// Appends a record and makes it durable.
    pub(crate) fn commit(&mut self, len: usize) -> LogPosition {
        let end = self.append(len).expect("nothing goes wrong");
        self.sync_through(end).expect("nothing goes wrong");
        end
    }

    /// Leaves a mark, if one is owed.
    pub(crate) fn mark(&mut self) -> Result<(), StorageError> {
        let begin = self.log.end().position;
        let marked = self.log.mark();
        self.note_mark(begin);
        marked
    }

    /// Notes the mark at `begin`, if there is one.
    pub(crate) fn note_mark(&mut self, begin: LogPosition) {
        let (end, synced) = (self.log.end().position, self.log.durable());
        if end > begin {
            assert_eq!(end.get() - begin.get(), 48);
            self.note(RecordKind::Mark, begin, end, synced, Vec::new());
        }
    }

    /// A checkpoint: the log will be read from `start`, which is durable.
    pub(crate) fn checkpoint(&mut self, start: LogStart) -> Result<(), StorageError> {
        assert!(start.position <= self.acknowledged);
        let first = self.entries.partition_point(|entry| entry.position < start.position);
        self.entries.drain(..first);
        self.synced.drain(..first);
        self.start = start;
        self.incarnation_saved = self.incarnation;
        self.log.recycle(start.position)
    }

    /// The files of the log, with their lengths.
    pub(crate) fn segment_names(&self) -> Vec<String> {
        let names = self.files.list(dir()).expect("the directory is there");
        names.into_iter().filter(|name| name.starts_with("log-")).collect()
    }

    /// Where a position lies.
    pub(crate) fn place(&self, position: LogPosition) -> (PathBuf, u64) {
        let segment = position.get() / self.options.segment_bytes;
        (dir().join(format!("log-{segment:016x}")), position.get() % self.options.segment_bytes)
    }

    /// Changes the byte at a position, in memory and on disk.
    pub(crate) fn change(&self, position: LogPosition) {
        let (path, offset) = self.place(position);
        let file = self.files.open(&path, OpenMode::Write).expect("it is there");
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).expect("the byte is there");
        file.write_all_at(&[!byte[0]], offset).expect("nothing goes wrong");
        file.sync_data().expect("nothing goes wrong");
    }

    /// Flips a bit of the byte at a position, on the disk.
    pub(crate) fn flip(&self, position: LogPosition) {
        let (path, offset) = self.place(position);
        self.files.flip_bit(&path, offset, 3).expect("the byte is there");
    }

    pub(crate) fn reader(&self, mode: ReadMode) -> Result<LogReader, StorageError> {
        Log::open(self.files.process(), dir(), SALT, self.start, self.options, mode)
    }

    /// What reading gives, and where it ends.
    pub(crate) fn read(&self, mode: ReadMode) -> Result<(Vec<Entry>, LogEnd), StorageError> {
        let mut reader = self.reader(mode)?;
        let entries = read_all(&mut reader)?;
        Ok((entries, reader.end().expect("it was read to the end").clone()))
    }

    /// Opens the log again, whatever has become of the process before. What is
    /// found must be what was appended, up to some point behind all that was
    /// acknowledged.
    pub(crate) fn try_reopen(&mut self) -> Result<(), StorageError> {
        let mut reader = self.reader(ReadMode::Strict)?;
        let found = read_all(&mut reader)?;
        let end = reader.end().expect("it was read to the end").clone();
        self.check_prefix(&found, &end);
        let incarnation = self.incarnation_saved.max(end.newest_incarnation) + 1;
        assert!(end.start.position >= self.acknowledged, "something durable is gone");
        assert!(end.synced <= end.start.position && end.damage.is_none());
        self.log = reader.finish(incarnation)?;
        self.incarnation = incarnation;
        self.entries.truncate(found.len());
        self.synced.truncate(found.len());
        self.acknowledged = end.start.position;
        self.newest = end.newest_timestamp;
        assert_eq!(self.log.durable(), self.acknowledged);
        assert_eq!(self.log.end(), end.start);
        Ok(())
    }

    pub(crate) fn reopen(&mut self) {
        self.try_reopen().expect("nothing goes wrong");
    }

    pub(crate) fn check_prefix(&self, found: &[Entry], end: &LogEnd) {
        assert!(found.len() <= self.entries.len(), "more than was appended");
        for (found, entry) in found.iter().zip(&self.entries) {
            assert_eq!(found, entry, "not what was appended");
        }
        let last = found.last().map_or(self.start.position, |entry| entry.end);
        assert_eq!(end.start.position, last);
        let newest = found.iter().map(|entry| entry.timestamp).max();
        assert_eq!(end.newest_timestamp, newest.unwrap_or_default());
    }
}
