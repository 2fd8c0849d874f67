//! Requests of the KV Connect protocol, one after the other, to one server over an
//! empty database in memory.
//!
//! ```text
//! input   = request*
//! request = call and version u8 | length of the body u16 | body
//! ```
//!
//! - Every request is answered: with 200, or with 400 and a text.
//! - What is no message of the schema as clients have it is refused as such, and
//!   nothing else is.
//! - A refused write, and one whose checks failed, changes nothing. Any other does what
//!   the model says, with a larger versionstamp than all before; exactly those checks
//!   are told to have failed that do not hold.
//! - Reads and watches tell what is there.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use denokv_proto::datapath as pb;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use prost::Message;
use selvedge::{Db, Kv, KvEncoding, Selection, V8Number};
use selvedge_kv_connect::{Server, ServerOptions};
use tokio::runtime::{Builder, Runtime};

use crate::kv_connect_model::{Entries, Entry, Model};

/// Requests of one input.
const REQUESTS_MAX: usize = 24;

thread_local! {
    /// What blocks runs on one thread that stays: one that came and went between inputs
    /// would be taken for memory that was lost.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .thread_keep_alive(Duration::from_secs(86_400))
        .build()
        .expect("a runtime");
}

/// Runs one input.
pub fn run(input: &[u8]) {
    RUNTIME.with(|runtime| runtime.block_on(ask_all(input)));
}

async fn ask_all(mut input: &[u8]) {
    let mut session = Session::start();
    for _ in 0..REQUESTS_MAX {
        let [kind, low, high, rest @ ..] = input else { break };
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (body, rest) = rest.split_at(len);
        session.ask(*kind, body).await;
        session.compare();
        input = rest;
    }
}

struct Session {
    server: Server,
    kv: Kv,
    id: String,
    model: Model,
    newest_stamp: Vec<u8>,
}

impl Session {
    fn start() -> Self {
        let db = Db::in_memory();
        let (kv, id) = (db.kv(), db.id().to_string());
        let server = Server::new(db, ServerOptions::default()).expect("a thread");
        Self { server, kv, id, model: Model::default(), newest_stamp: Vec::new() }
    }

    async fn ask(&mut self, kind: u8, body: &[u8]) {
        match kind % 8 {
            0..2 => self.read(kind, body).await,
            2..6 => self.write(kind, body).await,
            6 => self.watch(kind, body).await,
            _ => drop(self.call(kind, "/", body, 1).await),
        }
    }

    /// The status and so many frames of the answer.
    async fn call(&self, kind: u8, path: &str, body: &[u8], frames: usize) -> (StatusCode, Bytes) {
        let version = if kind & 8 == 0 { "3" } else { "2" };
        let request = Request::post(path)
            .header("x-denokv-version", version)
            .header("x-denokv-database-id", &self.id)
            .body(Full::new(Bytes::copy_from_slice(body)))
            .expect("a request");
        let (head, mut body) = self.server.answer(request).await.into_parts();
        let mut all = Vec::new();
        for _ in 0..frames {
            let Some(frame) = body.frame().await else { break };
            let frame = frame.unwrap_or_else(|never| match never {});
            all.extend_from_slice(&frame.into_data().expect("no trailers"));
        }
        assert!([StatusCode::OK, StatusCode::BAD_REQUEST].contains(&head.status), "{head:?}");
        assert!(!all.is_empty() || head.status == StatusCode::OK, "a refusal says why");
        (head.status, all.into())
    }

    /// What the request says, if it was not refused.
    fn accepted<M: Message + Default + std::fmt::Debug>(
        &self,
        body: &[u8],
        answer: &(StatusCode, Bytes),
    ) -> Option<M> {
        let message = M::decode(body);
        let is_told = answer.1.starts_with(b"Request protobuf is invalid");
        let is_refused = answer.0 != StatusCode::OK;
        assert_eq!(message.is_err(), is_refused && is_told, "{message:?}, and {answer:?}");
        message.ok().filter(|_| !is_refused)
    }

    async fn read(&mut self, kind: u8, body: &[u8]) {
        let answer = self.call(kind, "/v2/snapshot_read", body, 1).await;
        let Some(read) = self.accepted::<pb::SnapshotRead>(body, &answer) else { return };
        let output = pb::SnapshotReadOutput::decode(answer.1).expect("an answer");
        assert!(output.read_is_strongly_consistent);
        let expected: Vec<_> = read.ranges.iter().map(|range| self.model.range(range)).collect();
        let found: Vec<_> = output.ranges.into_iter().map(|range| range.values).collect();
        assert_eq!(found, expected, "{read:?}");
    }

    async fn write(&mut self, kind: u8, body: &[u8]) {
        let now_ms = unix_millis();
        let answer = self.call(kind, "/v2/atomic_write", body, 1).await;
        let Some(write) = self.accepted::<pb::AtomicWrite>(body, &answer) else { return };
        let output = pb::AtomicWriteOutput::decode(answer.1).expect("an answer");
        let failed = self.model.failed_checks(&write);
        assert_eq!(output.failed_checks, failed, "{write:?}");
        assert_eq!(output.status() == pb::AtomicWriteStatus::AwSuccess, failed.is_empty());
        if failed.is_empty() {
            assert!(output.versionstamp > self.newest_stamp, "stamps grow");
            self.model.apply(&write, &output.versionstamp, now_ms);
            self.newest_stamp = output.versionstamp;
        }
    }

    async fn watch(&mut self, kind: u8, body: &[u8]) {
        let answer = self.call(kind, "/v2/watch", body, 2).await;
        let Some(watch) = self.accepted::<pb::Watch>(body, &answer) else { return };
        // A sign of life, and the first frame, each with its length.
        let output = pb::WatchOutput::decode(&answer.1[8..]).expect("a frame");
        let found: Vec<_> = output.keys.into_iter().map(|key| key.entry_if_changed).collect();
        let expected: Vec<_> = watch.keys.iter().map(|key| self.model.watched(&key.key)).collect();
        assert_eq!(found, expected, "{watch:?}");
    }

    /// Everything that is there is what the model says.
    fn compare(&mut self) {
        let all = self.kv.list(Selection::all()).expect("a list");
        let entry = |entry: &selvedge::KvEntry<'_>| Entry {
            data: entry.bytes().to_vec(),
            encoding: match entry.encoding() {
                KvEncoding::V8 => 1,
                KvEncoding::LE64 => 2,
                KvEncoding::BYTES => 3,
                other => panic!("{other:?} did not come over the wire"),
            },
            stamp: entry.versionstamp().expect("committed").to_bytes().to_vec(),
        };
        let all: Entries =
            all.iter().map(|found| (found.key_bytes().to_vec(), entry(found))).collect();
        self.model.adopt(&all);
        assert_eq!(all, self.model.entries);
    }
}

fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A request of an input.
fn request(kind: u8, message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let len = u16::try_from(body.len()).expect("seeds are short");
    [&[kind][..], &len.to_le_bytes(), &body].concat()
}

fn mutation(kind: i32, key: &[u8], encoding: i32, data: &[u8]) -> pb::Mutation {
    let value = pb::KvValue { data: data.to_vec(), encoding };
    pb::Mutation { key: key.to_vec(), value: Some(value), mutation_type: kind, ..<_>::default() }
}

fn write(checks: Vec<pb::Check>, mutations: Vec<pb::Mutation>) -> Vec<u8> {
    request(2, &pb::AtomicWrite { checks, mutations, enqueues: Vec::new() })
}

/// Inputs for the start: valid requests of every kind, alone and one after the other.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let check = |stamp: &[u8]| pb::Check { key: b"k".to_vec(), versionstamp: stamp.to_vec() };
    let number = 7_u64.to_le_bytes();
    let v8 = |number| V8Number::Number(number).encode();
    let sum = pb::Mutation {
        sum_min: v8(0.0),
        sum_max: v8(10.0),
        sum_clamp: true,
        ..mutation(3, b"v", 1, &v8(1.5))
    };
    let expiring = |at| pb::Mutation { expire_at_ms: at, ..mutation(1, b"e", 3, b"soon") };
    let deleted = pb::Mutation { value: None, ..mutation(2, b"k", 0, b"") };
    let enqueue = pb::Enqueue {
        payload: v8(1.0),
        deadline_ms: 1,
        keys_if_undelivered: vec![b"u".to_vec()],
        backoff_schedule: vec![100, 1000],
    };
    let range = |start: &[u8], end: &[u8], limit, reverse| pb::ReadRange {
        start: start.to_vec(),
        end: end.to_vec(),
        limit,
        reverse,
    };
    let ranges = vec![
        range(b"k", b"k\0", 1, false),
        range(b"", b"\xff", 100, false),
        range(b"a", b"z", 3, true),
    ];
    let watched = |key: &[u8]| pb::WatchKey { key: key.to_vec() };
    let all = [
        write(vec![check(b"")], vec![mutation(1, b"k", 3, b"value")]),
        write(vec![check(&[0; 10])], vec![mutation(1, b"k", 1, &v8(2.0))]),
        write(Vec::new(), [3, 4, 5].map(|kind| mutation(kind, b"n", 2, &number)).into()),
        write(Vec::new(), vec![sum.clone(), sum]),
        write(Vec::new(), vec![mutation(9, b"s", 3, b"stamped"), expiring(1), expiring(i64::MAX)]),
        request(2, &pb::AtomicWrite { enqueues: vec![enqueue], ..<_>::default() }),
        request(8, &pb::SnapshotRead { ranges: ranges.clone() }),
        request(6, &pb::Watch { keys: vec![watched(b"k"), watched(b"n")] }),
        write(Vec::new(), vec![mutation(1, b"k", 3, b"more"), deleted]),
        request(0, &pb::SnapshotRead { ranges }),
    ];
    let metadata = br#"{"supportedVersions":[1,2,3]}"#;
    let metadata = [&[7, metadata.len() as u8, 0][..], metadata].concat();
    let mut seeds = vec![all.concat(), all[2..].concat(), metadata];
    seeds.extend(all);
    seeds
}
