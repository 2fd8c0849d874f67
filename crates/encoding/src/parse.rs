//! Checking bytes from outside against every rule of the format.
//!
//! Strict, so that one document has one encoding: a number in more bytes than
//! it needs or fields out of order are refused, not tidied up.

use selvedge_base::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_DEPTH_MAX};
use selvedge_base::mutant;

use crate::DecodeError;
use crate::container::{Container, split_field};
use crate::format::{self, canonical_f32, canonical_f64, width_for};

/// Checks a whole document.
pub(crate) fn check_document(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: bytes.len(), limit: DOCUMENT_BYTES_MAX });
    }
    check_map(bytes, 0, 1)
}

/// `at` is the position of `bytes` in the whole, `depth` the level of the map.
fn check_map(bytes: &[u8], at: usize, depth: usize) -> Result<(), DecodeError> {
    let mut last_name: Option<&[u8]> = None;
    check_entries(bytes, at, depth, |entry, at| {
        let (name, value) = split_field(entry).ok_or(malformed(at, "a name ends in its entry"))?;
        if std::str::from_utf8(name).is_err() {
            return Err(malformed(at, "names are UTF-8"));
        }
        let is_behind = last_name.is_none_or(|last| last < name);
        if !is_behind && !mutant::is("document-order-unchecked") {
            return Err(malformed(at, "names ascend"));
        }
        last_name = Some(name);
        check_value(value, at + entry.len() - value.len(), depth)
    })
}

fn check_list(bytes: &[u8], at: usize, depth: usize) -> Result<(), DecodeError> {
    check_entries(bytes, at, depth, |entry, at| check_value(entry, at, depth))
}

/// Checks the table of a container and calls `check` with each entry and its
/// position.
fn check_entries<'a>(
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    mut check: impl FnMut(&'a [u8], usize) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    if depth > DOCUMENT_DEPTH_MAX {
        return Err(DecodeError::TooDeep { at, limit: DOCUMENT_DEPTH_MAX });
    }
    let container = Container::new(bytes)
        .ok_or(malformed(at, "a container ends with a table of its entries"))?;
    if container.width() != width_for(container.entries().len()) {
        return Err(malformed(at, "ends are as narrow as can be"));
    }
    let mut start = 0;
    for index in 0..container.len() {
        let entry = container.entry(index).ok_or(malformed(at, "entries follow each other"))?;
        check(entry, at + start)?;
        start += entry.len();
    }
    Ok(())
}

/// `depth` is the level of the container that the value lies in.
fn check_value(bytes: &[u8], at: usize, depth: usize) -> Result<(), DecodeError> {
    let (&tag, payload) = bytes.split_first().ok_or(malformed(at, "a value has a tag"))?;
    let ok = match tag {
        format::NULL | format::FALSE | format::TRUE => payload.is_empty(),
        format::I64 => is_shortest_integer(payload),
        format::U64 => payload.try_into().is_ok_and(|le| u64::from_le_bytes(le) > i64::MAX as u64),
        format::F64 => payload
            .try_into()
            .is_ok_and(|le| canonical_f64(f64::from_le_bytes(le)) == u64::from_le_bytes(le)),
        format::STRING => std::str::from_utf8(payload).is_ok(),
        format::BYTES => true,
        format::TIMESTAMP => payload.len() == size_of::<i64>(),
        format::VECTOR => {
            let (numbers, rest) = payload.as_chunks();
            rest.is_empty()
                && numbers
                    .iter()
                    .all(|le| canonical_f32(f32::from_le_bytes(*le)) == u32::from_le_bytes(*le))
        }
        format::LIST => return check_list(payload, at + 1, depth + 1),
        format::MAP => return check_map(payload, at + 1, depth + 1),
        _ => return Err(malformed(at, "tags are 0 to 11")),
    };
    if ok { Ok(()) } else { Err(malformed(at, rule_of_payload(tag))) }
}

/// Whether fewer bytes would not do.
fn is_shortest_integer(payload: &[u8]) -> bool {
    match *payload {
        [_] => true,
        [a, b] => i8::try_from(i16::from_le_bytes([a, b])).is_err(),
        [a, b, c, d] => i16::try_from(i32::from_le_bytes([a, b, c, d])).is_err(),
        _ => payload.try_into().is_ok_and(|le| i32::try_from(i64::from_le_bytes(le)).is_err()),
    }
}

fn rule_of_payload(tag: u8) -> &'static str {
    match tag {
        format::I64 => "an i64 has the fewest of 1, 2, 4 or 8 bytes",
        format::U64 => "a u64 has 8 bytes and is beyond i64",
        format::F64 => "an f64 has 8 bytes and only one NaN",
        format::STRING => "strings are UTF-8",
        format::TIMESTAMP => "a timestamp has 8 bytes",
        format::VECTOR => "a vector has 4 bytes for each number and only one NaN",
        _ => "null, false and true have no payload",
    }
}

fn malformed(at: usize, rule: &'static str) -> DecodeError {
    DecodeError::Malformed { at, rule }
}
