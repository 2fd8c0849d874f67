//! A file system that counts what is asked of the one below it, and lets syncs
//! take their time.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use selvedge_env::{File, FileLock, FileSystem, Mapping, OpenMode};

/// What was asked for.
#[derive(Default, Debug)]
pub(crate) struct Counts {
    writes: AtomicU64,
    syncs: AtomicU64,
    others: AtomicU64,
    /// Syncs wait while a test holds this.
    pub(crate) gate: Mutex<()>,
    /// The next sync panics.
    pub(crate) panics: AtomicBool,
}

impl Counts {
    /// Writes, syncs, and everything else.
    pub(crate) fn get(&self) -> [u64; 3] {
        [&self.writes, &self.syncs, &self.others].map(|count| count.load(Ordering::SeqCst))
    }
}

fn count(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
}

/// Counts what goes through it.
#[derive(Debug)]
pub(crate) struct CountedFiles<F> {
    files: F,
    counts: Arc<Counts>,
    /// How much longer a sync takes.
    delay: Duration,
}

impl<F: FileSystem> CountedFiles<F> {
    pub(crate) fn new(files: F, delay: Duration) -> Self {
        Self { files, counts: Arc::default(), delay }
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }
}

impl<F: FileSystem> FileSystem for CountedFiles<F> {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        count(&self.counts.others);
        self.files.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        count(&self.counts.others);
        self.files.list(dir)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        count(&self.counts.others);
        let (file, counts) = (self.files.open(path, mode)?, self.counts());
        Ok(Arc::new(CountedFile { file, counts, delay: self.delay }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        count(&self.counts.others);
        self.files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        count(&self.counts.others);
        self.files.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        count(&self.counts.others);
        self.files.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        count(&self.counts.others);
        self.files.lock(path)
    }
}

#[derive(Debug)]
struct CountedFile {
    file: Arc<dyn File>,
    counts: Arc<Counts>,
    delay: Duration,
}

impl File for CountedFile {
    fn len(&self) -> io::Result<u64> {
        count(&self.counts.others);
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        count(&self.counts.others);
        self.file.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        count(&self.counts.writes);
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        count(&self.counts.others);
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        count(&self.counts.syncs);
        drop(self.counts.gate.lock().unwrap_or_else(PoisonError::into_inner));
        assert!(!self.counts.panics.swap(false, Ordering::SeqCst), "made to panic");
        if !self.delay.is_zero() {
            thread::sleep(self.delay);
        }
        self.file.sync_data()
    }

    fn map(&self) -> io::Result<Arc<dyn Mapping>> {
        count(&self.counts.others);
        self.file.map()
    }
}
