//! Every limit of the wire, met and passed, in the words that clients test for.

use denokv_proto::datapath as pb;
use pb::MutationType::MDelete;
use prost::Message;

use crate::client::{Client, check, mutation, point, set};
use crate::running::Running;

fn write(client: &mut Client, write: &pb::AtomicWrite) -> (u16, String) {
    let answer = client.write(write).unwrap();
    let text = String::from_utf8(answer.body).unwrap_or_default();
    (answer.status, if answer.status == 200 { String::new() } else { text })
}

fn read(client: &mut Client, ranges: Vec<pb::ReadRange>) -> (u16, String) {
    let answer = client.read(ranges).unwrap();
    let text = String::from_utf8(answer.body).unwrap_or_default();
    (answer.status, if answer.status == 200 { String::new() } else { text })
}

fn fine() -> (u16, String) {
    (200, String::new())
}

fn refused(text: &str) -> (u16, String) {
    (400, text.to_owned())
}

fn of(mutations: Vec<pb::Mutation>) -> pb::AtomicWrite {
    pb::AtomicWrite { mutations, ..Default::default() }
}

/// A key of so many bytes, among others such.
fn long_key(number: usize, bytes: usize) -> Vec<u8> {
    let mut key = vec![1; bytes];
    key[..4].copy_from_slice(&(number as u32).to_be_bytes());
    key
}

#[test]
fn keys() {
    let server = Running::start();
    let mut client = server.client();
    assert_eq!(write(&mut client, &of(vec![set(&[1; 2048], b"")])), fine());
    let too_large = refused("Key too large for write (max 2048 bytes)");
    assert_eq!(write(&mut client, &of(vec![set(&[1; 2049], b"")])), too_large);
    assert_eq!(write(&mut client, &of(vec![mutation(MDelete, &[1; 2049], None)])), too_large);
    let empty = refused("Key cannot be empty");
    assert_eq!(write(&mut client, &of(vec![set(b"", b"")])), empty);
    let checks =
        |key: &[u8]| pb::AtomicWrite { checks: vec![check(key, b"")], ..Default::default() };
    assert_eq!(write(&mut client, &checks(b"")), empty);
    assert_eq!(write(&mut client, &checks(&[1; 2049])), fine());
    let too_large = refused("Key too large for read (max 2049 bytes)");
    assert_eq!(write(&mut client, &checks(&[1; 2050])), too_large);
    assert_eq!(read(&mut client, vec![point(&[1; 2048])]), fine());
    assert_eq!(client.get(&[1; 2048]).map(|entry| entry.key.len()), Some(2048));
    assert_eq!(read(&mut client, vec![point(&[1; 2049])]), too_large, "its end has one more");
    let range = pb::ReadRange { start: vec![1; 2050], ..point(b"") };
    assert_eq!(read(&mut client, vec![range]), too_large);
}

#[test]
fn values() {
    let server = Running::start();
    let mut client = server.client();
    assert_eq!(write(&mut client, &of(vec![set(b"k", &[7; 65_536])])), fine());
    let too_large = refused("Value too large (max 65536 bytes)");
    assert_eq!(write(&mut client, &of(vec![set(b"k", &[7; 65_537])])), too_large);
}

#[test]
fn reads() {
    let server = Running::start();
    let mut client = server.client();
    assert_eq!(read(&mut client, vec![point(b"k"); 10]), fine());
    assert_eq!(read(&mut client, vec![point(b"k"); 11]), refused("Too many ranges (max 10)"));
    let range = |limit| pb::ReadRange { limit, end: b"z".to_vec(), ..point(b"a") };
    assert_eq!(read(&mut client, vec![range(1000)]), fine());
    let too_many = refused("Too many entries (max 1000)");
    assert_eq!(read(&mut client, vec![range(1001)]), too_many);
    assert_eq!(read(&mut client, vec![range(500), range(501)]), too_many);
    assert_eq!(read(&mut client, vec![range(i32::MAX); 10]), too_many);
    let invalid = refused("The read range limit of the snapshot read request is invalid.");
    for limit in [0, -1, i32::MIN] {
        assert_eq!(read(&mut client, vec![range(limit)]), invalid);
    }
}

#[test]
fn checks_and_mutations() {
    let server = Running::start();
    let mut client = server.client();
    let checks =
        |count| pb::AtomicWrite { checks: vec![check(b"k", b""); count], ..Default::default() };
    assert_eq!(write(&mut client, &checks(100)), fine());
    assert_eq!(write(&mut client, &checks(101)), refused("Too many checks (max 100)"));
    let too_many = refused("Too many mutations (max 1000)");
    assert_eq!(write(&mut client, &of(vec![set(b"k", b""); 1000])), fine());
    assert_eq!(write(&mut client, &of(vec![set(b"k", b""); 1001])), too_many);
    let enqueues = vec![pb::Enqueue::default(); 500];
    let mixed = |mutations| pb::AtomicWrite {
        enqueues: enqueues.clone(),
        ..of(vec![set(b"k", b""); mutations])
    };
    assert_eq!(write(&mut client, &mixed(501)), too_many);
    assert_eq!(write(&mut client, &mixed(500)), fine());
}

#[test]
fn sizes() {
    let server = Running::start();
    let mut client = server.client();
    // 12 of the largest values and one that fills the rest, with keys of one byte.
    let fill = |rest: usize| {
        let mut mutations: Vec<_> = (0..12).map(|i| set(&[i], &[7; 65_536])).collect();
        mutations.push(set(&[12], &vec![7; rest]));
        of(mutations)
    };
    let rest = 819_200 - 12 * 65_536 - 13;
    assert_eq!(write(&mut client, &fill(rest)), fine());
    let too_large = refused("Total mutation size too large (max 819200 bytes)");
    assert_eq!(write(&mut client, &fill(rest + 1)), too_large);

    let keys = |count| of((0..count).map(|i| set(&long_key(i, 2048), b"")).collect());
    assert_eq!(write(&mut client, &keys(40)), fine());
    let too_large = refused("Total key size too large (max 81920 bytes)");
    assert_eq!(write(&mut client, &keys(41)), too_large);
    let mut delete = keys(40);
    delete.mutations.push(mutation(MDelete, &long_key(40, 2048), None));
    assert_eq!(write(&mut client, &delete), fine(), "what is deleted takes no room");
}

#[test]
fn watches() {
    let server = Running::start();
    let watch = |keys: Vec<Vec<u8>>| {
        let keys = keys.into_iter().map(|key| pb::WatchKey { key }).collect();
        let answer = server.client().call("watch", &pb::Watch { keys }.encode_to_vec()).unwrap();
        let text = String::from_utf8(answer.body).unwrap_or_default();
        (answer.status, if answer.status == 200 { String::new() } else { text })
    };
    assert_eq!(watch(vec![b"k".to_vec(); 10]), fine());
    assert_eq!(watch(vec![b"k".to_vec(); 11]), refused("Too many keys (max 10)"));
    assert_eq!(watch(vec![vec![]]), refused("Key cannot be empty"));
    assert_eq!(watch(vec![vec![1; 2049]]), fine());
    assert_eq!(watch(vec![vec![1; 2050]]), refused("Key too large for read (max 2049 bytes)"));
}
