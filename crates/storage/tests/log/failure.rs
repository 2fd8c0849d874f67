//! Writes and syncs that fail: nobody is told that something is durable which may
//! not be, and what the system only has in memory is not relied upon.

use selvedge_env::{Fault, OperationKind};
use selvedge_storage::{LogPosition, ReadMode, StorageError};

use crate::world::{World, small};

fn poisoned<T>(result: Result<T, StorageError>) -> bool {
    matches!(result, Err(StorageError::Poisoned { .. }))
}

#[test]
fn a_failed_sync_poisons_until_the_log_is_opened_again() {
    for (kind, fault) in [
        (OperationKind::Sync, Fault::Io),
        (OperationKind::Write, Fault::Io),
        (OperationKind::Write, Fault::ShortWrite),
        (OperationKind::Write, Fault::Full),
    ] {
        let mut world = World::new(1, small());
        let durable = world.commit(100);
        let lost = world.append(100).unwrap();
        let reservation = world.log.reserve(100).unwrap();
        world.files.plan_next(kind, fault);
        assert!(poisoned(world.log.sync_through(lost)));
        assert!(world.log.is_poisoned());
        let Some(StorageError::Poisoned { reason }) = world.log.poisoned() else {
            panic!("it says why");
        };
        assert!(reason.contains("log-0000000000000000"), "{reason}");

        // What was durable is, what was not stays unknown, and nothing is written.
        let begun = world.files.operation_count();
        world.log.sync_through(durable).unwrap();
        assert!(poisoned(world.log.sync_through(lost)));
        assert!(poisoned(world.log.reserve(0).map(drop)));
        assert!(poisoned(world.log.write_out()) && poisoned(world.log.sync()));
        assert!(poisoned(world.log.prepare_ahead()) && poisoned(world.log.mark()));
        assert!(poisoned(world.log.recycle(durable)) && poisoned(world.log.close()));
        // Not even what has its place already.
        let payload = world.log.payload(vec![1; 100]);
        let kind = selvedge_storage::RecordKind::Commit;
        let end = world.log.append(reservation, kind, Default::default(), payload);
        assert!(end > lost && poisoned(world.log.sync_through(end)));
        assert_eq!(world.files.operation_count(), begun);

        let (found, _) = world.read(ReadMode::Until(world.log.durable())).unwrap();
        assert_eq!(found, world.entries[..1], "the durable state can be read beside it");
        world.reopen();
        world.commit(100);
    }
}

#[test]
fn somebody_else_may_poison_the_log() {
    let mut world = World::new(1, small());
    let end = world.commit(100);
    world.log.poison("the first reason");
    world.log.poison("the second");
    let reason = "the first reason".to_owned();
    assert_eq!(world.log.poisoned(), Some(StorageError::Poisoned { reason }));
    assert!(world.append(100).is_err());
    world.log.sync_through(end).unwrap();
    world.log.close().expect("everything is durable all the same");
    world.reopen();
    assert_eq!(world.entries.len(), 1);
}

/// After a failed sync the system shows what it did not write, and a later sync
/// does nothing for it. What recovery accepts is therefore written again.
#[test]
fn what_a_failed_sync_left_in_memory_is_written_again() {
    let mut accepted = 0;
    for seed in 0..200 {
        let mut world = World::new(seed, small());
        world.commit(100);
        let end = world.append(10_000).unwrap();
        world.files.plan_next(OperationKind::Sync, Fault::Io);
        assert!(poisoned(world.log.sync_through(end)));
        world.reopen();
        assert_eq!(world.entries.len(), 2, "it can still be seen");
        // Acknowledged by now, if only by having been read.
        world.files.crash();
        world.reopen();
        accepted += world.entries.len();
    }
    assert_eq!(accepted, 400);
}

#[test]
#[should_panic(expected = "what is to be durable was appended")]
fn what_was_not_appended_cannot_be_made_durable() {
    let mut world = World::new(1, small());
    let end = world.append(100).unwrap();
    let _ = world.log.sync_through(LogPosition::new(end.get() + 8));
}

#[test]
fn a_closed_log_writes_nothing_any_more() {
    let mut world = World::new(1, small());
    world.append(100).unwrap();
    world.log.close().unwrap();
    let begun = world.files.operation_count();
    assert!(poisoned(world.log.reserve(10).map(drop)) && poisoned(world.log.mark()));
    assert!(poisoned(world.log.prepare_ahead()));
    world.log.close().unwrap_or_default();
    assert_eq!(world.files.operation_count(), begun);
    world.files.crash();
    let (found, end) = world.read(ReadMode::Strict).unwrap();
    assert_eq!(found[0], world.entries[0]);
    assert!(found.len() <= 2 && end.damage.is_none());
}
