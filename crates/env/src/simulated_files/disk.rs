//! Files, names, locks and room: the machine without its faults.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::contents::Contents;
use super::names::{FileId, Found, Names};
use super::survival::Survival;
use crate::file::OpenMode;

/// Longer than any file a test should make, short enough to be held in memory
/// twice.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// How much of an operation is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    Whole,
    /// A random part of a write, or of the directories to be made; of the sync of a
    /// file, what reached the disk before it failed. Other operations are done whole.
    Part,
}

#[derive(Default, Debug)]
struct Inode {
    contents: Contents,
    /// Handles of processes that live.
    handles: usize,
}

/// The files of the machine, with and without names.
///
/// `order` is the number of the operation that asks.
#[derive(Debug)]
pub(super) struct Disk {
    names: Names,
    inodes: BTreeMap<FileId, Inode>,
    locked: BTreeSet<FileId>,
    capacity: Option<u64>,
    next_file: u64,
    rng: Rng,
}

impl Disk {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            names: Names::new(),
            inodes: BTreeMap::new(),
            locked: BTreeSet::new(),
            capacity: None,
            next_file: 0,
            rng,
        }
    }

    pub(super) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    pub(super) fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
    }

    pub(super) fn create_dir(&mut self, dir: &Path, extent: Extent) -> io::Result<()> {
        let missing = self.names.missing_dirs(dir)?.len();
        let most = match extent {
            Extent::Whole => missing,
            Extent::Part => self.rng.usize(..=missing),
        };
        self.names.create_dirs(dir, most)
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.names.list(dir)
    }

    /// Opens a file; it is kept until [`close`](Self::close).
    pub(super) fn open(&mut self, order: u64, path: &Path, mode: OpenMode) -> io::Result<FileId> {
        let (name, found) = self.names.find(path)?;
        let file = match (found, mode) {
            (Found::File(_) | Found::Directory, OpenMode::Create) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            (Found::Directory, _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Found::Free, OpenMode::Read | OpenMode::Write) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            (Found::File(file), _) => file,
            (Found::Free, OpenMode::Create) => {
                let file = FileId(self.next_file);
                self.next_file += 1;
                self.inodes.insert(file, Inode::default());
                self.names.change(order, None, Some(name), file);
                file
            }
        };
        self.inode(file).handles += 1;
        Ok(file)
    }

    pub(super) fn close(&mut self, file: FileId) {
        self.inode(file).handles -= 1;
        self.free();
    }

    /// Locks a file, made if need be, and opens it.
    pub(super) fn lock(&mut self, order: u64, path: &Path) -> io::Result<FileId> {
        let mode = match self.names.find(path)?.1 {
            Found::Free => OpenMode::Create,
            Found::File(_) | Found::Directory => OpenMode::Write,
        };
        let file = self.open(order, path, mode)?;
        if self.locked.insert(file) {
            return Ok(file);
        }
        self.close(file);
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(super) fn unlock(&mut self, file: FileId) {
        self.locked.remove(&file);
        self.close(file);
    }

    pub(super) fn rename(&mut self, order: u64, from: &Path, to: &Path) -> io::Result<()> {
        let (from, found) = self.names.find(from)?;
        let file = file_there(&found)?;
        let (to, found) = self.names.find(to)?;
        match found {
            Found::Directory => return Err(io::ErrorKind::IsADirectory.into()),
            // Two names of one file cannot be: it is the same name.
            Found::File(other) if other == file => return Ok(()),
            Found::File(_) | Found::Free => {}
        }
        self.names.change(order, Some(from), Some(to), file);
        self.free();
        Ok(())
    }

    pub(super) fn remove(&mut self, order: u64, path: &Path) -> io::Result<()> {
        let (name, found) = self.names.find(path)?;
        let file = file_there(&found)?;
        self.names.change(order, Some(name), None, file);
        self.free();
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.names.sync(dir)?;
        self.free();
        Ok(())
    }

    pub(super) fn contents(&self, file: FileId) -> &Contents {
        &self.inodes.get(&file).expect(OPEN_STAYS).contents
    }

    pub(super) fn write(
        &mut self,
        order: u64,
        file: FileId,
        bytes: &[u8],
        offset: u64,
        extent: Extent,
    ) -> io::Result<()> {
        let end = end_of(offset, bytes.len())?;
        if end > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        // What there is room for is written, as a file system does.
        let most = self.len_max(file).max(offset);
        let full = end > most;
        let mut len = (end.min(most) - offset) as usize;
        if extent == Extent::Part && len > 0 {
            len = self.rng.usize(..len);
        }
        self.inode(file).contents.write(order, &bytes[..len], offset as usize);
        if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn set_len(&mut self, order: u64, file: FileId, len: u64) -> io::Result<()> {
        end_of(len, 0)?;
        if len > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if len > self.len_max(file) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inode(file).contents.set_len(order, len as usize);
        Ok(())
    }

    pub(super) fn sync(&mut self, file: FileId, extent: Extent) {
        let contents = &mut self.inodes.get_mut(&file).expect(OPEN_STAYS).contents;
        match extent {
            Extent::Whole => contents.sync(),
            Extent::Part => contents.fail_sync(&mut self.rng),
        }
    }

    /// The processes end: their handles, mappings and locks go.
    pub(super) fn kill(&mut self) {
        self.locked.clear();
        for inode in self.inodes.values_mut() {
            inode.handles = 0;
            inode.contents.unmap();
        }
        self.free();
    }

    /// The machine ends: what is on the disk remains.
    pub(super) fn crash(&mut self) {
        let contents = self.inodes.values().flat_map(|inode| inode.contents.unsynced_orders());
        let mut orders: Vec<_> = contents.chain(self.names.unsynced_orders()).collect();
        orders.sort_unstable();
        orders.dedup();
        // Drawn apart, since the worst is when names survive and bytes do not.
        let of_names = Survival::draw(&mut self.rng, &orders);
        let of_bytes = Survival::draw(&mut self.rng, &orders);
        self.names.crash(of_names, &mut self.rng);
        for inode in self.inodes.values_mut() {
            inode.contents.crash(of_bytes, &mut self.rng);
        }
        self.kill();
    }

    /// Flips a bit on the disk.
    pub(super) fn flip(&mut self, path: &Path, offset: u64, bit: u8) -> io::Result<()> {
        let file = file_there(&self.names.find(path)?.1)?;
        let contents = &mut self.inode(file).contents;
        let is_there = usize::try_from(offset).is_ok_and(|at| contents.flip(at, bit));
        if is_there { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Flips some bit on the disk, if there is one; gives its path, offset and place
    /// in the byte.
    pub(super) fn flip_any(&mut self) -> Option<(PathBuf, u64, u8)> {
        let files: Vec<_> = self.names.files().collect();
        let lens = files.iter().map(|(_, file)| self.contents(*file).durable_len());
        let lens: Vec<_> = lens.collect();
        let total: usize = lens.iter().sum();
        if total == 0 {
            return None;
        }
        let (mut at, bit) = (self.rng.usize(..total), self.rng.u8(..8));
        for ((path, file), len) in files.into_iter().zip(lens) {
            if at < len {
                self.inode(file).contents.flip(at, bit);
                return Some((path, at as u64, bit));
            }
            at -= len;
        }
        None
    }

    pub(super) fn drop_caches(&mut self) {
        for inode in self.inodes.values_mut() {
            inode.contents.drop_cache();
        }
    }

    /// Every file that has a name, with its length, sorted by path.
    pub(super) fn files(&self) -> Vec<(PathBuf, u64)> {
        let len = |(path, file)| (path, self.contents(file).len() as u64);
        self.names.files().map(len).collect()
    }

    fn inode(&mut self, file: FileId) -> &mut Inode {
        self.inodes.get_mut(&file).expect(OPEN_STAYS)
    }

    /// How long the disk lets a file be.
    fn len_max(&self, file: FileId) -> u64 {
        let Some(capacity) = self.capacity else { return u64::MAX };
        let named: BTreeSet<_> = self.names.files().map(|(_, file)| file).collect();
        let takes_room = |file: &FileId, inode: &Inode| {
            named.contains(file) || inode.handles > 0 || inode.contents.is_mapped()
        };
        let others = self.inodes.iter().filter(|(id, inode)| **id != file && takes_room(id, inode));
        let used: u64 = others.map(|(_, inode)| inode.contents.len() as u64).sum();
        let own = self.contents(file).len() as u64;
        // What is there stays, though the disk may have shrunk.
        capacity.saturating_sub(used).max(own)
    }

    /// Forgets the files that nobody can reach, now or after a crash.
    fn free(&mut self) {
        let retained = self.names.retained();
        // Mapped ones take room until they are unmapped.
        self.inodes.retain(|file, inode| {
            inode.handles > 0 || retained.contains(file) || inode.contents.is_mapped()
        });
    }
}

const OPEN_STAYS: &str = "a file that is open, or has a name, is kept";

fn file_there(found: &Found) -> io::Result<FileId> {
    match found {
        Found::File(file) => Ok(*file),
        Found::Directory => Err(io::ErrorKind::IsADirectory.into()),
        Found::Free => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Where an access ends; offsets are signed in all systems.
pub(super) fn end_of(offset: u64, len: usize) -> io::Result<u64> {
    let end = offset.checked_add(len as u64).filter(|end| i64::try_from(*end).is_ok());
    end.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
