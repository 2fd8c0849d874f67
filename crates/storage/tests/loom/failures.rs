//! Committers on a disk that fails, and the end of a log.

use crate::commits::{World, check};

/// Runs two committers, and a third behind them; gives who was acknowledged, a bit
/// each.
fn commit_both(world: &World) -> u64 {
    let other = world.spawn(|world| world.commit(2));
    let first = world.commit(1);
    let second = other.join().expect("no panic");
    let third = world.commit(3);
    [first, second, third].iter().enumerate().map(|(at, done)| u64::from(done.is_ok()) << at).sum()
}

/// The first sync fails, and any later one would succeed: nobody is acknowledged,
/// neither the leader nor who waited for it, nor who comes later; and nothing is
/// written any more.
#[test]
fn a_leader_that_fails_tells_all() {
    let met = check(3, |met| {
        let world = World::new();
        world.disk.fail_syncs(&[true]);
        met.note(commit_both(&world));
        assert!(world.log.is_poisoned());
    });
    met.assert(&[0]);
}

/// As before, with two who wait, members of the failing group or too late for it.
#[test]
fn a_leader_that_fails_tells_two() {
    let met = check(2, |met| {
        let world = World::new();
        world.disk.fail_syncs(&[true]);
        let others = [2, 3].map(|tag| world.spawn(move |world| world.commit(tag)));
        let first = world.commit(1).is_ok();
        let acknowledged = others.map(|other| other.join().expect("no panic").is_ok());
        met.note(u64::from(first || acknowledged.contains(&true)));
    });
    met.assert(&[0]);
}

/// A write that fails is as bad as a sync.
#[test]
fn a_write_that_fails_tells_all() {
    let met = check(3, |met| {
        let world = World::new();
        world.disk.fail_writes(&[true]);
        met.note(commit_both(&world));
    });
    met.assert(&[0]);
}

/// The second sync fails: whoever was in the first group, and no other, is
/// acknowledged.
#[test]
fn a_commit_that_fails_beside_a_good_one() {
    let met = check(3, |met| {
        let world = World::new();
        world.disk.fail_syncs(&[false, true]);
        met.note(commit_both(&world));
    });
    // One of them, or both together; never the third, which the second sync is for,
    // or comes behind.
    met.assert(&[0b001, 0b010, 0b011]);
}

/// Somebody poisons the log beside a committer, as a checkpoint does that fails: the
/// commit is durable, or refused, and does not wait for ever.
#[test]
fn poisoned_from_outside() {
    let met = check(3, |met| {
        let world = World::new();
        let other = world.spawn(|world| world.log.poison("a checkpoint failed"));
        met.note(commit_both(&world) & 1);
        other.join().expect("no panic");
    });
    met.assert(&[0, 1]);
}

/// The log is closed beside a committer: what is acknowledged is durable, and once it
/// is closed nobody writes.
#[test]
fn nothing_is_written_once_it_is_closed() {
    let met = check(3, |met| {
        let world = World::new();
        let closer = world.spawn(|world| {
            world.log.close().expect("nothing fails");
            world.disk.seal();
        });
        met.note(u64::from(world.commit(1).is_ok()));
        closer.join().expect("no panic");
    });
    met.assert(&[0, 1]);
}
