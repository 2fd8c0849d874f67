//! Package indexes on disk: finding them, and reading them, packed or not.

use std::fs;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;

use crate::Failure;

/// Where apt keeps what `apt-get update` fetched.
const SYSTEM_LISTS: &str = "/var/lib/apt/lists";
/// The end of the name of an index, and those that it has when it is packed.
const ENDINGS: [&str; 4] = ["_Packages", "_Packages.gz", "_Packages.xz", "_Packages.lz4"];

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const LZ4: &[u8] = &[0x04, 0x22, 0x4d, 0x18];

/// The indexes of this system, sorted by name; at least one.
pub(crate) fn of_the_system() -> Result<Vec<PathBuf>, Failure> {
    let advice = "run `apt-get update` on a Debian system, or give the path of a Packages file";
    let entries = fs::read_dir(SYSTEM_LISTS)
        .map_err(|error| format!("cannot look into {SYSTEM_LISTS} ({error}): {advice}"))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(format!("no package index in {SYSTEM_LISTS}: {advice}").into());
    }
    found.sort();
    Ok(found)
}

/// The text of an index, whichever way it is packed.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let packed =
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    unpack(&packed).map_err(|error| format!("cannot unpack {}: {error}", path.display()).into())
}

/// How it is packed is seen from the first bytes, not from the name.
fn unpack(packed: &[u8]) -> Result<String, Failure> {
    let mut text = String::new();
    if packed.starts_with(GZIP) {
        MultiGzDecoder::new(packed).read_to_string(&mut text)?;
    } else if packed.starts_with(XZ) {
        XzReader::new(packed, true).read_to_string(&mut text)?;
    } else if packed.starts_with(LZ4) {
        // One read to the end is one frame; a file may hold several.
        let mut frames = FrameDecoder::new(packed);
        while !frames.get_mut().fill_buf()?.is_empty() {
            frames.read_to_string(&mut text)?;
        }
    } else {
        text = String::from_utf8(packed.to_vec())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn packed_and_plain_read_the_same() -> Result<(), Failure> {
        let text = "Package: a\nVersion: 1\n\n".repeat(500);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes())?;
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(text.as_bytes())?;
        let lz4 = lz4.finish()?;
        assert_eq!(unpack(text.as_bytes())?, text);
        assert_eq!(unpack(&gzip.finish()?)?, text);
        assert_eq!(unpack(&lz4)?, text);
        assert_eq!(unpack(&[&lz4[..], &lz4[..]].concat())?, text.repeat(2));
        // `printf 'Package: a\n' | xz`
        const PACKED: &[u8] = &[
            0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00,
            0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x0a, 0x50,
            0x61, 0x63, 0x6b, 0x61, 0x67, 0x65, 0x3a, 0x20, 0x61, 0x0a, 0x00, 0x00, 0x7d, 0xbb,
            0x61, 0xe2, 0x0e, 0xb0, 0xce, 0xee, 0x00, 0x01, 0x23, 0x0b, 0xc2, 0x1b, 0xfd, 0x09,
            0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
        ];
        assert_eq!(unpack(PACKED)?, "Package: a\n");
        Ok(())
    }

    #[test]
    fn damage_is_an_error() {
        for magic in [GZIP, XZ, LZ4] {
            assert!(unpack(&[magic, &[7; 40]].concat()).is_err());
        }
        assert!(unpack(&[0xff, 0xfe]).is_err());
    }
}
