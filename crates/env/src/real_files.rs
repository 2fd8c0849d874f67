//! The file system of the machine.
//!
//! On Windows a directory cannot be synced, and NTFS journals names by itself:
//! [`FileSystem::sync_dir`] does nothing there; and a file that is mapped can be
//! neither removed nor replaced. Where there is neither Unix nor Windows,
//! reading and writing is [`io::ErrorKind::Unsupported`].
#![expect(unsafe_code, reason = "mapping a file is unsafe: somebody might change it")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::file::{File, FileLock, FileSystem, Mapping, OpenMode};

/// The file system of the machine.
#[derive(Clone, Copy, Default, Debug)]
pub struct RealFiles;

impl FileSystem for RealFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        // Made from the top, and each name synced before the next is made: of
        // what a killed process left behind, only the lowest directory that
        // exists may have a name that is not durable yet.
        let missing: Vec<_> = dir.ancestors().take_while(|at| !is_dir(at)).collect();
        let lowest = missing.last().map_or(dir, |highest| parent(highest));
        match sync_parent(lowest) {
            // Who may not read the directory above has not made this one.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
        for at in missing.into_iter().rev() {
            match fs::create_dir(at) {
                // Somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_dir(at) => {}
                made => made?,
            }
            sync_parent(at)?;
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(named(dir))? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read).create_new(mode == OpenMode::Create);
        let file = options.open(path)?;
        // Unix opens directories for reading, to fail later.
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if cfg!(windows) {
            return fs::metadata(named(dir)).map(drop);
        }
        fs::File::open(named(dir))?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        // The lock belongs to this opening of the file, not to the process: a
        // second one of the same process is refused like any other.
        file.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            fs::TryLockError::Error(error) => error,
        })?;
        if !is_still_at(&file, path)? {
            // Removed by somebody meanwhile: what is locked here locks nobody out.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(RealLock { file, path: path.to_owned() }))
    }
}

/// Whether `path` leads to a directory; whatever stands in the way shows when it
/// is made.
fn is_dir(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.is_dir()
}

/// The directory above; the one that one is in has an empty name.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// As something that can be opened: the system does not know the empty name.
fn named(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    RealFiles.sync_dir(parent(path))
}

#[cfg(unix)]
fn is_still_at(file: &fs::File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let locked = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (locked.dev(), locked.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_still_at(_file: &fs::File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[derive(Debug)]
struct RealLock {
    file: fs::File,
    #[expect(dead_code, reason = "shown by Debug")]
    path: PathBuf,
}

impl FileLock for RealLock {}

impl Drop for RealLock {
    fn drop(&mut self) {
        // Closing alone would leave the lock with a child process that was forked
        // and has not come to `exec` yet. If this fails, closing has to do.
        let _ = self.file.unlock();
    }
}

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(&self.0, buffer, offset)
    }

    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match write_at(&self.0, bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn map(&self) -> io::Result<Arc<dyn Mapping>> {
        // SAFETY: the bytes must not change while the mapping lives. Within the
        // process that is the contract of `File::map`: nobody writes to a mapped
        // file, and one that is removed keeps its bytes until it is unmapped.
        // Other processes that keep to the lock of the database stay away; one
        // that does not breaks every database that maps files, and no check here
        // could stop it.
        let map = unsafe { Mmap::map(&self.0)? };
        // Documents are read one here, one there: reading ahead of each would bring
        // in many times what is asked for. It is advice; no harm if it is not taken.
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::Random);
        Ok(Arc::new(RealMapping(map)))
    }
}

#[cfg(unix)]
fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_at(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    // Moves the cursor of the file, which nobody here uses.
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
fn write_at(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}

#[cfg(not(any(unix, windows)))]
fn read_at(_file: &fs::File, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(unix, windows)))]
fn write_at(_file: &fs::File, _bytes: &[u8], _offset: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[derive(Debug)]
struct RealMapping(Mmap);

impl Mapping for RealMapping {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(unix)]
    fn will_need(&self, offset: usize, len: usize) {
        // As it is advice, one that the system does not take is no error.
        let _ = self.0.advise_range(memmap2::Advice::WillNeed, offset, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_above_is_there_for_every_path() {
        for path in ["/a", "/", "a", ".", ""] {
            sync_parent(Path::new(path)).unwrap();
        }
    }

    #[test]
    fn the_directory_one_is_in_may_have_an_empty_name() {
        for path in [".", ""].map(Path::new) {
            RealFiles.create_dir(path).unwrap();
            RealFiles.sync_dir(path).unwrap();
            assert!(RealFiles.list(path).unwrap().contains(&"Cargo.toml".to_owned()));
        }
    }
}
