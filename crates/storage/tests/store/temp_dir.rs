//! A directory of the machine that goes with the test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use selvedge_env::{FileSystem, RealFiles};

pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("selvedge-storage-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        RealFiles.create_dir(&path).expect("the system has room for a directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What is left takes space, and nothing else.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
