//! The slots of the registry: taken, handed on, and counted by the high-water
//! mark.

use loom::thread;
use selvedge_base::sync::Arc;

use crate::database::{Database, Snapshot, check};

/// Begin takes a slot, fences and checks that the high-water mark covers it;
/// lowering the mark fences and looks again. Whoever takes a slot meanwhile,
/// below the old mark or above it, is found by the scans that follow.
#[test]
fn begin_against_the_high_water_mark() {
    let met = check(4, |met| {
        let database = Database::new(&met);
        let first = Snapshot::begin(&database);
        let second = Snapshot::begin(&database);
        // Not visible to the two above, so that nobody but the reader needs it.
        database.commit(&[(0, Some(2))], None);
        let reader = thread::spawn({
            let database = Arc::clone(&database);
            move || {
                let snapshot = Snapshot::begin(&database);
                assert_eq!(snapshot.read(0), Some(snapshot.start()));
            }
        });
        drop(second);
        database.registry.lower_high_water();
        database.commit(&[(0, Some(3))], None);
        reader.join().expect("the reader is found by the scan");
        assert_eq!(first.read(0), Some(1));
        drop(first);
    });
    met.assert_starts(&[1, 2, 3]);
    met.assert_pruned();
}

/// Two begins and one scan. A slot may change hands: what its last owner read is
/// over before a scan that finds the next owner there lets it be freed. And a
/// mark may be raised by somebody else: a begin whose slot the scan did not reach,
/// because the mark was too low, must not be content with a mark that another
/// begin raised after the scan.
#[test]
fn two_begins_against_one_scan() {
    let met = check(2, |met| {
        let database = Database::new(&met);
        let readers = [(); 2].map(|()| {
            let database = Arc::clone(&database);
            thread::spawn(move || {
                let snapshot = Snapshot::begin(&database);
                assert_eq!(snapshot.read(0), Some(snapshot.start()));
            })
        });
        database.commit(&[(0, Some(2))], None);
        for reader in readers {
            reader.join().expect("the reader finds what it must");
        }
    });
    met.assert_starts(&[1, 2]);
    met.assert_pruned();
}

/// A slot that is closed and opened again, by one thread, beside several scans.
#[test]
fn a_slot_is_reused() {
    let met = check(3, |met| {
        let database = Database::new(&met);
        let reader = thread::spawn({
            let database = Arc::clone(&database);
            move || {
                for _ in 0..2 {
                    let snapshot = Snapshot::begin(&database);
                    assert_eq!(snapshot.read(0), Some(snapshot.start()));
                }
            }
        });
        for commit in 2..=3 {
            database.commit(&[(0, Some(commit))], None);
        }
        reader.join().expect("the reader finds what it must");
    });
    met.assert_starts(&[1, 2, 3]);
    met.assert_pruned();
}
