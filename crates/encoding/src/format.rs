//! The layout of an encoded document, byte by byte.
//!
//! A document is a *container*; so is every list and every map inside it. A
//! container knows its own extent from outside: the caller's slice, or the
//! entry that holds it. Numbers are little-endian.
//!
//! ```text
//! container := (nothing)                       no entries: zero bytes
//!            | entry{n} end{n} width           n >= 1 entries
//! end       := 1, 2 or 4 bytes, unsigned       where entry i ends, counted from
//!                                              the container's first byte
//! width     := 1 byte: 0, 1 or 2               an end has 2^width bytes: the
//!                                              fewest that hold the last end
//! entry     := field                           in a map (the document itself is one)
//!            | value                           in a list
//! field     := length name value               in ascending order of the names' bytes,
//!                                              each name once
//! length    := 1 byte                          bytes in the name
//! name      := UTF-8, at most 255 bytes
//! value     := tag payload                     the payload reaches to the entry's end
//!
//! tag  value      payload
//!  0   null       nothing
//!  1   false      nothing
//!  2   true       nothing
//!  3   i64        two's complement in 1, 2, 4 or 8 bytes, the fewest that hold it
//!  4   u64        8 bytes, at least 2^63; smaller ones are i64
//!  5   f64        8 bytes, IEEE 754; NaN is 0x7ff8000000000000 only
//!  6   string     UTF-8
//!  7   bytes      the bytes
//!  8   timestamp  8 bytes, signed: microseconds since the epoch, UTC
//!  9   vector     4 bytes for each number, IEEE 754; NaN is 0x7fc00000 only
//! 10   list       container of values
//! 11   map        container of fields
//! ```
//!
//! Entries follow each other without gaps from the container's first byte; entry
//! `i` begins where entry `i - 1` ends. There is no count: the last end is also
//! where the table of ends begins, so that the length of the table gives it. The
//! table stands behind the entries because the width of its items is known only
//! then, and a nested container can so be written in one go.
//!
//! `{"a": [1, null], "b": "x"}` in full:
//!
//! ```text
//!  0: 01 61 0a          field "a", list:
//!  3:   03 01             element 0: i64 1
//!  5:   00                element 1: null
//!  6:   02 03             ends of the elements, counted from byte 3
//!  8:   00                their width: 2^0 bytes
//!  9: 01 62 06 78       field "b", string "x"
//! 13: 09 0d             ends of the fields
//! 15: 00                their width: 2^0 bytes
//! ```
//!
//! # Limits
//! A document has at most `DOCUMENT_BYTES_MAX` bytes and nests at most
//! `DOCUMENT_DEPTH_MAX` levels, itself being the first.
//!
//! # Change
//! A width byte above 2 and a tag above 11 are refused today; they are the room
//! for later versions of the format.

/// Tag of null.
pub(crate) const NULL: u8 = 0;
/// Tag of false.
pub(crate) const FALSE: u8 = 1;
/// Tag of true.
pub(crate) const TRUE: u8 = 2;
/// Tag of integers in the range of `i64`.
pub(crate) const I64: u8 = 3;
/// Tag of integers beyond `i64`.
pub(crate) const U64: u8 = 4;
/// Tag of floating-point numbers.
pub(crate) const F64: u8 = 5;
/// Tag of text.
pub(crate) const STRING: u8 = 6;
/// Tag of bytes.
pub(crate) const BYTES: u8 = 7;
/// Tag of points in time.
pub(crate) const TIMESTAMP: u8 = 8;
/// Tag of vectors.
pub(crate) const VECTOR: u8 = 9;
/// Tag of lists.
pub(crate) const LIST: u8 = 10;
/// Tag of maps.
pub(crate) const MAP: u8 = 11;

/// The largest width byte.
pub(crate) const WIDTH_MAX: u8 = 2;

const NAN_F64_BITS: u64 = 0x7ff8_0000_0000_0000;
const NAN_F32_BITS: u32 = 0x7fc0_0000;

/// The width byte of a container whose last entry ends at `last_end`.
pub(crate) fn width_for(last_end: usize) -> u8 {
    match last_end {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        _ => 2,
    }
}

/// The bits that `value` is stored as: every NaN as the same one.
pub(crate) fn canonical_f64(value: f64) -> u64 {
    if value.is_nan() { NAN_F64_BITS } else { value.to_bits() }
}

/// The bits that `value` is stored as: every NaN as the same one.
pub(crate) fn canonical_f32(value: f32) -> u32 {
    if value.is_nan() { NAN_F32_BITS } else { value.to_bits() }
}

#[cfg(test)]
mod tests {
    use crate::{DateTime, DocRef, Document, Value, doc, encode};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_example_above_is_what_is_written() {
        let bytes = encode(&doc! { "b": "x", "a": [1, null] }).unwrap();
        assert_eq!(hex(&bytes), "01610a03010002030001620678090d00");
    }

    /// Pins the bytes of every type. A change here is a change of the format on
    /// disk and needs a new version of it.
    #[test]
    fn fixture_of_every_type() {
        let document = doc! {
            "": null,
            "bytes": b"\x00\xff",
            "f": -0.0,
            "false": false,
            "i1": -128,
            "i2": 128,
            "i4": -32769,
            "i8": i64::MIN,
            "list": [],
            "map": { "é": true },
            "nan": f64::NAN,
            "text": "é",
            "time": DateTime::from_micros(-2),
            "u": u64::MAX,
            "vector": vec![1.0f32, f32::NAN],
        };
        let expected = [
            "0000",
            "0562797465730700ff",
            "0166050000000000000080",
            "0566616c736501",
            "0269310380",
            "026932038000",
            "02693403ff7fffff",
            "026938030000000000000080",
            "046c6973740a",
            "036d61700b",
            "02c3a902",
            "0400",
            "036e616e05000000000000f87f",
            "047465787406c3a9",
            "0474696d6508feffffffffffffff",
            "017504ffffffffffffffff",
            "06766563746f72090000803f0000c07f",
            // The ends of the fifteen entries, and their width.
            "020b161d2228303c424d5a62707b8b",
            "00",
        ]
        .concat();
        let bytes = encode(&document).unwrap();
        assert_eq!(hex(&bytes), expected);
        assert_eq!(DocRef::parse(&bytes).unwrap().to_document(), document);
    }

    #[test]
    fn the_empty_document_has_no_bytes() {
        assert!(encode(&Document::new()).unwrap().is_empty());
    }

    #[test]
    fn ends_grow_wider_with_the_container() {
        // One field `v` of bytes: three bytes beside the payload, then the table.
        for (payload, last_end, table) in [
            (252, 255usize, "ff00".to_owned()),
            (253, 256, "000101".to_owned()),
            (65_532, 65_535, "ffff01".to_owned()),
            (65_533, 65_536, "0000010002".to_owned()),
        ] {
            let bytes = encode(&doc! { "v": Value::Bytes(vec![7; payload]) }).unwrap();
            assert_eq!(hex(&bytes[last_end..]), table);
            assert!(DocRef::parse(&bytes).is_ok());
        }
    }
}
