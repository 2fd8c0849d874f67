//! Some records of the log, read back.

use std::ops::Range;

use selvedge_base::Timestamp;

use crate::position::{LogPosition, LogStart};
use crate::record::{HEADER_BYTES, Header, RecordKind};

/// Memory of a batch beyond this is given back before the next one is read: it was
/// for one large record.
const MEMORY_KEPT: usize = 8 << 20;

/// A record that was read back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRecord {
    /// What it holds.
    pub kind: RecordKind,
    /// Of the commit; of the newest commit before, for notes and marks.
    pub timestamp: Timestamp,
    /// How often the database had been opened when it was written.
    pub incarnation: u32,
    /// Where it lies.
    pub position: LogPosition,
    /// Behind it, and the checksum that the next record names.
    pub end: LogStart,
    /// Its payload, in [`Batch::bytes`].
    pub payload: Range<usize>,
}

/// Records that follow one another. Used again for the next ones, it uses its
/// memory again.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    records: Vec<LogRecord>,
    start: LogPosition,
    /// Bytes of `records`, all from the first byte on.
    used: usize,
}

impl Batch {
    /// A batch without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The records, in order.
    #[must_use]
    pub fn records(&self) -> &[LogRecord] {
        &self.records
    }

    /// The bytes that the payloads lie in.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// The payload of a record of this batch.
    #[must_use]
    pub fn payload(&self, record: &LogRecord) -> &[u8] {
        &self.bytes[record.payload.clone()]
    }

    /// Where its first byte lies.
    pub(crate) fn start(&self) -> LogPosition {
        self.start
    }

    /// Where the next record would lie.
    pub(crate) fn end(&self) -> LogPosition {
        LogPosition::new(self.start.get() + self.used as u64)
    }

    pub(crate) fn restart(&mut self, start: LogPosition) {
        self.records.clear();
        self.bytes.clear();
        self.bytes.shrink_to(MEMORY_KEPT);
        self.used = 0;
        self.start = start;
    }

    /// The memory from the last byte that was read to `bytes` behind the start.
    pub(crate) fn grow(&mut self, bytes: usize) -> (LogPosition, &mut [u8]) {
        let filled = self.bytes.len();
        self.bytes.resize(bytes, 0);
        (LogPosition::new(self.start.get() + filled as u64), &mut self.bytes[filled..])
    }

    /// Forgets what of the memory was not filled.
    pub(crate) fn cut(&mut self, bytes: usize) {
        self.bytes.truncate(bytes);
    }

    /// Bytes that were read, of records or not.
    pub(crate) fn filled(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the records.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// The bytes behind the records.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// The record that lies behind the others is one of them.
    pub(crate) fn push(&mut self, header: &Header, checksum: u32) {
        let payload = self.used + HEADER_BYTES;
        self.records.push(LogRecord {
            kind: header.kind,
            timestamp: header.timestamp,
            incarnation: header.incarnation,
            position: header.position,
            end: LogStart { position: header.end(), chain: checksum },
            payload: payload..payload + header.payload_len as usize,
        });
        self.used += header.bytes() as usize;
    }
}
