//! What can go wrong with files.

use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be read from, or written to, a database's files.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The system refused.
    #[error("cannot {what} {}: {message}", path.display())]
    Io {
        /// What was tried: `write`, `sync`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The kind of the system's error.
        kind: io::ErrorKind,
        /// The system's own words.
        message: String,
    },
    /// There is no room for what would be written. Nothing was; free some space
    /// and try again.
    #[error("no space left for {}: {message}", path.display())]
    NoSpace {
        /// The file that could not be made or grown.
        path: PathBuf,
        /// The system's own words.
        message: String,
    },
    /// What was read is not what was written.
    #[error("{} is damaged at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// There is no database.
    #[error("there is no database in {}", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// There is a database where a new one should be made.
    #[error("there is a database in {} already", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The files have a newer format than this version knows.
    #[error(
        "{} has format {found}; this version of the library reads up to format {known}: \
         open it with a newer version",
        path.display()
    )]
    Format {
        /// The file that says so.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// Another process, or another handle of this one, has the database open.
    #[error("{} is open already, in this process or another: close it there first", path.display())]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// An earlier write or sync failed, so what is durable is unknown.
    #[error("an earlier failure made the files unusable until they are opened again: {reason}")]
    Poisoned {
        /// The earlier failure.
        reason: String,
    },
    /// The database was closed, or is open for reading alone.
    #[error("the database is closed, or open for reading alone")]
    Closed,
    /// One commit is larger than a record of the log may be.
    #[error("the commit takes {actual} bytes in the log; the limit is {limit}")]
    TooLarge {
        /// Its bytes.
        actual: u64,
        /// The limit.
        limit: u64,
    },
}

impl StorageError {
    /// The error of trying `what` with `path`. Lack of space has a case of its
    /// own.
    #[must_use]
    pub fn io(what: &'static str, path: &Path, error: &io::Error) -> Self {
        let (path, message) = (path.to_owned(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { path, message }
            }
            kind => Self::Io { what, path, kind, message },
        }
    }

    /// The error of a directory without a database.
    #[must_use]
    pub fn missing(path: &Path) -> Self {
        Self::Missing { path: path.to_owned() }
    }

    /// Damage at a place in a file.
    #[must_use]
    pub fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), offset, what: what.into() }
    }
}
