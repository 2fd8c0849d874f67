//! The directory of a database: names in it, and small files read and written
//! as a whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_env::{File, FileLock, FileSystem, OpenMode};

use crate::error::StorageError;

/// What counts.
pub(crate) const MANIFEST: &str = "MANIFEST";
/// The next manifest, until it is complete.
pub(crate) const MANIFEST_NEW: &str = "MANIFEST.new";
const LOCK: &str = "lock";

/// The directory of a database.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseDir {
    files: Arc<dyn FileSystem>,
    path: PathBuf,
}

impl DatabaseDir {
    pub(crate) fn new(files: Arc<dyn FileSystem>, path: &Path) -> Self {
        Self { files, path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the directory, if it is missing.
    pub(crate) fn create(&self) -> Result<(), StorageError> {
        self.files
            .create_dir(&self.path)
            .map_err(|error| StorageError::io("make", &self.path, &error))
    }

    /// The names in the directory; None if it does not exist.
    pub(crate) fn names(&self) -> Result<Option<Vec<String>>, StorageError> {
        found(self.files.list(&self.path))
            .map_err(|error| StorageError::io("list", &self.path, &error))
    }

    /// Takes the lock of the database.
    pub(crate) fn lock(&self) -> Result<Box<dyn FileLock>, StorageError> {
        let path = self.path_of(LOCK);
        self.files.lock(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => StorageError::Locked { path: self.path.clone() },
            _ => StorageError::io("lock", &path, &error),
        })
    }

    /// Takes the lock of the database without changing anything: where there is
    /// no lock file, or none that could be opened, nobody else has the lock.
    pub(crate) fn lock_if_there(
        &self,
        names: &[String],
    ) -> Result<Option<Box<dyn FileLock>>, StorageError> {
        if !names.iter().any(|name| name == LOCK) {
            return Ok(None);
        }
        match self.lock() {
            Err(StorageError::Io {
                kind: io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem,
                ..
            }) => Ok(None),
            locked => locked.map(Some),
        }
    }

    /// The file called `name`, for reading; None if it does not exist.
    pub(crate) fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>, StorageError> {
        let path = self.path_of(name);
        found(self.files.open(&path, OpenMode::Read))
            .map_err(|error| StorageError::io("open", &path, &error))
    }

    /// A new file called `name`.
    pub(crate) fn create_file(&self, name: &str) -> Result<Arc<dyn File>, StorageError> {
        let path = self.path_of(name);
        self.files
            .open(&path, OpenMode::Create)
            .map_err(|error| StorageError::io("make", &path, &error))
    }

    /// The bytes of the file called `name`, or its first `bytes_max` if it is
    /// longer; None if it does not exist.
    pub(crate) fn read(
        &self,
        name: &str,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(file) = self.open(name)? else { return Ok(None) };
        let read = || {
            let len = usize::try_from(file.len()?).unwrap_or(usize::MAX).min(bytes_max);
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, 0)?;
            Ok(bytes)
        };
        read().map(Some).map_err(|error| StorageError::io("read", &self.path_of(name), &error))
    }

    /// Removes the file called `name`. Fine if there is none.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StorageError> {
        let path = self.path_of(name);
        let removed = found(self.files.remove(&path)).map(drop);
        removed.map_err(|error| StorageError::io("remove", &path, &error))
    }

    /// Gives the file called `from` the name `to`, in place of whatever had it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let to = self.path_of(to);
        self.files
            .rename(&self.path_of(from), &to)
            .map_err(|error| StorageError::io("replace", &to, &error))
    }

    /// Makes the names durable.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        self.files
            .sync_dir(&self.path)
            .map_err(|error| StorageError::io("sync", &self.path, &error))
    }
}

/// Nothing where nothing was found.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
