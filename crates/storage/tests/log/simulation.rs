//! Random schedules on a simulated machine: appends, syncs, checkpoints, faults,
//! crashes, kills and reopenings, several in a row. After each of them, what was
//! acknowledged is there, what is there was appended, and nothing lies in between.
//!
//! A failure names its seed; `SELVEDGE_SEED` runs that one alone, and
//! `SELVEDGE_LOG_SEEDS` sets how many there are.

use selvedge_env::{Fault, FaultRates};
use selvedge_storage::{LogOptions, LogPosition, LogStart, ReadMode, StorageError};

use crate::seeds::each_seed;
use crate::world::{World, position, small};

const STEPS: usize = 120;
/// Attempts to open a log before faults end: each fails for a fault alone.
const ATTEMPTS_MAX: usize = 30;

fn options(world_seed: u64) -> LogOptions {
    let mut rng = fastrand::Rng::with_seed(world_seed ^ 0x0697);
    LogOptions {
        segment_bytes: if rng.u8(..4) == 0 { 8192 } else { 4096 },
        buffer_bytes_max: [0, 1000, 16 << 10, 1 << 20][rng.usize(..4)],
        segments_kept: rng.usize(..5),
    }
}

/// What a schedule was made of, to see that it was not empty.
#[derive(Default, Debug)]
struct Seen {
    /// Reservations, for lack of space.
    refused: u64,
    /// Processes and logs that a fault has put an end to.
    ended: u64,
    reopened: u64,
    /// Of these, those that did not find all that had been appended.
    cut: u64,
}

struct Schedule {
    world: World,
    seen: Seen,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let start = LogStart { position: position(seed % 3 * 4088), chain: seed as u32 };
        Self { world: World::starting_at(seed, options(seed), start), seen: Seen::default() }
    }

    /// What went wrong did so because something was made to.
    fn accept(&mut self, result: Result<(), StorageError>) {
        let Err(error) = result else { return };
        let (is_down, log) = (self.world.files.down().is_some(), &self.world.log);
        match error {
            StorageError::Poisoned { .. } => assert!(log.is_poisoned()),
            StorageError::NoSpace { .. } => {
                assert!(!log.is_poisoned(), "lack of space poisons nothing");
                self.seen.refused += 1;
            }
            StorageError::Io { .. } => {}
            error => panic!("{error}"),
        }
        if is_down || log.is_poisoned() {
            self.seen.ended += 1;
            self.reopen();
        }
    }

    fn step(&mut self) {
        let world = &mut self.world;
        let result = match world.rng.u8(..32) {
            0..=13 => {
                let len = world.draw_len();
                world.append(len).map(drop)
            }
            14..=19 => {
                let end = self.some_end();
                self.world.sync_through(end)
            }
            20 => {
                let end = world.log.end().position;
                world.sync_through(end)
            }
            21 | 22 => world.log.write_out(),
            23 => world.log.prepare_ahead(),
            24 => world.mark(),
            25 => {
                let len = world.draw_len();
                world.log.reserve(len).map(drop)
            }
            26 | 27 => {
                let start = self.some_durable_end();
                self.world.checkpoint(start)
            }
            28 => {
                self.read_beside();
                Ok(())
            }
            29 => {
                world.files.crash();
                return self.reopen();
            }
            30 => {
                world.files.kill();
                return self.reopen();
            }
            _ => {
                self.close();
                return self.reopen();
            }
        };
        self.accept(result);
    }

    /// Where some record ends; later ones are more probable.
    fn some_end(&mut self) -> LogPosition {
        let world = &mut self.world;
        let last = world.entries.len().min(4);
        let back = world.rng.usize(..=last);
        match world.entries.len().checked_sub(back.max(1)) {
            Some(index) => world.entries[index].end,
            None => world.start.position,
        }
    }

    fn some_durable_end(&mut self) -> LogStart {
        let world = &mut self.world;
        if world.log.end().position == world.acknowledged {
            return world.log.end();
        }
        world.start
    }

    /// What is durable can be read while the log is open, or poisoned.
    fn read_beside(&mut self) {
        let world = &self.world;
        let durable = world.log.durable();
        match world.read(ReadMode::Until(durable)) {
            Ok((found, end)) => {
                world.check_prefix(&found, &end);
                assert_eq!(end.start.position, durable);
            }
            Err(StorageError::Corrupt { .. }) => panic!("what is durable is not there"),
            Err(error) => self.accept(Err(error)),
        }
    }

    fn close(&mut self) {
        let world = &mut self.world;
        let before = world.log.end().position;
        let closed = world.log.close();
        assert!(world.log.is_poisoned(), "nothing is written any more");
        if closed.is_ok() {
            assert!(world.log.durable() >= before);
            world.acknowledged = before;
        }
        // The mark that it left, if it did.
        world.note_mark(before);
    }

    fn reopen(&mut self) {
        let world = &mut self.world;
        let before = world.entries.len();
        if world.rng.bool() {
            world.files.drop_caches();
        }
        for attempt in 0.. {
            world.files.recover();
            if attempt == ATTEMPTS_MAX {
                world.files.clear_faults();
                world.files.set_capacity(None);
            }
            assert!(attempt <= ATTEMPTS_MAX, "it opens when nothing goes wrong");
            match world.try_reopen() {
                Ok(()) => break,
                Err(StorageError::Io { .. } | StorageError::NoSpace { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        if self.world.rng.bool() {
            let leased = self.world.append_lease();
            self.accept(leased);
        }
        self.seen.reopened += 1;
        self.seen.cut += u64::from(self.world.entries.len() < before);
    }

    fn run(mut self, rates: FaultRates) -> Seen {
        self.world.files.set_rates(rates);
        for _ in 0..STEPS {
            self.step();
        }
        self.world.files.clear_faults();
        self.world.files.set_capacity(None);
        self.world.files.crash();
        self.reopen();
        // It is as good as new.
        self.world.commit(5000);
        self.reopen();
        assert!(self.world.entries.iter().rev().take(2).any(|entry| entry.payload.len() == 5000));
        self.seen
    }
}

/// Many schedules; gives how many, and what they came to together.
fn run(first: u64, rates: FaultRates) -> (u64, Seen) {
    let mut total = Seen::default();
    let count = each_seed(first, |seed| {
        let seen = Schedule::new(seed).run(rates);
        total.refused += seen.refused;
        total.ended += seen.ended;
        total.reopened += seen.reopened;
        total.cut += seen.cut;
    });
    (count, total)
}

#[test]
fn crashes_and_kills_between_steps() {
    let (count, seen) = run(0, FaultRates::default());
    assert!(seen.ended == 0 && seen.refused == 0 && seen.cut >= count / 2, "{seen:?}");
}

#[test]
fn crashes_and_kills_in_the_midst() {
    let rates = FaultRates { crash: 0.01, kill: 0.01, ..FaultRates::default() };
    let (count, seen) = run(10_000, rates);
    assert!(seen.ended >= count && seen.cut >= count / 2, "{seen:?}");
}

#[test]
fn failing_files() {
    let rates = FaultRates {
        read: 0.01,
        write: 0.01,
        short_write: 0.02,
        open: 0.01,
        rename: 0.02,
        sync: 0.03,
        full: 0.02,
        ..FaultRates::default()
    };
    let (count, seen) = run(20_000, rates);
    assert!(seen.ended >= count && seen.refused >= count / 5, "{seen:?}");
    assert!(seen.cut >= count / 20, "{seen:?}");
}

#[test]
fn everything_at_once() {
    let rates = FaultRates {
        read: 0.002,
        write: 0.002,
        short_write: 0.005,
        open: 0.002,
        rename: 0.005,
        sync: 0.01,
        full: 0.01,
        crash: 0.003,
        kill: 0.003,
        ..FaultRates::default()
    };
    let (count, seen) = run(30_000, rates);
    assert!(seen.ended >= count && seen.reopened >= 5 * count, "{seen:?}");
}

#[test]
fn a_disk_that_is_nearly_full() {
    each_seed(40_000, |seed| {
        let mut schedule = Schedule::new(seed);
        for _ in 0..STEPS {
            if schedule.world.rng.u8(..8) == 0 {
                let segments = schedule.world.rng.u64(..40);
                let capacity = segments * schedule.world.options.segment_bytes;
                schedule.world.files.set_capacity((segments > 4).then_some(capacity));
            }
            schedule.step();
        }
        assert_eq!(schedule.seen.ended, 0, "lack of space is told before anything is written");
    });
}

/// What follows the fault at any one operation of a schedule, and then at any one
/// of the opening that follows.
#[test]
fn a_fault_at_every_operation() {
    let script = |world: &mut World| -> Result<(), StorageError> {
        for (round, len) in [100, 0, 5000, 300, 12_000, 20].into_iter().enumerate() {
            let end = world.append(len)?;
            match round % 3 {
                0 => world.sync_through(end)?,
                1 => world.log.write_out()?,
                _ => world.mark()?,
            }
            if round == 3 {
                let end = world.log.end();
                world.sync_through(end.position)?;
                world.checkpoint(end)?;
            }
        }
        world.sync_through(world.log.end().position)
    };
    let begun = World::new(1, small()).files.operation_count();
    let mut whole = World::new(1, small());
    script(&mut whole).expect("nothing goes wrong");
    let ended = whole.files.operation_count();
    for fault in [Fault::Io, Fault::Full, Fault::ShortWrite, Fault::Crash, Fault::Kill] {
        for first in begun..ended {
            for second in 0.. {
                let mut world = World::new(first ^ second << 20, small());
                world.files.plan(first, fault);
                // What comes of it shows when the log is read.
                let _ = script(&mut world);
                world.files.recover();
                let opening = world.files.operation_count();
                world.files.plan(opening + second, fault);
                let is_reached = match world.try_reopen() {
                    Ok(()) => world.files.operation_count() > opening + second,
                    Err(StorageError::Io { .. } | StorageError::NoSpace { .. }) => true,
                    Err(error) => panic!("{fault:?} at {first} and {second}: {error}"),
                };
                world.files.clear_faults();
                world.files.crash();
                world.reopen();
                world.commit(100);
                world.reopen();
                if !is_reached {
                    break;
                }
            }
        }
    }
}
