//! Where a run works: a new directory below the system's one for temporary files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The directory. It goes with the value, unless it is kept.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    keeps: bool,
}

impl Place {
    /// Makes it.
    pub(crate) fn make() -> Result<Self> {
        let name = format!("selvedge-crash-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).map_err(|error| Failure::system(path.display(), &error))?;
        Ok(Self { path, keeps: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves everything where it is, for somebody to look at.
    pub(crate) fn keep(&mut self) {
        self.keeps = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.keeps
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            eprintln!("{} stays: {error}", self.path.display());
        }
    }
}

/// Copies the files of a directory into another, which is emptied first.
pub(crate) fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let copy = || {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        fs::create_dir(to)?;
        if from.exists() {
            for entry in fs::read_dir(from)? {
                let entry = entry?;
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    copy().map_err(|error| Failure::system(format!("copying {}", from.display()), &error))
}
