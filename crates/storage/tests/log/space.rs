//! Room: segments are made ready before they are needed, kept for later or given
//! back, and lack of space is told before anything is written.

use selvedge_env::{Fault, FileSystem, OpenMode, OperationKind};
use selvedge_storage::{COMMIT_BYTES_MAX, LogOptions, StorageError};

use crate::world::{World, dir, position, small};

/// How many segments there are, as the log says and as the files are.
fn segments(world: &World) -> usize {
    let count = world.segment_names().len();
    assert_eq!(world.log.statistics().segments, count);
    let is_whole = |(_, len): &(_, u64)| *len == world.options.segment_bytes;
    assert!(world.files.files().iter().all(is_whole), "{:?}", world.files.files());
    count
}

#[test]
fn lack_of_space_poisons_nothing_and_passes() {
    let mut world = World::new(1, small());
    world.commit(1000);
    world.files.set_capacity(Some(4096));
    for _ in 0..3 {
        assert!(matches!(world.append(4000), Err(StorageError::NoSpace { .. })));
    }
    assert!(!world.log.is_poisoned() && world.log.poisoned().is_none());
    assert_eq!(world.files.list(dir()).unwrap().len(), 1, "nothing is left behind");
    // What fits is taken.
    world.commit(2000);
    world.files.set_capacity(None);
    world.commit(4000);
    world.reopen();
    assert_eq!(world.entries.len(), 3);
}

#[test]
fn preparing_ahead_without_space_poisons_nothing() {
    let mut world = World::new(1, small());
    world.files.set_capacity(Some(4096));
    assert!(matches!(world.log.prepare_ahead(), Err(StorageError::NoSpace { .. })));
    world.commit(1000);
    world.files.set_capacity(None);
    world.log.prepare_ahead().unwrap();
    assert_eq!(segments(&world), 2);
}

#[test]
fn a_large_reservation_that_fails_gives_back_what_it_took() {
    let mut world = World::new(1, small());
    world.log.prepare_ahead().unwrap();
    world.files.set_capacity(Some(20 * 4096));
    assert!(matches!(world.log.reserve(20 * 4096), Err(StorageError::NoSpace { .. })));
    assert_eq!(segments(&world), 2, "as many as before");
    world.commit(10 * 4096);
    world.reopen();
}

#[test]
fn what_a_reservation_does_not_use_goes_back() {
    let world = World::new(1, small());
    world.files.set_capacity(Some(4096));
    for _ in 0..100 {
        drop(world.log.reserve(3000).unwrap());
        let reservation = world.log.reserve(3000).unwrap();
        assert!(matches!(world.log.reserve(1000), Err(StorageError::NoSpace { .. })));
        drop(reservation);
    }
    for _ in 0..20 {
        let reservation = world.log.reserve(1900).unwrap();
        let payload = world.log.payload(vec![1; 8]);
        let (kind, timestamp) = (selvedge_storage::RecordKind::Commit, Default::default());
        world.log.append(reservation, kind, timestamp, payload);
    }
    assert_eq!(world.log.end().position, position(20 * 56));
}

#[test]
fn a_payload_beyond_the_limit_is_refused() {
    let world = World::new(1, small());
    world.files.set_capacity(Some(4096));
    let most = COMMIT_BYTES_MAX as u64;
    let refused = world.log.reserve(COMMIT_BYTES_MAX + 1).unwrap_err();
    assert_eq!(refused, StorageError::TooLarge { actual: most + 1, limit: most });
    // At the limit it is a question of space.
    let reserved = world.log.reserve(COMMIT_BYTES_MAX);
    assert!(matches!(reserved, Err(StorageError::NoSpace { .. })));
}

#[test]
#[should_panic(expected = "what was reserved suffices")]
fn more_than_was_reserved_is_a_bug() {
    let world = World::new(1, small());
    let reservation = world.log.reserve(8).unwrap();
    let payload = world.log.payload(vec![0; 9]);
    let (kind, timestamp) = (selvedge_storage::RecordKind::Commit, Default::default());
    world.log.append(reservation, kind, timestamp, payload);
}

#[test]
fn segments_behind_a_checkpoint_are_kept_for_later_up_to_a_number() {
    for segments_kept in 0..5 {
        let options = LogOptions { segments_kept, ..small() };
        let mut world = World::new(1, options);
        for round in 0..20 {
            for _ in 0..7 {
                world.commit(4000);
            }
            let made = made(&world);
            let end = world.log.end();
            world.checkpoint(end).unwrap();
            assert!(segments(&world) <= segments_kept.max(1) + 2, "{round}");
            // What is kept is used before new ones are made.
            for _ in 0..segments_kept.saturating_sub(1) {
                world.commit(4000);
            }
            assert_eq!(self::made(&world), made, "{round}");
        }
        world.reopen();
    }
}

/// How many segments were filled with zeros so far.
fn made(world: &World) -> usize {
    let creates = |operation: &&selvedge_env::Operation| operation.kind == OperationKind::Create;
    world.files.operations().iter().filter(creates).count()
}

#[test]
fn only_segments_wholly_below_are_recycled() {
    let mut world = World::new(1, LogOptions { segments_kept: 0, ..small() });
    for _ in 0..6 {
        world.commit(2000);
    }
    assert_eq!(world.segment_names().len(), 4);
    for (below, left) in [(0, 4), (4095, 4), (4096, 3), (8191, 3)] {
        world.log.recycle(position(below)).unwrap();
        assert_eq!(segments(&world), left, "{below}");
    }
    // Never what is not durable.
    assert_eq!(world.log.durable(), position(3 * 4096));
    world.append(20_000).unwrap();
    world.log.recycle(world.log.end().position).unwrap();
    assert_eq!(world.segment_names()[0], "log-0000000000000003");
}

#[test]
fn a_segment_ahead_spares_reserving_the_wait() {
    let mut world = World::new(1, small());
    world.log.prepare_ahead().unwrap();
    let begun = world.files.operation_count();
    world.log.prepare_ahead().unwrap();
    drop(world.log.reserve(6000).unwrap());
    assert_eq!(world.files.operation_count(), begun, "nothing was asked of the files");
    world.commit(6000);
    assert_eq!(segments(&world), 2);
    world.log.prepare_ahead().unwrap();
    assert_eq!(segments(&world), 3);
}

#[test]
fn what_a_crash_left_of_a_segment_is_not_used() {
    let mut world = World::new(1, small());
    world.commit(100);
    world.files.plan_next(OperationKind::Rename, Fault::Kill);
    assert!(world.append(5000).is_err());
    world.files.recover();
    // Half a segment under the name of the next one, which no crash leaves.
    let (next, _) = world.place(position(4096));
    let half = world.files.open(&next, OpenMode::Create);
    if let Ok(file) = half {
        file.write_all_at(&[7; 1000], 0).unwrap();
    }
    world.reopen();
    world.commit(9000);
    world.files.crash();
    world.reopen();
    assert_eq!(world.entries.len(), 2);
    assert!(!world.files.list(dir()).unwrap().iter().any(|name| name.ends_with(".new")));
}

/// A file that cannot be used has the name of the next segment, and there are spare
/// ones: no name is used for two.
#[test]
fn a_spare_segment_takes_the_place_of_what_has_its_name() {
    let mut world = World::new(1, small());
    world.commit(9000);
    let end = world.log.end();
    world.checkpoint(end).unwrap();
    world.files.kill();
    let (next, _) = world.place(position(3 * 4096));
    let file = world.files.open(&next, OpenMode::Create).unwrap();
    file.write_all_at(&[7; 1000], 0).unwrap();
    world.reopen();
    assert_eq!(world.segment_names().len(), 4);
    // The two that are spare need no space, and nothing is written to one that does.
    world.files.set_capacity(Some(3 * 4096 + 1000));
    world.commit(4000);
    world.commit(4000);
    world.files.set_capacity(None);
    for _ in 0..4 {
        world.commit(4000);
    }
    segments(&world);
    world.reopen();
    assert_eq!(world.entries.len(), 6);
}

#[test]
fn names_of_which_nobody_knows_whether_they_are_durable_poison() {
    let mut world = World::new(1, small());
    world.commit(100);
    world.files.plan_next(OperationKind::SyncDir, Fault::Io);
    assert!(matches!(world.append(5000), Err(StorageError::Poisoned { .. })));
    assert!(world.log.is_poisoned());
    world.reopen();
    world.commit(5000);
    world.reopen();
}

#[test]
fn a_new_log_takes_the_place_of_what_was_there() {
    let mut world = World::new(1, small());
    world.commit(20_000);
    let (files, start) = (world.files.process(), Default::default());
    let other = selvedge_storage::Log::create(files, dir(), 9, start, 1, small()).unwrap();
    assert_eq!(world.segment_names().len(), 1);
    drop(other);
    assert!(selvedge_storage::Log::exists(&world.files.process(), dir()).unwrap());
}
