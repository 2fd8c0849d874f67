//! Documents that lie outside their version: in a data file that is mapped into
//! memory.
//!
//! After a checkpoint, and after opening, the newest version of a node or edge says
//! where its document lies instead of holding it. The mapping outlives every
//! snapshot that can see such a version: it is retired through the limbo, after
//! all newest versions have been moved off it.
#![expect(unsafe_code, reason = "a document outside is reached by address")]

use bytemuck::{Pod, Zeroable};
use selvedge_encoding::DocRef;
use selvedge_mvcc::Version;
use selvedge_storage::document_checksum;

/// Where a document lies: bytes of a mapping, and their checksum.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Outside {
    address: u64,
    len: u32,
    checksum: u32,
}

impl Outside {
    /// The place of `document`, bytes of a mapped data file.
    pub(crate) fn of(document: &[u8], checksum: u32) -> Self {
        let address = document.as_ptr().expose_provenance() as u64;
        Self { address, len: document.len() as u32, checksum }
    }

    /// The place that a version's bytes tell.
    #[inline]
    fn told_by(bytes: &[u8]) -> Self {
        bytemuck::pod_read_unaligned(bytes)
    }

    /// As a version's bytes tell it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        bytemuck::bytes_of(self)
    }

    /// Whether it is the very same place.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.address, self.len) == (other.address, other.len)
    }

    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// The document.
    ///
    /// # Safety
    /// The mapping lives for `'m`.
    #[inline]
    unsafe fn document<'m>(&self) -> &'m [u8] {
        let start = std::ptr::with_exposed_provenance(self.address as usize);
        // SAFETY: made by `of` from a slice of the mapping, which lives on.
        unsafe { std::slice::from_raw_parts(start, self.len as usize) }
    }
}

/// A document whose bytes are not those that were written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Damaged;

/// A version that has a document.
pub(crate) trait Documented {
    /// Whether the document lies outside.
    fn is_outside(&self) -> bool;

    /// The bytes of the document, or those that tell where it lies outside.
    fn place(&self) -> &[u8];
}

/// Reading the document of a version.
///
/// Only the versions of a graph implement [`Documented`], and a snapshot that sees
/// one of them vouches for the mapping its document lies in.
pub(crate) trait ReadDocument {
    /// The document. Its bytes are those that were written only if
    /// [`verify`](Self::verify) has said so.
    fn document(&self) -> &[u8];

    /// Where the document lies, if that is outside.
    fn outside(&self) -> Option<Outside>;

    /// Verifies a document that lies outside, once for each version.
    fn verify(&self, salt: u32) -> Result<(), Damaged>;
}

impl<H> ReadDocument for Version<H>
where
    Self: Documented,
{
    #[inline]
    fn document(&self) -> &[u8] {
        let place = self.place();
        if !self.is_outside() {
            return place;
        }
        // SAFETY: the snapshot, or the commit lock, by which the version is reached
        // keeps the mapping alive.
        unsafe { Outside::told_by(place).document() }
    }

    fn outside(&self) -> Option<Outside> {
        self.is_outside().then(|| Outside::told_by(self.place()))
    }

    #[inline]
    fn verify(&self, salt: u32) -> Result<(), Damaged> {
        if !self.is_outside() || self.is_verified() { Ok(()) } else { verify(self, salt) }
    }
}

#[cold]
fn verify<H>(version: &Version<H>, salt: u32) -> Result<(), Damaged>
where
    Version<H>: Documented,
{
    let (document, outside) = (version.document(), Outside::told_by(version.place()));
    let written = document_checksum(salt, document) == outside.checksum;
    // Even what was written may come from elsewhere: a file made by hand.
    if !written || DocRef::parse(document).is_err() {
        return Err(Damaged);
    }
    version.set_verified();
    Ok(())
}
