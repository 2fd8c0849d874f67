//! What a snapshot sees, while commits and pruning go on.

use loom::sync::Mutex;
use loom::thread;
use selvedge_base::sync::Arc;
use selvedge_mvcc::check_write;

use crate::database::{Database, Met, Snapshot, check, version};

/// Begin publishes a start and reads the visible timestamp again; a commit
/// publishes and then scans. So a reader finds what its start demands, newest
/// (the fast path) or below newer versions (the walk), and finds it alive.
#[test]
fn begin_against_prune() {
    let met = check(4, |met| {
        let database = Database::new(&met);
        let reader = thread::spawn({
            let database = Arc::clone(&database);
            move || {
                let snapshot = Snapshot::begin(&database);
                assert_eq!(snapshot.read(0), Some(snapshot.start()));
                assert!(snapshot.exists(0));
            }
        });
        database.commit(&[(0, Some(2))], None);
        database.commit(&[(0, Some(3))], None);
        reader.join().expect("the reader finds what it must");
    });
    met.assert_starts(&[1, 2, 3]);
    met.assert_pruned();
}

/// As before, with a record that is deleted, emptied and created again: the
/// stamp falls back to zero and the head to null between two versions.
#[test]
fn begin_against_emptying() {
    let met = check(4, |met| {
        let database = Database::new(&met);
        let reader = thread::spawn({
            let database = Arc::clone(&database);
            move || {
                let snapshot = Snapshot::begin(&database);
                let expected = [None, Some(1), None, Some(3)][snapshot.start() as usize];
                assert_eq!(snapshot.read(0), expected);
                assert_eq!(snapshot.exists(0), expected.is_some());
            }
        });
        database.commit(&[(0, None)], None);
        database.commit(&[(0, Some(3))], None);
        reader.join().expect("the reader finds what it must");
    });
    met.assert_starts(&[1, 2, 3]);
    met.assert_pruned();
}

/// A scan finds every start that is open. Pruning then takes versions out of the
/// middle of a chain, above what an old snapshot sees and below what a new one
/// does, while both walk over it.
#[test]
fn pruning_between_two_snapshots() {
    let met = check(2, |met| {
        let database = Database::new(&met);
        let old = Snapshot::begin(&database);
        database.commit(&[(0, Some(2))], None);
        let readers = [
            thread::spawn(move || {
                assert_eq!(old.read(0), Some(1));
            }),
            thread::spawn({
                let database = Arc::clone(&database);
                move || {
                    let new = Snapshot::begin(&database);
                    assert_eq!(new.read(0), Some(new.start()));
                }
            }),
        ];
        for commit in 3..=4 {
            database.commit(&[(0, Some(commit))], None);
        }
        for reader in readers {
            reader.join().expect("the reader finds what it must");
        }
    });
    met.assert_starts(&[1, 2, 3, 4]);
    met.assert_pruned();
}

/// Installing precedes publishing: a snapshot that begins after the publication
/// sees all of the commit, one that began before sees nothing of it, and neither
/// changes its mind from one read to the next.
#[test]
fn atomic_publication() {
    let met = check(3, |met| {
        let database = Database::new(&met);
        let reader = thread::spawn({
            let database = Arc::clone(&database);
            move || {
                let snapshot = Snapshot::begin(&database);
                let start = Some(snapshot.start());
                assert_eq!([0, 1, 0].map(|at| snapshot.read(at)), [start; 3]);
            }
        });
        for commit in 2..=3 {
            database.commit(&[(0, Some(commit)), (1, Some(commit))], None);
        }
        reader.join().expect("the reader sees whole commits");
    });
    met.assert_starts(&[1, 2, 3]);
    met.assert_pruned();
}

/// A commit that fails half way, beside one that does not: it has installed a version
/// and is never published. Its timestamp is newer than all there will be, so snapshots
/// go on seeing what was committed before it, whole.
#[test]
fn a_commit_that_fails_half_way_is_never_seen() {
    let met = check(2, |met| {
        let database = Database::new(&met);
        let reader = thread::spawn({
            let database = Arc::clone(&database);
            move || {
                for _ in 0..2 {
                    let snapshot = Snapshot::begin(&database);
                    let start = Some(snapshot.start());
                    assert_eq!([0, 1, 0].map(|at| snapshot.read(at)), [start; 3]);
                }
            }
        });
        database.commit(&[(0, Some(2)), (1, Some(2))], None);
        database.fail_half_way(0, Some(3));
        reader.join().expect("the reader sees whole commits");
        let late = Snapshot::begin(&database);
        assert_eq!([0, 1].map(|at| late.read(at)), [Some(2); 2]);
    });
    met.assert_starts(&[1, 2]);
    met.assert_pruned();
}

/// Adds one to record 0 and writes the sum to record 1 as well, unless somebody
/// else has changed record 0 since the snapshot began; whether it committed.
fn increment(snapshot: Snapshot, commits: &Mutex<()>, met: &Met) -> bool {
    let database = snapshot.database();
    let sum = snapshot.read(0).map_or(0, |value| value + 1);
    let _lock = commits.lock().expect("no committer panics");
    let stamp = database.records[0].stamp();
    if check_write(stamp, snapshot.open().start()).is_err() {
        // What a refused commit leaves behind: a timestamp that it was given,
        // and a version that it made.
        assert_eq!(database.oracle.stamp(), stamp.commit().next());
        drop(version(Some(sum)));
        met.refused();
        return false;
    }
    let own = Some(snapshot.open().index());
    database.commit(&[(0, Some(sum)), (1, Some(sum))], own);
    true
}

/// First committer wins. Nothing is lost and no timestamp is skipped, so the
/// number of increments stays equal to the timestamp.
#[test]
fn the_first_committer_wins() {
    let met = check(4, |met| {
        let database = Database::new(&met);
        let commits = Arc::new(Mutex::new(()));
        let rival = thread::spawn({
            let (database, commits, met) = (Arc::clone(&database), commits.clone(), met.clone());
            move || increment(Snapshot::begin(&database), &commits, &met)
        });
        let won = increment(Snapshot::begin(&database), &commits, &met);
        let rival_won = rival.join().expect("the rival commits or is refused");
        assert!(won || rival_won, "somebody comes first");
        assert_eq!(
            Snapshot::begin(&database).read(0),
            Some(1 + u64::from(won) + u64::from(rival_won))
        );
    });
    met.assert_starts(&[1, 2, 3]);
    met.assert_refused();
}

/// A commit is refused beside a reader, and another one gets its timestamp: the
/// reader sees what the others wrote, at every start, and nothing else.
#[test]
fn a_refused_commit_leaves_no_trace() {
    let met = check(2, |met| {
        let database = Database::new(&met);
        let commits = Mutex::new(());
        let loser = Snapshot::begin(&database);
        let reader = thread::spawn({
            let database = Arc::clone(&database);
            move || {
                let snapshot = Snapshot::begin(&database);
                let start = Some(snapshot.start());
                assert_eq!([0, 1].map(|at| snapshot.read(at)), [start; 2]);
            }
        });
        let committed = [
            increment(Snapshot::begin(&database), &commits, &met),
            increment(loser, &commits, &met),
            increment(Snapshot::begin(&database), &commits, &met),
        ];
        reader.join().expect("the reader sees no trace");
        assert_eq!(committed, [true, false, true]);
    });
    met.assert_starts(&[1, 2, 3]);
}
