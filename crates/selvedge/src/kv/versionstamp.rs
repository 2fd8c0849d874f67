//! Versionstamps: which commit wrote a value.

use std::fmt;
use std::str::FromStr;

use selvedge_base::Timestamp;
use selvedge_keyspace::stamp_text;

use crate::kv::error::KvError;

/// Which commit wrote a value: 10 bytes, shown as 20 hexadecimal digits. All values of
/// one commit have the same, and those of a later commit a greater one, as numbers, as
/// bytes and as text. None is given out twice, not even after a crash.
///
/// ```
/// use selvedge::{Timestamp, Versionstamp};
///
/// let stamp = Versionstamp::from(Timestamp::new(10));
/// assert_eq!(stamp.to_string(), "000000000000000a0000");
/// assert_eq!("000000000000000a0000".parse(), Ok(stamp));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Versionstamp(Timestamp);

impl Versionstamp {
    fn numbered(number: u64) -> Option<Self> {
        (number <= Timestamp::MAX.get()).then(|| Self(Timestamp::new(number)))
    }

    /// The timestamp of the commit.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The 10 bytes: the timestamp, big-endian, and two bytes of zero.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.0.get().to_be_bytes());
        bytes
    }

    /// The versionstamp with these bytes; `None` if it is none that can be given out.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 10]) -> Option<Self> {
        let [timestamp @ .., 0, 0] = bytes else { return None };
        Self::numbered(u64::from_be_bytes(timestamp))
    }
}

impl From<Timestamp> for Versionstamp {
    fn from(commit: Timestamp) -> Self {
        Self(commit)
    }
}

impl fmt::Display for Versionstamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&stamp_text(self.0))
    }
}

impl fmt::Debug for Versionstamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Versionstamp {
    type Err = KvError;

    fn from_str(text: &str) -> Result<Self, KvError> {
        let digits = text.strip_suffix("0000").filter(|digits| digits.len() == 16);
        let is_hex = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.filter(is_hex).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.and_then(Self::numbered).ok_or(KvError::NotAVersionstamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_text_and_order_agree() {
        let stamps = [0, 1, 255, 256, Timestamp::MAX.get()]
            .map(|number| Versionstamp(Timestamp::new(number)));
        for pair in stamps.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_bytes() < pair[1].to_bytes());
            assert!(pair[0].to_string() < pair[1].to_string());
        }
        for stamp in stamps {
            assert_eq!(Versionstamp::from_bytes(stamp.to_bytes()), Some(stamp));
            assert_eq!(stamp.to_string().parse(), Ok(stamp));
        }
        assert_eq!(Versionstamp::from_bytes([1; 10]), None);
        for wrong in [
            "",
            "0000",
            "ffffffffffffffff0000",
            "000000000000000a0001",
            "+00000000000000a0000",
            "é",
        ] {
            assert!(wrong.parse::<Versionstamp>().is_err(), "{wrong}");
        }
    }
}
