//! Bytes that are no messages, or nearly: nobody's connection breaks, nothing fails on
//! the server's side.

use denokv_proto::datapath as pb;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message;

use crate::client::{Client, check, point};
use crate::running::Running;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..64)
}

fn mutation() -> impl Strategy<Value = pb::Mutation> {
    let value = proptest::option::of((bytes(), -1..6_i32));
    let head = (bytes(), value, -1..12_i32, prop_oneof![Just(0), -3..3_i64, any::<i64>()]);
    (head, bytes(), bytes(), any::<bool>()).prop_map(|(head, sum_min, sum_max, sum_clamp)| {
        let (key, value, mutation_type, expire_at_ms) = head;
        let value = value.map(|(data, encoding)| pb::KvValue { data, encoding });
        pb::Mutation { key, value, mutation_type, expire_at_ms, sum_min, sum_max, sum_clamp }
    })
}

fn atomic_write() -> impl Strategy<Value = pb::AtomicWrite> {
    let stamp = prop_oneof![Just(vec![]), proptest::collection::vec(any::<u8>(), 8..12)];
    let checks = (bytes(), stamp).prop_map(|(key, stamp)| check(&key, &stamp));
    let keys = proptest::collection::vec(bytes(), 0..3);
    let enqueue = (bytes(), any::<i64>(), keys, proptest::collection::vec(any::<u32>(), 0..7))
        .prop_map(|(payload, deadline_ms, keys_if_undelivered, backoff_schedule)| pb::Enqueue {
            payload,
            deadline_ms,
            keys_if_undelivered,
            backoff_schedule,
        });
    let parts = (
        proptest::collection::vec(checks, 0..4),
        proptest::collection::vec(mutation(), 0..6),
        proptest::collection::vec(enqueue, 0..2),
    );
    parts.prop_map(|(checks, mutations, enqueues)| pb::AtomicWrite { checks, mutations, enqueues })
}

/// A message with a few bytes changed, cut off or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..4);
    (atomic_write(), edits).prop_map(|(write, edits)| {
        let mut bytes = write.encode_to_vec();
        for (at, byte, edit) in edits {
            let at = at.index(bytes.len() + 1);
            match edit {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|other| *other = byte),
            }
        }
        bytes
    })
}

fn run<T: std::fmt::Debug>(
    cases: u32,
    strategy: impl Strategy<Value = T>,
    mut each: impl FnMut(&mut Client, T),
) {
    let server = Running::start();
    let client = std::cell::RefCell::new(server.client());
    let each = std::cell::RefCell::new(&mut each);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&strategy, |value| {
        (each.borrow_mut())(&mut client.borrow_mut(), value);
        Ok(())
    });
    ran.unwrap();
    client.borrow_mut().set(b"still", b"there");
}

#[test]
fn any_bytes_are_answered() {
    let any = proptest::collection::vec(any::<u8>(), 0..200);
    run(600, any, |client, body| {
        for call in ["snapshot_read", "atomic_write"] {
            let answer = client.call(call, &body).unwrap();
            assert!([200, 400].contains(&answer.status), "{}: {}", answer.status, answer.text());
        }
    });
}

#[test]
fn messages_are_applied_as_a_whole_or_refused_with_a_text() {
    run(600, atomic_write(), |client, write| {
        // Whatever the rest is, this key tells whether it was applied.
        let mut write = write;
        let marker = fastrand::u64(..).to_le_bytes();
        write.mutations.insert(0, crate::client::set(b"\xffmarker", &marker));
        let answer = client.write(&write).unwrap();
        let committed = answer.status == 200 && {
            let output: pb::AtomicWriteOutput = answer.message();
            output.status() == pb::AtomicWriteStatus::AwSuccess
        };
        assert!([200, 400].contains(&answer.status), "{}", answer.status);
        let found = client.get(b"\xffmarker").is_some_and(|entry| entry.value == marker);
        assert_eq!(found, committed, "{write:?}");
    });
}

#[test]
fn damaged_messages_do_no_harm() {
    run(600, damaged(), |client, body| {
        let answer = client.call("atomic_write", &body).unwrap();
        assert!([200, 400].contains(&answer.status), "{}: {}", answer.status, answer.text());
        assert!(client.read(vec![point(b"k")]).unwrap().status == 200);
    });
}
