//! A block as it lies in a file: its length and checksum, its bytes, zeros up to
//! the next multiple of 8.

use std::path::Path;

use selvedge_base::mutant;

use crate::checksum::checksum;
use crate::error::StorageError;
use crate::fields::Fields;
use crate::place::{ALIGNMENT, padding};

/// Bytes in front of those of a block: length and checksum.
pub(crate) const PREFIX_BYTES: u64 = 8;
const _: () = assert!(PREFIX_BYTES.is_multiple_of(ALIGNMENT), "what follows is aligned as well");

/// Length and checksum of a block, as they lie in front of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Prefix {
    pub(crate) len: u32,
    pub(crate) checksum: u32,
}

impl Prefix {
    /// Of `bytes`; None if they are too many for one block.
    pub(crate) fn of(salt: u32, bytes: &[u8]) -> Option<Self> {
        let len = u32::try_from(bytes.len()).ok()?;
        Some(Self { len, checksum: checksum(salt, bytes) })
    }

    pub(crate) fn encode(self) -> [u8; PREFIX_BYTES as usize] {
        bytemuck::cast([self.len.to_le_bytes(), self.checksum.to_le_bytes()])
    }
}

/// The bytes of the block that starts, with its prefix, at `offset` of `file`.
///
/// # Errors
/// [`StorageError::Corrupt`] if it is not what was written, or if `expected`
/// says otherwise.
pub(crate) fn read_block<'a>(
    path: &Path,
    file: &'a [u8],
    offset: u64,
    salt: u32,
    expected: Option<Prefix>,
) -> Result<&'a [u8], StorageError> {
    let corrupt = |what: &str| StorageError::corrupt(path, offset, what);
    let start = usize::try_from(offset).ok().filter(|start| *start <= file.len());
    let mut fields = Fields::new(&file[start.ok_or_else(|| corrupt("a block behind the end"))?..]);
    let prefix = fields.u32().zip(fields.u32()).map(|(len, checksum)| Prefix { len, checksum });
    let prefix = prefix.ok_or_else(|| corrupt("the file ends within a block"))?;
    if expected.is_some_and(|expected| expected != prefix) {
        return Err(corrupt("not the block that was written here"));
    }
    let bytes = fields.bytes(prefix.len as usize);
    let bytes = bytes.ok_or_else(|| corrupt("the file ends within a block"))?;
    if checksum(salt, bytes) != prefix.checksum && !mutant::is("block-checksum-ignored") {
        return Err(corrupt("the checksum of a block is wrong"));
    }
    Ok(bytes)
}

/// [`read_block`] for one that fills the rest of the file, with its padding.
///
/// # Errors
/// [`StorageError::Corrupt`].
pub(crate) fn read_last_block<'a>(
    path: &Path,
    file: &'a [u8],
    offset: u64,
    salt: u32,
    expected: Option<Prefix>,
) -> Result<&'a [u8], StorageError> {
    let bytes = read_block(path, file, offset, salt, expected)?;
    let end = offset as usize + PREFIX_BYTES as usize + bytes.len();
    if file[end..] == *padding(bytes.len()) {
        return Ok(bytes);
    }
    Err(StorageError::corrupt(path, end as u64, "the file does not end behind its last block"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_back_and_its_damage_is_told() {
        let (path, salt, bytes) = (Path::new("file"), 99, *b"twelve bytes");
        let prefix = Prefix::of(salt, &bytes).unwrap();
        let mut file = vec![0; 8];
        file.extend(prefix.encode());
        file.extend(bytes);
        file.extend(padding(bytes.len()));
        assert_eq!(file.len(), 32);
        assert_eq!(read_last_block(path, &file, 8, salt, Some(prefix)), Ok(&bytes[..]));
        assert!(read_last_block(path, &file, 8, salt + 1, None).is_err(), "of another database");
        for bit in 64..file.len() * 8 {
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(read_last_block(path, &file, 8, salt, None).is_err(), "bit {bit}");
            file[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..file.len() {
            assert!(read_last_block(path, &file[..len], 8, salt, None).is_err(), "{len} bytes");
        }
        assert!(read_block(path, &file, u64::MAX, salt, None).is_err());
        let other = Some(Prefix { len: 11, ..prefix });
        assert!(read_block(path, &file, 8, salt, other).is_err(), "not the one that was asked for");
    }
}
