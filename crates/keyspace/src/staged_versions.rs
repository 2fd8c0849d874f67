//! The versions that a transaction has staged, built before the commit lock.

use selvedge_mvcc::{Version, VersionBox};
use smallvec::SmallVec;

use crate::entry::EntryHeader;

/// Where a staged version is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VersionAt(u32);

/// Versions that emptied ones keep room for.
const VERSIONS_KEPT: usize = 64;

/// Versions in the order of staging. One that an open savepoint may come back to
/// stays; a younger one is replaced in place.
#[derive(Debug, Default)]
pub(crate) struct StagedVersions {
    /// `None` once installed.
    versions: SmallVec<[Option<VersionBox<EntryHeader>>; 2]>,
    /// Versions from here on are younger than every savepoint.
    floor: usize,
}

impl StagedVersions {
    /// Stages `version` in place of the one at `old`, if that may go.
    ///
    /// # Panics
    /// Beyond 2^32 versions; the limit on a transaction's writes is far below.
    pub(crate) fn put(
        &mut self,
        old: Option<VersionAt>,
        version: VersionBox<EntryHeader>,
    ) -> VersionAt {
        if let Some(at) = old.filter(|at| at.0 as usize >= self.floor) {
            self.versions[at.0 as usize] = Some(version);
            return at;
        }
        let at = u32::try_from(self.versions.len()).expect("the limit on writes is below 2^32");
        self.versions.push(Some(version));
        VersionAt(at)
    }

    /// Takes all out; keeps room for a few.
    pub(crate) fn clear(&mut self) {
        self.versions.clear();
        if self.versions.capacity() > VERSIONS_KEPT {
            self.versions = SmallVec::new();
        }
        self.floor = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.versions.len()
    }

    pub(crate) fn get(&self, at: VersionAt) -> Option<&Version<EntryHeader>> {
        self.versions.get(at.0 as usize)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, at: VersionAt) -> Option<&mut VersionBox<EntryHeader>> {
        self.versions.get_mut(at.0 as usize)?.as_mut()
    }

    /// Takes a version out, to install it.
    pub(crate) fn take(&mut self, at: VersionAt) -> Option<VersionBox<EntryHeader>> {
        self.versions.get_mut(at.0 as usize)?.take()
    }

    /// From now on everything up to here may be come back to.
    pub(crate) fn mark(&mut self) -> usize {
        self.floor = self.versions.len();
        self.floor
    }

    pub(crate) fn roll_back_to(&mut self, mark: usize) {
        self.versions.truncate(mark);
        self.floor = mark;
    }
}
