//! Writing a data file, from its header to its directory.

use std::path::PathBuf;
use std::sync::Arc;

use selvedge_base::mutant;
use selvedge_env::File;

use crate::block::Prefix;
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
        self.new_file.dir.sync()?;
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
        self.write(bytes)
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer)?;
        buffer.clear();
        self.buffer = buffer;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.attempt("write", |file, at| file.write_all_at(bytes, at))?;
        self.written += bytes.len() as u64;
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use selvedge_env::{Fault, FileSystem, OperationKind, SimulatedFiles};

    use super::*;
    use crate::block::PREFIX_BYTES;

    const SALT: u32 = 5;

    fn writer(machine: &SimulatedFiles) -> DataWriter {
        machine.create_dir(Path::new("db")).unwrap();
        let dir = DatabaseDir::new(machine.process(), Path::new("db"));
        DataWriter::create(&dir, FileNumber::new(1), SALT).unwrap()
    }

    fn bytes(len: usize) -> Vec<u8> {
        (1..=len).map(|at| at as u8).collect()
    }

    fn sealed(bytes: &[u8]) -> Prefix {
        Prefix::of(SALT, bytes).unwrap()
    }

    #[test]
    fn documents_and_blocks_of_all_sizes_are_read_where_they_were_put() {
        let machine = SimulatedFiles::new(1);
        let mut writer = writer(&machine);
        let mut places = Vec::new();
        let mut next = FileHeader::BYTES as u64;
        for len in (0..=2 * BUFFER_BYTES).chain([1000, 3]) {
            let bytes = bytes(len);
            let document = writer.document(&bytes, sealed(&bytes)).unwrap();
            assert_eq!(document.offset, next);
            let block = writer.block(&bytes, sealed(&bytes)).unwrap();
            assert_eq!(block.offset, next + document.footprint() + PREFIX_BYTES);
            next = block.offset + block.footprint();
            assert_eq!(writer.len(), next);
            places.push((document, block));
        }
        let (file, new_file) = writer.finish().unwrap();
        assert_eq!(file.len(), next);
        for (document, block) in places {
            let expected = bytes(document.len as usize);
            assert_eq!(file.verified_document(document), Ok(&expected[..]));
            assert_eq!(file.block(block), Ok(&expected[..]));
        }
        let operations = machine.operations();
        let writes = operations.iter().filter(|one| one.kind == OperationKind::Write);
        let mut end = 0;
        for write in writes {
            assert_eq!(write.offset, end, "written from the beginning to the end");
            end += write.len;
        }
        assert_eq!(end, next);
        new_file.keep();
    }

    #[test]
    fn a_long_file_is_synced_on_the_way() {
        let machine = SimulatedFiles::new(1);
        let mut writer = writer(&machine);
        for _ in 0..100 {
            let bytes = bytes(40);
            writer.document(&bytes, sealed(&bytes)).unwrap();
        }
        drop(writer.finish().unwrap());
        let (mut unsynced, mut all, mut syncs) = (0, 0, 0);
        for operation in machine.operations() {
            match operation.kind {
                OperationKind::Write => {
                    (unsynced, all) = (unsynced + operation.len, all + operation.len)
                }
                OperationKind::Sync => (unsynced, syncs) = (0, syncs + 1),
                _ => {}
            }
            assert!(unsynced <= SYNC_BYTES + BUFFER_BYTES as u64);
        }
        // At the end come those of the file and of its name.
        assert!(syncs <= all / SYNC_BYTES + 2, "{syncs} syncs of {all} bytes");
    }

    #[test]
    fn a_failure_stays_and_the_file_goes() {
        let machine = SimulatedFiles::new(1);
        for kind in [OperationKind::Write, OperationKind::Sync, OperationKind::Map] {
            let mut writer = writer(&machine);
            machine.plan_next(kind, Fault::Io);
            let bytes = bytes(BUFFER_BYTES);
            let mut failed = false;
            for _ in 0..8 {
                let written = writer.document(&bytes, sealed(&bytes));
                assert!(!failed || written.is_err(), "what comes behind a failure fails");
                failed = written.is_err();
            }
            assert_eq!(failed, kind != OperationKind::Map);
            assert!(writer.finish().is_err());
            assert_eq!(machine.files(), []);
        }
    }

    #[test]
    fn a_file_that_is_not_kept_is_removed() {
        let machine = SimulatedFiles::new(1);
        drop(writer(&machine));
        assert_eq!(machine.files(), []);
        let (file, new_file) = writer(&machine).finish().unwrap();
        new_file.keep();
        drop(file);
        assert_eq!(machine.files().len(), 1);
    }
}
