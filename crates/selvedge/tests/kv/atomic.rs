//! Atomic operations: checks, mutations in order, all or nothing.

use selvedge::prelude::*;
use selvedge::{
    AtomicOutcome, Key, KvError, KvValue, Message, Selection, V8Number, V8Sum, Versionstamp, key,
};

#[test]
fn checks_are_judged_before_anything_is_applied() {
    let db = Db::in_memory();
    let kv = db.kv();
    kv.set(&key!["a"], 1_u64).unwrap();
    let seen = kv.get(&key!["a"]).unwrap().unwrap().versionstamp();
    let outcome = kv
        .atomic()
        .check(&key!["a"], seen)
        .check(&key!["a"], None)
        .check(&key!["b"], None)
        .check(&key!["b"], seen)
        .set(&key!["c"], 1_u64)
        .commit()
        .unwrap();
    assert_eq!(outcome, AtomicOutcome::ChecksFailed(vec![1, 3]));
    assert!(kv.get(&key!["c"]).unwrap().is_none());
    let twice = || kv.atomic().check(&key!["a"], seen).set(&key!["a"], 2_u64).commit().unwrap();
    assert!(twice().is_committed() && !twice().is_committed());
}

#[test]
fn every_operation_has_a_greater_stamp_even_without_mutations() {
    let db = Db::in_memory();
    let kv = db.kv();
    let mut last = Versionstamp::from(Timestamp::ZERO);
    for round in 0..5_u64 {
        let atomic = if round % 2 == 0 { kv.atomic() } else { kv.atomic().set(&key!["a"], round) };
        let stamp = atomic.commit().unwrap().committed().unwrap().versionstamp();
        assert!(stamp > last);
        last = stamp;
    }
}

/// Two mutations gave one key a version each, with one stamp: an assertion failed in
/// the midst of a commit.
#[test]
fn of_several_stamped_keys_that_are_one_the_last_counts() {
    let db = Db::in_memory();
    let kv = db.kv();
    let log = key!["log"];
    let twice =
        kv.atomic().set_versionstamped(&log, 1_u64).set_versionstamped(&log, 2_u64).commit();
    let done = twice.unwrap().committed().unwrap();
    let found = kv.get(&done.stamped_key(&log)).unwrap().unwrap();
    assert_eq!((found.number(), found.versionstamp()), (Some(2), Some(done.versionstamp())));
    assert_eq!(kv.count(Selection::all()).unwrap(), 1);
    // Who guesses the stamp can name the key as well.
    let next = Versionstamp::from(done.versionstamp().timestamp().next());
    let guessed = key!["log", next.to_string()];
    let both = kv.atomic().set_versionstamped(&log, 3_u64).set(&guessed, 4_u64).commit();
    let done = both.unwrap().committed().unwrap();
    assert_eq!(done.stamped_key(&log), guessed.as_bytes());
    assert_eq!(kv.get(&guessed).unwrap().unwrap().number(), Some(4));
    assert_eq!(db.check().unwrap(), [""; 0]);
}

#[test]
fn one_wrong_mutation_undoes_all() {
    let db = Db::in_memory();
    let kv = db.kv();
    kv.set(&key!["text"], "a").unwrap();
    let error = kv.atomic().set(&key!["b"], 1_u64).sum(&key!["text"], 1).commit().unwrap_err();
    let Error::Kv(error) = error else { panic!("{error}") };
    assert!(matches!(&*error, KvError::NotANumber { key, .. } if *key == key!["text"]), "{error}");
    assert!(kv.get(&key!["b"]).unwrap().is_none());
    let sum = V8Sum {
        operand: V8Number::BigInt(5.into()),
        min: None,
        max: Some(V8Number::BigInt(7.into())),
        clamp: false,
    };
    let add = || kv.atomic().set(&key!["b"], 1_u64).sum_v8(&key!["big"], &sum).commit();
    let done = add().unwrap().committed().unwrap();
    let KvValue::V8(bytes) = done.computed(&key!["big"]).unwrap() else { panic!("no V8 number") };
    assert_eq!(V8Number::decode(&bytes), Some(V8Number::BigInt(5.into())));
    kv.delete(&key!["b"]).unwrap();
    let Error::Kv(error) = add().unwrap_err() else { panic!("another error") };
    assert_eq!(*error, KvError::OutOfRange { key: key!["big"] });
    assert!(kv.get(&key!["b"]).unwrap().is_none());
}

#[test]
fn what_cannot_be_is_told_and_nothing_applied() {
    let db = Db::in_memory();
    let kv = db.kv();
    let kind = |error: Error| match error {
        Error::Kv(error) => *error,
        error => panic!("{error}"),
    };
    let none: &[u8] = &[];
    assert_eq!(kind(kv.set(none, 1_u64).unwrap_err()), KvError::KeyEmpty);
    let limit = selvedge::limits::ENTRY_KEY_BYTES_MAX - 2;
    let (longest, long) = (vec![1; limit], vec![1; limit + 1]);
    kv.set(&longest, 1_u64).unwrap();
    assert_eq!(kv.get(&longest).unwrap().unwrap().number(), Some(1));
    let too_long = KvError::KeyTooLong { bytes: limit + 1, limit };
    assert_eq!(kind(kv.set(&long, 1_u64).unwrap_err()), too_long);
    assert!(kv.get(&long).unwrap().is_none());
    let limit = selvedge::limits::ENTRY_VALUE_BYTES_MAX;
    let error = kv.atomic().set(&key!["a"], 1_u64).set(&key!["b"], vec![0; limit + 1]).commit();
    assert_eq!(kind(error.unwrap_err()), KvError::ValueTooLong { bytes: limit + 1, limit });
    assert!(kv.get(&key!["a"]).unwrap().is_none());
    let error = kv.atomic().delete(&key!["a"]).expire_at(5).commit().unwrap_err();
    assert_eq!(kind(error), KvError::NothingExpires);
    let le64 = selvedge::KvEncoding::LE64;
    let error = kv.atomic().set_encoded(&key!["a"], le64, b"1234567").commit().unwrap_err();
    assert_eq!(kind(error), KvError::NotEightBytes { bytes: 7 });
    for name in ["", &"x".repeat(256)] {
        assert!(matches!(kind(db.keyspace(name).unwrap_err()), KvError::Name { .. }));
    }
}

#[test]
fn values_of_every_kind_come_back() {
    let db = Db::in_memory();
    let kv = db.kv();
    let values = [
        KvValue::from(vec![0, 255]),
        KvValue::from(u64::MAX),
        KvValue::V8(b"\xff\x0f\"\x01a".into()),
        KvValue::from(doc! { "a": [1, null, { "b": 2.5 }] }),
        KvValue::from("text"),
        KvValue::from(-7_i64),
        KvValue::from(Value::Null),
        KvValue::from(Value::List(vec![Value::Bool(true)])),
    ];
    for (at, value) in values.iter().enumerate() {
        kv.set(&key![at], value.clone()).unwrap();
    }
    for (at, value) in values.iter().enumerate() {
        assert_eq!(kv.get(&key![at]).unwrap().unwrap().value().unwrap(), *value);
    }
}

#[test]
fn transfers_keep_the_sum() {
    let db = Db::in_memory();
    let kv = db.kv();
    let accounts: Vec<_> = (0..5).map(|at| key!["account", at]).collect();
    for account in &accounts {
        kv.set(account, 100_u64).unwrap();
    }
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (kv, accounts) = (db.kv(), &accounts);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(worker);
                for _ in 0..200 {
                    let (from, to) = (random.usize(0..5), random.usize(0..5));
                    let amount = random.u64(1..30);
                    if from != to {
                        transfer(&kv, &accounts[from], &accounts[to], amount);
                    }
                }
            });
        }
    });
    let balances = kv.get_many(&accounts).unwrap();
    let sum: u64 = balances.iter().map(|entry| entry.as_ref().unwrap().number().unwrap()).sum();
    assert_eq!(sum, 500);
}

fn transfer(kv: &selvedge::Kv, from: &selvedge::Key, to: &selvedge::Key, amount: u64) {
    loop {
        let [sender, receiver] = kv.get_many_of([from, to]).unwrap().map(Option::unwrap);
        let (sent, received) = (sender.number().unwrap(), receiver.number().unwrap());
        let Some(rest) = sent.checked_sub(amount) else { return };
        let atomic = kv
            .atomic()
            .check(from, sender.versionstamp())
            .check(to, receiver.versionstamp())
            .set(from, rest)
            .set(to, received + amount);
        if atomic.commit().unwrap().is_committed() {
            return;
        }
    }
}

#[test]
fn limits_may_be_lower() {
    let limits = selvedge::KvLimits::default()
        .key_bytes(10)
        .value_bytes(20)
        .checks(2)
        .mutations(3)
        .mutation_bytes(40)
        .watched_keys(1);
    let db = Db::builder().kv_limits(limits).in_memory();
    let kv = db.kv();
    let at_most = |what, count, limit| Err(Error::from(KvError::TooMany { what, count, limit }));
    let many = |count: usize| (0..count).fold(kv.atomic(), |atomic, _| atomic.delete(b"k"));
    assert!(many(3).commit().unwrap().is_committed());
    assert_eq!(many(4).commit(), at_most("mutations", 4, 3));
    let checks = |count: usize| (0..count).fold(kv.atomic(), |atomic, _| atomic.check(b"k", None));
    assert!(checks(2).commit().unwrap().is_committed());
    assert_eq!(checks(3).commit(), at_most("checks", 3, 2));
    let sets = |bytes| kv.atomic().set(b"k", vec![0; 8]).set(b"l", vec![0; bytes]).commit();
    assert!(sets(20).unwrap().is_committed());
    assert_eq!(sets(21), Err(KvError::ValueTooLong { bytes: 21, limit: 20 }.into()));
    let more = kv.atomic().set(b"k", vec![0; 18]).set(b"l", vec![0; 20]).delete(b"m").commit();
    assert_eq!(more, at_most("bytes of mutations", 41, 40));
    assert_eq!(kv.set(&[0; 11], 1_u64), Err(KvError::KeyTooLong { bytes: 11, limit: 10 }.into()));
    // A key that was longer than that with its stamp could not be deleted.
    let stamped = kv.atomic().set_versionstamped(b"log", 1_u64).commit();
    assert_eq!(stamped, Err(KvError::KeyTooLong { bytes: 25, limit: 10 }.into()));
    // Messages were of no size.
    let messages = |bytes| kv.atomic().enqueue(vec![0; 20]).enqueue(vec![0; bytes]).delete(b"k");
    let bytes = |message: Message| kv.atomic().set(b"k", vec![0; 19]).enqueue(message).commit();
    assert!(messages(19).commit().unwrap().is_committed());
    assert_eq!(messages(20).commit(), at_most("bytes of mutations", 41, 40));
    let dead = |key: Key| Message::new(vec![0; 16]).if_undelivered(key);
    assert!(bytes(dead(Key::from_bytes(*b"dead"))).unwrap().is_committed());
    assert_eq!(bytes(dead(Key::from_bytes(*b"death"))), at_most("bytes of mutations", 41, 40));
    assert!(kv.watch([b"a", b"b"]).is_err());
    let long = db.transaction(|ctx| ctx.kv().set(b"k", vec![0; 21]));
    assert_eq!(long, Err(KvError::ValueTooLong { bytes: 21, limit: 20 }.into()));
}
