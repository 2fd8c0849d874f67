//! Clients that do not give room for what they have asked for, over HTTP/2.
//!
//! The story: an answer of 12 MB stayed in the memory of the server for as long as the
//! client answered pings, since the connection itself did not stall. Clients here are
//! hyper's, which gives a stream room as what came before is read, and so none to a
//! stream that nobody reads.

use std::time::Duration;

use denokv_proto::datapath as pb;
use http_body_util::BodyExt;
use hyper::client::conn::http2::Builder;
use hyper_util::rt::TokioExecutor;
use prost::Message;

use crate::client::{point, set};
use crate::http2::{connect_by, request};
use crate::slow_readers::{ANSWER_BYTES, assert_room_comes, everything, narrow};

const ANSWER_TIME: Duration = Duration::from_millis(700);
/// Long enough to be cut in it, on a busy machine.
const CUT_WITHIN: Duration = Duration::from_secs(20);
/// What streams have room for at first, by the protocol.
const WINDOW: u32 = 65_535;

fn client(window: u32) -> Builder<TokioExecutor> {
    let mut client = Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(window).initial_connection_window_size(WINDOW);
    client
}

fn read(ranges: Vec<pb::ReadRange>) -> Vec<u8> {
    pb::SnapshotRead { ranges }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_no_room_is_cut() {
    for window in [0, 1, WINDOW] {
        let server = narrow(ANSWER_TIME);
        let (mut sender, connection) = connect_by(&client(window), &server).await;
        let asked = request(&server, "snapshot_read", read(everything()));
        let answer = sender.send_request(asked).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut other = server.client();
        assert_eq!(other.read(everything()).unwrap().status, 503, "it is held");
        // Other requests of the connection make no difference.
        for _ in 0..3 {
            let small = request(&server, "snapshot_read", read(vec![point(b"none")]));
            if window == WINDOW && sender.send_request(small).await.is_err() {
                break;
            }
            tokio::time::sleep(ANSWER_TIME / 4).await;
        }
        let ended = tokio::time::timeout(CUT_WITHIN, connection).await;
        assert!(ended.is_ok(), "cut, window {window}");
        tokio::task::block_in_place(|| assert_room_comes(&server));
        let body = answer.into_body().collect().await;
        assert!(body.is_err(), "the rest was not sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_nobody_takes_is_cut_and_an_idle_one_is_not() {
    let server = narrow(ANSWER_TIME);
    let keys = vec![pb::WatchKey { key: 0_u32.to_be_bytes().to_vec() }];
    let watch = pb::Watch { keys }.encode_to_vec();
    let (mut idle, idle_connection) = connect_by(&client(WINDOW), &server).await;
    let mut of_idle =
        idle.send_request(request(&server, "watch", watch.clone())).await.unwrap().into_body();
    let mut taken = 0;
    while taken < 60_000 {
        taken += of_idle.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    // The first state alone is more than there is room for.
    let (mut slow, connection) = connect_by(&client(1000), &server).await;
    let of_slow = slow.send_request(request(&server, "watch", watch)).await.unwrap();
    assert!(tokio::time::timeout(CUT_WITHIN, connection).await.is_ok(), "cut");
    drop(of_slow);
    // The other one has heard nothing for as long.
    assert!(!idle_connection.is_finished());
    let mutations = vec![set(&0_u32.to_be_bytes(), b"new")];
    let write = pb::AtomicWrite { mutations, ..Default::default() }.encode_to_vec();
    idle.send_request(request(&server, "atomic_write", write)).await.unwrap();
    let told = of_idle.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(told.windows(3).any(|bytes| bytes == b"new") || told == [0; 4][..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_little_at_a_time_gets_everything() {
    let server = narrow(ANSWER_TIME);
    let (mut sender, connection) = connect_by(&client(WINDOW), &server).await;
    let few = vec![pb::ReadRange { limit: 10, ..everything().remove(0) }];
    let answer = sender.send_request(request(&server, "snapshot_read", read(few))).await.unwrap();
    let (mut body, mut taken, mut rested) = (answer.into_body(), 0, 0);
    while let Some(frame) = body.frame().await {
        taken += frame.expect("not cut").into_data().unwrap().len();
        // So much for each 16 KiB: frames may be of one byte.
        while taken > rested {
            rested += 16 << 10;
            tokio::time::sleep(ANSWER_TIME / 10).await;
        }
    }
    assert!(taken > ANSWER_BYTES / 20, "{taken} bytes");
    assert!(!connection.is_finished());
}
