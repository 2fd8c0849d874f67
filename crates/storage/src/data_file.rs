//! A data file, mapped into memory.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_env::{File, Mapping};

use crate::block::{PREFIX_BYTES, Prefix, read_block, read_last_block};
use crate::checksum::checksum;
use crate::database_dir::DatabaseDir;
use crate::error::StorageError;
use crate::header::{FileHeader, FileKind};
use crate::manifest::LiveFile;
use crate::place::{ALIGNMENT, FileNumber, Place};

/// A data file, mapped. Its bytes stay where they are, and as they are, as long
/// as this lives, even if the file itself was removed.
///
/// What it gives starts at a multiple of 8, in the file and in memory.
pub struct DataFile {
    number: FileNumber,
    salt: u32,
    path: PathBuf,
    mapping: Arc<dyn Mapping>,
}

impl DataFile {
    /// Maps a file that the manifest names.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] and [`StorageError::Format`] if it is not that
    /// file; others of the system.
    pub(crate) fn open(dir: &DatabaseDir, live: LiveFile, salt: u32) -> Result<Self, StorageError> {
        let path = dir.path_of(&live.file.name());
        let file = dir.open(&live.file.name())?;
        let file = file.ok_or_else(|| {
            StorageError::corrupt(&path, 0, "the manifest names the file, but it is missing")
        })?;
        let found = file.len().map_err(|error| StorageError::io("read", &path, &error))?;
        if found != live.bytes {
            let what = format!("the file has {found} bytes instead of {}", live.bytes);
            return Err(StorageError::corrupt(&path, found.min(live.bytes), what));
        }
        let mapped = Self::map(&*file, path, live, salt)?;
        let path = &mapped.path;
        let header = FileHeader::decode(path, mapped.bytes(), FileKind::Data)?;
        if header.salt != salt {
            return Err(StorageError::corrupt(path, 24, "the file is of another database"));
        }
        if header.number != live.file.get() {
            let what = format!("the file is data file {:x}", header.number);
            return Err(StorageError::corrupt(path, 16, what));
        }
        Ok(mapped)
    }

    /// Maps a file whose header was checked, or just written.
    pub(crate) fn map(
        file: &dyn File,
        path: PathBuf,
        live: LiveFile,
        salt: u32,
    ) -> Result<Self, StorageError> {
        let mapping = file.map().map_err(|error| StorageError::io("map", &path, &error))?;
        let found = mapping.bytes().len() as u64;
        if found != live.bytes {
            let what = format!("mapped {found} bytes instead of {}", live.bytes);
            return Err(StorageError::corrupt(&path, found.min(live.bytes), what));
        }
        let is_aligned = mapping.bytes().as_ptr().addr().is_multiple_of(ALIGNMENT as usize);
        assert!(is_aligned, "mappings start at a page, or at what stands for one");
        Ok(Self { number: live.file, salt, path, mapping })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> FileNumber {
        self.number
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn will_need(&self, place: Place) {
        let offset = usize::try_from(place.offset).unwrap_or(usize::MAX);
        if offset.saturating_add(place.len as usize) <= self.bytes().len() {
            self.mapping.will_need(offset, place.len as usize);
        }
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.mapping.bytes()
    }

    /// Its length.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// Whether it has no bytes: never, since it has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// The document at `place`, as it is: whether its bytes are what they should
    /// be is not looked at, so that nothing is read before it is needed.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if the file has no such place.
    #[inline]
    pub fn document(&self, place: Place) -> Result<&[u8], StorageError> {
        debug_assert_eq!(place.file, self.number, "the place is in this file");
        self.document_at(place).ok_or_else(|| {
            let what = format!("no document of {} bytes can be here", place.len);
            StorageError::corrupt(&self.path, place.offset, what)
        })
    }

    #[inline]
    fn document_at(&self, place: Place) -> Option<&[u8]> {
        let start = usize::try_from(place.offset).ok()?;
        let fits = start >= FileHeader::BYTES && place.offset.is_multiple_of(ALIGNMENT);
        let end = start.checked_add(place.len as usize)?;
        if fits { self.bytes().get(start..end) } else { None }
    }

    /// [`document`](Self::document), once its bytes are what they should be.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if they are not.
    pub fn verified_document(&self, place: Place) -> Result<&[u8], StorageError> {
        let bytes = self.document(place)?;
        if checksum(self.salt, bytes) != place.checksum {
            let what = "the checksum of a document is wrong";
            return Err(StorageError::corrupt(&self.path, place.offset, what));
        }
        Ok(bytes)
    }

    /// The block at `place`, once its bytes are what they should be.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if they are not.
    pub fn block(&self, place: Place) -> Result<&[u8], StorageError> {
        let (offset, prefix) = self.prefix_of(place)?;
        read_block(&self.path, self.bytes(), offset, self.salt, Some(prefix))
    }

    /// [`block`](Self::block) for the directory, which fills the rest of its file.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`].
    pub(crate) fn directory(&self, place: Place) -> Result<&[u8], StorageError> {
        let (offset, prefix) = self.prefix_of(place)?;
        read_last_block(&self.path, self.bytes(), offset, self.salt, Some(prefix))
    }

    fn prefix_of(&self, place: Place) -> Result<(u64, Prefix), StorageError> {
        let offset = place.offset.checked_sub(PREFIX_BYTES);
        let offset = offset.filter(|offset| {
            *offset >= FileHeader::BYTES as u64 && offset.is_multiple_of(ALIGNMENT)
        });
        let prefix = Prefix { len: place.len, checksum: place.checksum };
        let offset = offset
            .ok_or_else(|| StorageError::corrupt(&self.path, place.offset, "no block can be here"));
        offset.map(|offset| (offset, prefix))
    }

    /// Where in memory the file starts.
    pub(crate) fn address(&self) -> usize {
        self.bytes().as_ptr().addr()
    }

    /// Where in the file some bytes of this mapping are, behind the header.
    #[inline]
    pub(crate) fn offset_of(&self, bytes: &[u8]) -> Option<u64> {
        let offset = bytes.as_ptr().addr().checked_sub(self.address())?;
        let end = offset.checked_add(bytes.len())?;
        let is_inside = offset >= FileHeader::BYTES && end <= self.bytes().len();
        is_inside.then_some(offset as u64)
    }
}

impl fmt::Debug for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.number, self.len())
    }
}

#[cfg(test)]
mod tests {
    use selvedge_env::{FileSystem, SimulatedFiles};

    use super::*;
    use crate::data_writer::DataWriter;

    const SALT: u32 = 5;

    /// Whoever reads a block relies on its alignment, so that bytes which look like one
    /// are no block elsewhere.
    #[test]
    fn blocks_are_only_where_blocks_can_be() {
        let machine = SimulatedFiles::new(1);
        machine.create_dir(Path::new("db")).unwrap();
        let dir = DatabaseDir::new(machine.process(), Path::new("db"));
        let mut writer = DataWriter::create(&dir, FileNumber::new(1), SALT).unwrap();
        let bytes = [7; 40];
        let prefix = || Prefix::of(SALT, &bytes).unwrap();
        // A document in which there is a whole block, four bytes from where one can be.
        let block = writer.block(&bytes, prefix()).unwrap();
        let (file, new_file) = writer.finish().unwrap();
        let start = (block.offset - PREFIX_BYTES) as usize;
        let copy = &file.bytes()[start..start + PREFIX_BYTES as usize + bytes.len()];
        let document = [&[0; 4], copy].concat();
        drop(new_file);

        let mut writer = DataWriter::create(&dir, FileNumber::new(2), SALT).unwrap();
        let within = writer.document(&document, Prefix::of(SALT, &document).unwrap()).unwrap();
        let block = writer.block(&bytes, prefix()).unwrap();
        let (file, _new_file) = writer.finish().unwrap();
        assert_eq!(file.block(block), Ok(&bytes[..]));
        let elsewhere = within.offset + 4 + PREFIX_BYTES;
        for offset in [elsewhere, block.offset + 1, PREFIX_BYTES, 8 + PREFIX_BYTES, 0] {
            let error = file.block(Place { offset, ..block }).unwrap_err();
            let StorageError::Corrupt { what, .. } = &error else { panic!("{error}") };
            assert!(what.contains("no block can be here"), "{offset}: {error}");
        }
    }
}
