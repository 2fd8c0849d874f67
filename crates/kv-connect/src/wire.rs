//! The messages of the data path, as the public schema `datapath.proto` numbers their
//! fields. Enumerations are read as the numbers they are; what is none is refused where
//! it matters.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, decode_key};
use prost::{DecodeError, Message};

use crate::refusal::Refusal;

/// The message that a body is. `bound` cuts its lists off one behind their limits, which
/// are judged later: after each field, since two bytes here are hundreds in memory.
pub(crate) fn decode<M: Message + Default>(
    mut body: Bytes,
    bound: impl Fn(&mut M),
) -> Result<M, Refusal> {
    let invalid = |error: DecodeError| Refusal::InvalidProtobuf(error.to_string());
    let mut message = M::default();
    while body.has_remaining() {
        let (tag, wire_type) = decode_key(&mut body).map_err(invalid)?;
        let context = DecodeContext::default();
        message.merge_field(tag, wire_type, &mut body, context).map_err(invalid)?;
        bound(&mut message);
    }
    Ok(message)
}

/// Statuses of a read.
pub(crate) const READ_SUCCESS: i32 = 1;
/// Statuses of a write.
pub(crate) const WRITE_SUCCESS: i32 = 1;
pub(crate) const WRITE_CHECK_FAILURE: i32 = 2;

/// Kinds of mutations.
pub(crate) const SET: i32 = 1;
pub(crate) const DELETE: i32 = 2;
pub(crate) const SUM: i32 = 3;
pub(crate) const MAX: i32 = 4;
pub(crate) const MIN: i32 = 5;
pub(crate) const SET_VERSIONSTAMPED: i32 = 9;

/// Encodings of values.
pub(crate) const V8: i32 = 1;
pub(crate) const LE64: i32 = 2;
pub(crate) const BYTES: i32 = 3;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SnapshotRead {
    #[prost(message, repeated, tag = "1")]
    pub(crate) ranges: Vec<ReadRange>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReadRange {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) start: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) end: Bytes,
    #[prost(int32, tag = "3")]
    pub(crate) limit: i32,
    #[prost(bool, tag = "4")]
    pub(crate) reverse: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AtomicWrite {
    #[prost(message, repeated, tag = "1")]
    pub(crate) checks: Vec<Check>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) mutations: Vec<Mutation>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) enqueues: Vec<Enqueue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Check {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    /// 10 bytes; none: there is no such entry.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) versionstamp: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Mutation {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<Value>,
    #[prost(int32, tag = "3")]
    pub(crate) mutation_type: i32,
    /// Milliseconds since the epoch; 0 and -1: never.
    #[prost(int64, tag = "4")]
    pub(crate) expire_at_ms: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub(crate) sum_min: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    pub(crate) sum_max: Bytes,
    #[prost(bool, tag = "7")]
    pub(crate) sum_clamp: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Value {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) data: Bytes,
    #[prost(int32, tag = "2")]
    pub(crate) encoding: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Enqueue {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) payload: Bytes,
    #[prost(int64, tag = "2")]
    pub(crate) deadline_ms: i64,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(crate) keys_if_undelivered: Vec<Bytes>,
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) backoff_schedule: Vec<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AtomicWriteOutput {
    #[prost(int32, tag = "1")]
    pub(crate) status: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) versionstamp: Vec<u8>,
    #[prost(uint32, repeated, tag = "4")]
    pub(crate) failed_checks: Vec<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Watch {
    #[prost(message, repeated, tag = "1")]
    pub(crate) keys: Vec<WatchKey>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchKey {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of 2 MiB became a list of 200 MB before it was refused.
    #[test]
    fn lists_grow_no_further_than_they_are_bounded() {
        let body = Bytes::from(b"\x12\0".repeat(1 << 20));
        let write: AtomicWrite = decode(body, |write: &mut AtomicWrite| {
            write.mutations.truncate(11);
        })
        .unwrap();
        assert_eq!(write.mutations.len(), 11);
        assert!(write.mutations.capacity() < 100, "{}", write.mutations.capacity());
        let behind = Bytes::from([&b"\x12\0".repeat(12)[..], b"\x0f"].concat());
        let cut = decode(behind, |write: &mut AtomicWrite| write.mutations.truncate(11));
        assert!(matches!(cut, Err(Refusal::InvalidProtobuf(_))), "{cut:?}");
    }
}
