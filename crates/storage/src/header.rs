//! The first bytes of a manifest or data file: what it is, and whose.
//!
//! The layout is the same in every format, so that an older version of the
//! library can tell a newer format from damage.

use std::path::Path;

use crate::checksum::checksum;
use crate::error::StorageError;

const MAGIC: [u8; 8] = *b"selvedge";

/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileKind {
    /// A manifest; its number is the generation.
    Manifest = 1,
    /// A data file.
    Data = 2,
}

/// The header of a file.
///
/// ```text
/// 0 magic | 8 format | 12 kind | 16 number | 24 salt | 28 checksum
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileHeader {
    pub(crate) kind: FileKind,
    pub(crate) number: u64,
    pub(crate) salt: u32,
}

impl FileHeader {
    pub(crate) const BYTES: usize = 32;

    pub(crate) fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.salt.to_le_bytes());
        let sum = checksum(self.salt, &bytes[..28]);
        bytes[28..32].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the header of the file at `path`, which must be of `kind`. Whose
    /// salt it has is for the caller to judge.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], [`StorageError::Format`].
    pub(crate) fn decode(path: &Path, bytes: &[u8], kind: FileKind) -> Result<Self, StorageError> {
        let Some(header) = bytes.first_chunk::<{ Self::BYTES }>() else {
            let what = format!("the file ends after {} bytes, within its header", bytes.len());
            return Err(StorageError::corrupt(path, bytes.len() as u64, what));
        };
        let [magic, format_kind, number, salt_sum] = bytemuck::cast::<_, [[u8; 8]; 4]>(*header);
        let [format, found_kind] = bytemuck::cast::<_, [[u8; 4]; 2]>(format_kind);
        let [salt, sum] = bytemuck::cast::<_, [[u8; 4]; 2]>(salt_sum);
        if magic != MAGIC {
            return Err(StorageError::corrupt(path, 0, "not a file of a selvedge database"));
        }
        let salt = u32::from_le_bytes(salt);
        if checksum(salt, &header[..28]) != u32::from_le_bytes(sum) {
            return Err(StorageError::corrupt(path, 28, "the checksum of the header is wrong"));
        }
        let format = u32::from_le_bytes(format);
        if format > FORMAT {
            let path = path.to_owned();
            return Err(StorageError::Format { path, found: format, known: FORMAT });
        }
        if format != FORMAT {
            return Err(StorageError::corrupt(path, 8, format!("there is no format {format}")));
        }
        let found_kind = u32::from_le_bytes(found_kind);
        if found_kind != kind as u32 {
            let what = format!("a file of kind {found_kind}, not {}", kind as u32);
            return Err(StorageError::corrupt(path, 12, what));
        }
        Ok(Self { kind, number: u64::from_le_bytes(number), salt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FileHeader = FileHeader { kind: FileKind::Data, number: 7, salt: 0xDEAD_BEEF };

    fn decode(bytes: &[u8]) -> Result<FileHeader, StorageError> {
        FileHeader::decode(Path::new("file"), bytes, FileKind::Data)
    }

    /// Gives `bytes` the checksum they ask for.
    fn reseal(mut bytes: [u8; 32]) -> [u8; 32] {
        let sum = checksum(HEADER.salt, &bytes[..28]);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_header_is_read_back() {
        let bytes = HEADER.encode();
        assert_eq!(&bytes[..20], b"selvedge\x01\0\0\0\x02\0\0\0\x07\0\0\0");
        assert_eq!(decode(&bytes), Ok(HEADER));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_damage() {
        for bit in 0..FileHeader::BYTES * 8 {
            let mut bytes = HEADER.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&bytes), Err(StorageError::Corrupt { .. })), "bit {bit}");
        }
        for len in 0..FileHeader::BYTES {
            let cut = decode(&HEADER.encode()[..len]);
            assert!(matches!(cut, Err(StorageError::Corrupt { .. })), "{len} bytes");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = HEADER.encode();
        bytes[8] = 9;
        let newer = decode(&reseal(bytes));
        assert!(matches!(newer, Err(StorageError::Format { found: 9, known: FORMAT, .. })));
        bytes[8] = 0;
        assert!(matches!(decode(&reseal(bytes)), Err(StorageError::Corrupt { offset: 8, .. })));
    }

    #[test]
    fn another_kind_is_damage() {
        let manifest = FileHeader { kind: FileKind::Manifest, ..HEADER }.encode();
        assert!(matches!(decode(&manifest), Err(StorageError::Corrupt { offset: 12, .. })));
    }
}
