//! Writing a data file, from its header to its directory.

use std::path::PathBuf;
use std::sync::Arc;

use selvedge_base::mutant;
use selvedge_env::File;

use crate::block::{PREFIX_BYTES, Prefix};
use crate::data_file::DataFile;
use crate::database_dir::DatabaseDir;
use crate::error::StorageError;
use crate::header::{FileHeader, FileKind};
use crate::manifest::LiveFile;
use crate::place::{FileNumber, Place, padding};

/// Bytes collected before they are written.
#[cfg(not(test))]
const BUFFER_BYTES: usize = 1 << 20;
#[cfg(test)]
const BUFFER_BYTES: usize = 64;

/// Bytes written before they are synced: so that the last sync, and whoever
/// syncs the log meanwhile, does not wait for gigabytes, and a full disk shows
/// early.
#[cfg(not(test))]
const SYNC_BYTES: u64 = 32 << 20;
#[cfg(test)]
const SYNC_BYTES: u64 = 256;

/// A new file, removed again unless it is [kept](NewFile::keep).
#[derive(Debug)]
pub(crate) struct NewFile {
    dir: DatabaseDir,
    name: String,
    is_kept: bool,
}

impl NewFile {
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // If that fails the next checkpoint, or the next opening, removes it.
            let _ = self.dir.remove(&self.name);
        }
    }
}

/// A data file while it is written. A failure stays: whatever comes after it
/// fails in the same way.
#[derive(Debug)]
pub(crate) struct DataWriter {
    number: FileNumber,
    salt: u32,
    path: PathBuf,
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    /// Bytes of the file, without the buffer.
    written: u64,
    synced: u64,
    failure: Option<StorageError>,
    // Dropped last, when the file is closed.
    new_file: NewFile,
}

impl DataWriter {
    pub(crate) fn create(
        dir: &DatabaseDir,
        number: FileNumber,
        salt: u32,
    ) -> Result<Self, StorageError> {
        let name = number.name();
        let path = dir.path_of(&name);
        let file = dir.create_file(&name)?;
        let header = FileHeader { kind: FileKind::Data, number: number.get(), salt };
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        buffer.extend(header.encode());
        let new_file = NewFile { dir: dir.clone(), name, is_kept: false };
        let (written, synced) = (0, 0);
        Ok(Self { number, salt, path, file, buffer, written, synced, failure: None, new_file })
    }

    /// Appends a document. `sealed` are its length and checksum.
    pub(crate) fn document(&mut self, bytes: &[u8], sealed: Prefix) -> Result<Place, StorageError> {
        let place = self.next_place(sealed);
        self.push(bytes)?;
        self.push(padding(bytes.len()))?;
        Ok(place)
    }

    /// Appends a block. `sealed` are its length and checksum.
    pub(crate) fn block(&mut self, bytes: &[u8], sealed: Prefix) -> Result<Place, StorageError> {
        self.push(&sealed.encode())?;
        self.document(bytes, sealed)
    }

    fn next_place(&self, Prefix { len, checksum }: Prefix) -> Place {
        Place { file: self.number, offset: self.len(), len, checksum }
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Makes the file durable, with its name, and maps it.
    pub(crate) fn finish(mut self) -> Result<(DataFile, NewFile), StorageError> {
        self.flush()?;
        if !mutant::is("data-file-not-synced") {
            self.sync()?;
        }
        if !mutant::is("data-name-not-synced") {
            self.new_file.dir.sync()?;
        }
        let live = LiveFile { file: self.number, bytes: self.written };
        let file = DataFile::map(&*self.file, self.path, live, self.salt)?;
        Ok((file, self.new_file))
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        let written = self.attempt("write", |file, at| file.write_all_at(bytes, at));
        written.map(|()| self.written += bytes.len() as u64)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        let buffer = std::mem::take(&mut self.buffer);
        self.attempt("write", |file, at| file.write_all_at(&buffer, at))?;
        self.written += buffer.len() as u64;
        self.buffer = buffer;
        self.buffer.clear();
        if self.written - self.synced >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.attempt("sync", |file, _| file.sync_data())?;
        self.synced = self.written;
        Ok(())
    }

    fn attempt(
        &mut self,
        what: &'static str,
        act: impl FnOnce(&dyn File, u64) -> std::io::Result<()>,
    ) -> Result<(), StorageError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let done = act(&*self.file, self.written);
        done.map_err(|error| {
            let failure = StorageError::io(what, &self.path, &error);
            self.failure.insert(failure).clone()
        })
    }
}

const _: () = assert!(
    (FileHeader::BYTES as u64).is_multiple_of(crate::place::ALIGNMENT)
        && PREFIX_BYTES.is_multiple_of(crate::place::ALIGNMENT),
    "everything starts at a multiple of 8"
);
