//! Keys of several typed parts, as bytes that sort as the parts do.
//!
//! A subset of FoundationDB's tuple layer, and byte for byte what Deno KV's
//! clients make of their keys. Parts follow one another:
//!
//! ```text
//! bytes            01, the bytes with 00 as 00 FF, 00
//! string           02, its UTF-8 likewise, 00
//! integer          14 for 0; n bytes of magnitude, big-endian:
//!   > 0            14+n, magnitude                 1D, n, magnitude         (n > 8)
//!   < 0            14-n, ones' complement of it    0B, n^FF, ones' compl.   (n > 8)
//! float            21, 8 bytes big-endian; all bits inverted if negative, else the sign
//! false, true      26, 27
//! ```

use std::fmt::{self, Write as _};

use num_bigint::{BigInt, Sign};
use selvedge_base::mutant;
use thiserror::Error;

use crate::key_part::{KeyPart, canonical, from_sortable, sortable};

const BYTES: u8 = 0x01;
const STRING: u8 = 0x02;
const INTEGER_LONG_NEGATIVE: u8 = 0x0B;
const INTEGER_ZERO: u8 = 0x14;
const INTEGER_LONG: u8 = 0x1D;
const FLOAT: u8 = 0x21;
const FALSE: u8 = 0x26;
const TRUE: u8 = 0x27;
/// Follows a zero byte inside bytes and strings; none follows the last one.
const ESCAPED: u8 = 0xFF;
/// Bytes of magnitude whose number is part of the first byte.
const SHORT: usize = 8;

/// Bytes that the magnitude of an integer in a key may have.
pub const KEY_INTEGER_BYTES_MAX: usize = 255;

/// A key of an entry: the bytes of its parts. Keys sort by their bytes, and so by
/// their parts.
///
/// [`key!`](crate::key!) writes one down.
///
/// ```
/// use selvedge_encoding::{Key, KeyPart, key};
///
/// let key = key!["hello", vec![1, 2, 0, 7, 8]];
/// assert_eq!(key.as_bytes(), b"\x02hello\x00\x01\x01\x02\x00\xff\x07\x08\x00");
/// assert_eq!(key.parts()?[0], KeyPart::from("hello"));
/// assert!(key!["a", 2] < key!["a", 10] && key!["a", 10] < key!["a", 1.5]);
/// assert!(key!["account", "alice"].starts_with(&key!["account"]));
/// # Ok::<(), selvedge_encoding::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// A key without parts: no entry has it, but it is a prefix of all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A key whose bytes come from elsewhere, whether they are those of parts or
    /// not.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The key with one part more.
    ///
    /// # Panics
    /// If the part is an integer of more than [`KEY_INTEGER_BYTES_MAX`] bytes;
    /// [`push`](Self::push) gives an error.
    #[must_use]
    pub fn with(mut self, part: impl Into<KeyPart>) -> Self {
        self.push(&part.into()).expect("an integer of at most 255 bytes");
        self
    }

    /// Appends a part.
    ///
    /// # Errors
    /// [`KeyError::IntegerTooLong`].
    pub fn push(&mut self, part: &KeyPart) -> Result<(), KeyError> {
        match part {
            KeyPart::Bytes(bytes) => self.push_escaped(BYTES, bytes),
            KeyPart::String(text) => self.push_escaped(STRING, text.as_bytes()),
            KeyPart::Integer(integer) => self.push_integer(integer)?,
            KeyPart::Float(number) => {
                self.0.push(FLOAT);
                self.0.extend_from_slice(&sortable(canonical(*number)).to_be_bytes());
            }
            KeyPart::Bool(truth) => self.0.push(if *truth { TRUE } else { FALSE }),
        }
        Ok(())
    }

    fn push_escaped(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        for byte in bytes {
            self.0.push(*byte);
            if *byte == 0 && !mutant::is("key-zero-unescaped") {
                self.0.push(ESCAPED);
            }
        }
        self.0.push(0);
    }

    fn push_integer(&mut self, integer: &BigInt) -> Result<(), KeyError> {
        let (sign, magnitude) = integer.to_bytes_be();
        let len = magnitude.len();
        let Ok(short) = u8::try_from(len) else {
            return Err(KeyError::IntegerTooLong { bytes: len });
        };
        match sign {
            Sign::NoSign => self.0.push(INTEGER_ZERO),
            Sign::Plus => {
                if len <= SHORT {
                    self.0.push(INTEGER_ZERO + short);
                } else {
                    self.0.extend([INTEGER_LONG, short]);
                }
                self.0.extend(magnitude);
            }
            Sign::Minus => {
                if len <= SHORT {
                    self.0.push(INTEGER_ZERO - short);
                } else {
                    self.0.extend([INTEGER_LONG_NEGATIVE, !short]);
                }
                self.0.extend(magnitude.iter().map(|byte| !byte));
            }
        }
        Ok(())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Whether the parts of `prefix` come first in this key.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        // Behind what looks like the end of bytes or of a string, the end is an
        // escaped zero in the midst of it. No part begins so.
        let rest = self.0.strip_prefix(prefix.0.as_slice());
        rest.is_some_and(|rest| rest.first() != Some(&ESCAPED))
    }

    /// The parts.
    ///
    /// # Errors
    /// [`KeyError`] if the bytes are not those of parts.
    pub fn parts(&self) -> Result<Vec<KeyPart>, KeyError> {
        let mut reader = Reader { bytes: &self.0, at: 0 };
        let mut parts = Vec::new();
        while reader.at < self.0.len() {
            parts.push(reader.part()?);
        }
        Ok(parts)
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<P: Into<KeyPart>> Extend<P> for Key {
    /// # Panics
    /// As [`Key::with`].
    fn extend<T: IntoIterator<Item = P>>(&mut self, parts: T) {
        for part in parts {
            self.push(&part.into()).expect("an integer of at most 255 bytes");
        }
    }
}

impl<P: Into<KeyPart>> FromIterator<P> for Key {
    fn from_iter<T: IntoIterator<Item = P>>(parts: T) -> Self {
        let mut key = Self::new();
        key.extend(parts);
        key
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(parts) = self.parts() else { return write!(f, "\"{}\"", self.0.escape_ascii()) };
        f.write_char('[')?;
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match part {
                KeyPart::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii())?,
                KeyPart::String(text) => write!(f, "{text:?}")?,
                KeyPart::Integer(integer) => write!(f, "{integer}")?,
                KeyPart::Float(number) => write!(f, "{number:?}")?,
                KeyPart::Bool(truth) => write!(f, "{truth}")?,
            }
        }
        f.write_char(']')
    }
}

/// A [`Key`](crate::Key) written down: its parts, one behind the other. Integers
/// are those of a key (JavaScript's bigint); a JavaScript number is a float here,
/// `1.0`.
///
/// ```
/// use selvedge_encoding::key;
///
/// let name = String::from("alice");
/// assert_eq!(format!("{:?}", key!["account", name, 7, true]), r#"["account", "alice", 7, true]"#);
/// ```
#[macro_export]
macro_rules! key {
    ($($part:expr),* $(,)?) => {
        $crate::Key::new()$(.with($part))*
    };
}

/// What is wrong with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// An integer is longer than [`KEY_INTEGER_BYTES_MAX`].
    #[error("an integer of {bytes} bytes in a key: the limit is {KEY_INTEGER_BYTES_MAX}")]
    IntegerTooLong {
        /// Bytes of its magnitude.
        bytes: usize,
    },
    /// The bytes are not those that parts make.
    #[error("the bytes of a key do not make sense from {offset} on: {what}")]
    NotParts {
        /// Where the part that makes no sense begins.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// Takes parts from the front of bytes.
struct Reader<'k> {
    bytes: &'k [u8],
    at: usize,
}

impl<'k> Reader<'k> {
    fn part(&mut self) -> Result<KeyPart, KeyError> {
        let offset = self.at;
        self.part_or().map_err(|what| KeyError::NotParts { offset, what })
    }

    fn part_or(&mut self) -> Result<KeyPart, &'static str> {
        let tag = self.byte()?;
        match tag {
            BYTES => self.escaped().map(KeyPart::Bytes),
            STRING => {
                let text = String::from_utf8(self.escaped()?);
                text.map(KeyPart::String).map_err(|_| "a string that is not UTF-8")
            }
            INTEGER_LONG => {
                let len = usize::from(self.byte()?);
                self.integer(len, Sign::Plus, true)
            }
            INTEGER_LONG_NEGATIVE => {
                let len = usize::from(!self.byte()?);
                self.integer(len, Sign::Minus, true)
            }
            INTEGER_ZERO => Ok(KeyPart::Integer(BigInt::ZERO)),
            tag if tag > INTEGER_LONG_NEGATIVE && tag < INTEGER_ZERO => {
                self.integer(usize::from(INTEGER_ZERO - tag), Sign::Minus, false)
            }
            tag if tag > INTEGER_ZERO && tag < INTEGER_LONG => {
                self.integer(usize::from(tag - INTEGER_ZERO), Sign::Plus, false)
            }
            FLOAT => {
                let bytes = self.take(8)?.try_into().map_err(|_| "cut short")?;
                let number = f64::from_bits(from_sortable(u64::from_be_bytes(bytes)));
                let is_canonical = canonical(number) == number.to_bits();
                is_canonical.then_some(KeyPart::Float(number)).ok_or("a NaN of another kind")
            }
            FALSE => Ok(KeyPart::Bool(false)),
            TRUE => Ok(KeyPart::Bool(true)),
            _ => Err("no part begins like this"),
        }
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, len: usize) -> Result<&'k [u8], &'static str> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len));
        self.at += len;
        taken.ok_or("cut short")
    }

    fn escaped(&mut self) -> Result<Vec<u8>, &'static str> {
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                0 if self.bytes.get(self.at) == Some(&ESCAPED) => {
                    self.at += 1;
                    bytes.push(0);
                }
                0 => return Ok(bytes),
                byte => bytes.push(byte),
            }
        }
    }

    fn integer(&mut self, len: usize, sign: Sign, long: bool) -> Result<KeyPart, &'static str> {
        let magnitude = self.take(len)?;
        let magnitude = match sign {
            Sign::Minus => magnitude.iter().map(|byte| !byte).collect(),
            _ => magnitude.to_vec(),
        };
        if magnitude.first() == Some(&0) || long != (len > SHORT) {
            return Err("an integer with more bytes than it needs");
        }
        Ok(KeyPart::Integer(BigInt::from_bytes_be(sign, &magnitude)))
    }
}
