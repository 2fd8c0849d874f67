//! The end of the log in memory: where the next record goes, who has been
//! promised room, and what waits to be written.

use selvedge_base::Timestamp;

use crate::log_buffer::Buffer;
use crate::payload::Payload;
use crate::position::{LogPosition, LogStart};
use crate::record::{HEADER_BYTES, Header, RecordKind, record_bytes};
use crate::segment::PAGE_BYTES;

/// Bytes that stay free behind all that is promised, so that the header of the
/// next record always lies in segments that are there (L2).
pub(crate) const SLACK_BYTES: u64 = HEADER_BYTES as u64;

/// The end of the log.
#[derive(Debug)]
pub(crate) struct Tail {
    salt: u32,
    incarnation: u32,
    /// Behind the last record.
    end: LogStart,
    /// The newest timestamp of a record.
    newest: Timestamp,
    /// The newest `synced` of a record.
    covered: LogPosition,
    /// Behind the last record that is no mark.
    content_end: LogPosition,
    /// Bytes promised to reservations.
    reserved: u64,
    /// Records may be written up to here: the end of the last segment that is
    /// there, durably.
    prepared: LogPosition,
    buffer: Buffer,
    buffer_bytes_max: usize,
    counts: TailCounts,
    /// `counts.records` when the buffer was taken.
    records_taken: u64,
}

/// What was appended since the log was opened.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct TailCounts {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// What reading the log has found, or what a new one starts with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailStart {
    pub(crate) end: LogStart,
    pub(crate) newest: Timestamp,
    pub(crate) covered: LogPosition,
    pub(crate) content_end: LogPosition,
}

/// Why there is no room for a reservation at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lack {
    /// Too much waits to be written: all before this position.
    Memory(LogPosition),
    /// More segments are needed.
    Segments,
}

/// What one write takes over.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) start: LogPosition,
    /// Behind its last record.
    pub(crate) end: LogPosition,
    pub(crate) records: u64,
    /// The records, then zeros up to the end of the page, so that the system
    /// never has to read a page of a recycled segment to complete it.
    pub(crate) buffer: Buffer,
}

impl Tail {
    pub(crate) fn new(
        salt: u32,
        incarnation: u32,
        start: &TailStart,
        prepared: LogPosition,
        buffer_bytes_max: usize,
    ) -> Self {
        let TailStart { end, newest, covered, content_end } = *start;
        debug_assert!(end.position.get() + SLACK_BYTES <= prepared.get(), "L2");
        Self {
            salt,
            incarnation,
            end,
            newest,
            covered,
            content_end,
            reserved: 0,
            prepared,
            buffer: Buffer::default(),
            buffer_bytes_max,
            counts: TailCounts::default(),
            records_taken: 0,
        }
    }

    pub(crate) fn end(&self) -> LogStart {
        self.end
    }

    pub(crate) fn newest(&self) -> Timestamp {
        self.newest
    }

    pub(crate) fn counts(&self) -> TailCounts {
        self.counts
    }

    pub(crate) fn prepared(&self) -> LogPosition {
        self.prepared
    }

    pub(crate) fn set_prepared(&mut self, prepared: LogPosition) {
        debug_assert!(self.promised() <= prepared.get(), "L2");
        self.prepared = prepared;
    }

    /// Behind everything that is promised, with the slack.
    pub(crate) fn promised(&self) -> u64 {
        self.end.position.get() + self.reserved + SLACK_BYTES
    }

    /// Promises `bytes` in segments that are there, if the buffer has room.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Result<(), Lack> {
        if self.buffer.bytes() > self.buffer_bytes_max {
            return Err(Lack::Memory(self.end.position));
        }
        if self.reserve_in_segments(bytes) { Ok(()) } else { Err(Lack::Segments) }
    }

    /// Promises `bytes` in segments that are there.
    pub(crate) fn reserve_in_segments(&mut self, bytes: u64) -> bool {
        let fits = self.promised() + bytes <= self.prepared.get();
        if fits {
            self.reserved += bytes;
        }
        fits
    }

    /// Takes a promise back.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.reserved, "what was promised");
        self.reserved -= bytes;
    }

    /// Whether a mark would tell something: that a commit or note is durable.
    pub(crate) fn owes_mark(&self, durable: LogPosition) -> bool {
        durable.min(self.content_end) > self.covered
    }

    /// Adds a record to the buffer; gives the position behind it.
    pub(crate) fn append(
        &mut self,
        kind: RecordKind,
        timestamp: Timestamp,
        synced: LogPosition,
        payload: Payload,
    ) -> LogPosition {
        let header = self.header(kind, timestamp, synced, &payload);
        let encoded = header.encode(self.salt);
        self.buffer.push(&encoded, payload);
        self.counts.records += 1;
        self.counts.bytes += header.bytes();
        self.end = LogStart { position: header.end(), chain: encoded.checksum };
        self.newest = self.newest.max(timestamp);
        self.covered = synced;
        if kind != RecordKind::Mark {
            self.content_end = header.end();
        }
        header.end()
    }

    /// Moves the end as [`append`](Self::append) does, but drops the record:
    /// nothing is written any more.
    pub(crate) fn append_to_nothing(&mut self, payload: &Payload) -> LogPosition {
        self.buffer = Buffer::default();
        let end = self.end.position.get() + record_bytes(payload.len());
        self.end.position = LogPosition::new(end);
        self.end.position
    }

    fn header(
        &self,
        kind: RecordKind,
        timestamp: Timestamp,
        synced: LogPosition,
        payload: &Payload,
    ) -> Header {
        Header {
            previous: self.end.chain,
            payload_checksum: payload.checksum(),
            payload_len: u32::try_from(payload.len()).expect("a payload is at most 1 GiB"),
            position: self.end.position,
            synced,
            timestamp,
            incarnation: self.incarnation,
            kind,
        }
    }

    /// Takes the buffer over, and leaves an empty one that uses `memory`.
    pub(crate) fn take(&mut self, memory: Vec<u8>) -> Group {
        let mut buffer = std::mem::replace(&mut self.buffer, Buffer::reusing(memory));
        let end = self.end.position.get();
        let start = LogPosition::new(end - buffer.bytes() as u64);
        if !buffer.is_empty() {
            buffer.push_zeros((end.next_multiple_of(PAGE_BYTES) - end) as usize);
        }
        let records = self.counts.records - self.records_taken;
        self.records_taken = self.counts.records;
        Group { start, end: self.end.position, records, buffer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(prepared: u64) -> Tail {
        let start = TailStart {
            end: LogStart::default(),
            newest: Timestamp::ZERO,
            covered: LogPosition::default(),
            content_end: LogPosition::default(),
        };
        Tail::new(1, 1, &start, LogPosition::new(prepared), 1000)
    }

    fn append(tail: &mut Tail, kind: RecordKind, synced: u64, bytes: usize) -> LogPosition {
        let payload = Payload::new(1, vec![7; bytes]);
        tail.append(kind, Timestamp::new(5), LogPosition::new(synced), payload)
    }

    #[test]
    fn promises_leave_room_for_one_more_header() {
        let mut tail = tail(4096);
        assert_eq!(tail.reserve(4096 - 47), Err(Lack::Segments));
        assert_eq!(tail.reserve(4096 - 48), Ok(()));
        assert_eq!(tail.reserve(8), Err(Lack::Segments));
        tail.give_back(8);
        assert_eq!(tail.reserve(8), Ok(()));
        tail.set_prepared(LogPosition::new(8192));
        assert_eq!(tail.reserve(4096), Ok(()));
    }

    #[test]
    fn a_full_buffer_promises_nothing_until_it_is_taken() {
        let mut tail = tail(8192);
        assert_eq!(append(&mut tail, RecordKind::Commit, 0, 952).get(), 1000);
        assert_eq!(tail.reserve(48), Ok(()));
        assert_eq!(append(&mut tail, RecordKind::Commit, 0, 0).get(), 1048);
        assert_eq!(tail.reserve(48), Err(Lack::Memory(LogPosition::new(1048))));
        let group = tail.take(Vec::new());
        assert_eq!((group.start.get(), group.end.get(), group.records), (0, 1048, 2));
        assert_eq!(group.buffer.bytes(), 4096, "zeros up to the end of the page");
        assert_eq!(tail.reserve(48), Ok(()));
        let group = tail.take(Vec::new());
        assert_eq!((group.start.get(), group.end.get(), group.records), (1048, 1048, 0));
        assert!(group.buffer.is_empty());
    }

    #[test]
    fn a_mark_is_owed_once() {
        let mut tail = tail(8192);
        let durable = LogPosition::new;
        assert!(!tail.owes_mark(durable(0)));
        append(&mut tail, RecordKind::Commit, 0, 0);
        assert!(!tail.owes_mark(durable(0)), "nothing is durable yet");
        assert!(tail.owes_mark(durable(48)));
        append(&mut tail, RecordKind::Mark, 48, 0);
        assert!(!tail.owes_mark(durable(48)));
        assert!(!tail.owes_mark(durable(96)), "a mark needs no mark");
        append(&mut tail, RecordKind::Note, 48, 0);
        assert!(!tail.owes_mark(durable(48)), "the note is not durable yet");
        assert!(tail.owes_mark(durable(144)));
    }
}
