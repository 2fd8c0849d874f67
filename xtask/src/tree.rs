//! The files of the repository: those that git tracks, and new ones that it
//! does not ignore, so that a check speaks up before the commit.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A file that holds text.
#[derive(Clone, Debug)]
pub(crate) struct TextFile {
    /// Relative to the root of the repository, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every file of the repository.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    paths: BTreeSet<String>,
    texts: Vec<TextFile>,
}

impl Tree {
    /// Reads the files below `root`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        for path in list(root)? {
            let full = root.join(&path);
            // Git still lists a file that was deleted but not yet committed.
            if !full.is_file() {
                continue;
            }
            let bytes = std::fs::read(&full).with_context(|| format!("cannot read {path}"))?;
            tree.insert(path, bytes);
        }
        Ok(tree)
    }

    /// A tree for a unit test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.insert((*path).to_owned(), text.as_bytes().to_vec());
        }
        tree
    }

    /// The paths of all files, text or not.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// The files that hold text.
    pub(crate) fn texts(&self) -> &[TextFile] {
        &self.texts
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Whether there is a file, or a folder with files in it, at `path`.
    pub(crate) fn contains(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self.paths.contains(path)
            || self
                .paths
                .range(folder.clone()..)
                .next()
                .is_some_and(|next| next.starts_with(&folder))
    }

    fn insert(&mut self, path: String, bytes: Vec<u8>) {
        if let Ok(text) = String::from_utf8(bytes) {
            self.texts.push(TextFile { path: path.clone(), text });
        }
        self.paths.insert(path);
    }
}

/// The paths of the files, relative to `root`.
pub(crate) fn list(root: &Path) -> Result<BTreeSet<String>> {
    let output = Command::new("git")
        // A build machine often runs as another user than the owner of the clone.
        .args(["-c", "safe.directory=*"])
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot run git, which lists the files to check")?;
    ensure!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr).trim());
    let listed = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    Ok(listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_exists_while_it_holds_a_file() {
        let tree = Tree::of(&[("docs/design/log.md", ""), ("docs-old/x.md", "")]);
        assert!(tree.contains("docs"));
        assert!(tree.contains("docs/design"));
        assert!(tree.contains("docs/design/log.md"));
        assert!(!tree.contains("docs/design/log"));
        assert!(!tree.contains("doc"));
    }

    #[test]
    fn bytes_that_are_not_text_are_listed_but_not_read() {
        let mut tree = Tree::default();
        tree.insert("fixture.bin".to_owned(), vec![0xff, 0xfe]);
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["fixture.bin"]);
        assert!(tree.texts().is_empty());
    }
}
