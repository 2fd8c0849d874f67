//! A copy of the workspace, to plant faults in.

use std::path::Path;

use anyhow::{Context, Result};

use crate::tree;

/// Makes `to` the same as the files of the repository at `root`. A file that is
/// already the same is left alone, so that nothing is built again for it.
pub(crate) fn refresh(root: &Path, to: &Path) -> Result<()> {
    let listed = tree::list(root)?;
    for path in &listed {
        let (from, to) = (root.join(path), to.join(path));
        // Git still lists a file that was deleted but not yet committed.
        if !from.is_file() {
            continue;
        }
        let bytes = std::fs::read(&from).with_context(|| format!("cannot read {path}"))?;
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
    }
    remove_others(root, to, Path::new(""))
}

/// Removes what the repository does not have.
fn remove_others(root: &Path, to: &Path, folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(to.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if !root.join(&path).exists() {
            let is_folder = entry.file_type()?.is_dir();
            let gone = entry.path();
            if is_folder { std::fs::remove_dir_all(gone)? } else { std::fs::remove_file(gone)? }
        } else if entry.file_type()?.is_dir() {
            remove_others(root, to, &path)?;
        }
    }
    Ok(())
}
