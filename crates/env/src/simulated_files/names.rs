//! The names of files: as they are seen, and as they are on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use fastrand::Rng;

use super::survival::Survival;

/// A file, whatever its name, if it has one. Never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct FileId(pub(super) u64);

/// A name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    dir: PathBuf,
    name: String,
}

/// What a path leads to.
pub(super) enum Found {
    File(FileId),
    Directory,
    /// Nothing, in a directory that is there.
    Free,
}

/// A file that gets a name, loses one, or both in one step.
#[derive(Debug)]
struct NameChange {
    order: u64,
    from: Option<Name>,
    to: Option<Name>,
    file: FileId,
}

impl NameChange {
    fn dirs(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.from, &self.to].into_iter().flatten().map(|name| &name.dir)
    }
}

#[derive(Default, Debug)]
struct Directory {
    visible: BTreeMap<String, FileId>,
    durable: BTreeMap<String, FileId>,
}

/// All directories.
///
/// The changes of one directory reach the disk in order, those of different
/// directories as they like; a change that concerns two directories does so in both
/// at once.
#[derive(Debug)]
pub(super) struct Names {
    dirs: BTreeMap<PathBuf, Directory>,
    /// In order.
    unsynced: Vec<NameChange>,
}

impl Names {
    pub(super) fn new() -> Self {
        let roots = [PathBuf::new(), PathBuf::from("/")];
        let dirs = roots.into_iter().map(|root| (root, Directory::default())).collect();
        Self { dirs, unsynced: Vec::new() }
    }

    /// Makes up to `most` of the directories that are missing on the way to `dir`,
    /// from the top, durably.
    pub(super) fn create_dirs(&mut self, dir: &Path, most: usize) -> io::Result<()> {
        let missing = self.missing_dirs(dir)?;
        for path in missing.into_iter().rev().take(most) {
            self.dirs.insert(path, Directory::default());
        }
        Ok(())
    }

    /// The directories that are missing on the way to `dir`, lowest first.
    pub(super) fn missing_dirs(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let dir = normal(dir)?;
        let is_missing = |path: &&Path| !self.dirs.contains_key(*path);
        let missing: Vec<_> = dir.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        match missing.last() {
            Some(highest) if self.file_at(highest).is_some() => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            _ => Ok(missing),
        }
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let path = self.dir(dir)?;
        let files = self.dirs[&path].visible.keys().cloned();
        let below = self.dirs.keys().filter(|other| other.parent() == Some(&path));
        let dirs = below.filter_map(|dir| dir.file_name()?.to_str().map(str::to_owned));
        let mut names: Vec<_> = files.chain(dirs).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What `path` leads to, and the name that does so (an empty one for a root).
    pub(super) fn find(&self, path: &Path) -> io::Result<(Name, Found)> {
        let path = normal(path)?;
        let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let parent = path.parent().unwrap_or(Path::new(""));
        let name = Name { dir: parent.to_owned(), name: file_name.to_owned() };
        if self.dirs.contains_key(&path) {
            return Ok((name, Found::Directory));
        }
        self.dir(parent)?;
        let found = self.file_at(&path).map_or(Found::Free, Found::File);
        Ok((name, found))
    }

    fn file_at(&self, path: &Path) -> Option<FileId> {
        let dir = self.dirs.get(path.parent()?)?;
        dir.visible.get(path.file_name()?.to_str()?).copied()
    }

    /// The path of a directory that is there.
    fn dir(&self, dir: &Path) -> io::Result<PathBuf> {
        let dir = normal(dir)?;
        if self.dirs.contains_key(&dir) {
            return Ok(dir);
        }
        let is_file = dir.ancestors().any(|path| self.file_at(path).is_some());
        let kind = if is_file { io::ErrorKind::NotADirectory } else { io::ErrorKind::NotFound };
        Err(kind.into())
    }

    /// Takes a file from one name to another; either may be missing. Whatever had
    /// the name loses it.
    pub(super) fn change(
        &mut self,
        order: u64,
        from: Option<Name>,
        to: Option<Name>,
        file: FileId,
    ) {
        let change = NameChange { order, from, to, file };
        self.apply(&change, |dir| &mut dir.visible);
        self.unsynced.push(change);
    }

    fn apply(
        &mut self,
        change: &NameChange,
        layer: fn(&mut Directory) -> &mut BTreeMap<String, FileId>,
    ) {
        if let Some(from) = &change.from {
            layer(self.dir_of(from)).remove(&from.name);
        }
        if let Some(to) = &change.to {
            layer(self.dir_of(to)).insert(to.name.clone(), change.file);
        }
    }

    fn dir_of(&mut self, name: &Name) -> &mut Directory {
        self.dirs.get_mut(&name.dir).expect("a directory is never removed")
    }

    /// Makes the names in a directory durable: its changes, and those that must come
    /// before them.
    pub(super) fn sync(&mut self, dir: &Path) -> io::Result<()> {
        // By directory, the changes before this one are due.
        let mut ends = BTreeMap::from([(self.dir(dir)?, u64::MAX)]);
        // From the end, so that a change that pulls another directory along is met
        // before the earlier changes of that directory.
        for change in self.unsynced.iter().rev() {
            if change.dirs().any(|dir| is_before(change, &ends, dir)) {
                for dir in change.dirs() {
                    let end = ends.entry(dir.clone()).or_default();
                    *end = (*end).max(change.order + 1);
                }
            }
        }
        let is_due = |change: &NameChange| change.dirs().any(|dir| is_before(change, &ends, dir));
        let (due, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unsynced).into_iter().partition(is_due);
        self.unsynced = rest;
        for change in due {
            self.apply(&change, |dir| &mut dir.durable);
        }
        Ok(())
    }

    /// Only what is on the disk remains: of each directory, what was synced and some
    /// of the first changes since.
    pub(super) fn crash(&mut self, survival: Survival, rng: &mut Rng) {
        let dirs: BTreeSet<_> = self.unsynced.iter().flat_map(NameChange::dirs).cloned().collect();
        let mut ends = BTreeMap::new();
        for dir in dirs {
            let orders = self.orders_of(&dir);
            let survivors = survival.prefix(rng, &orders);
            ends.insert(dir, orders.get(survivors).copied().unwrap_or(u64::MAX));
        }
        // From the start, so that a change lost in one directory is lost in the
        // other, with all that comes after it.
        for change in std::mem::take(&mut self.unsynced) {
            if change.dirs().all(|dir| is_before(&change, &ends, dir)) {
                self.apply(&change, |dir| &mut dir.durable);
            } else {
                for dir in change.dirs() {
                    let end = ends.entry(dir.clone()).or_default();
                    *end = (*end).min(change.order);
                }
            }
        }
        for dir in self.dirs.values_mut() {
            dir.visible = dir.durable.clone();
        }
    }

    fn orders_of(&self, dir: &PathBuf) -> Vec<u64> {
        let concerns = |change: &&NameChange| change.dirs().any(|other| other == dir);
        self.unsynced.iter().filter(concerns).map(|change| change.order).collect()
    }

    /// The numbers of the operations that are not synced.
    pub(super) fn unsynced_orders(&self) -> impl Iterator<Item = u64> {
        self.unsynced.iter().map(|change| change.order)
    }

    /// Every file that can be seen, by path.
    pub(super) fn files(&self) -> impl Iterator<Item = (PathBuf, FileId)> {
        self.dirs.iter().flat_map(|(path, dir)| {
            dir.visible.iter().map(move |(name, file)| (path.join(name), *file))
        })
    }

    /// The files that have a name, or had one that a crash may bring back.
    pub(super) fn retained(&self) -> BTreeSet<FileId> {
        let synced =
            self.dirs.values().flat_map(|dir| dir.visible.values().chain(dir.durable.values()));
        let unsynced = self.unsynced.iter().filter(|change| change.to.is_some());
        synced.copied().chain(unsynced.map(|change| change.file)).collect()
    }
}

fn is_before(change: &NameChange, ends: &BTreeMap<PathBuf, u64>, dir: &PathBuf) -> bool {
    ends.get(dir).is_some_and(|end| change.order < *end)
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> io::Result<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            Component::Normal(name) if name.to_str().is_none() => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "a name that is not UTF-8",
                ));
            }
            part => normal.push(part),
        }
    }
    Ok(normal)
}
