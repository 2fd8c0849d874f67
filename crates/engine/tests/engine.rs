//! The engine over the smallest participant there is: one record.
#![expect(unsafe_code, reason = "a participant installs under the commit lock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use selvedge_base::Timestamp;
use selvedge_engine::{
    Background, CommitError, Engine, EngineOptions, OpenSnapshot, Participant, Settling,
};
use selvedge_mvcc::{Record, VersionBox, check_write};

/// One number, under snapshots.
#[derive(Default)]
struct Cell(Record<u64>);

/// What a transaction does to it.
enum Write {
    Set(u64),
    PanicInInstall,
}

impl Participant for Cell {
    type Writer = ();
    type Writes = Write;
    type Record = ();
    type Refusal = Timestamp;

    fn prepare(&self, _writes: &mut Write) {}

    fn validate(
        &self,
        _writer: &mut (),
        _writes: &mut Write,
        start: Timestamp,
    ) -> Result<(), Timestamp> {
        check_write(self.0.stamp(), start).map_err(|overtaken| overtaken.by)
    }

    unsafe fn install(
        &self,
        _writer: &mut (),
        writes: &mut Write,
        commit: Timestamp,
        superseded: &mut Vec<()>,
    ) {
        let value = match writes {
            Write::Set(value) => *value,
            Write::PanicInInstall => u64::MAX,
        };
        // SAFETY: the caller's contract.
        unsafe { self.0.install(VersionBox::new(value, &[]), commit) };
        assert!(value != u64::MAX, "half way");
        superseded.push(());
    }

    unsafe fn prune(&self, _writer: &mut (), record: (), settling: &mut Settling<'_, ()>) {
        // SAFETY: the caller's contract.
        unsafe { settling.prune(record, &self.0) };
    }

    unsafe fn settle(&self, _writer: &mut (), _settling: &mut Settling<'_, ()>) {}
}

fn engine(background: Background) -> Arc<Engine<Cell>> {
    Engine::new(Cell::default(), EngineOptions { background, ..EngineOptions::default() })
}

fn read(engine: &Engine<Cell>, open: &OpenSnapshot) -> Option<u64> {
    engine.participant().0.read(engine.at(open)).map(|version| *version.header())
}

fn set(engine: &Engine<Cell>, value: u64) -> Result<Timestamp, CommitError<Timestamp>> {
    engine.commit(engine.open().expect("few snapshots are open"), &mut Write::Set(value), None)
}

#[test]
fn the_first_committer_wins_and_a_refusal_leaves_no_gap() {
    let engine = engine(Background::Manual);
    let (first, second) = (engine.open().unwrap(), engine.open().unwrap());
    assert_eq!(engine.commit(first, &mut Write::Set(1), None), Ok(Timestamp::new(1)));
    let refused = engine.commit(second, &mut Write::Set(2), None);
    assert_eq!(refused, Err(CommitError::Refused(Timestamp::new(1))));
    assert_eq!(set(&engine, 3), Ok(Timestamp::new(2)));
    assert_eq!(engine.statistics().snapshots_open, 0, "a commit closes its snapshot");
}

#[test]
fn versions_stay_for_as_long_as_a_snapshot_sees_them() {
    let engine = engine(Background::Manual);
    set(&engine, 1).unwrap();
    let old = engine.open_noted(Some("old")).unwrap();
    for value in 2..100 {
        set(&engine, value).unwrap();
    }
    let statistics = engine.statistics();
    assert_eq!((statistics.versions_retained, statistics.chains_retained), (1, 1));
    let oldest = statistics.oldest_snapshot.unwrap();
    assert_eq!((oldest.start, oldest.label.as_deref()), (Timestamp::new(1), Some("old")));
    assert_eq!(read(&engine, &old), Some(1));
    engine.close(old);
    assert!(!engine.step(100), "less to do than allowed");
    assert_eq!(engine.statistics().versions_retained, 0);
    assert!(!engine.owes_maintenance());
}

#[test]
fn the_worker_cleans_up_behind_a_snapshot() {
    let engine = engine(Background::Thread);
    set(&engine, 1).unwrap();
    let old = engine.open().unwrap();
    set(&engine, 2).unwrap();
    assert_eq!(engine.statistics().versions_retained, 1);
    engine.close(old);
    let deadline = Instant::now() + Duration::from_secs(20);
    while engine.statistics().versions_retained > 0 {
        assert!(Instant::now() < deadline, "the worker does not come by");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_panic_while_installing_poisons_and_is_never_seen() {
    let engine = engine(Background::Manual);
    set(&engine, 7).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        engine.commit(engine.open().unwrap(), &mut Write::PanicInInstall, None)
    }));
    assert!(panicked.is_err());
    assert_eq!(set(&engine, 8), Err(CommitError::Poisoned));
    assert!(!engine.step(10), "maintenance keeps away, too");
    let open = engine.open().unwrap();
    assert_eq!(read(&engine, &open), Some(7), "what was published can still be read");
    engine.close(open);
    assert_eq!(engine.statistics().snapshots_open, 0, "the panicked commit closed its snapshot");
}
