//! Checkpoints: when they are written, what they free, and what nobody notices of them.

use selvedge::prelude::*;
use selvedge::{ErrorKind, Result};

use crate::machine::{DIR, Machine, Place};
use crate::state::State;

fn long(n: usize) -> String {
    format!("{n} ").repeat(120)
}

fn fill(db: &Db, nodes: usize) -> Result<Vec<NodeId>> {
    db.transaction(|ctx| {
        let insert = |n: usize| ctx.insert_node("N", &*format!("{n}"), doc! { "text": long(n) });
        let ids: Vec<_> = (0..nodes).map(insert).collect::<Result<_>>()?;
        for pair in ids.windows(2) {
            ctx.link_nodes(pair[0], "NEXT", pair[1], doc! { "text": long(1) })?;
        }
        Ok(ids)
    })
}

/// A checkpoint is due when the log has grown so much, and not before; replaying starts
/// behind it.
#[test]
fn automatic_by_size() {
    let machine = Machine::new(1);
    let db = machine.builder().checkpoint_bytes(50_000).open(DIR).unwrap();
    let mut last = 0;
    for n in 0..450_i64 {
        db.insert_node("N", &*format!("{n}"), doc! { "text": long(5) }).unwrap();
        let before = db.statistics().storage.unwrap();
        db.step(100);
        let after = db.statistics().storage.unwrap();
        if after.checkpoints > last {
            assert!(before.log_bytes_to_replay > 50_000);
            assert!(after.log_bytes_to_replay < 1_000);
            last = after.checkpoints;
        } else {
            assert!(after.log_bytes_to_replay <= 50_000);
        }
    }
    assert!(last >= 2, "{last} checkpoints");
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert!(db.statistics().storage.unwrap().recovery.log_bytes <= 51_000);
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// A database whose log has outgrown the size when it is opened is checkpointed then.
#[test]
fn due_at_opening() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    fill(&db, 300).unwrap();
    let db = {
        machine.0.crash();
        drop(db);
        machine.builder().checkpoint_bytes(10_000).open(DIR).unwrap()
    };
    assert_eq!(db.statistics().storage.unwrap().checkpoints, 1);
}

/// On demand: with its timestamp; without anything to write, none.
#[test]
fn on_demand() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    fill(&db, 10).unwrap();
    let first = db.checkpoint().unwrap();
    assert_eq!(first.timestamp, db.timestamp());
    assert!(first.blocks > 0);
    let again = db.checkpoint().unwrap();
    assert_eq!((again.timestamp, again.blocks), (first.timestamp, 0));
    assert_eq!(db.statistics().storage.unwrap().checkpoints, 1);
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(db.statistics().storage.unwrap().recovery.commits, 0);
}

/// Only what changed is written again.
#[test]
fn a_checkpoint_writes_what_changed() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let ids = fill(&db, 4_000).unwrap();
    let all = db.checkpoint().unwrap().blocks;
    db.set(ids[0], "n", 1).unwrap();
    let before = db.statistics().storage.unwrap().data_bytes;
    let one = db.checkpoint().unwrap().blocks;
    let after = db.statistics().storage.unwrap().data_bytes;
    assert!(all > 12 && one <= 3, "{one} of {all} blocks");
    assert!(after - before < before / 10, "{before} and then {after} bytes");
}

/// The same nodes over and over: files that nobody needs go, and segments of the log are
/// used again, so that the disk does not fill.
#[test]
fn the_disk_does_not_fill_by_rewriting() {
    let machine = Machine::new(1);
    let db = machine.builder().checkpoint_bytes(100_000).open(DIR).unwrap();
    let ids = fill(&db, 300).unwrap();
    db.checkpoint().unwrap();
    let once = machine.bytes();
    let mut most = 0;
    for round in 0..40 {
        for id in ids.iter().skip(round % 3).step_by(3) {
            db.set(*id, "text", long(round)).unwrap();
        }
        db.step(1_000);
        db.step(1_000);
        most = most.max(machine.bytes());
    }
    assert!(most < 5 * once + 300_000, "from {once} to {most} bytes");
    let (data, segments) = (machine.files("data-").len(), machine.files("log-").len());
    assert!(data <= 8 && segments <= 60, "{data} data files, {segments} segments");
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// What nobody changes moves out of a file that is mostly dead, and the file goes.
#[test]
fn what_stays_moves_out_of_a_file_that_is_mostly_dead() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let ids = fill(&db, 2_000).unwrap();
    db.checkpoint().unwrap();
    let first = machine.files("data-");
    for id in &ids[..1_800] {
        db.set(*id, "text", long(1)).unwrap();
    }
    db.checkpoint().unwrap();
    let is_there = |db: &Db| {
        // A file goes when nobody can be reading it any more.
        db.set(ids[0], "text", long(2)).unwrap();
        db.step(100);
        machine.files("data-").iter().any(|file| first.contains(file))
    };
    assert!(is_there(&db), "the last nodes lie in it");
    db.checkpoint().unwrap();
    assert!(!is_there(&db), "they have moved");
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// Edges without documents have no records, so that there is nothing to write of one;
/// nor has one that is linked again, still without.
#[test]
fn edges_without_documents_have_no_records() {
    let blocks = |document: Document| {
        let machine = Machine::new(1);
        let db = machine.open().unwrap();
        db.define_edge_type("E", EdgeTypeDef::multi()).unwrap();
        let node = db.insert_node("N", None, doc! {}).unwrap();
        db.link_nodes(node, "E", node, document).unwrap();
        db.checkpoint().unwrap().blocks
    };
    assert_eq!(blocks(doc! {}) + 1, blocks(doc! { "n": 1 }));

    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let ids = fill(&db, 3).unwrap();
    for _ in 0..2 {
        db.link_nodes(ids[0], "E", ids[1], doc! {}).unwrap();
        db.link_nodes(ids[1], "E", ids[2], doc! {}).unwrap();
    }
    let state = State::checked(&db).unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
    db.checkpoint().unwrap();
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// Everything is deleted: so are the bytes.
#[test]
fn what_is_deleted_leaves_the_disk() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let ids = fill(&db, 500).unwrap();
    db.checkpoint().unwrap();
    for id in ids {
        db.delete_node(id).unwrap();
    }
    db.checkpoint().unwrap();
    db.upsert_node("M", "m", doc! {}).unwrap();
    db.checkpoint().unwrap();
    let data: u64 = machine.files("data-").iter().map(|(_, bytes)| bytes).sum();
    assert!(data < 3_000, "{data} bytes of data files");
    let state = State::checked(&db).unwrap();
    assert_eq!(state.nodes.len(), 1);
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(State::checked(&db).unwrap(), state);
}

/// A reader open across many checkpoints sees its state to the end, whatever became of
/// documents: moved out of memory, moved to other files, and these emptied and removed.
/// So does one that begins when everything is in files.
#[test]
fn long_readers_see_their_state() {
    let place = Place::new();
    let db = Db::builder().log_segment_bytes(4096).open(place.path()).unwrap();
    let ids = fill(&db, 60).unwrap();
    let mut readers = Vec::new();
    let mut look = |db: &Db| {
        let snapshot = db.snapshot().unwrap();
        let state = State::of(&snapshot).unwrap();
        readers.push((snapshot, state));
    };
    look(&db);
    for round in 0..25 {
        for id in ids.iter().skip(round % 5).step_by(2) {
            if db.snapshot().unwrap().contains(*id).unwrap() {
                db.set(*id, "text", long(1000 + round)).unwrap();
            }
        }
        if round == 10 {
            db.delete_node(ids[3]).unwrap();
            db.unlink_nodes(ids[10], "NEXT", ids[11]).unwrap();
        }
        db.checkpoint().unwrap();
        if round % 6 == 0 {
            look(&db);
        }
    }
    let first_file = place.path().join("data-0000000000000002");
    assert!(!first_file.exists(), "what the first readers see lay there");
    // From the middle, so that horizons move in all ways.
    while !readers.is_empty() {
        let (snapshot, state) = readers.remove(readers.len() / 2);
        assert_eq!(State::of(&snapshot).unwrap(), state);
        drop(snapshot);
        db.insert_node("M", None, doc! {}).unwrap();
        db.checkpoint().unwrap();
    }
    let state = State::checked(&db).unwrap();
    drop(db);
    assert_eq!(State::checked(&Db::open(place.path()).unwrap()).unwrap(), state);
}

/// Versions, and the checks of them, survive checkpoints and a reopen; so do look-ups by
/// key, those that find nothing included.
#[test]
fn versions_and_keys_survive() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let ids = fill(&db, 30).unwrap();
    db.set(ids[1], "n", 1).unwrap();
    db.delete_node(ids[2]).unwrap();
    let version = |db: &Db, id| db.snapshot().unwrap().node(id).unwrap().unwrap().version();
    let versions = [version(&db, ids[0]), version(&db, ids[1])];
    assert!(versions[0].is_some() && versions[0] < versions[1]);
    db.close().unwrap();
    let mut db = machine.open().unwrap();
    for round in 0..3_i64 {
        assert_eq!([version(&db, ids[0]), version(&db, ids[1])], versions);
        let check = |node, expected| {
            db.transaction(|ctx| {
                ctx.check(node, expected);
                ctx.insert_node("Checked", None, doc! {}).map(drop)
            })
        };
        check(ids[0], versions[0]).unwrap();
        check(ids[2], None).unwrap();
        let stale = check(ids[1], versions[0]).unwrap_err();
        let Error::CheckFailed { node, expected, found } = stale else { panic!("{stale}") };
        assert_eq!((node, expected, found), (ids[1], versions[0], versions[1]));
        let snapshot = db.snapshot().unwrap();
        assert_eq!(snapshot.get_node("N", "1").unwrap().unwrap().id(), ids[1]);
        assert!(snapshot.get_node("N", "2").unwrap().is_none());
        let taken = db.insert_node("N", "1", doc! {}).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::Input);
        let again = db.insert_node("N", "2", doc! { "round": round }).unwrap();
        assert!(again > ids[29], "an id does not come back with a key");
        db.delete_node(again).unwrap();
        db.checkpoint().unwrap();
        drop(snapshot);
        db = machine.crash_and_open(db).unwrap();
    }
}

/// A conflict is found also with what lies in data files, in both directions.
#[test]
fn conflicts_are_found_across_checkpoints() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let ids = fill(&db, 5).unwrap();
    let mut late = db.begin(&TransactionOptions::new()).unwrap();
    let mut reader = db.begin(&TransactionOptions::serializable()).unwrap();
    late.set(ids[0], "n", 1).unwrap();
    assert!(reader.node(ids[0]).unwrap().is_some());
    reader.insert_node("M", None, doc! {}).unwrap();
    let mut unhurt = db.begin(&TransactionOptions::serializable()).unwrap();
    assert!(unhurt.node(ids[1]).unwrap().is_some());
    unhurt.set(ids[2], "n", 1).unwrap();
    db.set(ids[0], "n", 2).unwrap();
    db.checkpoint().unwrap();
    assert_eq!(late.commit().unwrap_err().kind(), ErrorKind::Retry);
    assert_eq!(reader.commit().unwrap_err().kind(), ErrorKind::Retry);
    unhurt.commit().unwrap();
}

/// A checkpoint that finds no place for its snapshot says so, and harms nothing.
#[test]
fn too_many_snapshots_for_a_checkpoint() {
    let machine = Machine::new(1);
    let db = machine.open().unwrap();
    let node = db.insert_node("N", None, doc! { "n": 1 }).unwrap();
    let all: Vec<_> =
        (0..selvedge::limits::SNAPSHOTS_MAX).map(|_| db.snapshot().unwrap()).collect();
    assert_eq!(db.checkpoint(), Err(Error::TooManySnapshots));
    assert_eq!(db.backup_to("/copy"), Err(Error::TooManySnapshots));
    drop(all);
    db.set(node, "n", 2).unwrap();
    assert!(db.checkpoint().unwrap().blocks > 0);
    let db = machine.crash_and_open(db).unwrap();
    assert_eq!(db.snapshot().unwrap().node(node).unwrap().unwrap().typed("n").unwrap(), Some(2));
}
