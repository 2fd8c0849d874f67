//! The parts that keys are made of, and their order.

use std::cmp::Ordering;

use num_bigint::BigInt;

/// A part of a [`Key`](crate::Key).
///
/// Parts are ordered first by type, in the order of the variants here, then
/// within the type; [`NAN`](f64::NAN) equals itself, `-0.0` comes before `0.0`.
#[derive(Clone, Debug)]
pub enum KeyPart {
    /// Bytes, ordered byte by byte.
    Bytes(Vec<u8>),
    /// Text, ordered by the bytes of its UTF-8.
    String(String),
    /// An integer of up to [`KEY_INTEGER_BYTES_MAX`](crate::KEY_INTEGER_BYTES_MAX)
    /// bytes: what JavaScript calls a bigint.
    Integer(BigInt),
    /// A floating-point number: what JavaScript calls a number. From the negative
    /// NaN over negative infinity and zero to infinity and the positive NaN.
    Float(f64),
    /// A truth value, false first.
    Bool(bool),
}

impl KeyPart {
    fn rank(&self) -> u8 {
        match self {
            Self::Bytes(_) => 0,
            Self::String(_) => 1,
            Self::Integer(_) => 2,
            Self::Float(_) => 3,
            Self::Bool(_) => 4,
        }
    }
}

/// The bits of a number with one NaN for each sign.
pub(crate) fn canonical(number: f64) -> u64 {
    if !number.is_nan() {
        return number.to_bits();
    }
    let sign = number.to_bits() & (1 << 63);
    sign | 0x7FF8 << 48
}

/// Bits of numbers in the order of their bytes.
pub(crate) fn sortable(bits: u64) -> u64 {
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// What [`sortable`] made.
pub(crate) fn from_sortable(bits: u64) -> u64 {
    if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits }
}

impl Ord for KeyPart {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(other)) => one.cmp(other),
            (Self::String(one), Self::String(other)) => one.cmp(other),
            (Self::Integer(one), Self::Integer(other)) => one.cmp(other),
            (Self::Float(one), Self::Float(other)) => {
                sortable(canonical(*one)).cmp(&sortable(canonical(*other)))
            }
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for KeyPart {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for KeyPart {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for KeyPart {}

macro_rules! part_from {
    ($($from:ty => $to:ident),* $(,)?) => {$(
        impl From<$from> for KeyPart {
            fn from(part: $from) -> Self {
                Self::$to(part.into())
            }
        }
    )*};
}

part_from! {
    Vec<u8> => Bytes, &[u8] => Bytes, Box<[u8]> => Bytes,
    String => String, &str => String, &String => String, char => String,
    BigInt => Integer,
    u8 => Integer, u16 => Integer, u32 => Integer, u64 => Integer, u128 => Integer,
    usize => Integer,
    i8 => Integer, i16 => Integer, i32 => Integer, i64 => Integer, i128 => Integer,
    isize => Integer,
    f32 => Float, f64 => Float,
    bool => Bool,
}

impl<const N: usize> From<[u8; N]> for KeyPart {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<const N: usize> From<&[u8; N]> for KeyPart {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<&Self> for KeyPart {
    fn from(part: &Self) -> Self {
        part.clone()
    }
}
