//! A client of KV Connect over HTTP/1.1: one connection, one request at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use prost::Message;

use crate::server::TOKEN;

/// The messages that are asked, as the public schema `datapath.proto` numbers them.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadInput {
    #[prost(message, repeated, tag = "1")]
    pub(crate) ranges: Vec<Range>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Range {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) start: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) end: Vec<u8>,
    #[prost(int32, tag = "3")]
    pub(crate) limit: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReadOutput {
    #[prost(message, repeated, tag = "1")]
    pub(crate) ranges: Vec<RangeOutput>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RangeOutput {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) versionstamp: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteInput {
    #[prost(message, repeated, tag = "1")]
    pub(crate) checks: Vec<Check>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) mutations: Vec<Mutation>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Check {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) versionstamp: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Mutation {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<Value>,
    #[prost(int32, tag = "3")]
    pub(crate) mutation_type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Value {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) data: Vec<u8>,
    #[prost(int32, tag = "2")]
    pub(crate) encoding: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteOutput {
    #[prost(int32, tag = "1")]
    pub(crate) status: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) versionstamp: Vec<u8>,
}

/// Status of a write that was applied.
pub(crate) const WRITTEN: i32 = 1;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    database: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (database, request, answer) = Default::default();
        let mut client = Self { stream, database, request, answer };
        let metadata = client.ask("/", br#"{"supportedVersions":[1,2,3]}"#)?;
        let metadata = String::from_utf8(metadata.to_vec())?;
        let (_, rest) = metadata.split_once("\"databaseId\":\"").context("no database id")?;
        client.database = rest.split('"').next().unwrap_or_default().to_owned();
        Ok(client)
    }

    /// What the ranges hold.
    pub(crate) fn read(&mut self, ranges: Vec<Range>) -> Result<ReadOutput> {
        let body = ReadInput { ranges }.encode_to_vec();
        Ok(ReadOutput::decode(self.ask("/v2/snapshot_read", &body)?)?)
    }

    /// What came of an atomic operation.
    pub(crate) fn write(&mut self, write: &WriteInput) -> Result<WriteOutput> {
        let body = write.encode_to_vec();
        Ok(WriteOutput::decode(self.ask("/v2/atomic_write", &body)?)?)
    }

    fn ask(&mut self, path: &str, body: &[u8]) -> Result<&[u8]> {
        self.request.clear();
        write!(
            self.request,
            "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {TOKEN}\r\n\
             x-denokv-version: 3\r\nx-denokv-database-id: {}\r\ncontent-type: {}\r\n\
             content-length: {}\r\n\r\n",
            self.database,
            if path == "/" { "application/json" } else { "application/x-protobuf" },
            body.len(),
        )?;
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request)?;
        self.answer.clear();
        let (mut head, mut chunk) = (None, [0; 64 << 10]);
        loop {
            let read = self.stream.read(&mut chunk)?;
            ensure!(read > 0, "the server hung up");
            self.answer.extend_from_slice(&chunk[..read]);
            if head.is_none() {
                head = head_of(&self.answer)?;
            }
            match head {
                Some((head, length)) if self.answer.len() >= head + length => {
                    return Ok(&self.answer[head..head + length]);
                }
                _ => {}
            }
        }
    }
}

/// Bytes of the head, once it is whole, and of the body that follows.
fn head_of(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "refused: {}", String::from_utf8_lossy(answer));
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Ok(Some((end + 4, length.context("no length")?.parse()?)))
}
