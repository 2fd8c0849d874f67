//! Answers that carry entries, written as protobuf straight from where the entries lie.

use std::sync::Arc;

use bytes::Bytes;
use prost::encoding::{
    WireType, encode_key, encode_varint, encoded_len_varint as varint_len, key_len,
};
use selvedge::{KvEncoding, KvEntry};

use crate::refusal::Refusal;
use crate::room::Room;
use crate::wire;

/// What the wire calls the encoding of a value. What it has no name for are encodings
/// of the Rust API: the client gets their bytes.
fn encoding_number(encoding: KvEncoding) -> i32 {
    match encoding {
        KvEncoding::V8 => wire::V8,
        KvEncoding::LE64 => wire::LE64,
        _ => wire::BYTES,
    }
}

const VERSIONSTAMP_BYTES: usize = 10;

/// Of an empty field the schema writes nothing.
fn bytes_len(bytes: &[u8]) -> usize {
    match bytes.len() {
        0 => 0,
        len => key_len(1) + varint_len(len as u64) + len,
    }
}

fn put_length(out: &mut Vec<u8>, field: u32, len: usize) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(len as u64, out);
}

fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_length(out, field, bytes.len());
        out.extend_from_slice(bytes);
    }
}

fn put_number(out: &mut Vec<u8>, field: u32, number: u64) {
    encode_key(field, WireType::Varint, out);
    encode_varint(number, out);
}

fn entry_len(entry: &KvEntry<'_>) -> usize {
    let fixed = key_len(3) + 1 + key_len(4) + 1 + VERSIONSTAMP_BYTES;
    bytes_len(entry.key_bytes()) + bytes_len(entry.bytes()) + fixed
}

/// `KvEntry`: key 1, value 2, encoding 3, versionstamp 4.
fn put_entry(out: &mut Vec<u8>, entry: &KvEntry<'_>) {
    put_bytes(out, 1, entry.key_bytes());
    put_bytes(out, 2, entry.bytes());
    put_number(out, 3, encoding_number(entry.encoding()) as u64);
    let stamp = entry.versionstamp().expect("a snapshot sees what was committed");
    put_bytes(out, 4, &stamp.to_bytes());
}

/// `SnapshotReadOutput`: ranges 1, read_is_strongly_consistent 4, status 8; in a range
/// the entries are 1.
pub(crate) fn snapshot_read(
    ranges: &[Vec<KvEntry<'_>>],
    room: &Arc<Room>,
) -> Result<Bytes, Refusal> {
    let of_entry = |entry: &KvEntry<'_>| {
        let len = entry_len(entry);
        key_len(1) + varint_len(len as u64) + len
    };
    let lens: Vec<usize> =
        ranges.iter().map(|entries| entries.iter().map(of_entry).sum()).collect();
    let all: usize = lens.iter().map(|len| key_len(1) + varint_len(*len as u64) + len).sum();
    let place = room.take(all + 4)?;
    let mut out = Vec::with_capacity(all + 4);
    for (entries, len) in ranges.iter().zip(lens) {
        put_length(&mut out, 1, len);
        for entry in entries {
            put_length(&mut out, 1, entry_len(entry));
            put_entry(&mut out, entry);
        }
    }
    put_number(&mut out, 4, 1);
    put_number(&mut out, 8, wire::READ_SUCCESS as u64);
    debug_assert_eq!(out.len(), all + 4, "the lengths are right");
    Ok(place.hold(out))
}

/// A frame of a watch: its length in four bytes, little-endian, and `WatchOutput`:
/// status 1, keys 2; in a key `changed` is 1, the entry 2.
///
/// Every frame tells every key, changed or not: of a key that is told as unchanged,
/// Deno (2.9) forgets the value.
pub(crate) fn watch_frame(
    keys: &[Option<KvEntry<'_>>],
    room: &Arc<Room>,
) -> Result<Bytes, Refusal> {
    let mut out = vec![0; 4];
    put_number(&mut out, 1, wire::READ_SUCCESS as u64);
    for entry in keys {
        let of_entry = entry.as_ref().map_or(0, |entry| {
            let len = entry_len(entry);
            key_len(2) + varint_len(len as u64) + len
        });
        put_length(&mut out, 2, 2 + of_entry);
        put_number(&mut out, 1, 1);
        if let Some(entry) = entry {
            put_length(&mut out, 2, entry_len(entry));
            put_entry(&mut out, entry);
        }
    }
    let len = u32::try_from(out.len() - 4).expect("ten values at most");
    out[..4].copy_from_slice(&len.to_le_bytes());
    Ok(room.take(out.len())?.hold(out))
}

/// The frame that says no more than that the server is alive.
pub(crate) const ALIVE_FRAME: Bytes = Bytes::from_static(&[0; 4]);
