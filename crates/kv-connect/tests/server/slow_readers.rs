//! Clients that do not take what they have asked for.

use std::io::Read;
use std::time::{Duration, Instant};

use denokv_proto::datapath as pb;
use prost::Message;

use crate::client::{Client, point};
use crate::running::Running;

const ENTRIES: u32 = 200;
const VALUE_BYTES: usize = 60_000;
/// More than the system keeps between the two ends of a connection.
pub(crate) const ANSWER_BYTES: usize = ENTRIES as usize * VALUE_BYTES;

/// A server with room for one answer of everything, and hardly more.
pub(crate) fn narrow(answer_time: Duration) -> Running {
    let server = Running::with(|mut options| {
        options.answer_bytes_max = ANSWER_BYTES + ANSWER_BYTES / 4;
        options.answer_time = answer_time;
        options
    });
    for number in 0..ENTRIES {
        server.db.kv().set(&number.to_be_bytes(), vec![7_u8; VALUE_BYTES]).unwrap();
    }
    server
}

pub(crate) fn everything() -> Vec<pb::ReadRange> {
    let (start, end) = (vec![0], vec![0xff]);
    vec![pb::ReadRange { start, end, limit: 1000, reverse: false }]
}

/// Asks for everything, and takes nothing of it.
fn ask_and_wait(client: &mut Client) {
    let body = pb::SnapshotRead { ranges: everything() }.encode_to_vec();
    let (path, database) = (format!("{}/snapshot_read", client.path), client.database.clone());
    let headers = [("x-denokv-version", "3"), ("x-denokv-database-id", &*database)];
    client.send("POST", &path, &headers, &body).unwrap();
    // It is made, and on its way.
    client.head().unwrap();
}

#[test]
fn answers_that_nobody_takes_have_so_much_room_and_no_more() {
    let server = narrow(Duration::from_secs(60));
    let (mut slow, mut other) = (server.client(), server.client());
    ask_and_wait(&mut slow);
    let refused = other.read(everything()).unwrap();
    assert_eq!(refused.status, 503, "{} bytes", refused.body.len());
    assert!(refused.text().contains("bytes of answers wait to be taken"), "{}", refused.text());
    // There is room for small ones, in both directions.
    assert!(other.get(&0_u32.to_be_bytes()).is_some());
    other.set(b"small", b"value");
    // Once it is taken, or nobody is there any more, there is room again.
    let mut taken = vec![0; ANSWER_BYTES];
    slow.stream.read_exact(&mut taken).unwrap();
    let answer = other.read(everything()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    ask_and_wait(&mut other);
    drop(other);
    assert_room_comes(&server);
}

#[test]
fn who_takes_nothing_is_cut() {
    let server = narrow(Duration::from_millis(700));
    let mut slow = server.client();
    ask_and_wait(&mut slow);
    let mut other = server.client();
    assert_eq!(other.read(everything()).unwrap().status, 503);
    assert_room_comes(&server);
    let mut rest = Vec::new();
    let _ = slow.stream.read_to_end(&mut rest);
    assert!(rest.len() < ANSWER_BYTES, "the rest was not sent");
    // Who is merely idle is not.
    assert_eq!(other.read(vec![point(b"small")]).unwrap().status, 200);
}

pub(crate) fn assert_room_comes(server: &Running) {
    let (mut client, until) = (server.client(), Instant::now() + Duration::from_secs(20));
    while client.read(everything()).unwrap().status != 200 {
        assert!(Instant::now() < until, "what nobody takes is held for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
}
