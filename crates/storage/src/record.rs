//! A record of the log: its header as bytes, and what the header must say.
//!
//! ```text
//! 0 header checksum | 4 previous | 8 payload checksum | 12 payload length
//! 16 position | 24 synced | 32 timestamp | 40 incarnation | 44 kind | 48 payload
//! ```

use selvedge_base::Timestamp;

use crate::position::LogPosition;

pub use selvedge_base::limits::COMMIT_BYTES_MAX;

/// Records start at multiples of this.
pub(crate) const ALIGNMENT: u64 = 8;
/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 48;
/// Where the position stands in a header.
const POSITION_AT: usize = 16;

/// What a record holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordKind {
    /// A commit.
    Commit = 1,
    /// Something the engine keeps beside the commits.
    Note = 2,
    /// Nothing: it only tells what was durable when it was made.
    Mark = 3,
}

impl RecordKind {
    fn of(number: u32) -> Option<Self> {
        [Self::Commit, Self::Note, Self::Mark].into_iter().find(|kind| *kind as u32 == number)
    }
}

/// Bytes that a record with such a payload takes, padding included.
pub(crate) fn record_bytes(payload_bytes: usize) -> u64 {
    HEADER_BYTES as u64 + (payload_bytes as u64).next_multiple_of(ALIGNMENT)
}

/// The zeros that belong behind a payload.
pub(crate) fn padding(payload_bytes: usize) -> &'static [u8] {
    let alignment = ALIGNMENT as usize;
    &[0; ALIGNMENT as usize][..payload_bytes.next_multiple_of(alignment) - payload_bytes]
}

/// The header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// The header checksum of the record before.
    pub(crate) previous: u32,
    pub(crate) payload_checksum: u32,
    pub(crate) payload_len: u32,
    /// Where the record lies.
    pub(crate) position: LogPosition,
    /// Everything before this was durable when the record was made.
    pub(crate) synced: LogPosition,
    pub(crate) timestamp: Timestamp,
    pub(crate) incarnation: u32,
    pub(crate) kind: RecordKind,
}

/// The bytes of a header, and their checksum: what the next record names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EncodedHeader {
    pub(crate) bytes: [u8; HEADER_BYTES],
    pub(crate) checksum: u32,
}

impl Header {
    pub(crate) fn encode(&self, salt: u32) -> EncodedHeader {
        let mut bytes = [0; HEADER_BYTES];
        bytes[4..8].copy_from_slice(&self.previous.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.payload_checksum.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.position.get().to_le_bytes());
        bytes[24..32].copy_from_slice(&self.synced.get().to_le_bytes());
        bytes[32..40].copy_from_slice(&self.timestamp.get().to_le_bytes());
        bytes[40..44].copy_from_slice(&self.incarnation.to_le_bytes());
        bytes[44..48].copy_from_slice(&(self.kind as u32).to_le_bytes());
        let checksum = crc32c::crc32c_append(salt, &bytes[4..]);
        bytes[0..4].copy_from_slice(&checksum.to_le_bytes());
        EncodedHeader { bytes, checksum }
    }

    /// The header that `bytes`, which lie at `position`, are, and its checksum;
    /// None if they are none.
    ///
    /// The position is compared first: it tells old records of a segment that was
    /// recycled, and nearly everything else, without a checksum being computed.
    #[inline]
    pub(crate) fn decode(
        salt: u32,
        position: LogPosition,
        bytes: &[u8; HEADER_BYTES],
    ) -> Option<(Self, u32)> {
        if u64_at(bytes, POSITION_AT) != position.get() {
            return None;
        }
        Self::decode_whole(salt, bytes)
    }

    fn decode_whole(salt: u32, bytes: &[u8; HEADER_BYTES]) -> Option<(Self, u32)> {
        let checksum = u32_at(bytes, 0);
        if crc32c::crc32c_append(salt, &bytes[4..]) != checksum {
            return None;
        }
        let timestamp = u64_at(bytes, 32);
        let header = Self {
            previous: u32_at(bytes, 4),
            payload_checksum: u32_at(bytes, 8),
            payload_len: u32_at(bytes, 12),
            position: LogPosition::new(u64_at(bytes, POSITION_AT)),
            synced: LogPosition::new(u64_at(bytes, 24)),
            timestamp: (timestamp <= Timestamp::MAX.get()).then(|| Timestamp::new(timestamp))?,
            incarnation: u32_at(bytes, 40),
            // Zeros may happen to have the right checksum, but are of no kind.
            kind: RecordKind::of(u32_at(bytes, 44))?,
        };
        let is_sound = header.payload_len as usize <= COMMIT_BYTES_MAX
            && header.position.get().is_multiple_of(ALIGNMENT)
            && header.position.get().checked_add(header.bytes()).is_some()
            && header.synced <= header.position;
        is_sound.then_some((header, checksum))
    }

    /// Bytes of the record, padding included.
    pub(crate) fn bytes(&self) -> u64 {
        record_bytes(self.payload_len as usize)
    }

    /// Where the next record lies.
    pub(crate) fn end(&self) -> LogPosition {
        LogPosition::new(self.position.get() + self.bytes())
    }
}

fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u32 = 0x5E1;

    fn header() -> Header {
        Header {
            previous: 0x0102_0304,
            payload_checksum: 0x1112_1314,
            payload_len: 0x15,
            position: LogPosition::new(0x2122_2324_2526_2728),
            synced: LogPosition::new(0x2122_2324_2526_2720),
            timestamp: Timestamp::new(0x3132_3334_3536_3738),
            incarnation: 0x4142_4344,
            kind: RecordKind::Note,
        }
    }

    fn decode(position: LogPosition, bytes: &[u8; HEADER_BYTES]) -> Option<(Header, u32)> {
        Header::decode(SALT, position, bytes)
    }

    #[test]
    fn the_layout_is_fixed() {
        let EncodedHeader { bytes, checksum } = header().encode(SALT);
        assert_eq!(bytes[..4], checksum.to_le_bytes());
        assert_eq!(checksum, crc32c::crc32c_append(SALT, &bytes[4..]));
        assert_eq!(
            bytes[4..],
            [
                4, 3, 2, 1, 0x14, 0x13, 0x12, 0x11, 0x15, 0, 0, 0, 0x28, 0x27, 0x26, 0x25, 0x24,
                0x23, 0x22, 0x21, 0x20, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 0x38, 0x37, 0x36,
                0x35, 0x34, 0x33, 0x32, 0x31, 0x44, 0x43, 0x42, 0x41, 2, 0, 0, 0
            ]
        );
        assert_eq!(decode(header().position, &bytes), Some((header(), checksum)));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let EncodedHeader { bytes, .. } = header().encode(SALT);
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(header().position, &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn another_place_and_another_salt_are_refused() {
        let EncodedHeader { bytes, .. } = header().encode(SALT);
        let other = LogPosition::new(header().position.get() + 8);
        assert_eq!(decode(other, &bytes), None);
        assert_eq!(Header::decode(SALT + 1, header().position, &bytes), None);
    }

    #[test]
    fn what_no_writer_makes_is_refused_even_with_a_right_checksum() {
        let wrong = [
            Header { payload_len: COMMIT_BYTES_MAX as u32 + 1, ..header() },
            Header { synced: LogPosition::new(header().position.get() + 8), ..header() },
            Header { position: LogPosition::new(header().position.get() + 4), ..header() },
            Header { position: LogPosition::new(u64::MAX - 15), ..header() },
        ];
        for wrong in wrong {
            assert_eq!(decode(wrong.position, &wrong.encode(SALT).bytes), None, "{wrong:?}");
        }
        for (at, value) in [(44, 0), (44, 4), (36, u32::MAX)] {
            let mut bytes = header().encode(SALT).bytes;
            bytes[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
            let checksum = crc32c::crc32c_append(SALT, &bytes[4..]);
            bytes[..4].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(decode(header().position, &bytes), None, "{value} at {at}");
        }
    }

    /// The salt under which the checksum of a header of zeros is zero. How a
    /// checksum depends on the salt is linear, up to a constant: one bit after
    /// the other is brought to zero by the difference that leads with it.
    fn salt_of_zeros() -> u32 {
        let checksum = |salt| crc32c::crc32c_append(salt, &[0; HEADER_BYTES - 4]);
        let mut leading: [Option<(u32, u32)>; 32] = [None; 32];
        for bit in 0..32 {
            let (mut salt, mut effect) = (1 << bit, checksum(1 << bit) ^ checksum(0));
            while let Some((by, change)) = leading[effect.leading_zeros() as usize] {
                (salt, effect) = (salt ^ by, effect ^ change);
            }
            leading[effect.leading_zeros() as usize] = Some((salt, effect));
        }
        let (mut salt, mut left) = (0, checksum(0));
        while left != 0 {
            let (by, change) = leading[left.leading_zeros() as usize].unwrap();
            (salt, left) = (salt ^ by, left ^ change);
        }
        salt
    }

    #[test]
    fn zeros_are_no_record_under_any_salt() {
        let zeros = [0; HEADER_BYTES];
        let salt = salt_of_zeros();
        assert_eq!(crc32c::crc32c_append(salt, &zeros[4..]), 0, "the case there is");
        for salt in [salt, 0, 1, u32::MAX] {
            assert_eq!(Header::decode(salt, LogPosition::default(), &zeros), None);
        }
    }

    #[test]
    fn records_fill_multiples_of_eight() {
        assert_eq!(
            (0..10).map(record_bytes).collect::<Vec<_>>(),
            [48, 56, 56, 56, 56, 56, 56, 56, 56, 64]
        );
        for len in 0..20 {
            assert_eq!((48 + len + padding(len).len()) as u64, record_bytes(len));
        }
    }
}
