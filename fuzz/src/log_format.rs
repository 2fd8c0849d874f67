//! The log by its description in `docs/design/storage.md`, written down once more: taking
//! records apart, sealing records of any content, and which of them a reader must give.

use std::collections::BTreeMap;

use crate::image::Image;

/// Bytes of a segment in the logs of these targets.
pub(crate) const SEGMENT_BYTES: usize = 4096;
const HEADER_BYTES: usize = 48;
/// No record is longer, so that no input makes a log that is.
const PAYLOAD_MAX: usize = 1 << 30;
const TIMESTAMP_MAX: u64 = (1 << 62) - 1;

/// A record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) position: u64,
    pub(crate) synced: u64,
    pub(crate) timestamp: u64,
    pub(crate) incarnation: u32,
    pub(crate) kind: u32,
    pub(crate) payload: Vec<u8>,
    /// Fields of its header that say something else than is so.
    pub(crate) lies: BTreeMap<u8, u64>,
}

impl Record {
    pub(crate) fn end(&self) -> u64 {
        self.position + (HEADER_BYTES + self.payload.len().next_multiple_of(8)) as u64
    }

    /// The bytes of the record, and its header's checksum.
    fn seal(&self, salt: u32, previous: u32) -> (Vec<u8>, u32) {
        let lie = |field: u8, truth: u64| self.lies.get(&field).copied().unwrap_or(truth);
        let payload_checksum = crc32c::crc32c_append(salt, &self.payload);
        let mut bytes = vec![0; 4];
        bytes.extend((lie(0, u64::from(previous)) as u32).to_le_bytes());
        bytes.extend((lie(1, u64::from(payload_checksum)) as u32).to_le_bytes());
        bytes.extend((lie(2, self.payload.len() as u64) as u32).to_le_bytes());
        bytes.extend(lie(3, self.position).to_le_bytes());
        bytes.extend(lie(4, self.synced).to_le_bytes());
        bytes.extend(lie(5, self.timestamp).to_le_bytes());
        bytes.extend((lie(6, u64::from(self.incarnation)) as u32).to_le_bytes());
        bytes.extend((lie(7, u64::from(self.kind)) as u32).to_le_bytes());
        let checksum = crc32c::crc32c_append(salt, &bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes.extend(&self.payload);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        (bytes, checksum)
    }
}

/// The bytes of a log from the segment of `start` on, as far as whole segments follow
/// one another; and where the first of them lies.
fn run_of(image: &Image, start: u64) -> (u64, Vec<u8>) {
    let first = start / SEGMENT_BYTES as u64;
    let mut run = Vec::new();
    for number in first.. {
        let Some(bytes) = image.0.get(&name(number)) else { break };
        run.extend(bytes.iter().take(SEGMENT_BYTES));
        if bytes.len() < SEGMENT_BYTES {
            break;
        }
    }
    (first * SEGMENT_BYTES as u64, run)
}

/// What a segment is called.
pub(crate) fn name(number: u64) -> String {
    format!("log-{number:016x}")
}

/// The records that follow one another from `start`, where the one before had the
/// checksum `chain`.
pub(crate) fn walk(image: &Image, salt: u32, start: u64, chain: u32) -> Vec<Record> {
    let (base, run) = run_of(image, start);
    let (mut at, mut chain, mut incarnation, mut records) = (start, chain, 0, Vec::new());
    while let Some(rest) = usize::try_from(at - base).ok().and_then(|from| run.get(from..)) {
        let Some((record, checksum)) = take(rest, salt, at, chain, incarnation) else { break };
        (at, chain, incarnation) = (record.end(), checksum, record.incarnation);
        records.push(record);
    }
    records
}

/// The record at the front, if it is one and comes next.
fn take(
    bytes: &[u8],
    salt: u32,
    position: u64,
    chain: u32,
    incarnation: u32,
) -> Option<(Record, u32)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|more| header[at + more]));
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    let (checksum, len) = (u32_at(0), u32_at(12) as usize);
    let record = Record {
        position: u64_at(16),
        synced: u64_at(24),
        timestamp: u64_at(32),
        incarnation: u32_at(40),
        kind: u32_at(44),
        payload: bytes[HEADER_BYTES..].get(..len)?.to_vec(),
        lies: BTreeMap::new(),
    };
    let is_sound = crc32c::crc32c_append(salt, &header[4..]) == checksum
        && crc32c::crc32c_append(salt, &record.payload) == u32_at(8)
        && record.position == position
        && u32_at(4) == chain
        && record.synced <= record.position
        && record.timestamp <= TIMESTAMP_MAX
        && record.incarnation >= incarnation
        && (1..=3).contains(&record.kind)
        && len <= PAYLOAD_MAX
        // The padding is there, whatever it holds.
        && bytes.len() >= HEADER_BYTES + len.next_multiple_of(8);
    is_sound.then_some((record, checksum))
}

/// Writes records one behind the other from `start`, in place of what lies there; all
/// of it as it should be, but for what the records lie about.
pub(crate) fn seal(image: &mut Image, salt: u32, start: u64, chain: u32, records: &mut [Record]) {
    let (mut at, mut chain) = (start, chain);
    for record in records {
        // Relative to the record, so that it means the same at another place.
        let behind = record.position.saturating_sub(record.synced);
        record.position = at;
        record.synced = at.saturating_sub(behind);
        let (bytes, checksum) = record.seal(salt, chain);
        put(image, at, &bytes);
        (at, chain) = (at + bytes.len() as u64, checksum);
    }
    // There is always a segment behind the end, and room for a header.
    put(image, at, &[0; HEADER_BYTES]);
}

fn put(image: &mut Image, position: u64, mut bytes: &[u8]) {
    let mut position = position as usize;
    while !bytes.is_empty() {
        let offset = position % SEGMENT_BYTES;
        let (now, rest) = bytes.split_at(bytes.len().min(SEGMENT_BYTES - offset));
        let segment = image.0.entry(name((position / SEGMENT_BYTES) as u64)).or_default();
        if segment.len() < SEGMENT_BYTES {
            segment.resize(SEGMENT_BYTES, 0);
        }
        segment[offset..offset + now.len()].copy_from_slice(now);
        (position, bytes) = (position + now.len(), rest);
    }
}
