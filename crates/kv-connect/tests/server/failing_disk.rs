//! A disk that fails under the server: what was acknowledged, or read, is there when
//! the database is opened again; what was refused is not; only of what is told to be
//! unknown nobody knows.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use denokv_proto::datapath as pb;
use selvedge::env::{Env, Fault, FaultRates, OperationKind, SimulatedFiles};
use selvedge::{Db, SyncLevel};

use crate::client::{Answer, Client, point, set};
use crate::running::Running;

fn open(files: &SimulatedFiles) -> selvedge::Result<Db> {
    let (env, _) = Env::simulated_on(files, 7);
    Db::builder().env(env).sync(SyncLevel::Full).log_segment_bytes(4096).open("/db.selvedge")
}

fn serve(files: &SimulatedFiles) -> Running {
    Running::of(open(files).unwrap(), |options| options)
}

fn write(client: &mut Client, key: &[u8]) -> Answer {
    let mutations = vec![set(key, key)];
    client.write(&pb::AtomicWrite { mutations, ..Default::default() }).unwrap()
}

/// Whether the entry is there, or the text of why nobody can say.
fn look(client: &mut Client, key: &[u8]) -> Result<bool, Answer> {
    let answer = client.read(vec![point(key)]).unwrap();
    if answer.status != 200 {
        return Err(answer);
    }
    let output: pb::SnapshotReadOutput = answer.message();
    Ok(!output.ranges[0].values.is_empty())
}

/// What a write under which the disk fails is told, and what is told from then on.
fn assert_failed(client: &mut Client, old: &[u8], new: &[u8]) {
    let answer = write(client, new);
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(answer.text().starts_with("Whether the write survives is unknown: "), "{answer:?}");
    for _ in 0..3 {
        let later = write(client, b"later");
        assert_eq!(later.status, 503, "{}", later.text());
        // What is told is what is surely on the disk.
        match look(client, old) {
            Ok(is_there) => assert!(is_there),
            Err(refused) => assert_eq!(refused.status, 503, "{}", refused.text()),
        }
        if let Err(refused) = look(client, new) {
            assert_eq!(refused.status, 503, "{}", refused.text());
        }
    }
}

#[test]
fn a_write_whose_sync_fails_is_of_unknown_outcome_and_nothing_is_told_after_it() {
    for kind in [OperationKind::Sync, OperationKind::Write] {
        let files = SimulatedFiles::new(1);
        let server = serve(&files);
        let mut client = server.client();
        assert_eq!(write(&mut client, b"old").status, 200);
        files.plan_next(kind, Fault::Io);
        assert_failed(&mut client, b"old", b"new");
        // Not even a new connection learns more; who asks for the database is answered.
        let mut other = server.client();
        assert_eq!(write(&mut other, b"later").status, 503);
        drop((client, other));
        // Opened again inside the process, it goes on.
        server.db.reopen().unwrap();
        let mut client = server.client();
        let new = look(&mut client, b"new").unwrap();
        assert!(look(&mut client, b"old").unwrap());
        assert_eq!(write(&mut client, b"reopened").status, 200);
        assert_eq!(client.watch(&[b"old"]).status, 200);
        drop(client);
        server.stop();

        files.crash();
        let server = serve(&files);
        let mut client = server.client();
        for key in [&b"old"[..], b"reopened"] {
            assert!(look(&mut client, key).unwrap(), "{kind:?}");
        }
        assert_eq!(look(&mut client, b"new").unwrap(), new, "{kind:?}: told, and not so");
        assert!(!look(&mut client, b"later").unwrap(), "{kind:?}");
        assert_eq!(write(&mut client, b"again").status, 200);
    }
}

/// A watch does not show what may be lost: it ends.
#[test]
fn a_watch_ends_when_the_disk_fails() {
    let files = SimulatedFiles::new(2);
    let server = serve(&files);
    let (mut client, mut watcher) = (server.client(), server.client());
    assert_eq!(watcher.watch(&[b"new"]).status, 200);
    let first = watcher.update().expect("the state");
    assert!(first.keys[0].entry_if_changed.is_none());
    files.plan_next(OperationKind::Sync, Fault::Io);
    assert_eq!(write(&mut client, b"new").status, 409);
    assert!(watcher.update().is_none(), "what is unknown is not shown");
    // Nor is there another one, which would not hear of what is found in the end.
    assert_eq!(client.watch(&[b"new"]).status, 503);
    drop((client, watcher));
    let _ = server.ended();
}

/// What several clients were told, by key.
#[derive(Default)]
struct Told {
    acknowledged: BTreeSet<Vec<u8>>,
    /// Read by somebody.
    seen: BTreeSet<Vec<u8>>,
    unknown: BTreeSet<Vec<u8>>,
    refused: BTreeSet<Vec<u8>>,
}

/// Writes, and looks at what others have written, until the disk has failed.
fn live(server: &Running, seat: u8, told: &Mutex<Told>, until: Instant) {
    let mut client = server.client();
    for number in 0_u32.. {
        let key = [&[seat][..], &number.to_be_bytes()].concat();
        let answer = write(&mut client, &key);
        let is_over = answer.status != 200;
        let mut all = told.lock().unwrap();
        match answer.status {
            200 => all.acknowledged.insert(key),
            409 => all.unknown.insert(key),
            503 => all.refused.insert(key),
            other => panic!("{other}: {}", answer.text()),
        };
        drop(all);
        let other = [&[(seat + 1) % 4][..], &number.to_be_bytes()].concat();
        // Before the question: what is acknowledged after it need not be seen.
        let must_be_there = told.lock().unwrap().acknowledged.contains(&other);
        match look(&mut client, &other) {
            Ok(true) => drop(told.lock().unwrap().seen.insert(other)),
            Ok(false) => assert!(!must_be_there, "{other:?} was acknowledged"),
            Err(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
        }
        if is_over && number > 0 || Instant::now() > until {
            return;
        }
    }
}

#[test]
fn under_load_nothing_acknowledged_is_lost_and_nothing_refused_is_there() {
    let (mut written, mut unknown) = (0, 0);
    for seed in 0..24 {
        let files = SimulatedFiles::new(seed);
        let server = serve(&files);
        match seed % 2 {
            0 => files.set_rates(FaultRates { sync: 0.02, write: 0.01, ..FaultRates::default() }),
            _ => files.plan(files.operation_count() + 20 + seed * 7, Fault::Crash),
        }
        let (told, until) = (Mutex::default(), Instant::now() + Duration::from_secs(20));
        thread::scope(|scope| {
            for seat in 0..4 {
                let (server, told) = (&server, &told);
                scope.spawn(move || live(server, seat, told, until));
            }
        });
        let _ = server.ended();
        files.clear_faults();
        files.recover();
        files.crash();
        let db = open(&files).unwrap();
        let told = told.into_inner().unwrap();
        let there = |key: &Vec<u8>| db.kv().get(key).unwrap().is_some();
        assert!(told.acknowledged.iter().all(there), "seed {seed}: acknowledged, and lost");
        assert!(told.seen.iter().all(there), "seed {seed}: read, and lost");
        assert!(!told.refused.iter().any(there), "seed {seed}: refused, and there");
        written += told.acknowledged.len();
        assert_eq!(db.check().unwrap(), Vec::<String>::new());
        unknown += told.unknown.len();
    }
    assert!(written > 24 && unknown > 0, "some write was under way when the disk failed");
}

/// A full disk: nothing is applied, and clients try again until there is room.
#[test]
fn a_full_disk_refuses_writes_for_as_long_as_it_is_full() {
    let files = SimulatedFiles::new(3);
    let server = serve(&files);
    let mut client = server.client();
    assert_eq!(write(&mut client, b"old").status, 200);
    files.set_capacity(Some(0));
    let mut last = 200;
    for number in 0_u32..4000 {
        let answer = write(&mut client, &number.to_be_bytes());
        last = answer.status;
        if last != 200 {
            assert!([409, 503].contains(&last), "{last}: {}", answer.text());
            break;
        }
    }
    assert_ne!(last, 200, "what is allocated ahead comes to its end");
    files.set_capacity(None);
    if last == 503 {
        assert!(look(&mut client, b"old").unwrap());
        assert_eq!(write(&mut client, b"new").status, 200);
        drop(client);
        server.stop();
    } else {
        assert_eq!(write(&mut client, b"new").status, 503);
        drop(client);
        let _ = server.ended();
    }
    assert!(open(&files).unwrap().kv().get(b"old").unwrap().is_some());
}
