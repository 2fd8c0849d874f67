//! Where the databases of these tests are: on a simulated machine, or in a directory
//! of this one.

use std::path::{Path, PathBuf};

use selvedge::env::{Env, FileSystem, OpenMode, OperationKind, SimulatedFiles};
use selvedge::{Background, Db, DbBuilder, Result};

/// The directory of the database on a simulated machine.
pub(crate) const DIR: &str = "db";

/// A simulated machine. Nothing on it runs in the background.
pub(crate) struct Machine(pub(crate) SimulatedFiles);

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SimulatedFiles::new(seed))
    }

    /// Options for a process that starts now: small segments, so that everything
    /// about them happens.
    pub(crate) fn builder(&self) -> DbBuilder {
        let (env, _) = Env::simulated_on(&self.0, 7);
        let builder = Db::builder().env(env).background(Background::Manual);
        // Documents leave memory as soon as they may.
        builder.log_segment_bytes(4096).document_bytes(0)
    }

    /// Opens the database in a new process, or makes it.
    pub(crate) fn open(&self) -> Result<Db> {
        self.builder().open(DIR)
    }

    /// The machine loses power, with the process that has `db` open; another process
    /// opens it.
    pub(crate) fn crash_and_open(&self, db: Db) -> Result<Db> {
        self.0.crash();
        drop(db);
        self.open()
    }

    /// The process that has `db` open is killed; another opens it.
    pub(crate) fn kill_and_open(&self, db: Db) -> Result<Db> {
        self.0.kill();
        drop(db);
        self.open()
    }

    /// The files of the database whose names start so.
    pub(crate) fn files(&self, prefix: &str) -> Vec<(PathBuf, u64)> {
        let starts = |path: &Path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        };
        let all = self.0.files().into_iter();
        all.filter(|(path, _)| path.parent() == Some(Path::new(DIR)) && starts(path)).collect()
    }

    /// The bytes of a file of the database.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let file = self.0.open(&Path::new(DIR).join(name), OpenMode::Read).expect("it is there");
        let mut bytes = vec![0; file.len().expect("a length") as usize];
        file.read_exact_at(&mut bytes, 0).expect("so many bytes");
        bytes
    }

    /// Writes over a part of a file of the database, which is made if there is none.
    pub(crate) fn write(&self, name: &str, offset: u64, bytes: &[u8]) {
        let path = Path::new(DIR).join(name);
        let file = self.0.open(&path, OpenMode::Write);
        let file = file.or_else(|_| self.0.open(&path, OpenMode::Create)).expect("it can be made");
        file.write_all_at(bytes, offset).expect("there is space");
    }

    /// Removes a file of the database.
    pub(crate) fn remove(&self, name: &str) {
        self.0.remove(&Path::new(DIR).join(name)).expect("it is there");
    }

    /// Bytes of all files of the database.
    pub(crate) fn bytes(&self) -> u64 {
        self.files("").iter().map(|(_, bytes)| bytes).sum()
    }

    /// How many operations of a kind there were.
    pub(crate) fn operations(&self, kind: OperationKind) -> usize {
        self.0.operations().iter().filter(|operation| operation.kind == kind).count()
    }
}

/// A directory of this machine, removed in the end.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory can be made"))
    }

    /// Where the database is.
    pub(crate) fn path(&self) -> PathBuf {
        self.path_of("db.selvedge")
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
