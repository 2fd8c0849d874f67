//! Following the chain: from one record to the next, as long as they are right.

use selvedge_base::mutant;

use crate::error::StorageError;
use crate::log_batch::Batch;
use crate::payload::payload_checksum;
use crate::position::{LogPosition, LogStart};
use crate::record::{HEADER_BYTES, Header};
use crate::segment::SegmentDir;
use crate::segment_reader::SegmentReader;

/// Why the walk is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// It went as far as it was to go.
    Limit,
    /// What lies here is not the next record.
    Wrong(&'static str),
    /// A segment is missing or too short.
    Missing,
}

/// A walk along the records.
#[derive(Debug)]
pub(crate) struct Walk {
    reader: SegmentReader,
    salt: u32,
    limit: Option<LogPosition>,
    at: LogStart,
    /// Of the record before.
    incarnation: u32,
    /// The newest `synced` of a record.
    synced: LogPosition,
}

/// What looking at the next record came to.
enum Step {
    Done,
    /// The batch must be filled up to so many bytes first.
    Needs(usize),
    Stop(Stop),
}

impl Walk {
    /// A walk from `start`, where everything before is durable, to `limit`.
    pub(crate) fn new(
        reader: SegmentReader,
        salt: u32,
        start: LogStart,
        limit: Option<LogPosition>,
    ) -> Self {
        Self { reader, salt, limit, at: start, incarnation: 0, synced: start.position }
    }

    /// Behind the last record.
    pub(crate) fn at(&self) -> LogStart {
        self.at
    }

    /// The incarnation of the last record.
    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Everything before this is durable, as records say.
    pub(crate) fn synced(&self) -> LogPosition {
        self.synced
    }

    pub(crate) fn dir(&self) -> &SegmentDir {
        self.reader.dir()
    }

    /// Whether there is the header of a record at the end, right or wrong in what
    /// it says.
    pub(crate) fn is_begun(&mut self) -> Result<bool, StorageError> {
        let (mut header, at) = ([0; HEADER_BYTES], self.at.position);
        let read = self.reader.read(at, &mut header)?;
        Ok(read == HEADER_BYTES && Header::decode(self.salt, at, &header).is_some())
    }

    pub(crate) fn reader(&mut self) -> &mut SegmentReader {
        &mut self.reader
    }

    /// The same walk from `start`, which it has come by, to where it is.
    pub(crate) fn again_from(self, start: LogStart) -> Self {
        let limit = Some(self.at.position);
        Self::new(self.reader, self.salt, start, limit)
    }

    /// Reads the next records: about a mebibyte, or one if that is larger. Gives
    /// why the walk is over, once it is.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn next(&mut self, batch: &mut Batch) -> Result<Option<Stop>, StorageError> {
        batch.restart(self.at.position);
        let mut wanted = self.dir().window_bytes();
        loop {
            self.fill(batch, wanted)?;
            let needed = loop {
                match self.step(batch) {
                    Step::Done => {}
                    Step::Needs(bytes) => break bytes,
                    Step::Stop(stop) => return Ok(Some(stop)),
                }
            };
            let end = LogPosition::new(batch.start().get() + needed as u64);
            // Memory is taken for no more than what is there.
            if batch.filled() < wanted || !self.reader.reaches(batch.start(), end) {
                return Ok(Some(Stop::Missing));
            }
            if !batch.records().is_empty() {
                return Ok(None);
            }
            wanted = needed;
        }
    }

    fn fill(&mut self, batch: &mut Batch, bytes: usize) -> Result<(), StorageError> {
        let filled = batch.filled();
        let (position, memory) = batch.grow(bytes);
        let read = self.reader.read(position, memory)?;
        batch.cut(filled + read);
        Ok(())
    }

    /// Takes one more record into the batch.
    fn step(&mut self, batch: &mut Batch) -> Step {
        let at = self.at.position;
        if self.limit.is_some_and(|limit| at >= limit) {
            return Step::Stop(Stop::Limit);
        }
        let Some((bytes, rest)) = batch.rest().split_first_chunk::<HEADER_BYTES>() else {
            return Step::Needs(batch.used() + HEADER_BYTES);
        };
        let (header, checksum) = match self.check(bytes) {
            Ok(header) => header,
            Err(what) => return Step::Stop(Stop::Wrong(what)),
        };
        if ((HEADER_BYTES + rest.len()) as u64) < header.bytes() {
            return Step::Needs(batch.used() + header.bytes() as usize);
        }
        let found = payload_checksum(self.salt, &rest[..header.payload_len as usize]);
        if found != header.payload_checksum && !mutant::is("checksum-ignored") {
            return Step::Stop(Stop::Wrong("the checksum of a record's payload is wrong"));
        }
        batch.push(&header, checksum);
        self.at = LogStart { position: header.end(), chain: checksum };
        self.incarnation = header.incarnation;
        self.synced = self.synced.max(header.synced);
        Step::Done
    }

    /// The header that `bytes` are, and its checksum, if that record comes next.
    fn check(&self, bytes: &[u8; HEADER_BYTES]) -> Result<(Header, u32), &'static str> {
        let Some((header, checksum)) = Header::decode(self.salt, self.at.position, bytes) else {
            return Err("there is no record");
        };
        if header.previous != self.at.chain {
            return Err("the record does not follow the one before");
        }
        if header.incarnation < self.incarnation {
            return Err("the record is older than the one before");
        }
        if self.limit.is_some_and(|limit| header.end() > limit) {
            return Err("the record goes beyond what was to be read");
        }
        Ok((header, checksum))
    }
}
