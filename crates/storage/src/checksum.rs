//! Checksums: CRC-32C, seeded with the database's salt.

/// The checksum of a document, as its [`Place`](crate::Place) keeps it.
///
/// `salt` is that of the database, so that bytes of another one never pass. The
/// checksum differs whenever two documents of one length differ in up to 32
/// adjacent bits.
#[must_use]
#[inline]
pub fn document_checksum(salt: u32, bytes: &[u8]) -> u32 {
    checksum(salt, bytes)
}

#[inline]
pub(crate) fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(salt, bytes)
}
