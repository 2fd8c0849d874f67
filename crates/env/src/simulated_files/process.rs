//! What one process sees of the machine, until it ends.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::disk::{Disk, Extent, end_of};
use super::machine::Machine;
use super::names::FileId;
use super::operation::{Operation, OperationKind};
use crate::file::{File, FileLock, FileSystem, Mapping, OpenMode};

/// The file system as one process has it: once the process was killed or the machine
/// has crashed, every operation is an error.
#[derive(Clone, Debug)]
pub(super) struct Process {
    machine: Arc<Machine>,
    epoch: u64,
}

impl Process {
    pub(super) fn new(machine: Arc<Machine>, epoch: u64) -> Self {
        Self { machine, epoch }
    }

    fn run<T>(
        &self,
        operation: Operation,
        action: impl FnOnce(&mut Disk, u64, Extent) -> io::Result<T>,
    ) -> io::Result<T> {
        self.machine.run(self.epoch, operation, action)
    }

    fn handle(&self, file: FileId, path: Arc<Path>, is_writable: bool) -> Handle {
        Handle { process: self.clone(), file, path, is_writable }
    }
}

impl FileSystem for Process {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let operation = Operation::new(OperationKind::CreateDir, dir.into());
        self.run(operation, |disk, _, extent| disk.create_dir(dir, extent))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let operation = Operation::new(OperationKind::List, dir.into());
        self.run(operation, |disk, _, _| disk.list(dir))
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let kind = match mode {
            OpenMode::Read | OpenMode::Write => OperationKind::Open,
            OpenMode::Create => OperationKind::Create,
        };
        let operation = Operation::new(kind, path.into());
        let path = operation.path.clone();
        let file = self.run(operation, |disk, order, _| disk.open(order, &path, mode))?;
        Ok(Arc::new(self.handle(file, path, mode != OpenMode::Read)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let operation =
            Operation { to: Some(to.into()), ..Operation::new(OperationKind::Rename, from.into()) };
        self.run(operation, |disk, order, _| disk.rename(order, from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let operation = Operation::new(OperationKind::Remove, path.into());
        self.run(operation, |disk, order, _| disk.remove(order, path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let operation = Operation::new(OperationKind::SyncDir, dir.into());
        self.run(operation, |disk, _, _| disk.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let operation = Operation::new(OperationKind::Lock, path.into());
        let file = self.run(operation, |disk, order, _| disk.lock(order, path))?;
        Ok(Box::new(Lock { process: self.clone(), file }))
    }
}

#[derive(Debug)]
struct Lock {
    process: Process,
    file: FileId,
}

impl FileLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        self.process.machine.release(self.process.epoch, |disk| disk.unlock(self.file));
    }
}

struct Handle {
    process: Process,
    file: FileId,
    path: Arc<Path>,
    is_writable: bool,
}

impl Handle {
    fn operation(&self, kind: OperationKind, offset: u64, len: u64) -> Operation {
        Operation { offset, len, ..Operation::new(kind, self.path.clone()) }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_writable {
            return Ok(());
        }
        Err(io::Error::other("the file is open for reading"))
    }
}

impl File for Handle {
    fn len(&self) -> io::Result<u64> {
        let operation = self.operation(OperationKind::Len, 0, 0);
        self.process.run(operation, |disk, _, _| Ok(disk.contents(self.file).len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let operation = self.operation(OperationKind::Read, offset, buffer.len() as u64);
        self.process.run(operation, |disk, _, _| {
            end_of(offset, buffer.len())?;
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            Ok(disk.contents(self.file).read(buffer, offset))
        })
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let operation = self.operation(OperationKind::Write, offset, bytes.len() as u64);
        self.process.run(operation, |disk, order, extent| {
            self.check_writable()?;
            disk.write(order, self.file, bytes, offset, extent)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let operation = self.operation(OperationKind::SetLen, 0, len);
        self.process.run(operation, |disk, order, _| {
            self.check_writable()?;
            disk.set_len(order, self.file, len)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let operation = self.operation(OperationKind::Sync, 0, 0);
        self.process.run(operation, |disk, _, extent| {
            disk.sync(self.file, extent);
            Ok(())
        })
    }

    fn map(&self) -> io::Result<Arc<dyn Mapping>> {
        let operation = self.operation(OperationKind::Map, 0, 0);
        let bytes = self.process.run(operation, |disk, _, _| Ok(disk.contents(self.file).map()))?;
        Ok(Arc::new(Bytes(bytes)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.process.machine.release(self.process.epoch, |disk| disk.close(self.file));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, path, is_writable, .. } = self;
        let mut handle = f.debug_struct("Handle");
        handle.field("path", path).field("file", file).field("is_writable", is_writable);
        handle.finish_non_exhaustive()
    }
}

/// Outlives its process, so that what refers to it stays sound.
struct Bytes(Arc<Vec<u8>>);

impl Mapping for Bytes {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bytes").field("len", &self.0.len()).finish()
    }
}
