//! Where a participant writes its part of a checkpoint.

use std::path::Path;

use selvedge_base::sync::atomic::{AtomicBool, Ordering};
use selvedge_storage::{
    BlockKey, CheckpointWriter, Contents, Place, StorageError, document_checksum,
};

/// A block that was stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrittenBlock {
    pub(crate) key: BlockKey,
    /// Bytes of the documents that were stored with it, and lay in memory.
    pub(crate) from_memory: u64,
    /// Bytes of all documents that it refers to.
    pub(crate) documents_bytes: u64,
}

/// Takes documents and blocks on their way to a data file.
#[derive(Debug)]
pub struct CheckpointSink<'c> {
    writer: &'c mut CheckpointWriter,
    /// The contents that mapped documents are part of.
    source: Option<&'c Contents>,
    /// Whether the checkpoint is made on top of them, so that documents may stay.
    stays: bool,
    salt: u32,
    /// Documents that the block under way refers to.
    referred: Vec<Place>,
    written: Vec<WrittenBlock>,
    /// Bytes of documents from memory that the block under way refers to.
    from_memory: u64,
    /// Set when the database is being closed, which does not wait for all of this.
    closed: &'c AtomicBool,
}

impl<'c> CheckpointSink<'c> {
    /// A sink into `writer`. Mapped documents are part of `source`; they may `stay`
    /// there if `writer` writes on top of it.
    pub(crate) fn new(
        writer: &'c mut CheckpointWriter,
        source: Option<&'c Contents>,
        stays: bool,
        salt: u32,
        closed: &'c AtomicBool,
    ) -> Self {
        let (referred, written) = (Vec::new(), Vec::new());
        Self { writer, source, stays, salt, referred, written, from_memory: 0, closed }
    }

    /// Stores a document that lies in memory.
    ///
    /// # Errors
    /// Of the files.
    pub fn document(&mut self, document: &[u8]) -> Result<Place, StorageError> {
        let place = self.writer.document(document)?;
        self.from_memory += document.len() as u64;
        self.referred.push(place);
        Ok(place)
    }

    /// Stores a document that lies in a mapped file: by leaving it where it is, if
    /// that may be.
    ///
    /// # Errors
    /// Of the files; [`StorageError::Corrupt`] if it must be moved and is damaged.
    pub fn mapped_document(
        &mut self,
        document: &[u8],
        checksum: u32,
    ) -> Result<Place, StorageError> {
        let lies = self.source.and_then(|source| source.place_of(document));
        if let Some((file, offset)) = lies
            && self.stays
            && !self.writer.is_leaving(file)
        {
            let place = Place { file, offset, len: document.len() as u32, checksum };
            self.referred.push(place);
            return Ok(place);
        }
        // Damage must not be copied and then pass as what was written.
        if document_checksum(self.salt, document) != checksum {
            let file = lies.and_then(|(file, _)| self.source?.file(file));
            let path = file.map_or(Path::new("a data file"), |file| file.path());
            let offset = lies.map_or(0, |(_, offset)| offset);
            return Err(StorageError::corrupt(path, offset, "a document is not what was written"));
        }
        let place = self.writer.document(document)?;
        self.referred.push(place);
        Ok(place)
    }

    /// The block that a leaf had in the checkpoint before, if this one is made on top
    /// of it, and the block can be read.
    #[must_use]
    pub fn block_before(&self, key: BlockKey) -> Option<&'c [u8]> {
        self.source.filter(|_| self.stays)?.block(key).ok()?
    }

    /// The error of such a block that says what cannot be.
    #[must_use]
    pub fn block_problem(&self, key: BlockKey, what: &str) -> StorageError {
        self.writer.base().block_problem(key, what)
    }

    /// Leaves a document where the checkpoint before has put it; whether that may
    /// be.
    pub fn stays_at(&mut self, place: Place) -> bool {
        let stays = self.stays && !self.writer.is_leaving(place.file);
        if stays {
            self.referred.push(place);
        }
        stays
    }

    /// Stores a block, which refers to the documents that were stored since the
    /// block before.
    ///
    /// # Errors
    /// Of the files; [`StorageError::Closed`] if the database is closed meanwhile.
    pub fn block(&mut self, key: BlockKey, bytes: &[u8]) -> Result<(), StorageError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(StorageError::Closed);
        }
        let from_memory = std::mem::take(&mut self.from_memory);
        let documents_bytes = self.referred.iter().map(|place| u64::from(place.len)).sum();
        self.writer.block(key, bytes, self.referred.drain(..))?;
        self.written.push(WrittenBlock { key, from_memory, documents_bytes });
        Ok(())
    }

    /// There is nothing left in a leaf.
    pub fn remove(&mut self, key: BlockKey) {
        self.writer.remove(key);
    }

    /// The blocks that were stored.
    pub(crate) fn into_written(self) -> Vec<WrittenBlock> {
        self.written
    }
}
