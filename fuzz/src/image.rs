//! The files of a directory as bytes, and what inputs do to them.

use std::collections::BTreeMap;
use std::path::Path;

use arbitrary::Arbitrary;
use selvedge_env::{FileSystem, OpenMode, SimulatedFiles};

/// Bytes that all files together may come to have.
const BYTES_MAX: usize = 1 << 20;

/// The files of a directory.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Image(pub(crate) BTreeMap<String, Vec<u8>>);

/// A change that knows nothing of formats. Places are counted over all files, one
/// behind the other.
#[derive(Clone, Arbitrary, Debug)]
pub(crate) enum Edit {
    Flip {
        at: u32,
        bit: u8,
    },
    Set {
        at: u32,
        byte: u8,
    },
    /// A number of 1, 2, 4 or 8 bytes.
    Number {
        at: u32,
        width: u8,
        number: Number,
    },
    Fill {
        at: u32,
        len: u16,
        byte: u8,
    },
    /// Bytes from one place to another.
    Copy {
        from: u32,
        to: u32,
        len: u16,
    },
    /// The same, pushing apart what is there.
    Insert {
        from: u32,
        to: u32,
        len: u8,
    },
    Cut {
        file: u8,
        len: u32,
    },
    Remove {
        file: u8,
    },
    /// One file over another.
    Replace {
        from: u8,
        to: u8,
    },
}

/// A number: small, near a border, or any.
#[derive(Clone, Copy, Arbitrary, Debug)]
pub(crate) enum Number {
    Small(u8),
    Minus(u8),
    /// A power of two, and so many more.
    Power(u8, i8),
    Any(u64),
}

impl Number {
    pub(crate) fn get(self) -> u64 {
        match self {
            Self::Small(number) => u64::from(number),
            Self::Minus(number) => u64::MAX - u64::from(number),
            Self::Power(power, more) => {
                (1_u64 << (power % 64)).wrapping_add_signed(i64::from(more))
            }
            Self::Any(number) => number,
        }
    }
}

impl Image {
    /// What lies in a directory, as whoever runs now sees it.
    pub(crate) fn take(files: &SimulatedFiles, dir: &Path) -> Self {
        let mut image = Self::default();
        for name in files.list(dir).expect("the directory is there") {
            let file = files.open(&dir.join(&name), OpenMode::Read).expect("it was listed");
            let mut bytes = vec![0; file.len().expect("open") as usize];
            file.read_exact_at(&mut bytes, 0).expect("as long as it is");
            image.0.insert(name, bytes);
        }
        image
    }

    /// Puts the files into an empty directory of a machine.
    pub(crate) fn put(&self, files: &SimulatedFiles, dir: &Path) {
        files.create_dir(dir).expect("nothing goes wrong");
        for (name, bytes) in &self.0 {
            let file = files.open(&dir.join(name), OpenMode::Create).expect("it is new");
            file.write_all_at(bytes, 0).expect("there is room");
            file.sync_data().expect("nothing goes wrong");
        }
        files.sync_dir(dir).expect("nothing goes wrong");
    }

    fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// The file and the place in it that a number picks, if there is any.
    fn spot(&mut self, at: u32) -> Option<(&mut Vec<u8>, usize)> {
        let mut at = (at as usize).checked_rem(self.len())?;
        for bytes in self.0.values_mut() {
            if at < bytes.len() {
                return Some((bytes, at));
            }
            at -= bytes.len();
        }
        None
    }

    fn name(&self, file: u8) -> Option<String> {
        let at = usize::from(file).checked_rem(self.0.len())?;
        self.0.keys().nth(at).cloned()
    }

    fn bytes_at(&mut self, from: u32, len: usize) -> Vec<u8> {
        let spot = self.spot(from);
        spot.map_or_else(Vec::new, |(bytes, at)| bytes[at..].iter().copied().take(len).collect())
    }

    /// Changes the files.
    pub(crate) fn edit(&mut self, edit: &Edit) {
        match *edit {
            Edit::Flip { at, bit } => {
                let Some((bytes, at)) = self.spot(at) else { return };
                bytes[at] ^= 1 << (bit % 8);
            }
            Edit::Set { at, byte } => {
                let Some((bytes, at)) = self.spot(at) else { return };
                bytes[at] = byte;
            }
            Edit::Number { at, width, number } => {
                let Some((bytes, at)) = self.spot(at) else { return };
                write(bytes, at, &number.get().to_le_bytes()[..1 << (width % 4)]);
            }
            Edit::Fill { at, len, byte } => {
                let Some((bytes, at)) = self.spot(at) else { return };
                write(bytes, at, &vec![byte; usize::from(len)]);
            }
            Edit::Copy { from, to, len } => {
                let copied = self.bytes_at(from, usize::from(len));
                let Some((bytes, at)) = self.spot(to) else { return };
                write(bytes, at, &copied);
            }
            Edit::Insert { from, to, len } => {
                let copied = self.bytes_at(from, usize::from(len));
                if self.len() + copied.len() <= BYTES_MAX
                    && let Some((bytes, at)) = self.spot(to)
                {
                    bytes.splice(at..at, copied);
                }
            }
            Edit::Cut { file, len } => {
                let name = self.name(file);
                let Some(bytes) = name.and_then(|name| self.0.get_mut(&name)) else { return };
                let len = len as usize % (bytes.len() + 1);
                bytes.truncate(len);
            }
            Edit::Remove { file } => {
                let Some(name) = self.name(file) else { return };
                self.0.remove(&name);
            }
            Edit::Replace { from, to } => {
                let (Some(from), Some(to)) = (self.name(from), self.name(to)) else { return };
                let bytes = self.0[&from].clone();
                if self.len() + bytes.len() <= BYTES_MAX {
                    self.0.insert(to, bytes);
                }
            }
        }
    }
}

/// Writes over bytes, as far as there are any.
fn write(bytes: &mut [u8], at: usize, new: &[u8]) {
    let len = new.len().min(bytes.len() - at);
    bytes[at..at + len].copy_from_slice(&new[..len]);
}
