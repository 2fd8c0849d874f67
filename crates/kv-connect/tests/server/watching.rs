//! `watch`.

use std::time::{Duration, Instant};

use denokv_proto::datapath as pb;

use crate::client::{mutation, set};
use crate::running::Running;

type Told = Vec<(bool, Option<Vec<u8>>)>;

fn told(output: pb::WatchOutput) -> Told {
    assert_eq!(output.status(), pb::SnapshotReadStatus::SrSuccess);
    let told =
        |key: pb::WatchKeyOutput| (key.changed, key.entry_if_changed.map(|entry| entry.value));
    output.keys.into_iter().map(told).collect()
}

fn value(value: &[u8]) -> (bool, Option<Vec<u8>>) {
    (true, Some(value.to_vec()))
}

#[test]
fn first_the_state_then_every_change() {
    let server = Running::start();
    let (mut writer, mut watcher) = (server.client(), server.client());
    writer.set(b"a", b"1");
    let answer = watcher.watch(&[b"a", b"absent", b"b", b"a"]);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/octet-stream"))
    );
    assert_eq!(watcher.frame().unwrap(), b"", "a sign of life at once");
    let first = told(watcher.update().unwrap());
    assert_eq!(first, [value(b"1"), (true, None), (true, None), value(b"1")]);
    writer.set(b"b", b"2");
    // Every frame tells every key: Deno forgets those that are told as unchanged.
    let then = told(watcher.update().unwrap());
    assert_eq!(then, [value(b"1"), (true, None), value(b"2"), value(b"1")]);
    writer.set(b"other", b"");
    let mutations = vec![mutation(pb::MutationType::MDelete, b"b", None), set(b"a", b"3")];
    writer.write(&pb::AtomicWrite { mutations, ..Default::default() }).unwrap();
    let then = told(watcher.update().unwrap());
    assert_eq!(then, [value(b"3"), (true, None), (true, None), value(b"3")]);
}

#[test]
fn signs_of_life_go_on() {
    let server = Running::start();
    let mut watcher = server.client();
    watcher.watch(&[b"a"]);
    assert_eq!(watcher.frame().unwrap(), b"");
    assert_ne!(watcher.frame().unwrap(), b"");
    let start = Instant::now();
    assert_eq!(watcher.frame().unwrap(), b"");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
}

#[test]
fn what_expires_is_told() {
    let server = Running::start();
    let mut watcher = server.client();
    watcher.watch(&[b"a"]);
    assert_eq!(told(watcher.update().unwrap()), [(true, None)]);
    server.db.kv().set_for(b"a", 7_u64, Duration::from_millis(200)).unwrap();
    assert_eq!(told(watcher.update().unwrap()), [value(&7_u64.to_le_bytes())]);
    assert_eq!(told(watcher.update().unwrap()), [(true, None)]);
}

#[test]
fn who_is_slow_gets_the_newest() {
    let server = Running::start();
    let (mut writer, mut watcher) = (server.client(), server.client());
    watcher.watch(&[b"a"]);
    watcher.update().unwrap();
    let mut newest = Vec::new();
    for number in 0..300_u32 {
        newest = [&number.to_le_bytes()[..], &[7; 50_000]].concat();
        writer.set(b"a", &newest);
    }
    let mut updates = 0;
    loop {
        updates += 1;
        if told(watcher.update().unwrap()) == [value(&newest)] {
            break;
        }
    }
    // What lies in sockets does come; the rest was never made.
    assert!(updates < 300, "{updates}");
}

#[test]
fn ends_with_the_server() {
    let server = Running::start();
    let mut watcher = server.client();
    watcher.watch(&[b"a"]);
    watcher.update().unwrap();
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(5), "nothing to wait for");
    while watcher.frame().is_some() {}
}

#[test]
fn a_watcher_that_goes_is_forgotten() {
    let server = Running::start();
    let mut writer = server.client();
    for _ in 0..50 {
        let mut watcher = server.client();
        watcher.watch(&[b"a"]);
        watcher.update().unwrap();
    }
    writer.set(b"a", b"1");
    assert_eq!(writer.get(b"a").unwrap().value, b"1");
}

/// Keys of a watch are kept for as long as it goes on, and were not counted: 256 streams of
/// a connection held 5 MB.
#[test]
fn what_is_watched_takes_room() {
    let server = Running::with(|mut options| {
        options.request_bytes_max = 10_000;
        options
    });
    let mut watching = server.client();
    let keys: Vec<_> = (0..4_u8).map(|number| vec![number; 2000]).collect();
    watching.watch(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert!(watching.update().is_some());
    let mutations = vec![set(b"k", &[7; 3000])];
    let write = pb::AtomicWrite { mutations, ..Default::default() };
    let refused = server.client().write(&write).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text());
    drop(watching);
    let until = Instant::now() + Duration::from_secs(20);
    while server.client().write(&write).map_or(true, |answer| answer.status != 200) {
        assert!(Instant::now() < until, "it is over");
        std::thread::sleep(Duration::from_millis(20));
    }
}
