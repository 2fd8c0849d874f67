//! What one manifest says is in the database: blocks, documents, files.

use std::fmt;
use std::sync::Arc;

use crate::blocks::Blocks;
use crate::data_file::DataFile;
use crate::database_dir::{DatabaseDir, MANIFEST};
use crate::error::StorageError;
use crate::manifest::Manifest;
use crate::place::{BlockKey, FileNumber, Place};

/// The contents of a database as of one manifest. They do not change; the next
/// checkpoint makes others. Bytes that they give stay as long as they, or the
/// [files](Self::file) in which the bytes lie, are held.
pub struct Contents {
    dir: DatabaseDir,
    manifest: Manifest,
    blocks: Arc<Blocks>,
    /// Those of the manifest, in the order of their numbers.
    files: Vec<Arc<DataFile>>,
    /// Indexes of `files`, in the order in which they lie in memory.
    by_address: Vec<(usize, u32)>,
}

impl Contents {
    /// Maps the files that the manifest names, and reads the directory.
    pub(crate) fn open(dir: &DatabaseDir, manifest: Manifest) -> Result<Self, StorageError> {
        let salt = manifest.identity.salt;
        let files: Result<Vec<_>, _> = manifest
            .files
            .iter()
            .map(|live| DataFile::open(dir, *live, salt).map(Arc::new))
            .collect();
        let mut contents = Self::new(dir.clone(), manifest, Arc::default(), files?);
        contents.blocks = Arc::new(contents.read_directory()?);
        Ok(contents)
    }

    /// The contents that a manifest with these blocks and files describes.
    pub(crate) fn new(
        dir: DatabaseDir,
        manifest: Manifest,
        blocks: Arc<Blocks>,
        files: Vec<Arc<DataFile>>,
    ) -> Self {
        let numbers = files.iter().map(|file| file.number());
        debug_assert!(numbers.eq(manifest.files.iter().map(|live| live.file)));
        let starts = files.iter().map(|file| file.address());
        let mut by_address: Vec<_> = starts.zip(0..).collect();
        by_address.sort_unstable();
        Self { dir, manifest, blocks, files, by_address }
    }

    /// The directory as it lies in its file.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`].
    pub(crate) fn read_directory(&self) -> Result<Blocks, StorageError> {
        let Some(place) = self.manifest.directory else { return Ok(Blocks::new()) };
        let file = self.file_of(place)?;
        let bytes = file.directory(place)?;
        let file_bytes = |file| self.manifest.file_bytes(file);
        Blocks::decode(file.path(), place.offset, bytes, file_bytes)
    }

    /// The error of a block that says what cannot be.
    #[must_use]
    pub fn block_problem(&self, key: BlockKey, what: &str) -> StorageError {
        let place = self.blocks.get(key).map(|entry| entry.place());
        let name = place.map_or(MANIFEST.to_owned(), |place| place.file.name());
        let offset = place.map_or(0, |place| place.offset);
        StorageError::corrupt(&self.dir.path_of(&name), offset, what)
    }

    /// Damage of the directory as a whole.
    #[must_use]
    pub fn directory_problem(&self, what: &str) -> StorageError {
        let place = self.manifest.directory;
        let name = place.map_or(MANIFEST.to_owned(), |place| place.file.name());
        let offset = place.map_or(0, |place| place.offset);
        StorageError::corrupt(&self.dir.path_of(&name), offset, what)
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The newest block of each leaf.
    #[must_use]
    pub fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }

    /// The data files, in the order of their numbers.
    #[must_use]
    pub fn files(&self) -> &[Arc<DataFile>] {
        &self.files
    }

    /// The data file with a number.
    #[must_use]
    #[inline]
    pub fn file(&self, number: FileNumber) -> Option<&Arc<DataFile>> {
        let at = self.files.binary_search_by_key(&number, |file| file.number()).ok()?;
        Some(&self.files[at])
    }

    /// The bytes of a leaf's newest block, verified; None if there is none. They
    /// start at a multiple of 8 in memory.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`].
    pub fn block(&self, key: BlockKey) -> Result<Option<&[u8]>, StorageError> {
        let Some(entry) = self.blocks.get(key) else { return Ok(None) };
        let place = entry.place();
        self.file_of(place)?.block(place).map(Some)
    }

    /// Advice: the block of a leaf is read soon.
    pub fn will_need(&self, key: BlockKey) {
        let place = self.blocks.get(key).map(|entry| entry.place());
        if let Some((file, place)) = place.and_then(|place| Some((self.file(place.file)?, place))) {
            file.will_need(place);
        }
    }

    /// The document at `place`, as it is: see [`DataFile::document`].
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if there is no such place.
    #[inline]
    pub fn document(&self, place: Place) -> Result<&[u8], StorageError> {
        self.file_of(place)?.document(place)
    }

    /// The document at `place`, verified.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`].
    pub fn verified_document(&self, place: Place) -> Result<&[u8], StorageError> {
        self.file_of(place)?.verified_document(place)
    }

    /// The file and the offset in it of bytes that one of these files holds;
    /// None of any other bytes. Reads the address alone, not the bytes.
    #[must_use]
    #[inline]
    pub fn place_of(&self, bytes: &[u8]) -> Option<(FileNumber, u64)> {
        let address = bytes.as_ptr().addr();
        let behind = self.by_address.partition_point(|(start, _)| *start <= address);
        let (_, index) = self.by_address[..behind].last()?;
        let file = &self.files[*index as usize];
        Some((file.number(), file.offset_of(bytes)?))
    }

    /// The file that a place of these contents is in.
    #[inline]
    fn file_of(&self, place: Place) -> Result<&DataFile, StorageError> {
        self.file(place.file).map(|file| &**file).ok_or_else(|| self.no_such_file(place))
    }

    #[cold]
    fn no_such_file(&self, place: Place) -> StorageError {
        let path = self.dir.path_of(&place.file.name());
        StorageError::corrupt(&path, place.offset, "the manifest does not name this file")
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("generation", &self.manifest.generation)
            .field("blocks", &self.blocks.len())
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use selvedge_env::SimulatedFiles;

    use super::*;
    use crate::checkpoint::CheckpointFacts;
    use crate::manifest::{Identity, LiveFile};
    use crate::store::Store;

    /// The directory of a database with two files.
    fn sample() -> (DatabaseDir, Arc<Contents>) {
        let files = SimulatedFiles::new(1).process();
        let identity = Identity { database: 1, salt: 2, segment_bytes: 3 };
        let store = Store::create(files.clone(), Path::new("db"), identity).unwrap();
        for leaf in 0..2 {
            let mut writer = store.begin().unwrap();
            let place = writer.document(&[7; 500]).unwrap();
            writer.block(BlockKey { table: 0, leaf }, &place.to_bytes(), [place]).unwrap();
            store.publish(writer.finish().unwrap(), CheckpointFacts::default()).unwrap();
        }
        (DatabaseDir::new(files, Path::new("db")), store.contents())
    }

    /// Zero, small, close to what is right, or anything.
    fn number(right: u64) -> impl Strategy<Value = u64> {
        prop_oneof![
            Just(right),
            0..4_u64,
            (0..32_u64).prop_map(move |more| right.saturating_add(more).saturating_sub(16)),
            any::<u64>(),
        ]
    }

    proptest! {
        /// A manifest with a right checksum says whatever somebody made up.
        #[test]
        fn made_up_manifests_never_panic(
            file in number(2),
            offset in number(600),
            len in number(112),
            checksum in proptest::option::of(any::<u32>()),
            lengths in proptest::collection::vec((number(1), number(680)), 0..4),
            keep_files in any::<bool>(),
        ) {
            let (dir, contents) = sample();
            let mut manifest = contents.manifest().clone();
            let right = manifest.directory.expect("there are blocks");
            let checksum = checksum.unwrap_or(right.checksum);
            let file = FileNumber::new(file);
            manifest.directory = Some(Place { file, offset, len: len as u32, checksum });
            if !keep_files {
                let live = |(file, bytes)| LiveFile { file: FileNumber::new(file), bytes };
                manifest.files = lengths.into_iter().map(live).collect();
                manifest.files.sort_by_key(|live| live.file);
                manifest.files.dedup_by_key(|live| live.file);
            }
            let is_right = manifest == *contents.manifest();
            match Contents::open(&dir, manifest) {
                Ok(_) => prop_assert!(is_right),
                Err(error) => {
                    let is_corrupt = matches!(error, StorageError::Corrupt { .. });
                    prop_assert!(is_corrupt, "{}", error);
                }
            }
        }
    }

    #[test]
    fn a_directory_elsewhere_is_refused() {
        let (dir, contents) = sample();
        let right = contents.manifest().directory.unwrap();
        let opened = |place: Place| {
            let manifest = Manifest { directory: Some(place), ..contents.manifest().clone() };
            Contents::open(&dir, manifest).map(drop)
        };
        assert_eq!(opened(right), Ok(()));
        let wrong = [
            Place { offset: right.offset - 8, ..right },
            Place { offset: 0, ..right },
            Place { offset: 8, ..right },
            Place { offset: 36, ..right },
            Place { offset: u64::MAX, ..right },
            Place { len: right.len - 8, ..right },
            Place { len: u32::MAX, ..right },
            Place { file: FileNumber::new(1), ..right },
            Place { file: FileNumber::new(9), ..right },
        ];
        for place in wrong {
            assert!(matches!(opened(place), Err(StorageError::Corrupt { .. })), "{place:?}");
        }
        // A block is no directory, though its bytes are what they should be.
        let block = contents.blocks().iter().next_back().unwrap().1.place();
        assert!(matches!(opened(block), Err(StorageError::Corrupt { .. })));
    }
}
