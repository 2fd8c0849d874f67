//! A client that speaks HTTP/1.1 over a socket and nothing more than it is told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use denokv_proto::datapath as pb;
use prost::Message;

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    /// The message of an answer that is one.
    pub(crate) fn message<M: Message + Default>(&self) -> M {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/x-protobuf"));
        M::decode(&*self.body).expect("a message")
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
    pub(crate) token: String,
    pub(crate) database: String,
    pub(crate) path: String,
}

impl Client {
    /// Connects, and asks which database there is at `path` (`/`, say).
    pub(crate) fn connect(address: SocketAddr, path: &str, token: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (stream, token) = (BufReader::new(stream), token.to_owned());
        let mut client = Self { stream, token, database: String::new(), path: String::new() };
        let answer = client.request("POST", path, &[], br#"{"supportedVersions":[1,2,3]}"#)?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let metadata: serde_json::Value = serde_json::from_slice(&answer.body)?;
        client.database = metadata["databaseId"].as_str().expect("an id").to_owned();
        client.path = metadata["endpoints"][0]["url"].as_str().expect("an address").to_owned();
        Ok(client)
    }

    /// A connection that has asked for nothing yet.
    pub(crate) fn raw(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let (token, database, path) = (String::new(), String::new(), String::new());
        Self { stream: BufReader::new(stream), token, database, path }
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        self.send(method, path, headers, body)?;
        self.answer()
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n");
        let length = body.len().to_string();
        let authorization = format!("Bearer {}", self.token);
        let usual = [("content-length", &*length), ("authorization", &*authorization)];
        let is_given = |name: &str| headers.iter().any(|(other, _)| *other == name);
        let usual = usual.iter().filter(|(name, _)| !is_given(name));
        for (name, value) in headers.iter().chain(usual).filter(|(_, value)| !value.is_empty()) {
            request += &format!("{name}: {value}\r\n");
        }
        let bytes = [request.as_bytes(), b"\r\n", body].concat();
        self.stream.get_mut().write_all(&bytes)
    }

    /// The next answer, with its body unless that goes on for ever.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut answer = self.head()?;
        let length = answer.header("content-length").map(|length| length.parse());
        let length = length.transpose().map_err(io::Error::other)?.unwrap_or(0);
        answer.body = vec![0; length];
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    pub(crate) fn head(&mut self) -> io::Result<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Ok(Answer { status: status.expect("a status"), headers, body: Vec::new() })
    }

    /// A request of the data path, version 3.
    pub(crate) fn call(&mut self, call: &str, body: &[u8]) -> io::Result<Answer> {
        let (path, database) = (format!("{}/{call}", self.path), self.database.clone());
        let headers = [("x-denokv-version", "3"), ("x-denokv-database-id", &*database)];
        self.request("POST", &path, &headers, body)
    }

    pub(crate) fn write(&mut self, write: &pb::AtomicWrite) -> io::Result<Answer> {
        self.call("atomic_write", &write.encode_to_vec())
    }

    pub(crate) fn read(&mut self, ranges: Vec<pb::ReadRange>) -> io::Result<Answer> {
        self.call("snapshot_read", &pb::SnapshotRead { ranges }.encode_to_vec())
    }

    /// The entry with a key.
    pub(crate) fn get(&mut self, key: &[u8]) -> Option<pb::KvEntry> {
        let answer = self.read(vec![point(key)]).expect("an answer");
        let output: pb::SnapshotReadOutput = answer.message();
        output.ranges.into_iter().next().expect("a range").values.into_iter().next()
    }

    /// Sets a key to bytes; the versionstamp.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8]) -> Vec<u8> {
        let write = pb::AtomicWrite { mutations: vec![set(key, value)], ..Default::default() };
        let output: pb::AtomicWriteOutput = self.write(&write).expect("an answer").message();
        assert_eq!(output.status(), pb::AtomicWriteStatus::AwSuccess);
        output.versionstamp
    }

    /// Begins to watch keys on this connection.
    pub(crate) fn watch(&mut self, keys: &[&[u8]]) -> Answer {
        let keys = keys.iter().map(|key| pb::WatchKey { key: key.to_vec() }).collect();
        let (path, database) = (format!("{}/watch", self.path), self.database.clone());
        let headers = [("x-denokv-version", "3"), ("x-denokv-database-id", &*database)];
        let body = pb::Watch { keys }.encode_to_vec();
        self.send("POST", &path, &headers, &body).expect("sent");
        self.head().expect("an answer")
    }

    /// The next frame of a watch, which is a chunk of its own; `None` at the end.
    pub(crate) fn frame(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line().ok()?, 16).expect("a chunk");
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).ok()?;
        chunk.truncate(length);
        let (length, frame) = chunk.split_first_chunk()?;
        assert_eq!(u32::from_le_bytes(*length) as usize, frame.len());
        Some(frame.to_vec())
    }

    /// The next frame that says something.
    pub(crate) fn update(&mut self) -> Option<pb::WatchOutput> {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            let frame = self.frame()?;
            if !frame.is_empty() {
                return Some(pb::WatchOutput::decode(&*frame).expect("a message"));
            }
        }
        panic!("neither an update nor an end in a minute, only signs of life");
    }
}

/// The range of one key, as clients ask for it.
pub(crate) fn point(key: &[u8]) -> pb::ReadRange {
    let (start, end) = (key.to_vec(), [key, &[0]].concat());
    pb::ReadRange { start, end, limit: 1, reverse: false }
}

/// Sets a key to bytes.
pub(crate) fn set(key: &[u8], value: &[u8]) -> pb::Mutation {
    mutation(pb::MutationType::MSet, key, Some((pb::ValueEncoding::VeBytes, value)))
}

pub(crate) fn mutation(
    kind: pb::MutationType,
    key: &[u8],
    value: Option<(pb::ValueEncoding, &[u8])>,
) -> pb::Mutation {
    let value = value
        .map(|(encoding, data)| pb::KvValue { data: data.to_vec(), encoding: encoding as i32 });
    pb::Mutation { key: key.to_vec(), value, mutation_type: kind as i32, ..Default::default() }
}

/// A check; an empty versionstamp expects that there is none.
pub(crate) fn check(key: &[u8], versionstamp: &[u8]) -> pb::Check {
    pb::Check { key: key.to_vec(), versionstamp: versionstamp.to_vec() }
}
