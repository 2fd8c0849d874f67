//! The messages of the data path, as the public schema `datapath.proto` numbers their
//! fields. Enumerations are read as the numbers they are; what is none is refused where
//! it matters.

use bytes::Bytes;

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
