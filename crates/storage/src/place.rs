//! Names of what lies in data files: the file, the place in it, the block.

use std::fmt;

/// What lies in a data file starts at a multiple of this.
pub(crate) const ALIGNMENT: u64 = 8;

/// The bytes that `len` bytes take, padding included.
pub(crate) fn padded(len: u32) -> u64 {
    u64::from(len).next_multiple_of(ALIGNMENT)
}

/// The zeros that belong behind `len` bytes.
pub(crate) fn padding(len: usize) -> &'static [u8] {
    &[0; ALIGNMENT as usize][..len.next_multiple_of(ALIGNMENT as usize) - len]
}

/// The number of a data file, never used for another one. Numbers start at 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(u64);

impl FileNumber {
    /// The file with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What the file is called.
    pub(crate) fn name(self) -> String {
        format!("data-{:016x}", self.0)
    }

    /// The number of the file that is called `name`, if it is a data file.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let digits = name.strip_prefix("data-")?;
        let number = Self(u64::from_str_radix(digits, 16).ok()?);
        (number.name() == name).then_some(number)
    }
}

impl fmt::Debug for FileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data-{:x}", self.0)
    }
}

impl fmt::Display for FileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Where a document or a block lies, and what its bytes must add up to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Place {
    /// The file.
    pub file: FileNumber,
    /// Where its first byte is in the file: a multiple of 8.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u32,
    /// Its checksum: [`document_checksum`](crate::document_checksum).
    pub checksum: u32,
}

impl Place {
    /// Bytes of an encoded place.
    pub const BYTES: usize = 24;

    /// The place as bytes: file, offset, length, checksum.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..8].copy_from_slice(&self.file.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.len.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    /// The place that `bytes` encode. Any bytes encode one; whether it exists
    /// shows when it is read.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let [file, offset, rest] = bytemuck::cast::<_, [[u8; 8]; 3]>(*bytes);
        let [len, checksum] = bytemuck::cast::<_, [[u8; 4]; 2]>(rest);
        Self {
            file: FileNumber(u64::from_le_bytes(file)),
            offset: u64::from_le_bytes(offset),
            len: u32::from_le_bytes(len),
            checksum: u32::from_le_bytes(checksum),
        }
    }

    /// The bytes that a document takes in its file: its length, and the padding
    /// behind it.
    #[must_use]
    pub fn footprint(self) -> u64 {
        padded(self.len)
    }
}

/// What a block holds: one leaf of one table. The tables are the business of
/// those above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct BlockKey {
    /// The table.
    pub table: u8,
    /// The leaf of the table.
    pub leaf: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_fixed_form() {
        let place = Place {
            file: FileNumber::new(0x0102_0304_0506_0708),
            offset: 0x1112_1314_1516_1718,
            len: 0x2122_2324,
            checksum: 0x3132_3334,
        };
        let bytes = place.to_bytes();
        assert_eq!(bytes[..9], [8, 7, 6, 5, 4, 3, 2, 1, 0x18]);
        assert_eq!(bytes[16..], [0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31]);
        assert_eq!(Place::from_bytes(&bytes), place);
        assert_eq!(place.footprint(), 0x2122_2328);
    }

    #[test]
    fn names_of_files_are_read_back_and_others_are_not() {
        for number in [1, 10, u64::MAX] {
            let number = FileNumber::new(number);
            assert_eq!(FileNumber::of_name(&number.name()), Some(number));
        }
        assert_eq!(FileNumber::new(10).name(), "data-000000000000000a");
        let others =
            ["data-1", "data-000000000000000A", "data-+00000000000000a", "data-", "MANIFEST"];
        for name in others {
            assert_eq!(FileNumber::of_name(name), None, "{name}");
        }
    }
}
