//! The engine on disk, over a participant whose checkpoints fail as they are told.
#![expect(unsafe_code, reason = "a participant installs under the commit lock")]

mod shelf;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use selvedge_engine::{Background, CommitError, Engine, EngineOptions, Evict, StorageOptions};
use selvedge_env::{Env, SimulatedFiles};
use selvedge_storage::StorageError;

use shelf::{Shelf, Trouble};

fn open(machine: &SimulatedFiles, background: Background) -> Arc<Engine<Shelf>> {
    let (env, _) = Env::simulated_on(machine, 7);
    let storage = StorageOptions {
        segment_bytes: 4096,
        document_bytes: 0,
        checkpoint_bytes: 4096,
        ..StorageOptions::new(Path::new("db"))
    };
    let options = EngineOptions { env, background };
    Engine::recover(Shelf::default(), options, &storage).expect("it can be opened")
}

fn set(engine: &Engine<Shelf>, slot: usize, value: u64) -> Result<(), CommitError<()>> {
    let open = engine.open().expect("few snapshots are open");
    engine.commit(open, &mut vec![(slot, value)], None).map(drop)
}

fn read(engine: &Engine<Shelf>) -> [u64; shelf::SLOTS] {
    let open = engine.open().expect("few snapshots are open");
    let values = engine.participant().values(engine.at(&open));
    engine.close(open);
    values
}

/// Lets the limbo see that nobody reads any more.
fn settle(engine: &Engine<Shelf>, value: u64) {
    set(engine, 0, value).expect("nothing is wrong with the log");
    while engine.step(100) {}
}

/// The documents of a block lie in a file that dies, and moving them fails: the file
/// stays mapped until they have moved, however many checkpoints later, and goes then.
#[test]
fn a_file_that_died_stays_until_its_documents_have_moved() {
    let machine = SimulatedFiles::new(1);
    let engine = open(&machine, Background::Manual);
    let shelf = engine.participant();
    for slot in 0..shelf::SLOTS {
        set(&engine, slot, 1).unwrap();
    }
    engine.checkpoint().unwrap();
    let first = shelf.newest_file();
    // From here on less than half of it is alive: the next checkpoint empties it.
    for slot in 0..shelf::SLOTS - 1 {
        set(&engine, slot, 2).unwrap();
    }
    engine.checkpoint().unwrap();
    assert!(first.upgrade().is_some(), "the last slot lies in it");

    let last = (shelf::SLOTS as u64 - 1, Evict::Outside);
    let evicted = || std::mem::take(&mut *shelf.evicted.lock().unwrap());
    shelf.meet(Trouble::EvictFails);
    for turn in 3..6 {
        set(&engine, 0, turn).unwrap();
        evicted();
        engine.checkpoint().unwrap();
        assert!(evicted().contains(&last), "tried again by each checkpoint");
        settle(&engine, turn);
        assert!(first.upgrade().is_some(), "newest versions may still lie in it");
    }

    shelf.meet(Trouble::None);
    set(&engine, 0, 6).unwrap();
    engine.checkpoint().unwrap();
    assert!(evicted().contains(&last));
    settle(&engine, 7);
    assert!(first.upgrade().is_none(), "nothing refers to it any more");
    assert_eq!(engine.check().unwrap(), Vec::<String>::new());
}

/// A reader of the time when the file died keeps it, too.
#[test]
fn a_file_that_died_stays_for_the_snapshots_of_the_time() {
    let machine = SimulatedFiles::new(2);
    let engine = open(&machine, Background::Manual);
    for slot in 0..shelf::SLOTS {
        set(&engine, slot, 1).unwrap();
    }
    engine.checkpoint().unwrap();
    let first = engine.participant().newest_file();
    let reader = engine.open().unwrap();
    for slot in 0..shelf::SLOTS {
        set(&engine, slot, 2).unwrap();
    }
    engine.checkpoint().unwrap();
    settle(&engine, 3);
    assert!(first.upgrade().is_some(), "the reader may look at it");
    engine.close(reader);
    settle(&engine, 4);
    assert!(first.upgrade().is_none());
}

/// What a checkpoint had taken over is lost with its panic, so none may come after it:
/// the engine refuses to write, reads what is durable, and opens again whole.
#[test]
fn a_panic_inside_a_checkpoint_fences_and_loses_nothing() {
    let machine = SimulatedFiles::new(3);
    let engine = open(&machine, Background::Manual);
    set(&engine, 0, 1).unwrap();
    engine.checkpoint().unwrap();
    set(&engine, 1, 2).unwrap();
    engine.participant().meet(Trouble::CheckpointPanics);
    let panicked = catch_unwind(AssertUnwindSafe(|| engine.checkpoint().map(drop)));
    assert!(panicked.is_err());
    engine.participant().meet(Trouble::None);

    assert!(matches!(set(&engine, 2, 3), Err(CommitError::Storage(StorageError::Poisoned { .. }))));
    assert!(engine.checkpoint().is_err(), "it would forget slot 1");
    let current = engine.current().unwrap();
    assert_eq!(read(current), [1, 2, 0, 0, 0, 0, 0, 0], "the durable state");
    assert!(set(current, 2, 3).is_err(), "it is only read");

    engine.reopen().unwrap();
    let reopened = engine.current().unwrap();
    set(reopened, 2, 3).unwrap();
    reopened.checkpoint().unwrap();
    assert_eq!(read(reopened), [1, 2, 3, 0, 0, 0, 0, 0]);
    drop(engine);
    let engine = open(&machine, Background::Manual);
    assert_eq!(read(&engine), [1, 2, 3, 0, 0, 0, 0, 0]);
}

/// The same in the background: commits that wait for the checkpoint are told, and
/// nobody waits for ever.
#[test]
fn a_panic_inside_a_checkpoint_in_the_background_is_told() {
    let machine = SimulatedFiles::new(4);
    let engine = open(&machine, Background::Thread);
    engine.participant().meet(Trouble::CheckpointPanics);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut acknowledged = 0;
    let refused = loop {
        match set(&engine, 0, acknowledged + 1) {
            Ok(()) => acknowledged += 1,
            Err(refused) => break refused,
        }
        assert!(Instant::now() < deadline, "no checkpoint, or one that nobody hears of");
    };
    let unknown = match refused {
        CommitError::Storage(StorageError::Poisoned { .. }) => 0,
        CommitError::OutcomeUnknown(StorageError::Poisoned { .. }) => 1,
        other => panic!("{other:?}"),
    };
    engine.participant().meet(Trouble::None);
    engine.reopen().unwrap();
    let found = read(engine.current().unwrap())[0];
    assert!((acknowledged..=acknowledged + unknown).contains(&found), "{found}: {acknowledged}");
    set(engine.current().unwrap(), 0, found + 1).unwrap();
}

/// A checkpoint that fails gives back what it took over: the next one writes it.
#[test]
fn a_checkpoint_that_fails_forgets_nothing() {
    let machine = SimulatedFiles::new(5);
    let engine = open(&machine, Background::Manual);
    set(&engine, 0, 1).unwrap();
    engine.checkpoint().unwrap();
    set(&engine, 1, 2).unwrap();
    engine.participant().meet(Trouble::CheckpointFails);
    assert!(engine.checkpoint().is_err());
    engine.participant().meet(Trouble::None);
    set(&engine, 2, 3).unwrap();
    let summary = engine.checkpoint().unwrap();
    assert_eq!(summary.blocks, 2, "slots 1 and 2");
    assert_eq!(engine.checkpoint().unwrap().blocks, 0, "nothing has changed since");
    machine.crash();
    let engine = open(&machine, Background::Manual);
    assert_eq!(read(&engine), [1, 2, 3, 0, 0, 0, 0, 0]);
}

/// Commits that outrun a checkpoint wait for it: the log, and what is not written yet,
/// would grow for ever otherwise.
#[test]
fn commits_wait_for_a_checkpoint_that_falls_behind() {
    let machine = SimulatedFiles::new(6);
    let engine = open(&machine, Background::Thread);
    let shelf = engine.participant();
    shelf.meet(Trouble::CheckpointWaits);
    let behind = || engine.statistics().storage.expect("on disk").log_bytes_to_replay;
    let stop = AtomicBool::new(false);
    let deadline = Instant::now() + Duration::from_secs(60);
    let until = |what: &dyn Fn() -> bool| {
        while !what() {
            assert!(Instant::now() < deadline, "{} bytes behind", behind());
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    std::thread::scope(|scope| {
        let committer = scope.spawn(|| {
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                set(&engine, 0, turn).unwrap();
            }
            turn
        });
        // Twice what makes a checkpoint due is as far as commits go ahead of it.
        until(&|| shelf.waits.load(Ordering::Relaxed) && behind() > 2 * 4096);
        let before = behind();
        // Time in which the committer writes far more, unless something holds it back.
        std::thread::sleep(Duration::from_millis(200));
        let growth = behind() - before;
        shelf.meet(Trouble::None);
        until(&|| behind() < before);
        stop.store(true, Ordering::Relaxed);
        let last = committer.join().unwrap();
        assert!(growth < 512, "{growth} bytes of log, while nothing is written");
        assert_eq!(read(&engine)[0], last);
    });
}

/// Many more numbers than are leased at a time, and nobody looks after the leases: who
/// takes one waits for the next lease. None of them comes again after a crash.
#[test]
fn numbers_go_on_beyond_their_lease_and_never_come_again() {
    let machine = SimulatedFiles::new(7);
    let mut last = 0;
    for _ in 0..2 {
        let engine = open(&machine, Background::Manual);
        for _ in 0..(1 << 21) + 3 {
            let number = engine.participant().numbers.take().unwrap();
            assert!(number > last, "{number} behind {last}");
            last = number;
        }
        machine.crash();
    }
}

/// An engine that is closed owes nothing for what its participant expects: the worker
/// would look for ever after what nobody can commit.
#[test]
fn nothing_is_owed_by_who_cannot_write() {
    let machine = SimulatedFiles::new(8);
    let engine = open(&machine, Background::Manual);
    settle(&engine, 1);
    engine.step(100);
    assert!(!engine.owes_maintenance());
    settle(&engine, shelf::EXPECTING);
    engine.step(100);
    assert!(engine.owes_maintenance(), "for what it expects");
    engine.shut().unwrap();
    assert!(!engine.owes_maintenance(), "nobody can commit it");
}
