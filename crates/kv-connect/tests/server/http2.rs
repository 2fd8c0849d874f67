//! HTTP/2 without negotiation, as Deno speaks it, on the port that speaks HTTP/1.1 too.

use std::time::Duration;

use bytes::Bytes;
use denokv_proto::datapath as pb;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::task::JoinHandle;

use crate::client::{point, set};
use crate::running::{Running, TOKEN};

async fn connect(server: &Running) -> SendRequest<Full<Bytes>> {
    connect_by(&Builder::new(TokioExecutor::new()), server).await.0
}

/// A connection, and the task that keeps it going; it ends with the connection.
pub(crate) async fn connect_by(
    builder: &Builder<TokioExecutor>,
    server: &Running,
) -> (SendRequest<Full<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    (sender, tokio::spawn(connection))
}

pub(crate) fn request(server: &Running, call: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post(format!("http://test/v2/{call}"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("x-denokv-version", "3")
        .header("x-denokv-database-id", server.db.id().to_string())
        .body(Full::from(body))
        .expect("a request")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_one_connection_do_not_wait_for_each_other() {
    let server = Running::start();
    let mut sender = connect(&server).await;
    let keys = vec![pb::WatchKey { key: b"k".to_vec() }];
    let watch = request(&server, "watch", pb::Watch { keys }.encode_to_vec());
    let mut watch = sender.send_request(watch).await.unwrap().into_body();
    let mut frame = async || watch.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&*frame().await, [0; 4]);
    assert!(frame().await.len() > 4);

    let writes = (0..100_u8).map(|i| {
        let mutations = vec![set(&[i], &[i]), set(b"k", &[i])];
        let write = pb::AtomicWrite { mutations, ..Default::default() };
        sender.clone().send_request(request(&server, "atomic_write", write.encode_to_vec()))
    });
    let writes: Vec<_> = writes.map(tokio::spawn).collect();
    for write in writes {
        assert_eq!(write.await.unwrap().unwrap().status(), 200);
    }
    assert!(frame().await.len() > 4, "the watch goes on meanwhile");
    let ranges = vec![pb::ReadRange { limit: 200, end: vec![100], ..point(&[]) }];
    let read = request(&server, "snapshot_read", pb::SnapshotRead { ranges }.encode_to_vec());
    let answer = sender.send_request(read).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let output = pb::SnapshotReadOutput::decode(body).unwrap();
    assert_eq!(output.ranges[0].values.len(), 100);
    // The same port, the other version.
    assert!(server.client().get(&[7]).is_some());
    drop(sender);
    drop(watch);
}

/// The moment until which an answer may wait was beyond what a clock knows: a panic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_without_an_end() {
    let server = Running::with(|mut options| {
        options.body_time = Duration::MAX;
        options.header_time = Duration::MAX;
        options.answer_time = Duration::MAX;
        options.shutdown_time = Duration::MAX;
        options.connections_max = usize::MAX;
        options
    });
    let mut sender = connect(&server).await;
    let answer = sender.send_request(request(&server, "snapshot_read", vec![])).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(server.client().get(&[7]).is_none());
}

#[tokio::test]
async fn refusals_are_told_over_http2_too() {
    let server = Running::start();
    let mut sender = connect(&server).await;
    for (call, body, status) in [
        ("atomic_write", vec![0; 3 << 20], 413),
        ("atomic_write", b"\x0f".to_vec(), 400),
        ("other", vec![], 404),
    ] {
        let answer = sender.send_request(request(&server, call, body)).await.unwrap();
        assert_eq!(answer.status(), status);
    }
}
