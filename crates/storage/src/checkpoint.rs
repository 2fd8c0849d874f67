//! A checkpoint while it is made: its data file, then its manifest.
//!
//! ```text
//! begin            data file made when the first byte is written
//! document, block  written behind one another
//! finish           directory; sync of the file, and of its name; mapped
//!   (the caller syncs the log)
//! publish          MANIFEST.new, sync, rename, sync of the name; dead files go
//! ```
//!
//! Up to the rename everything can be taken back, and is: dropping a
//! [`CheckpointWriter`] or a [`Finished`] removes the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::Arc;

use selvedge_base::Timestamp;

use crate::block::Prefix;
use crate::blocks::{BlockEntry, Blocks};
use crate::contents::Contents;
use crate::data_file::DataFile;
use crate::data_writer::{DataWriter, NewFile};
use crate::database_dir::DatabaseDir;
use crate::error::StorageError;
use crate::leaving::leaving;
use crate::place::{BlockKey, FileNumber, Place};
use crate::position::LogStart;

/// What a checkpoint says of itself.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CheckpointFacts {
    /// The snapshot that it holds.
    pub timestamp: Timestamp,
    /// Where the log behind it starts.
    pub log: LogStart,
    /// How often the database has been opened.
    pub incarnation: u32,
    /// Whatever the engine keeps in the manifest, up to
    /// [`ENGINE_BYTES_MAX`](crate::manifest::ENGINE_BYTES_MAX).
    pub engine: Vec<u8>,
}

/// What a checkpoint wrote.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CheckpointStatistics {
    /// Documents.
    pub documents: u64,
    /// Their bytes, without padding.
    pub document_bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Their bytes, without padding.
    pub block_bytes: u64,
    /// Bytes of the directory; 0 if the one before is still right.
    pub directory_bytes: u64,
    /// Bytes of the data file; 0 if none was needed.
    pub file_bytes: u64,
}

/// Writes the data file of a checkpoint.
pub struct CheckpointWriter {
    dir: DatabaseDir,
    base: Arc<Contents>,
    number: FileNumber,
    leaving: BTreeSet<FileNumber>,
    /// None: the leaf has no block any more.
    changes: BTreeMap<BlockKey, Option<BlockEntry>>,
    file: Option<DataWriter>,
    statistics: CheckpointStatistics,
    /// Tells the store that a checkpoint is under way.
    turn: Arc<()>,
}

impl CheckpointWriter {
    pub(crate) fn new(
        dir: DatabaseDir,
        base: Arc<Contents>,
        number: FileNumber,
        turn: Arc<()>,
    ) -> Self {
        let leaving = leaving(&base);
        let (changes, statistics) = (BTreeMap::new(), CheckpointStatistics::default());
        Self { dir, base, number, leaving, changes, file: None, statistics, turn }
    }

    /// What the checkpoint is made on top of.
    #[must_use]
    pub fn base(&self) -> &Arc<Contents> {
        &self.base
    }

    /// Whether this checkpoint empties a file: because less than half of it is
    /// alive, or because there are too many. What it writes again must not refer
    /// to documents in there, but write them again as well.
    #[must_use]
    pub fn is_leaving(&self, file: FileNumber) -> bool {
        self.leaving.contains(&file)
    }

    /// The blocks that lie in files that this checkpoint empties, or refer to
    /// one: they must be written again, even if nothing changed. A file that
    /// some block keeps using stays; nothing is lost.
    #[must_use]
    pub fn keys_leaving(&self) -> Vec<BlockKey> {
        if self.leaving.is_empty() {
            return Vec::new();
        }
        let leaves = |entry: &BlockEntry| entry.files().any(|file| self.is_leaving(file));
        self.base.blocks().iter().filter(|(_, entry)| leaves(entry)).map(|(key, _)| key).collect()
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, DataWriter::len)
    }

    /// Writes a document, and tells where it will be once the checkpoint is
    /// published.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`]; others of the system. The checkpoint cannot be
    /// finished after one.
    pub fn document(&mut self, bytes: &[u8]) -> Result<Place, StorageError> {
        let sealed = self.seal(bytes)?;
        let place = self.file()?.document(bytes, sealed)?;
        self.statistics.documents += 1;
        self.statistics.document_bytes += bytes.len() as u64;
        Ok(place)
    }

    /// Writes the newest block of a leaf, which refers to `documents`: those that
    /// this checkpoint wrote, and older ones that stay where they are. No two
    /// blocks refer to one document.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    ///
    /// # Panics
    /// If a document is where none can be.
    pub fn block(
        &mut self,
        key: BlockKey,
        bytes: &[u8],
        documents: impl IntoIterator<Item = Place>,
    ) -> Result<(), StorageError> {
        let sealed = self.seal(bytes)?;
        let place = self.file()?.block(bytes, sealed)?;
        let entry = BlockEntry::new(place, documents);
        for one in entry.documents() {
            // What is written here and fails there could never be opened again.
            let fits = self.file_bytes(one.file).is_some_and(|bytes| one.bytes <= bytes);
            assert!(fits, "{key:?} refers to {} bytes of {:?}", one.bytes, one.file);
        }
        self.changes.insert(key, Some(entry));
        self.statistics.blocks += 1;
        self.statistics.block_bytes += bytes.len() as u64;
        Ok(())
    }

    /// The leaf has no block any more. Fine if it had none.
    pub fn remove(&mut self, key: BlockKey) {
        if self.base.blocks().get(key).is_some() {
            self.changes.insert(key, None);
        } else {
            self.changes.remove(&key);
        }
    }

    /// Writes the directory, makes the file durable and maps it. What is left is
    /// to sync the log, and to [publish](crate::Store::publish).
    ///
    /// # Errors
    /// [`StorageError::NoSpace`]; others of the system. The file is removed, and
    /// nothing has changed.
    pub fn finish(mut self) -> Result<Finished, StorageError> {
        if self.changes.is_empty() {
            return Ok(self.unchanged());
        }
        let mut blocks = Blocks::clone(self.base.blocks());
        for (key, change) in std::mem::take(&mut self.changes) {
            match change {
                Some(entry) => blocks.insert(key, entry),
                None => blocks.remove(key),
            };
        }
        let mut finished =
            Finished { blocks: Arc::new(blocks), directory: None, ..self.unchanged() };
        if finished.blocks.is_empty() {
            return Ok(finished);
        }
        let directory = finished.blocks.encode();
        let sealed = self.seal(&directory)?;
        self.file()?;
        let mut writer = self.file.take().expect("made if it was missing");
        finished.directory = Some(writer.block(&directory, sealed)?);
        let (file, new_file) = writer.finish()?;
        finished.statistics.directory_bytes = directory.len() as u64;
        finished.statistics.file_bytes = file.len();
        finished.file = Some((Arc::new(file), new_file));
        Ok(finished)
    }

    /// The contents before, as the outcome.
    fn unchanged(&self) -> Finished {
        Finished {
            base: self.base.clone(),
            blocks: self.base.blocks().clone(),
            directory: self.base.manifest().directory,
            file: None,
            statistics: self.statistics,
            turn: self.turn.clone(),
        }
    }

    fn file(&mut self) -> Result<&mut DataWriter, StorageError> {
        let salt = self.base.manifest().identity.salt;
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(DataWriter::create(&self.dir, self.number, salt)?)),
        }
    }

    /// The length of a file, as far as there is one.
    fn file_bytes(&self, file: FileNumber) -> Option<u64> {
        if file == self.number { Some(self.bytes()) } else { self.base.manifest().file_bytes(file) }
    }

    fn seal(&self, bytes: &[u8]) -> Result<Prefix, StorageError> {
        let sealed = Prefix::of(self.base.manifest().identity.salt, bytes);
        sealed.ok_or_else(|| StorageError::Io {
            what: "write",
            path: self.dir.path_of(&self.number.name()),
            kind: io::ErrorKind::FileTooLarge,
            message: format!("{} bytes are too many for one piece", bytes.len()),
        })
    }
}

impl fmt::Debug for CheckpointWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointWriter")
            .field("number", &self.number)
            .field("leaving", &self.leaving)
            .field("statistics", &self.statistics)
            .finish_non_exhaustive()
    }
}

/// A checkpoint whose data file is durable, and which no manifest names yet.
#[derive(Debug)]
pub struct Finished {
    pub(crate) base: Arc<Contents>,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) directory: Option<Place>,
    /// None if none was needed.
    pub(crate) file: Option<(Arc<DataFile>, NewFile)>,
    pub(crate) statistics: CheckpointStatistics,
    /// That of the writer.
    pub(crate) turn: Arc<()>,
}

impl Finished {
    /// The data files that are part of the database from now on, and those that
    /// are not any more.
    pub(crate) fn split_files(&self) -> (Vec<Arc<DataFile>>, Vec<Arc<DataFile>>) {
        let directory = self.directory.map(|place| place.file);
        let is_alive = |file: &Arc<DataFile>| {
            self.blocks.uses(file.number()) || directory == Some(file.number())
        };
        let (mut live, died): (Vec<_>, Vec<_>) =
            self.base.files().iter().cloned().partition(is_alive);
        live.extend(self.file.iter().map(|(file, _)| file.clone()));
        (live, died)
    }

    /// What was written.
    #[must_use]
    pub fn statistics(&self) -> CheckpointStatistics {
        self.statistics
    }
}

/// A checkpoint that counts.
#[derive(Debug)]
pub struct Published {
    /// What the database contains now.
    pub contents: Arc<Contents>,
    /// The files that nothing refers to any more. They are removed, or will be;
    /// who may still read one of their documents keeps them.
    pub died: Vec<Arc<DataFile>>,
    /// What was written.
    pub statistics: CheckpointStatistics,
}
