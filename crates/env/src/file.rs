//! Files: what a database asks of the place where it is kept.
//!
//! Positions are absolute, so that nobody shares a cursor; nothing is durable
//! until it is synced. The real file system is [`RealFiles`](crate::RealFiles);
//! [`SimulatedFiles`](crate::SimulatedFiles) loses, reorders and damages what a
//! disk may.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; it must not exist yet.
    Create,
}

/// A file system.
///
/// Names (creations, renames, removals) are durable only after
/// [`sync_dir`](FileSystem::sync_dir) of the directory they are in.
pub trait FileSystem: Send + Sync + fmt::Debug {
    /// Makes a directory, and those above it that are missing, durably. Fine if
    /// it exists.
    ///
    /// # Errors
    /// Of the system.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names of files and directories in a directory, sorted; without those
    /// that are not UTF-8.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such directory; others of the
    /// system.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::AlreadyExists`]; others of
    /// the system.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name in one step, in place of whatever had it.
    ///
    /// # Errors
    /// Of the system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Who has it open or mapped keeps it until the end.
    ///
    /// # Errors
    /// Of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Of the system; what is durable is unknown then.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock on a file, made if need be, until the result is dropped:
    /// against other processes and within this one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if somebody else has it; others of the
    /// system.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
}

/// A lock on a file; dropping it releases the lock.
pub trait FileLock: Send + Sync + fmt::Debug {}

/// An open file.
pub trait File: Send + Sync + fmt::Debug {
    /// Its length in bytes.
    ///
    /// # Errors
    /// Of the system.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// Of the system.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads up to `buffer.len()` bytes at `offset`; gives their number, 0 at the
    /// end of the file.
    ///
    /// # Errors
    /// Of the system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads exactly `buffer.len()` bytes at `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`]; others of the system.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all of `bytes` at `offset`, growing the file if need be.
    ///
    /// # Errors
    /// Of the system; any part may have been written then.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or grows the file; new bytes are zero.
    ///
    /// # Errors
    /// Of the system.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes what was written durable: the bytes, and as much beside them as it
    /// takes to read them again.
    ///
    /// # Errors
    /// Of the system; what is durable is unknown then, and asking again proves
    /// nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// Maps the whole file, as it is now, for reading. Nobody writes to a mapped
    /// file.
    ///
    /// # Errors
    /// Of the system.
    fn map(&self) -> io::Result<Arc<dyn Mapping>>;
}

/// A file mapped into memory. The bytes stay where they are, and as they are,
/// until it is dropped.
pub trait Mapping: Send + Sync + fmt::Debug {
    /// The bytes of the file.
    fn bytes(&self) -> &[u8];

    /// Advice: the bytes at `offset` are read soon.
    fn will_need(&self, _offset: usize, _len: usize) {}
}
