//! `atomic_write`.

use std::time::{Duration, SystemTime};

use denokv_proto::datapath as pb;
use pb::MutationType::{MDelete, MMax, MMin, MSet, MSetSuffixVersionstampedKey, MSum};
use pb::ValueEncoding::{VeBytes, VeLe64, VeV8};
use selvedge::{V8Number, key};

use crate::client::{Client, check, mutation, set};
use crate::running::Running;

fn write(mutations: Vec<pb::Mutation>) -> pb::AtomicWrite {
    pb::AtomicWrite { mutations, ..Default::default() }
}

fn commit(client: &mut Client, write: &pb::AtomicWrite) -> pb::AtomicWriteOutput {
    client.write(write).unwrap().message()
}

fn number(client: &mut Client, key: &[u8]) -> u64 {
    let entry = client.get(key).unwrap();
    assert_eq!(entry.encoding(), VeLe64);
    u64::from_le_bytes(entry.value.try_into().unwrap())
}

fn le64(kind: pb::MutationType, key: &[u8], operand: u64) -> pb::Mutation {
    mutation(kind, key, Some((VeLe64, &operand.to_le_bytes())))
}

fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn failed_checks_are_named_and_nothing_is_applied() {
    let server = Running::start();
    let mut client = server.client();
    let stamp = client.set(b"a", b"1");
    let never = [0xFF; 10];
    let beyond = [&[0xFF; 8][..], &[0, 0]].concat();
    let checks = vec![
        check(b"a", &stamp),
        check(b"a", b""),
        check(b"absent", b""),
        check(b"absent", &stamp),
        check(b"a", &never),
        check(b"a", &beyond),
        check(b"a", &[0; 10]),
        check(&[7; 2049], b""),
    ];
    let refused = pb::AtomicWrite { checks, mutations: vec![set(b"a", b"2")], enqueues: vec![] };
    let output = commit(&mut client, &refused);
    assert_eq!(output.status(), pb::AtomicWriteStatus::AwCheckFailure);
    assert_eq!((output.failed_checks, output.versionstamp), (vec![1, 3, 4, 5, 6], vec![]));
    assert_eq!(client.get(b"a").unwrap().value, b"1");
    let checks = vec![check(b"a", &stamp), check(b"absent", b"")];
    let output = commit(&mut client, &pb::AtomicWrite { checks, ..Default::default() });
    assert_eq!(output.status(), pb::AtomicWriteStatus::AwSuccess);
    assert!(output.versionstamp > stamp, "a stamp of its own, without mutations");
}

#[test]
fn later_mutations_see_earlier_ones() {
    let server = Running::start();
    let mut client = server.client();
    client.set(b"n", b"no number");
    let operations = vec![
        mutation(MDelete, b"n", None),
        le64(MSum, b"n", 1),
        le64(MSum, b"n", 2),
        le64(MMax, b"m", 7),
        le64(MMin, b"m", 5),
        set(b"x", b"1"),
        set(b"x", b"2"),
        set(b"gone", b"1"),
        mutation(MDelete, b"gone", None),
    ];
    let output = commit(&mut client, &write(operations));
    assert_eq!((number(&mut client, b"n"), number(&mut client, b"m")), (3, 5));
    let x = client.get(b"x").unwrap();
    assert_eq!((x.value, x.versionstamp), (b"2".to_vec(), output.versionstamp));
    assert!(client.get(b"gone").is_none());
    commit(&mut client, &write(vec![le64(MSum, b"n", u64::MAX)]));
    assert_eq!(number(&mut client, b"n"), 2, "wraps");
}

#[test]
fn what_fails_applies_nothing() {
    let server = Running::start();
    let mut client = server.client();
    let stamp = client.set(b"bytes", b"12345678");
    for (kind, name) in [(MSum, "sum"), (MMin, "min"), (MMax, "max")] {
        let operations = vec![set(b"first", b"1"), le64(kind, b"bytes", 1), set(b"last", b"1")];
        let answer = client.write(&write(operations)).unwrap();
        let text =
            format!("Failed to perform '{name}' mutation on a non-U64 value in the database");
        assert_eq!((answer.status, answer.text()), (400, &*text));
        for (encoding, data) in [(VeBytes, &b"12345678"[..]), (VeV8, b"\xff\x0f\"\x01a")] {
            let operations =
                vec![set(b"first", b"1"), mutation(kind, b"n", Some((encoding, data)))];
            let answer = client.write(&write(operations)).unwrap();
            let text = format!("Failed to perform '{name}' mutation on a non-U64 operand");
            assert_eq!((answer.status, answer.text()), (400, &*text));
        }
    }
    for key in [&b"first"[..], b"last", b"n"] {
        assert!(client.get(key).is_none(), "{key:?}");
    }
    assert_eq!(client.get(b"bytes").unwrap().versionstamp, stamp);
}

#[test]
fn sums_of_javascripts_numbers() {
    let server = Running::start();
    let mut client = server.client();
    let v8 = |number: f64| V8Number::Number(number).encode();
    let big = |number: i64| V8Number::BigInt(number.into()).encode();
    let sum = |key: &[u8], data: &[u8]| mutation(MSum, key, Some((VeV8, data)));
    commit(&mut client, &write(vec![sum(b"n", &v8(1.5)), sum(b"n", &v8(1.0))]));
    assert_eq!(client.get(b"n").unwrap().value, v8(2.5));
    commit(&mut client, &write(vec![sum(b"b", &big(-3)), sum(b"b", &big(1))]));
    assert_eq!(client.get(b"b").unwrap().value, big(-2));
    commit(&mut client, &write(vec![le64(MSet, b"u", 3), sum(b"u", &big(4))]));
    assert_eq!(number(&mut client, b"u"), 7);

    let ranged = |clamp: bool| pb::Mutation {
        sum_min: v8(0.0),
        sum_max: v8(3.0),
        sum_clamp: clamp,
        ..sum(b"n", &v8(10.0))
    };
    let answer = client.write(&write(vec![set(b"first", b"1"), ranged(false)])).unwrap();
    let text = "The result of a Sum operation would exceed its range limit";
    assert_eq!((answer.status, answer.text()), (400, text));
    assert!(client.get(b"first").is_none());
    commit(&mut client, &write(vec![ranged(true)]));
    assert_eq!(client.get(b"n").unwrap().value, v8(3.0));
    let mixed = pb::Mutation { sum_max: big(1), ..sum(b"n", &v8(1.0)) };
    assert_eq!(client.write(&write(vec![mixed])).unwrap().status, 400);
    let mixed = client.write(&write(vec![sum(b"n", &big(1))])).unwrap();
    let text = "Failed to perform 'sum' mutation on a non-U64 value in the database";
    assert_eq!((mixed.status, mixed.text()), (400, text));
}

#[test]
fn mutations_that_are_none() {
    let server = Running::start();
    let mut client = server.client();
    let value = |data: &[u8], encoding| Some(pb::KvValue { data: data.to_vec(), encoding });
    let with = |value, mutation_type| pb::Mutation { value, mutation_type, ..set(b"k", b"") };
    let invalid = "Invalid mutation kind or arguments.";
    for (mutation, text) in [
        (with(None, MSet as i32), invalid),
        (with(None, MSum as i32), invalid),
        (with(value(b"", 3), 0), invalid),
        (with(value(b"", 3), 8), invalid),
        (with(value(b"", 3), -1), invalid),
        (with(value(b"", 0), MSet as i32), "The value encoding 0 is unknown."),
        (with(value(b"", 16), MSet as i32), "The value encoding 16 is unknown."),
        (with(value(b"", 17), MSet as i32), "The value encoding 17 is unknown."),
        (with(value(b"1234567", 2), MSet as i32), "A U64 value must have 8 bytes, not 7."),
        (with(value(b"123456789", 2), MSum as i32), "A U64 value must have 8 bytes, not 9."),
        (pb::Mutation { expire_at_ms: -2, ..set(b"k", b"") }, "Invalid mutation expire at."),
    ] {
        let answer = client.write(&write(vec![set(b"other", b"1"), mutation])).unwrap();
        assert_eq!((answer.status, answer.text()), (400, text));
    }
    assert!(client.get(b"other").is_none() && client.get(b"k").is_none());
    for versionstamp in [&b"123456789"[..], b"12345678901"] {
        let write =
            pb::AtomicWrite { checks: vec![check(b"k", versionstamp)], ..Default::default() };
        let answer = client.write(&write).unwrap();
        assert_eq!((answer.status, answer.text()), (400, "Invalid versionstamp."));
    }
    // A value that is not asked for does not matter.
    let delete = pb::Mutation { mutation_type: MDelete as i32, ..with(value(b"1", 99), 0) };
    commit(&mut client, &write(vec![delete]));
}

#[test]
fn keys_that_end_with_their_versionstamp() {
    let server = Running::start();
    let mut client = server.client();
    let prefix = key!["log"];
    let log = mutation(MSetSuffixVersionstampedKey, prefix.as_bytes(), Some((VeBytes, b"line")));
    let stamp = commit(&mut client, &write(vec![log])).versionstamp;
    let text: String = stamp.iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = client.get(key!["log", text.as_str()].as_bytes()).unwrap();
    assert_eq!((entry.value, entry.versionstamp), (b"line".to_vec(), stamp));
}

#[test]
fn expiry_to_the_millisecond() {
    let server = Running::start();
    let mut client = server.client();
    let until = unix_millis() + 300;
    let expiring = |expire_at_ms, value| pb::Mutation { expire_at_ms, ..set(b"k", value) };
    commit(&mut client, &write(vec![expiring(until, b"1")]));
    loop {
        let before = unix_millis();
        let found = client.get(b"k").is_some();
        let after = unix_millis();
        assert!(!found || before < until, "visible too long");
        assert!(found || after >= until, "gone too early");
        if !found {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    commit(&mut client, &write(vec![expiring(unix_millis() + 100, b"2")]));
    for never in [0, -1, i64::MAX] {
        commit(&mut client, &write(vec![expiring(never, b"3")]));
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(client.get(b"k").unwrap().value, b"3", "a set without expiry clears it");
    }
    commit(&mut client, &write(vec![expiring(1, b"4")]));
    assert!(client.get(b"k").is_none(), "expired when it is written");
}

#[test]
fn messages_are_accepted() {
    let server = Running::start();
    let mut client = server.client();
    let enqueue = pb::Enqueue {
        payload: b"\xff\x0f\"\x01a".to_vec(),
        deadline_ms: 0,
        keys_if_undelivered: vec![b"dead".to_vec()],
        backoff_schedule: vec![100, 200],
    };
    let send = |enqueue: pb::Enqueue| pb::AtomicWrite {
        mutations: vec![set(b"k", b"1")],
        enqueues: vec![enqueue],
        ..Default::default()
    };
    let output = commit(&mut client, &send(enqueue.clone()));
    assert_eq!(output.status(), pb::AtomicWriteStatus::AwSuccess);
    let day = 24 * 3600 * 1000;
    for (deadline_ms, status) in [
        (-1, 400),
        (i64::MAX, 400),
        (unix_millis() + 31 * day, 400),
        (unix_millis() + 29 * day, 200),
    ] {
        let answer = client.write(&send(pb::Enqueue { deadline_ms, ..enqueue.clone() })).unwrap();
        assert_eq!(answer.status, status, "{deadline_ms}");
    }
    for (wrong, text) in [
        (
            pb::Enqueue { backoff_schedule: vec![1; 6], ..enqueue.clone() },
            "Too many backoff intervals (max 5)",
        ),
        (
            pb::Enqueue { backoff_schedule: vec![3_600_001], ..enqueue.clone() },
            "Backoff interval too large (max 3600000 ms)",
        ),
        (
            pb::Enqueue { keys_if_undelivered: vec![b"k".to_vec(); 11], ..enqueue.clone() },
            "Too many keys if undelivered (max 10)",
        ),
        (
            pb::Enqueue { payload: vec![0; 65_537], ..enqueue.clone() },
            "Value too large (max 65536 bytes)",
        ),
        (
            pb::Enqueue { keys_if_undelivered: vec![vec![1; 2049]], ..enqueue },
            "Key too large for write (max 2048 bytes)",
        ),
    ] {
        let answer = client.write(&send(wrong)).unwrap();
        assert_eq!((answer.status, answer.text()), (400, text));
    }
    assert_eq!(client.get(b"k").map(|entry| entry.value), Some(b"1".to_vec()));
}
