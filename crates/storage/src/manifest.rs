//! The manifest: what counts in the directory of a database.
//!
//! A file header whose number is the generation, and one block:
//!
//! ```text
//!   0 database            16   of the database; never changes
//!  16 segment bytes        8
//!  24 checkpoint           8   timestamp
//!  32 log position         8   where reading the log starts
//!  40 log chain            4   checksum of the record before
//!  44 incarnation          4
//!  48 directory           24   its place; file 0 if there is none yet
//!  72 files                4
//!  76 engine bytes         4
//!  80 (file, length)*     16   in the order of the files
//!     engine                   whatever it keeps here
//! ```

use std::path::Path;

use selvedge_base::Timestamp;
use selvedge_base::limits::{LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_BYTES_MIN};

use crate::block::{Prefix, read_last_block};
use crate::error::StorageError;
use crate::fields::Fields;
use crate::header::{FileHeader, FileKind};
use crate::place::{FileNumber, Place, padding};
use crate::position::{LogPosition, LogStart};

/// Bytes that the engine may keep in a manifest. It is written as a whole at
/// every checkpoint; what grows with the data belongs into blocks.
pub const ENGINE_BYTES_MAX: usize = 1 << 20;

/// Bytes of a manifest, at most: what the engine keeps, and over a million files.
pub(crate) const MANIFEST_BYTES_MAX: usize = 32 << 20;

/// What a database is made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The database, among all that there are.
    pub database: u128,
    /// What seeds its checksums.
    pub salt: u32,
    /// The size of a segment of the log.
    pub segment_bytes: u64,
}

/// A data file that is part of the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiveFile {
    /// The file.
    pub file: FileNumber,
    /// Its length.
    pub bytes: u64,
}

/// What counts: the newest checkpoint, and where the log behind it starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// What the database was made with.
    pub identity: Identity,
    /// How many manifests there were before.
    pub generation: u64,
    /// The timestamp of the checkpoint.
    pub timestamp: Timestamp,
    /// Where the log behind it starts.
    pub log: LogStart,
    /// How often the database had been opened.
    pub incarnation: u32,
    /// Where the directory of blocks lies; None before the first block.
    pub directory: Option<Place>,
    /// The data files, in the order of their numbers.
    pub files: Vec<LiveFile>,
    /// Whatever the engine keeps here.
    pub engine: Vec<u8>,
}

impl Manifest {
    /// The first manifest of a database.
    pub(crate) fn first(identity: Identity) -> Self {
        Self {
            identity,
            generation: 0,
            timestamp: Timestamp::ZERO,
            log: LogStart::default(),
            incarnation: 0,
            directory: None,
            files: Vec::new(),
            engine: Vec::new(),
        }
    }

    /// The length of a data file; None if it is not part of the database.
    #[must_use]
    pub fn file_bytes(&self, file: FileNumber) -> Option<u64> {
        let at = self.files.binary_search_by_key(&file, |live| live.file).ok()?;
        Some(self.files[at].bytes)
    }

    /// The bytes of the file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Identity { database, salt, segment_bytes } = self.identity;
        let no_directory = Place { file: FileNumber::new(0), offset: 0, len: 0, checksum: 0 };
        let counts = [self.files.len(), self.engine.len()];
        let counts = counts.map(|count| u32::try_from(count).expect("within the limits"));

        let mut block = Vec::with_capacity(80 + 16 * self.files.len() + self.engine.len());
        block.extend(database.to_le_bytes());
        block.extend(segment_bytes.to_le_bytes());
        block.extend(self.timestamp.get().to_le_bytes());
        block.extend(self.log.position.get().to_le_bytes());
        block.extend(self.log.chain.to_le_bytes());
        block.extend(self.incarnation.to_le_bytes());
        block.extend(self.directory.unwrap_or(no_directory).to_bytes());
        block.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        for live in &self.files {
            block.extend(live.file.get().to_le_bytes());
            block.extend(live.bytes.to_le_bytes());
        }
        block.extend(&self.engine);

        let header = FileHeader { kind: FileKind::Manifest, number: self.generation, salt };
        let prefix = Prefix::of(salt, &block).expect("within the limits");
        [&header.encode()[..], &prefix.encode(), &block, padding(block.len())].concat()
    }

    /// Reads the manifest at `path` from its bytes.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], [`StorageError::Format`].
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self, StorageError> {
        let header = FileHeader::decode(path, bytes, FileKind::Manifest)?;
        let start = FileHeader::BYTES as u64;
        let block = read_last_block(path, bytes, start, header.salt, None)?;
        Self::fields(&mut Fields::new(block), header).ok_or_else(|| {
            StorageError::corrupt(path, start, "the fields of the manifest make no sense")
        })
    }

    fn fields(fields: &mut Fields<'_>, header: FileHeader) -> Option<Self> {
        let (database, segment_bytes) = (fields.u128()?, fields.u64()?);
        let timestamp = fields.u64().filter(|number| *number <= Timestamp::MAX.get())?;
        let position = Some(LogPosition::new(fields.u64()?));
        let position = position.filter(|position| *position <= LogPosition::MAX)?;
        let chain = fields.u32()?;
        let incarnation = fields.u32()?;
        let directory = Some(Place::from_bytes(fields.array()?));
        let (files_len, engine_len) = (fields.u32()? as usize, fields.u32()? as usize);
        // Before memory is taken for them.
        let files_bytes = files_len.checked_mul(size_of::<[u64; 2]>())?;
        if files_bytes.checked_add(engine_len)? != fields.left() {
            return None;
        }
        let segments = LOG_SEGMENT_BYTES_MIN..=LOG_SEGMENT_BYTES_MAX;
        if !segments.contains(&segment_bytes)
            || !segment_bytes.is_multiple_of(LOG_SEGMENT_BYTES_MIN)
        {
            return None;
        }
        let mut files: Vec<LiveFile> = Vec::with_capacity(files_len);
        for _ in 0..files_len {
            let live = LiveFile { file: FileNumber::new(fields.u64()?), bytes: fields.u64()? };
            let before = files.last().map_or(FileNumber::new(0), |live| live.file);
            if live.file <= before {
                return None;
            }
            files.push(live);
        }
        Some(Self {
            identity: Identity { database, salt: header.salt, segment_bytes },
            generation: header.number,
            timestamp: Timestamp::new(timestamp),
            log: LogStart { position, chain },
            incarnation,
            directory: directory.filter(|place| place.file != FileNumber::new(0)),
            files,
            engine: fields.bytes(engine_len)?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest() -> Manifest {
        let directory =
            Place { file: FileNumber::new(4), offset: 0x1020, len: 80, checksum: 0xABCD_EF01 };
        let files = [(2, 64), (4, 0x1078)];
        Manifest {
            identity: Identity {
                database: 0x1234 << 64 | 0x5678,
                salt: 77,
                segment_bytes: 8 << 20,
            },
            generation: 3,
            timestamp: Timestamp::new(99),
            log: LogStart { position: LogPosition::new(4096), chain: 0x0BAD_CAFE },
            incarnation: 5,
            directory: Some(directory),
            files: files
                .map(|(file, bytes)| LiveFile { file: FileNumber::new(file), bytes })
                .to_vec(),
            engine: b"leases".to_vec(),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Manifest, StorageError> {
        Manifest::decode(Path::new("MANIFEST"), bytes)
    }

    #[test]
    fn segments_have_the_size_that_a_log_can_have() {
        for segment_bytes in [0, 1, 4095, 4096 + 512, (1 << 30) + 4096, u64::MAX] {
            let mut manifest = manifest();
            manifest.identity.segment_bytes = segment_bytes;
            assert!(matches!(decode(&manifest.encode()), Err(StorageError::Corrupt { .. })));
        }
    }

    #[test]
    fn manifests_are_read_back() {
        let first = Manifest::first(manifest().identity);
        for manifest in [first, manifest()] {
            let bytes = manifest.encode();
            assert!(bytes.len().is_multiple_of(8));
            assert_eq!(decode(&bytes), Ok(manifest));
        }
        assert_eq!(manifest().file_bytes(FileNumber::new(2)), Some(64));
        assert_eq!(manifest().file_bytes(FileNumber::new(3)), None);
    }

    #[test]
    fn every_flipped_bit_is_damage() {
        let good = manifest().encode();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&bytes), Err(StorageError::Corrupt { .. })), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_and_everything_behind_the_end_is_damage() {
        let good = manifest().encode();
        for len in 0..good.len() {
            assert!(matches!(decode(&good[..len]), Err(StorageError::Corrupt { .. })), "{len}");
        }
        for more in [&[0][..], &[0; 8], &[1; 512]] {
            let bytes = [&good[..], more].concat();
            assert!(matches!(decode(&bytes), Err(StorageError::Corrupt { .. })));
        }
    }

    /// A manifest with a right checksum over fields that somebody made up.
    fn sealed(block: &[u8]) -> Vec<u8> {
        let header = FileHeader { kind: FileKind::Manifest, number: 1, salt: 77 };
        let prefix = Prefix::of(77, block).unwrap();
        [&header.encode()[..], &prefix.encode(), block, padding(block.len())].concat()
    }

    #[test]
    fn fields_that_make_no_sense_are_damage() {
        let good = manifest().encode();
        let block = &good[40..good.len() - padding(80 + 32 + 6).len()];
        assert_eq!(decode(&sealed(block)).unwrap().files, manifest().files);
        let changed = |at: usize, byte: u8| {
            let mut block = block.to_vec();
            block[at] = byte;
            decode(&sealed(&block))
        };
        assert!(changed(24 + 7, 0xFF).is_err(), "a timestamp beyond the last");
        assert!(changed(32 + 7, 0xFF).is_err(), "a log that starts beyond the end of all");
        assert!(changed(75, 0xFF).is_err(), "more files than there are bytes");
        assert!(changed(79, 0xFF).is_err(), "more of the engine than there are bytes");
        assert!(changed(80, 9).is_err(), "files out of order");
        assert!(changed(80, 0).is_err(), "there is no file 0");
    }

    #[test]
    fn the_bytes_are_pinned() {
        let words: Vec<u64> = manifest().encode()[32..]
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        let files = [2, 64, 4, 0x1078];
        let expected = [0x5678, 0x1234, 8 << 20, 99, 4096, 5 << 32 | 0x0BAD_CAFE];
        assert_eq!(words[0] as u32, 118, "the length of the block");
        assert_eq!(words[1..7], expected);
        assert_eq!(words[7..10], [4, 0x1020, 0xABCD_EF01 << 32 | 80]);
        assert_eq!(words[10], 6 << 32 | 2);
        assert_eq!(words[11..15], files);
        assert_eq!(words[15].to_le_bytes(), *b"leases\0\0");
    }

    proptest! {
        #[test]
        fn made_up_fields_never_panic(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&sealed(&block));
        }
    }
}
