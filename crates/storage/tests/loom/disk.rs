//! The smallest disk: files in memory, what of them is durable, and syncs that fail.
//!
//! Its one lock is the model checker's: what is done to the disk, and who looks at it,
//! may come in any order that the log permits.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loom::sync::{Mutex, MutexGuard};
use selvedge_env::{File, FileLock, FileSystem, Mapping, OpenMode};

/// A disk, shared by all who use it.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Content>,
    /// What happens to the next syncs: true, it fails. Then they succeed.
    syncs: Vec<bool>,
    /// As to writes.
    writes: Vec<bool>,
    /// Nobody may write any more: a write or a sync has failed, or the log is closed.
    sealed: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    path: PathBuf,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::default())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics under the lock")
    }

    /// From now on syncs go as told, true for those that fail, and then well.
    pub(crate) fn fail_syncs(&self, syncs: &[bool]) {
        self.state().syncs = syncs.iter().rev().copied().collect();
    }

    /// As for syncs.
    pub(crate) fn fail_writes(&self, writes: &[bool]) {
        self.state().writes = writes.iter().rev().copied().collect();
    }

    /// A write from now on fails the model.
    pub(crate) fn seal(&self) {
        self.state().sealed = true;
    }

    /// Whether the disk, after a power cut, holds the record of `tag` that ends at
    /// `end`, and all before it as it was written.
    pub(crate) fn holds(&self, end: u64, tag: u8) -> bool {
        let (state, end) = (self.state(), end as usize);
        let content = state.files.values().next().expect("one segment");
        content.durable.get(end - 8..end) == Some(&[tag; 8])
            && content.durable[..end] == content.seen[..end]
    }
}

impl FileSystem for Disk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.files.keys().filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        if mode == OpenMode::Create {
            state.files.insert(path.to_owned(), Content::default());
        } else if !state.files.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Arc::new(DiskFile { disk: self.clone(), path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.state().files.remove(path);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn FileLock>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl File for DiskFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.path].seen.len() as u64)
    }

    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        assert!(!state.sealed, "nothing is written behind a failure, or the end");
        if state.writes.pop() == Some(true) {
            state.sealed = true;
            return Err(io::Error::other("the write fails"));
        }
        let content = state.files.get_mut(&self.path).expect("an open file");
        let end = offset as usize + bytes.len();
        let len = content.seen.len().max(end);
        content.seen.resize(len, 0);
        content.seen[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What is written while it goes on is not covered.
    fn sync_data(&self) -> io::Result<()> {
        let covered = self.disk.state().files.get(&self.path).map(|file| file.seen.clone());
        let mut state = self.disk.state();
        assert!(!state.sealed, "nothing is synced behind a failure, or the end");
        if state.syncs.pop() == Some(true) {
            state.sealed = true;
            return Err(io::Error::other("the sync fails"));
        }
        // Renamed meanwhile: only while the log is made.
        if let (Some(file), Some(covered)) = (state.files.get_mut(&self.path), covered) {
            file.durable = covered;
        }
        Ok(())
    }

    fn map(&self) -> io::Result<Arc<dyn Mapping>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
