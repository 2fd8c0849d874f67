//! What a record carries, prepared before the commit lock.

/// The bytes of a record's payload and their checksum.
///
/// Made before the commit lock; what is known only under it, such as the commit
/// timestamp, can be added there at the price of its own length. Whoever leaves
/// room for that in the vector keeps the lock free of allocation.
#[derive(Clone, Debug)]
pub struct Payload {
    bytes: Vec<u8>,
    checksum: u32,
}

impl Payload {
    /// A payload of the database whose salt is `salt`.
    #[must_use]
    pub fn new(salt: u32, bytes: Vec<u8>) -> Self {
        let checksum = payload_checksum(salt, &bytes);
        Self { bytes, checksum }
    }

    /// Adds bytes at the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // A checksum goes on where it ended.
        self.checksum = payload_checksum(self.checksum, bytes);
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The checksum of a payload, or of one that had the checksum `from` so far.
pub(crate) fn payload_checksum(from: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(from, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_part_counts_as_if_it_had_been_there() {
        let whole = Payload::new(7, b"early late".to_vec());
        for cut in 0..=whole.len() {
            let (early, late) = whole.bytes.split_at(cut);
            let mut payload = Payload::new(7, early.to_vec());
            payload.extend(late);
            assert_eq!((payload.checksum, &payload.bytes), (whole.checksum, &whole.bytes));
        }
        assert_ne!(Payload::new(8, whole.bytes.clone()).checksum, whole.checksum);
    }
}
