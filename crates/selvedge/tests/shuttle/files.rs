//! Files with a step before each operation: there, too, another thread may go on.

use std::io;
use std::path::Path;
use std::sync::Arc;

use selvedge::env::{File, FileLock, FileSystem, Mapping, OpenMode};
use shuttle::sync::atomic::{AtomicBool, Ordering};

/// A file system, step by step.
#[derive(Debug)]
pub(crate) struct Steps {
    files: Arc<dyn FileSystem>,
    step: Arc<Step>,
}

#[derive(Debug)]
struct StepsOfFile {
    file: Arc<dyn File>,
    step: Arc<Step>,
}

#[derive(Debug, Default)]
struct Step(AtomicBool);

impl Step {
    fn take(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Steps {
    pub(crate) fn new(files: Arc<dyn FileSystem>) -> Self {
        Self { files, step: Arc::default() }
    }
}

impl FileSystem for Steps {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.step.take();
        self.files.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.step.take();
        self.files.list(dir)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.step.take();
        let (file, step) = (self.files.open(path, mode)?, Arc::clone(&self.step));
        Ok(Arc::new(StepsOfFile { file, step }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step.take();
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step.take();
        self.files.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step.take();
        self.files.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        self.step.take();
        self.files.lock(path)
    }
}

impl File for StepsOfFile {
    fn len(&self) -> io::Result<u64> {
        self.step.take();
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.step.take();
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.step.take();
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step.take();
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step.take();
        self.file.sync_data()
    }

    fn map(&self) -> io::Result<Arc<dyn Mapping>> {
        self.step.take();
        self.file.map()
    }
}
