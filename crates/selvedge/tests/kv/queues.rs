//! Queues: delivered at least once, again when it fails, and never before their time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use selvedge::env::{Env, SimulatedClock, SimulatedFiles};
use selvedge::prelude::*;
use selvedge::{Background, KvValue, Message, key};

fn open(files: &SimulatedFiles) -> (Db, Arc<SimulatedClock>) {
    let (env, clock) = Env::simulated_on(files, 7);
    clock.advance(Duration::from_secs(1000));
    let builder = Db::builder().env(env).background(Background::Manual);
    (builder.open(Path::new("db")).unwrap(), clock)
}

fn text(delivery: &selvedge::Delivery) -> String {
    match delivery.value().unwrap() {
        KvValue::Value(Value::String(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_come_in_order_of_their_time() {
    let (db, clock) = open(&SimulatedFiles::new(1));
    let kv = db.kv();
    kv.enqueue(Message::new("late").delay(Duration::from_secs(2))).unwrap();
    kv.atomic().enqueue("first").enqueue("second").commit().unwrap();
    let first = kv.dequeue().unwrap().unwrap();
    let second = kv.dequeue().unwrap().unwrap();
    assert_eq!((text(&first), text(&second)), ("first".into(), "second".into()));
    assert!(kv.dequeue().unwrap().is_none());
    first.finish().unwrap();
    second.finish().unwrap();
    clock.advance(Duration::from_secs(2));
    let late = kv.dequeue().unwrap().unwrap();
    assert_eq!(text(&late), "late");
    late.finish().unwrap();
    assert!(kv.dequeue().unwrap().is_none());
}

#[test]
fn what_fails_comes_again_and_in_the_end_is_written_down() {
    let (db, clock) = open(&SimulatedFiles::new(1));
    let kv = db.kv();
    let dead = key!["dead"];
    let times = [Duration::from_millis(100), Duration::from_secs(1)];
    kv.enqueue(Message::new("x").backoff(times).if_undelivered(dead.clone())).unwrap();
    for (failures, wait) in times.into_iter().enumerate() {
        let delivery = kv.dequeue().unwrap().unwrap();
        assert_eq!(delivery.failures(), failures as u64);
        // Dropping it is failing.
        if failures == 0 {
            delivery.fail().unwrap()
        } else {
            drop(delivery)
        }
        clock.advance(wait - Duration::from_millis(1));
        assert!(kv.dequeue().unwrap().is_none());
        clock.advance(Duration::from_millis(1));
    }
    assert!(kv.get(&dead).unwrap().is_none());
    kv.dequeue().unwrap().unwrap().fail().unwrap();
    assert_eq!(kv.get(&dead).unwrap().unwrap().value().unwrap(), KvValue::from("x"));
    clock.advance(Duration::from_secs(10_000));
    assert!(kv.dequeue().unwrap().is_none());
}

#[test]
fn a_crash_gives_back_what_was_not_finished() {
    let files = SimulatedFiles::new(1);
    let (db, _) = open(&files);
    db.kv().enqueue("done").unwrap();
    db.kv().enqueue("under way").unwrap();
    db.kv().dequeue().unwrap().unwrap().finish().unwrap();
    let under_way = db.kv().dequeue().unwrap().unwrap();
    std::mem::forget((db, under_way));
    files.crash();
    let (db, _) = open(&files);
    let again = db.kv().dequeue().unwrap().unwrap();
    assert_eq!((text(&again), again.failures()), ("under way".into(), 0));
    again.finish().unwrap();
    assert!(db.kv().dequeue().unwrap().is_none());
}

#[test]
fn limits_are_kept() {
    let db = Db::in_memory();
    let kv = db.kv();
    let over = Duration::from_millis(1);
    let wrong = [
        Message::new("x").delay(selvedge::MESSAGE_DELAY_MAX + over),
        Message::new("x").backoff(vec![Duration::ZERO; selvedge::MESSAGE_RETRIES_MAX + 1]),
        Message::new("x").backoff([selvedge::MESSAGE_BACKOFF_MAX + over]),
        Message::new("x").if_undelivered(selvedge::Key::new()),
        (0..=selvedge::MESSAGE_UNDELIVERED_KEYS_MAX)
            .fold(Message::new("x"), |message, at| message.if_undelivered(key![at])),
    ];
    for message in wrong {
        assert!(matches!(kv.enqueue(message.clone()), Err(Error::Kv(_))), "{message:?}");
    }
    assert!(kv.dequeue().unwrap().is_none());
}

#[test]
fn workers_share_a_queue() {
    let db = Db::in_memory();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) < 400 {
                    let delivery = db.kv().dequeue_within(Duration::from_millis(50)).unwrap();
                    if let Some(delivery) = delivery {
                        delivery.finish().unwrap();
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for worker in 0..4 {
            let kv = db.kv();
            scope.spawn(move || {
                for at in 0..100 {
                    kv.enqueue(format!("{worker} {at}")).unwrap();
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 400, "each exactly once, as nothing failed");
    assert!(db.kv().dequeue().unwrap().is_none());
}
