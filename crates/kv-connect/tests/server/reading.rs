//! `snapshot_read`.

use denokv_proto::datapath as pb;
use selvedge::{KvValue, doc};

use crate::client::{Client, point};
use crate::running::Running;

fn range(start: &[u8], end: &[u8], limit: i32) -> pb::ReadRange {
    pb::ReadRange { start: start.to_vec(), end: end.to_vec(), limit, reverse: false }
}

fn keys(client: &mut Client, ranges: Vec<pb::ReadRange>) -> Vec<Vec<String>> {
    let output: pb::SnapshotReadOutput = client.read(ranges).unwrap().message();
    assert!(output.read_is_strongly_consistent && !output.read_disabled);
    assert_eq!(output.status(), pb::SnapshotReadStatus::SrSuccess);
    let text = |entry: pb::KvEntry| String::from_utf8(entry.key).unwrap();
    let of_range = |range: pb::ReadRangeOutput| range.values.into_iter().map(text).collect();
    output.ranges.into_iter().map(of_range).collect()
}

#[test]
fn ranges_are_answered_in_their_order() {
    let server = Running::start();
    let mut client = server.client();
    for key in ["a", "b", "c", "d"] {
        client.set(key.as_bytes(), b"x");
    }
    let read = vec![
        range(b"b", b"d", 10),
        point(b"a"),
        pb::ReadRange { reverse: true, ..range(b"a", b"z", 3) },
        range(b"z", b"a", 10),
        range(b"", b"c", 1),
        point(b"absent"),
        range(b"b", b"b", 5),
        range(b"", b"", 5),
        pb::ReadRange { reverse: true, ..range(b"c", b"c\0", 5) },
    ];
    let expected: [&[&str]; 9] =
        [&["b", "c"], &["a"], &["d", "c", "b"], &[], &["a"], &[], &[], &[], &["c"]];
    assert_eq!(keys(&mut client, read), expected);
    assert_eq!(keys(&mut client, vec![]), [[""; 0]; 0]);
}

#[test]
fn a_thousand_entries_in_one_answer() {
    let server = Running::start();
    let mut client = server.client();
    for chunk in 0..2 {
        let set =
            |i: usize| crate::client::set(format!("{:04}", chunk * 600 + i).as_bytes(), &[7; 500]);
        let mutations = (0..600).map(set).collect();
        let write = pb::AtomicWrite { mutations, ..Default::default() };
        let _: pb::AtomicWriteOutput = client.write(&write).unwrap().message();
    }
    let read = keys(&mut client, vec![range(b"0", b"1", 400), range(b"", b"\xff", 600)]);
    assert_eq!((read[0].len(), read[1].len()), (400, 600));
    assert_eq!(read[1][599], "0599");
}

#[test]
fn values_come_back_as_they_are() {
    let server = Running::start();
    let mut client = server.client();
    let encodings = [
        (pb::ValueEncoding::VeV8, b"\xff\x0f\"\x01a".to_vec()),
        (pb::ValueEncoding::VeLe64, 7_u64.to_le_bytes().to_vec()),
        (pb::ValueEncoding::VeBytes, vec![]),
        (pb::ValueEncoding::VeBytes, vec![0; 65_536]),
    ];
    for (encoding, data) in encodings {
        let mutation =
            crate::client::mutation(pb::MutationType::MSet, b"key", Some((encoding, &data)));
        let write = pb::AtomicWrite { mutations: vec![mutation], ..Default::default() };
        let output: pb::AtomicWriteOutput = client.write(&write).unwrap().message();
        let entry = client.get(b"key").unwrap();
        assert_eq!((entry.encoding(), &entry.value), (encoding, &data));
        assert_eq!((entry.key.as_slice(), entry.versionstamp), (&b"key"[..], output.versionstamp));
    }
}

#[test]
fn documents_of_the_rust_api_are_bytes() {
    let server = Running::start();
    let mut client = server.client();
    let kv = server.db.kv();
    kv.set(b"document", doc! { "name": "Alice" }).unwrap();
    kv.set(b"text", "Alice").unwrap();
    kv.set(b"number", 7_u64).unwrap();
    for key in [&b"document"[..], b"text"] {
        let entry = client.get(key).unwrap();
        assert_eq!(entry.encoding(), pb::ValueEncoding::VeBytes);
        assert_eq!(entry.value, kv.get(key).unwrap().unwrap().bytes());
    }
    assert_eq!(client.get(b"number").unwrap().encoding(), pb::ValueEncoding::VeLe64);
    client.set(b"bytes", b"of the wire");
    let entry = kv.get(b"bytes").unwrap().unwrap();
    assert_eq!(entry.value().unwrap(), KvValue::from(&b"of the wire"[..]));
}
