//! Committers that lead and wait, on a disk that works.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loom::model::Builder;
use loom::thread;
use selvedge_base::Timestamp;
use selvedge_storage::{
    Log, LogOptions, LogPosition, LogStart, RecordKind, Reservation, StorageError,
};

use crate::disk::Disk;

/// Runs `model` through every schedule with at most `preemptions` forced switches of
/// threads; `LOOM_MAX_PREEMPTIONS` overrides it. Gives which numbers the schedules
/// have [met](Met).
pub(crate) fn check(preemptions: usize, model: impl Fn(&Met) + Send + Sync + 'static) -> Met {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    let met = Met::default();
    let tell = met.clone();
    builder.check(move || model(&tell));
    met
}

/// Numbers that the schedules of one model met, taken together: a model that never
/// meets the case it was written for checks nothing.
#[derive(Clone, Default)]
pub(crate) struct Met(Arc<AtomicU64>);

impl Met {
    pub(crate) fn note(&self, number: u64) {
        self.0.fetch_or(1 << number, Ordering::Relaxed);
    }

    pub(crate) fn assert(&self, numbers: &[u64]) {
        let met = self.0.load(Ordering::Relaxed);
        let all = numbers.iter().fold(0, |bits, number| bits | 1 << number);
        assert_eq!(met, all, "met are {met:b}");
    }
}

/// A log and its disk.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) log: Arc<Log>,
    pub(crate) disk: Disk,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_buffer(4096)
    }

    pub(crate) fn with_buffer(buffer_bytes_max: usize) -> Self {
        let disk = Disk::new();
        let options = LogOptions { segment_bytes: 4096, buffer_bytes_max, segments_kept: 0 };
        let (files, dir) = (Arc::new(disk.clone()), Path::new("/"));
        let log = Log::create(files, dir, 1, LogStart::default(), 1, options);
        Self { log: Arc::new(log.expect("nothing fails yet")), disk }
    }

    fn append_to(&self, reservation: Reservation, tag: u8) -> LogPosition {
        let payload = self.log.payload(vec![tag; 8]);
        self.log.append(reservation, RecordKind::Commit, Timestamp::new(1), payload)
    }

    pub(crate) fn append(&self, tag: u8) -> Result<LogPosition, StorageError> {
        Ok(self.append_to(self.log.reserve(8)?, tag))
    }

    /// Commits, and looks at the disk before anybody is told of it.
    pub(crate) fn commit(&self, tag: u8) -> Result<(), StorageError> {
        let end = self.append(tag)?;
        self.log.sync_through(end)?;
        assert!(self.disk.holds(end.get(), tag), "what is acknowledged is durable");
        Ok(())
    }

    pub(crate) fn spawn<T: 'static>(
        &self,
        run: impl FnOnce(Self) -> T + 'static,
    ) -> thread::JoinHandle<T> {
        let world = self.clone();
        thread::spawn(move || run(world))
    }
}

/// Two committers: each leads, or its record is in the group of the other, or it comes
/// too late for that, waits, and leads the next.
#[test]
fn one_syncs_for_both() {
    let met = check(3, |met| {
        let world = World::new();
        let other = world.spawn(|world| world.commit(2));
        world.commit(1).expect("nothing fails");
        other.join().expect("no panic").expect("nothing fails");
        met.note(world.log.statistics().groups);
    });
    met.assert(&[1, 2]);
}

/// Three committers: behind a leader there are members, and one of those who came
/// later is woken to lead for the other, too.
#[test]
fn who_comes_late_leads_next() {
    let met = check(2, |met| {
        let world = World::new();
        let others = [2, 3].map(|tag| world.spawn(move |world| world.commit(tag)));
        world.commit(1).expect("nothing fails");
        for other in others {
            other.join().expect("no panic").expect("nothing fails");
        }
        met.note(world.log.statistics().groups);
    });
    met.assert(&[1, 2, 3]);
}

/// A thread commits twice beside another: a position that another group has made
/// durable meanwhile is not waited for.
#[test]
fn groups_follow_one_another() {
    let met = check(2, |met| {
        let world = World::new();
        let other = world.spawn(|world| world.commit(2));
        world.commit(1).expect("nothing fails");
        world.commit(3).expect("nothing fails");
        other.join().expect("no panic").expect("nothing fails");
        met.note(world.log.statistics().groups);
    });
    met.assert(&[2, 3]);
}

/// The worker writes out beside a committer: what was handed to the system already
/// is synced with the rest, though the committer's group does not hold it.
#[test]
fn writing_out_beside_a_commit() {
    let met = check(3, |met| {
        let world = World::new();
        let worker = world.spawn(|world| world.log.write_out());
        world.commit(1).expect("nothing fails");
        worker.join().expect("no panic").expect("nothing fails");
        met.note(world.log.statistics().write_outs);
    });
    met.assert(&[0, 1]);
}

/// A buffer with room for one record: who finds it full waits until somebody has
/// taken it, or takes it.
#[test]
fn who_waits_for_room_is_told() {
    let met = check(2, |met| {
        let world = World::with_buffer(0);
        let other = world.spawn(|world| world.commit(2));
        let end = world.append(1).and_then(|_| world.append(3)).expect("nothing fails");
        world.log.sync_through(end).expect("nothing fails");
        assert!(world.disk.holds(end.get(), 3), "what is acknowledged is durable");
        other.join().expect("no panic").expect("nothing fails");
        let done = world.log.statistics();
        met.note(done.write_outs);
    });
    met.assert(&[0, 1, 2]);
}
