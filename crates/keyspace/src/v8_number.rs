//! Numbers as V8 serialises them: what `sum` computes with beside 64-bit numbers.
//!
//! ```text
//! FF version | I zigzag varint | U varint | N f64 little-endian
//!            | Z varint (bytes << 1 | negative), magnitude little-endian
//! ```

use num_bigint::{BigInt, Sign};

/// What stands before every serialised value: a tag, and the version of the format
/// that is written here.
const VERSION_TAG: u8 = 0xFF;
const VERSION: u8 = 15;
/// Older formats have other numbers.
const VERSION_MIN: u8 = 13;

const INT32: u8 = b'I';
const UINT32: u8 = b'U';
const DOUBLE: u8 = b'N';
const BIGINT: u8 = b'Z';
/// Bytes of a bigint that is taken apart, at most.
const BIGINT_BYTES_MAX: u64 = 1 << 16;

/// A number or a bigint of JavaScript.
#[derive(Clone, PartialEq, Debug)]
pub enum V8Number {
    /// A number.
    Number(f64),
    /// A bigint.
    BigInt(BigInt),
}

impl V8Number {
    /// The number that a serialised value is, if it is one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [VERSION_TAG, version, tag, rest @ ..] = bytes else { return None };
        let mut rest = rest;
        let number = match (*version >= VERSION_MIN, *tag) {
            (true, INT32) => {
                let zigzag = u32::try_from(varint(&mut rest)?).ok()?;
                Self::Number(f64::from((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32)))
            }
            (true, UINT32) => Self::Number(f64::from(u32::try_from(varint(&mut rest)?).ok()?)),
            (true, DOUBLE) => {
                let (number, behind) = rest.split_first_chunk()?;
                rest = behind;
                Self::Number(f64::from_le_bytes(*number))
            }
            (true, BIGINT) => {
                let bits = varint(&mut rest)?;
                let bytes = Some(bits >> 1).filter(|bytes| *bytes <= BIGINT_BYTES_MAX)?;
                let (magnitude, behind) = rest.split_at_checked(bytes as usize)?;
                rest = behind;
                let sign = if bits & 1 == 1 { Sign::Minus } else { Sign::Plus };
                Self::BigInt(BigInt::from_bytes_le(sign, magnitude))
            }
            _ => return None,
        };
        rest.is_empty().then_some(number)
    }

    /// The number as V8 would serialise it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION_TAG, VERSION];
        match self {
            Self::Number(number) => {
                let integer = *number as i32;
                if f64::from(integer).to_bits() == number.to_bits() {
                    out.push(INT32);
                    put_varint(&mut out, u64::from((integer << 1 ^ integer >> 31) as u32));
                } else {
                    out.push(DOUBLE);
                    out.extend(number.to_le_bytes());
                }
            }
            Self::BigInt(number) => {
                let (sign, mut magnitude) = number.to_bytes_le();
                if sign == Sign::NoSign {
                    magnitude.clear();
                }
                // V8 has digits of eight bytes.
                magnitude.resize(magnitude.len().next_multiple_of(8), 0);
                out.push(BIGINT);
                let negative = u64::from(sign == Sign::Minus);
                put_varint(&mut out, (magnitude.len() as u64) << 1 | negative);
                out.extend(magnitude);
            }
        }
        out
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_v8() {
        // What `v8.serialize` of Node 20 gives.
        let cases: [(V8Number, &[u8]); 9] = [
            (V8Number::Number(0.0), b"\xff\x0fI\x00"),
            (V8Number::Number(1.0), b"\xff\x0fI\x02"),
            (V8Number::Number(-1.0), b"\xff\x0fI\x01"),
            (V8Number::Number(300.0), b"\xff\x0fI\xd8\x04"),
            (V8Number::Number(-1_073_741_825.0), b"\xff\x0fI\x81\x80\x80\x80\x08"),
            (V8Number::Number(1.5), b"\xff\x0fN\x00\x00\x00\x00\x00\x00\xf8\x3f"),
            (V8Number::BigInt(BigInt::ZERO), b"\xff\x0fZ\x00"),
            (V8Number::BigInt(5.into()), b"\xff\x0fZ\x10\x05\x00\x00\x00\x00\x00\x00\x00"),
            (V8Number::BigInt((-5).into()), b"\xff\x0fZ\x11\x05\x00\x00\x00\x00\x00\x00\x00"),
        ];
        for (number, bytes) in cases {
            assert_eq!(number.encode(), bytes, "{number:?}");
            assert_eq!(V8Number::decode(bytes), Some(number));
        }
        assert_eq!(V8Number::decode(b"\xff\x0fU\xac\x02"), Some(V8Number::Number(300.0)));
    }

    #[test]
    fn what_is_no_number_is_none() {
        let others: [&[u8]; 8] = [
            b"",
            b"\xff\x0f",
            b"\xff\x0f\"\x01a",
            b"\xff\x0fI",
            b"\xff\x0fI\x02\x00",
            b"\xff\x0fN\x00",
            b"\xff\x0fZ\xff\xff\xff\xff\x0f",
            b"\xff\x0fI\xff\xff\xff\xff\xff\xff",
        ];
        for bytes in others {
            assert_eq!(V8Number::decode(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_back(number in any::<f64>(), big in any::<i128>(), small in any::<i32>()) {
            for number in [number, f64::from(small)] {
                let read = V8Number::decode(&V8Number::Number(number).encode());
                let Some(V8Number::Number(read)) = read else { panic!("a number") };
                prop_assert_eq!(read.to_bits(), number.to_bits());
            }
            let big = V8Number::BigInt(big.into());
            prop_assert_eq!(V8Number::decode(&big.encode()), Some(big));
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let bytes = [b"\xff\x0f", bytes.as_slice()].concat();
            let _ = V8Number::decode(&bytes);
        }
    }
}
