//! Manifest, data files and blocks by their description in `docs/design/storage.md`, as far
//! as it takes to give them the right checksums again.

use crate::image::Image;

const MANIFEST: &str = "MANIFEST";
const HEADER_BYTES: usize = 32;
/// Where a manifest keeps the place of its directory.
const DIRECTORY_AT: usize = HEADER_BYTES + 8 + 48;
const LOG_AT: usize = HEADER_BYTES + 8 + 32;
const PLACE_BYTES: usize = 24;
/// Of an entry of the directory, without its pairs.
const DIRECTORY_ENTRY_BYTES: usize = 40;
/// Tables whose blocks have documents.
const NODES: u8 = 1;
const EDGES: u8 = 2;
/// Of an entry in such a block.
const DOCUMENT_ENTRY_BYTES: usize = 48;

/// Where bytes lie in a data file.
#[derive(Clone, Copy)]
struct Place {
    file: u64,
    offset: usize,
    len: usize,
}

/// What a manifest says of the log.
pub(crate) struct LogStart {
    pub(crate) salt: u32,
    pub(crate) position: u64,
    pub(crate) chain: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn put(bytes: &mut [u8], at: usize, number: u32) -> Option<()> {
    bytes.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&number.to_le_bytes());
    Some(())
}

fn place_at(bytes: &[u8], at: usize) -> Option<Place> {
    let offset = usize::try_from(u64_at(bytes, at + 8)?).ok()?;
    Some(Place { file: u64_at(bytes, at)?, offset, len: u32_at(bytes, at + 16)? as usize })
}

/// Where the log starts.
pub(crate) fn log_start(image: &Image) -> Option<LogStart> {
    let manifest = image.0.get(MANIFEST)?;
    Some(LogStart {
        salt: u32_at(manifest, 24)?,
        position: u64_at(manifest, LOG_AT)?,
        chain: u32_at(manifest, LOG_AT + 8)?,
    })
}

/// Gives everything in the files the checksum that it should have, from documents up to
/// the manifest. What does not lead anywhere is left as it is.
pub(crate) fn seal(image: &mut Image) {
    for bytes in image.0.values_mut() {
        if bytes.starts_with(b"selvedge") {
            let _ = seal_header(bytes);
        }
    }
    let _ = seal_directory(image);
    let _ = seal_manifest(image);
}

fn seal_header(bytes: &mut [u8]) -> Option<()> {
    let salt = u32_at(bytes, 24)?;
    let sum = crc32c::crc32c_append(salt, bytes.get(..28)?);
    put(bytes, 28, sum)
}

fn seal_manifest(image: &mut Image) -> Option<()> {
    let manifest = image.0.get_mut(MANIFEST)?;
    let (salt, len) = (u32_at(manifest, 24)?, u32_at(manifest, HEADER_BYTES)? as usize);
    let block = manifest.get(HEADER_BYTES + 8..)?.get(..len)?;
    let sum = crc32c::crc32c_append(salt, block);
    put(manifest, HEADER_BYTES + 4, sum)
}

fn seal_directory(image: &mut Image) -> Option<()> {
    let manifest = image.0.get(MANIFEST)?;
    let (salt, directory) = (u32_at(manifest, 24)?, place_at(manifest, DIRECTORY_AT)?);
    let mut at = 0;
    while at + DIRECTORY_ENTRY_BYTES <= directory.len {
        let bytes = bytes_of(image, directory)?;
        let (table, pairs) = (*bytes.get(at)?, u32_at(bytes, at + 4)? as usize);
        let block = place_at(bytes, at + 16);
        if let Some(block) = block.filter(|block| bytes_of(image, *block).is_some()) {
            if table == NODES || table == EDGES {
                seal_documents(image, salt, block);
            }
            let sum = seal_block(image, salt, block)?;
            let bytes = image.0.get_mut(&name(directory.file))?;
            put(bytes, directory.offset + at + 16 + 20, sum)?;
        }
        at = pairs.checked_mul(16)?.checked_add(at + DIRECTORY_ENTRY_BYTES)?;
    }
    let sum = seal_block(image, salt, directory)?;
    put(image.0.get_mut(MANIFEST)?, DIRECTORY_AT + PLACE_BYTES - 4, sum)
}

/// The checksums of the documents that the entries of a block name.
fn seal_documents(image: &mut Image, salt: u32, block: Place) -> Option<()> {
    let count = usize::try_from(u64_at(bytes_of(image, block)?, 0)?).ok()?;
    for entry in 0..count {
        let at = entry.checked_mul(DOCUMENT_ENTRY_BYTES)?.checked_add(8)?;
        let bytes = bytes_of(image, block)?.get(at..)?.get(..DOCUMENT_ENTRY_BYTES)?;
        let is_inside = bytes[42] == 1;
        let document = place_at(bytes, 8)?;
        if let Some(bytes) = bytes_of(image, document).filter(|_| !is_inside) {
            let sum = crc32c::crc32c_append(salt, bytes);
            put(image.0.get_mut(&name(block.file))?, block.offset + at + 28, sum)?;
        }
    }
    Some(())
}

/// Length and checksum in front of a block; gives the checksum.
fn seal_block(image: &mut Image, salt: u32, block: Place) -> Option<u32> {
    let sum = crc32c::crc32c_append(salt, bytes_of(image, block)?);
    let prefix = block.offset.checked_sub(8)?;
    let bytes = image.0.get_mut(&name(block.file))?;
    put(bytes, prefix, block.len as u32)?;
    put(bytes, prefix + 4, sum)?;
    Some(sum)
}

fn bytes_of(image: &Image, place: Place) -> Option<&[u8]> {
    image.0.get(&name(place.file))?.get(place.offset..)?.get(..place.len)
}

fn name(file: u64) -> String {
    format!("data-{file:016x}")
}
