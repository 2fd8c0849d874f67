//! Where the newest block of each leaf lies, and what the blocks refer to.
//!
//! In files this is the *directory*: entries in the order of their keys, each
//!
//! ```text
//! 0 table | 1 zeros | 4 files | 8 leaf | 16 place | 40 file, bytes | 56 file, bytes ..
//! ```
//!
//! with as many pairs as `files` says, in the order of the files.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::path::Path;

use crate::block::PREFIX_BYTES;
use crate::error::StorageError;
use crate::fields::Fields;
use crate::place::{ALIGNMENT, BlockKey, FileNumber, Place};

/// Bytes of an encoded entry without its pairs.
const ENTRY_BYTES: usize = 40;

/// How many bytes of documents a block refers to in one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DocumentBytes {
    /// The file.
    pub file: FileNumber,
    /// The [footprints](Place::footprint) of the documents, added up.
    pub bytes: u64,
}

/// Where a block lies, and what it refers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockEntry {
    place: Place,
    documents: Box<[DocumentBytes]>,
}

impl BlockEntry {
    /// The entry of a block at `place` that refers to `documents`.
    #[must_use]
    pub fn new(place: Place, documents: impl IntoIterator<Item = Place>) -> Self {
        let mut by_file: Vec<DocumentBytes> = Vec::new();
        for document in documents {
            let (file, bytes) = (document.file, document.footprint());
            match by_file.binary_search_by_key(&file, |one| one.file) {
                Ok(at) => by_file[at].bytes = by_file[at].bytes.saturating_add(bytes),
                Err(at) => by_file.insert(at, DocumentBytes { file, bytes }),
            }
        }
        Self { place, documents: by_file.into() }
    }

    /// Where the block lies.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// What it refers to, in the order of the files, each once.
    #[must_use]
    pub fn documents(&self) -> &[DocumentBytes] {
        &self.documents
    }

    /// The files that have to stay for this block: its own, perhaps more than
    /// once, and those of its documents.
    pub fn files(&self) -> impl Iterator<Item = FileNumber> + '_ {
        self.uses().map(|one| one.file)
    }

    /// What of which file has to stay for this block.
    fn uses(&self) -> impl Iterator<Item = DocumentBytes> + '_ {
        let bytes = PREFIX_BYTES + self.place.footprint();
        let own = DocumentBytes { file: self.place.file, bytes };
        std::iter::once(own).chain(self.documents.iter().copied())
    }

    fn encode(&self, key: BlockKey, bytes: &mut Vec<u8>) {
        let files = u32::try_from(self.documents.len()).expect("a leaf has fewer documents");
        bytes.extend([key.table, 0, 0, 0]);
        bytes.extend(files.to_le_bytes());
        bytes.extend(key.leaf.to_le_bytes());
        bytes.extend(self.place.to_bytes());
        for one in &self.documents {
            bytes.extend(one.file.get().to_le_bytes());
            bytes.extend(one.bytes.to_le_bytes());
        }
    }

    /// The next entry; None unless the bytes are what some entry encodes to.
    fn decode(fields: &mut Fields<'_>) -> Option<(BlockKey, Self)> {
        let [table, 0, 0, 0] = *fields.array()? else { return None };
        let files = fields.u32()? as usize;
        let key = BlockKey { table, leaf: fields.u64()? };
        let place = Place::from_bytes(fields.array()?);
        // Before memory is taken for them.
        if files > fields.left() / size_of::<[u64; 2]>() {
            return None;
        }
        let mut documents: Vec<DocumentBytes> = Vec::with_capacity(files);
        for _ in 0..files {
            let file = FileNumber::new(fields.u64()?);
            if documents.last().is_some_and(|last| last.file >= file) {
                return None;
            }
            documents.push(DocumentBytes { file, bytes: fields.u64()? });
        }
        Some((key, Self { place, documents: documents.into() }))
    }
}

/// What all blocks together use of a file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct FileUse {
    /// How often a block names the file. Documents may be empty, so this and not
    /// `bytes` tells whether the file may go.
    names: u64,
    /// Wider than what it adds up, so that no damage makes it overflow.
    bytes: u128,
}

/// The newest block of each leaf.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Blocks {
    entries: BTreeMap<BlockKey, BlockEntry>,
    /// Made of `entries`; files that no entry names are not in it.
    uses: BTreeMap<FileNumber, FileUse>,
}

impl Blocks {
    /// No blocks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The block of a leaf.
    #[must_use]
    pub fn get(&self, key: BlockKey) -> Option<&BlockEntry> {
        self.entries.get(&key)
    }

    /// All blocks, in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (BlockKey, &BlockEntry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    /// The blocks of some keys, in their order.
    pub fn range(
        &self,
        keys: impl RangeBounds<BlockKey>,
    ) -> impl DoubleEndedIterator<Item = (BlockKey, &BlockEntry)> {
        self.entries.range(keys).map(|(key, entry)| (*key, entry))
    }

    /// Makes `entry` the newest of its leaf; gives the one before.
    pub fn insert(&mut self, key: BlockKey, entry: BlockEntry) -> Option<BlockEntry> {
        for one in entry.uses() {
            let file = self.uses.entry(one.file).or_default();
            file.names += 1;
            file.bytes += u128::from(one.bytes);
        }
        let before = self.entries.insert(key, entry);
        before.inspect(|before| self.forget(before))
    }

    /// Removes the block of a leaf, if there is one, and gives it.
    pub fn remove(&mut self, key: BlockKey) -> Option<BlockEntry> {
        self.entries.remove(&key).inspect(|before| self.forget(before))
    }

    fn forget(&mut self, entry: &BlockEntry) {
        for one in entry.uses() {
            let file = self.uses.get_mut(&one.file).expect("counted when it was inserted");
            file.names -= 1;
            file.bytes -= u128::from(one.bytes);
            if file.names == 0 {
                self.uses.remove(&one.file);
            }
        }
    }

    /// Bytes of a file that are alive: its newest blocks, and the documents in
    /// it that newest blocks refer to.
    #[must_use]
    pub fn live_bytes(&self, file: FileNumber) -> u64 {
        let bytes = self.uses.get(&file).map_or(0, |file| file.bytes);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Whether a block lies in a file or refers to it.
    #[must_use]
    pub fn uses(&self, file: FileNumber) -> bool {
        self.uses.contains_key(&file)
    }

    /// The files in which blocks lie or to which they refer, in their order.
    pub fn files(&self) -> impl Iterator<Item = FileNumber> + '_ {
        self.uses.keys().copied()
    }

    /// The bytes of the directory.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let pairs: usize = self.entries.values().map(|entry| entry.documents.len()).sum();
        let len = self.entries.len() * ENTRY_BYTES + pairs * size_of::<[u64; 2]>();
        let mut bytes = Vec::with_capacity(len);
        for (key, entry) in &self.entries {
            entry.encode(*key, &mut bytes);
        }
        debug_assert_eq!(bytes.len(), len, "the length is known beforehand");
        bytes
    }

    /// Reads a directory whose bytes start at `offset` of the file at `path`.
    /// `file_bytes` tells how long a file is, if it exists.
    ///
    /// Takes memory in proportion to `bytes`, whatever they say.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`].
    pub fn decode(
        path: &Path,
        offset: u64,
        bytes: &[u8],
        file_bytes: impl Fn(FileNumber) -> Option<u64>,
    ) -> Result<Self, StorageError> {
        let mut fields = Fields::new(bytes);
        let mut blocks = Self::new();
        let mut last = None;
        while fields.left() > 0 {
            let at = offset + (bytes.len() - fields.left()) as u64;
            let corrupt = |what: String| StorageError::corrupt(path, at, what);
            let (key, entry) = BlockEntry::decode(&mut fields)
                .ok_or_else(|| corrupt("not an entry of the directory".into()))?;
            if last.is_some_and(|last| last >= key) {
                return Err(corrupt("the entries of the directory are not in order".into()));
            }
            last = Some(key);
            entry.check(&file_bytes).map_err(corrupt)?;
            blocks.insert(key, entry);
        }
        Ok(blocks)
    }
}

impl BlockEntry {
    /// Whether what the entry names can exist, given the lengths of the files.
    fn check(&self, file_bytes: impl Fn(FileNumber) -> Option<u64>) -> Result<(), String> {
        for one in self.uses() {
            let DocumentBytes { file, bytes } = one;
            let len = file_bytes(file).ok_or_else(|| {
                format!("the directory names {file}, which the manifest does not")
            })?;
            if bytes > len {
                return Err(format!("the directory counts {bytes} bytes in the {len} of {file}"));
            }
        }
        let Place { file, offset, .. } = self.place;
        let end = offset.checked_add(self.place.footprint());
        let len = file_bytes(file).unwrap_or(0);
        let fits = offset >= PREFIX_BYTES && end.is_some_and(|end| end <= len);
        if !fits || !offset.is_multiple_of(ALIGNMENT) {
            return Err(format!("no block can be at byte {offset} of {file}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(file: u64, offset: u64, len: u32) -> Place {
        Place { file: FileNumber::new(file), offset, len, checksum: len ^ 5 }
    }

    fn key(table: u8, leaf: u64) -> BlockKey {
        BlockKey { table, leaf }
    }

    fn decode(bytes: &[u8]) -> Result<Blocks, StorageError> {
        Blocks::decode(Path::new("file"), 0, bytes, |file| (file.get() < 5).then_some(1 << 20))
    }

    fn sample() -> Blocks {
        let mut blocks = Blocks::new();
        blocks.insert(key(0, 7), BlockEntry::new(place(1, 40, 9), [place(1, 64, 3)]));
        let documents = [place(2, 32, 1), place(1, 72, 8), place(2, 40, 0)];
        blocks.insert(key(1, 0), BlockEntry::new(place(3, 48, 16), documents));
        blocks
    }

    #[test]
    fn live_bytes_are_those_of_the_newest_blocks() {
        let mut blocks = sample();
        let live = |blocks: &Blocks| [1, 2, 3].map(|file| blocks.live_bytes(FileNumber::new(file)));
        assert_eq!(live(&blocks), [8 + 16 + 8 + 8, 8, 8 + 16]);
        let again = BlockEntry::new(place(4, 40, 8), [place(4, 32, 0)]);
        assert_eq!(blocks.insert(key(1, 0), again).unwrap().place(), place(3, 48, 16));
        assert_eq!(live(&blocks), [8 + 16 + 8, 0, 0]);
        assert_eq!(blocks.files().map(FileNumber::get).collect::<Vec<_>>(), [1, 4]);
        assert!(blocks.remove(key(1, 0)).is_some());
        assert!(blocks.remove(key(1, 0)).is_none());
        assert!(!blocks.uses(FileNumber::new(4)));
    }

    #[test]
    fn a_file_with_nothing_but_an_empty_document_is_used() {
        let mut blocks = Blocks::new();
        blocks.insert(key(0, 0), BlockEntry::new(place(2, 40, 1), [place(1, 32, 0)]));
        assert!(blocks.uses(FileNumber::new(1)));
        assert_eq!(blocks.live_bytes(FileNumber::new(1)), 0);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let entry = |at: Place, documents: &[Place]| {
            let mut blocks = Blocks::new();
            blocks.insert(key(0, 0), BlockEntry::new(at, documents.iter().copied()));
            decode(&blocks.encode())
        };
        let end = 1 << 20;
        assert!(entry(place(1, end - 8, 8), &[]).is_ok());
        let wrong = [(9, 40, 8), (1, end, 8), (1, 0, 8), (1, 44, 8), (1, u64::MAX - 7, 8)];
        for (file, offset, len) in wrong {
            assert!(entry(place(file, offset, len), &[]).is_err(), "{file} {offset}");
        }
        assert!(entry(place(1, 40, 8), &[place(9, 32, 0)]).is_err(), "a file that is not there");
        assert!(entry(place(1, 40, 8), &[place(2, 32, end as u32 + 1)]).is_err());
        let mut twice = sample().encode();
        twice.extend_from_within(..);
        assert!(decode(&twice).is_err(), "not in order");
        let mut many = sample().encode();
        many[4..8].fill(0xFF);
        assert!(decode(&many).is_err(), "more pairs than there are bytes");
    }

    #[test]
    fn the_bytes_are_pinned() {
        let mut blocks = Blocks::new();
        blocks.insert(key(2, 3), BlockEntry::new(place(1, 40, 8), [place(2, 32, 5)]));
        let words = [0x1_0000_0002, 3, 1, 40, 0x0000_000D_0000_0008, 2, 8_u64];
        let expected: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(blocks.encode(), expected);
    }

    fn any_blocks() -> impl Strategy<Value = Blocks> {
        let place = (1..5_u64, 1..100_u64, 0..1000_u32).prop_map(|(f, o, l)| place(f, o * 8, l));
        let documents = proptest::collection::vec(place.clone(), 0..6);
        let entry = (0..3_u8, 0..9_u64, place, documents);
        proptest::collection::vec(entry, 0..20).prop_map(|entries| {
            let mut blocks = Blocks::new();
            for (table, leaf, place, documents) in entries {
                blocks.insert(key(table, leaf), BlockEntry::new(place, documents));
            }
            blocks
        })
    }

    proptest! {
        #[test]
        fn directories_are_read_back(blocks in any_blocks()) {
            prop_assert_eq!(decode(&blocks.encode()), Ok(blocks));
        }

        #[test]
        fn any_bytes_are_an_error_or_what_they_encode(
            blocks in any_blocks(),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = blocks.encode();
            prop_assume!(!bytes.is_empty());
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            match decode(&bytes) {
                Ok(other) => prop_assert_eq!(other.encode(), bytes),
                Err(error) => {
                    let corrupt = matches!(error, StorageError::Corrupt { .. });
                    prop_assert!(corrupt, "{}", error);
                }
            }
        }
    }
}
