//! Keys and values: so many keys of 8 bytes, values of 100 bytes, of which the first 8 are
//! a number. Nothing is synced to a disk.
//!
//! The number of a key is the key itself at first, so that every read can be checked; and
//! the sum of all numbers tells whether an increment was lost. What each engine is told,
//! and why, stands at the head of its file.

mod by_id;
mod fjall;
mod heed;
pub mod limits;
mod redb;
mod rusqlite;
mod selvedge;
mod surrealmx;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::clock;
use crate::figures::{Figures, LOST, PER_CPU_SECOND, PER_SECOND};
use crate::only::Only;
use crate::random::Random;
use crate::threads::{self, Done, Operation};

pub use self::by_id::ById;
pub use self::fjall::Fjall;
pub use self::heed::Lmdb;
pub use self::redb::Redb;
pub use self::rusqlite::Sqlite;
pub use self::selvedge::Selvedge;
pub use self::surrealmx::SurrealMx;

/// Bytes of a value.
pub const VALUE_BYTES: usize = 100;
/// A value.
pub type Value = [u8; VALUE_BYTES];
/// A key.
pub type Key = [u8; 8];
/// Keys that are loaded in one transaction.
const LOADED_TOGETHER: u64 = 1000;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    pub keys: u64,
    /// How long one measurement takes.
    pub time: Duration,
}

impl Scale {
    pub fn full() -> Self {
        Self { keys: 1_000_000, time: Duration::from_millis(500) }
    }

    pub fn quick() -> Self {
        Self { keys: 100_000, time: Duration::from_millis(150) }
    }
}

/// When a commit is on the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Whenever the system gets to it, or never, for what is in memory.
    Unsynced,
    /// Before it returns.
    Synced,
}

/// A database with this workload in it.
pub trait Engine: Sync {
    /// What the thread with this number works with.
    fn session(&self, thread: usize) -> Result<Box<dyn Session + '_>>;
}

/// One thread's way in.
pub trait Session {
    /// Reads these keys from one snapshot, a call for each; gives the sum of the numbers
    /// in their values.
    fn read(&mut self, keys: &[Key]) -> Result<u64>;

    /// As [`read`](Self::read), by one call for all keys, where there is such a call.
    fn read_together(&mut self, keys: &[Key]) -> Result<u64> {
        self.read(keys)
    }

    /// Adds one to the numbers of these keys in one transaction, and again until that
    /// succeeds.
    fn increment(&mut self, keys: &[Key]) -> Result<()>;

    /// Reads all values from one snapshot: their number, and the sum of their numbers.
    fn scan(&mut self) -> Result<(u64, u64)>;
}

/// The value of a key in the beginning.
pub fn first_value(key: u64) -> Value {
    with_number(&[7; VALUE_BYTES], key)
}

/// The number in a value.
#[inline]
pub fn number_of(value: &[u8]) -> u64 {
    let first: [u8; 8] = value[..8].try_into().expect("values have 100 bytes");
    u64::from_be_bytes(first)
}

/// The value with another number.
#[inline]
pub fn with_number(value: &[u8], number: u64) -> Value {
    let mut changed: Value = value.try_into().expect("values have 100 bytes");
    changed[..8].copy_from_slice(&number.to_be_bytes());
    changed
}

/// All keys, in the portions in which they are loaded.
pub fn portions(keys: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    let portion = move |first: u64| first..(first + LOADED_TOGETHER).min(keys);
    (0..keys).step_by(LOADED_TOGETHER as usize).map(portion)
}

/// What threads do until the time is over: so many keys in each snapshot or transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    Read(usize),
    ReadTogether(usize),
    Increment(usize),
    Scan,
    ScanBesideWriter,
}

/// A row of the table.
pub struct Workload {
    pub name: &'static str,
    pub work: Work,
    pub threads: u64,
    /// Our graph store by id takes the place of our keyspace.
    pub by_id: bool,
}

/// An engine that takes part.
struct Contestant {
    name: &'static str,
    does: fn(&Workload) -> bool,
    engine: Box<dyn Engine>,
    /// Increments of single keys that it has acknowledged.
    increments: u64,
}

/// Draws keys without two that are equal; gives the sum of their first numbers.
pub fn draw(random: &mut Random, keys: u64, count: usize, drawn: &mut Vec<Key>) -> u64 {
    let (stretch, mut sum) = (keys / count as u64, 0);
    drawn.clear();
    for at in 0..count as u64 {
        let key = at * stretch + random.below(stretch);
        sum += key;
        drawn.push(key.to_be_bytes());
    }
    sum
}

/// One read or one transaction after the other. Reads are checked: they are exact as long
/// as nothing was incremented, and never too small.
pub fn operations<'a>(
    engine: &'a dyn Engine,
    thread: u64,
    work: Work,
    keys: u64,
    untouched: bool,
) -> Result<Operation<'a>> {
    let (mut session, mut drawn) = (engine.session(thread as usize)?, Vec::with_capacity(128));
    let check = move |sum: u64, expected: u64| {
        let right = if untouched { sum == expected } else { sum >= expected };
        ensure!(right, "the numbers read add up to {sum} instead of {expected}");
        Ok(())
    };
    Ok(match work {
        Work::Read(count) => Box::new(move |random| {
            let expected = draw(random, keys, count, &mut drawn);
            check(session.read(&drawn)?, expected)
        }),
        Work::ReadTogether(count) => Box::new(move |random| {
            let expected = draw(random, keys, count, &mut drawn);
            check(session.read_together(&drawn)?, expected)
        }),
        Work::Increment(count) => Box::new(move |random| {
            draw(random, keys, count, &mut drawn);
            session.increment(&drawn)
        }),
        Work::Scan | Work::ScanBesideWriter => unreachable!("scans are counted by rows"),
    })
}

/// The sum of all numbers as they were loaded.
pub fn first_sum(keys: u64) -> u64 {
    keys * (keys - 1) / 2
}

/// Rows, scanned by one thread, whose CPU time alone is counted; beside a writer at full
/// speed or alone. Gives the increments that were made, too.
fn scan(contestant: &Contestant, beside: bool, round: u64, scale: Scale) -> Result<(Done, u64)> {
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let expected = first_sum(scale.keys) + contestant.increments;
    let engine = &*contestant.engine;
    let done = thread::scope(|scope| -> Result<Done> {
        let write = || -> Result<()> {
            let mut increment = operations(engine, 1, Work::Increment(1), scale.keys, false)?;
            let mut random = Random::new(round + 99);
            while !stop.load(Ordering::Relaxed) {
                increment(&mut random)?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let writer = beside.then(|| scope.spawn(write));
        let done = scan_for(engine, beside, expected, &written, scale);
        stop.store(true, Ordering::Relaxed);
        writer.map_or(Ok(()), |writer| writer.join().expect("no panic"))?;
        done
    })?;
    Ok((done, written.into_inner()))
}

fn scan_for(
    engine: &dyn Engine,
    beside: bool,
    expected: u64,
    written: &AtomicU64,
    scale: Scale,
) -> Result<Done> {
    let mut session = engine.session(0)?;
    let (started, cpu, mut operations) = (Instant::now(), clock::thread_cpu(), 0);
    while started.elapsed() < scale.time {
        let least = expected + written.load(Ordering::Relaxed);
        let (count, sum) = session.scan()?;
        ensure!(count == scale.keys, "{count} rows instead of {}", scale.keys);
        ensure!(sum >= least && (beside || sum == least), "the sum is {sum}, not {least}");
        operations += count;
    }
    let (cpu, wall) = (clock::thread_cpu().saturating_sub(cpu), started.elapsed());
    Ok(Done { operations, wall, cpu })
}

/// The workloads, in the order in which they are measured: what was loaded, then what
/// was written to at random.
const WORKLOADS: [Workload; 17] = {
    const fn by_key(name: &'static str, work: Work, threads: u64) -> Workload {
        Workload { name, work, threads, by_id: false }
    }
    const fn by_id(name: &'static str, work: Work, threads: u64) -> Workload {
        Workload { name, work, threads, by_id: true }
    }
    [
        by_id("kv/read1-id/1t", Work::Read(1), 1),
        by_id("kv/read1-id/2t", Work::Read(1), 2),
        by_key("kv/read1/1t", Work::Read(1), 1),
        by_key("kv/read1/2t", Work::Read(1), 2),
        by_id("kv/read100-id/1t", Work::Read(100), 1),
        by_key("kv/read100/1t", Work::Read(100), 1),
        by_key("kv/read100-together/1t", Work::ReadTogether(100), 1),
        by_key("kv/scan", Work::Scan, 1),
        by_id("kv/rmw1-id/1t", Work::Increment(1), 1),
        by_id("kv/rmw1-id/2t", Work::Increment(1), 2),
        by_key("kv/rmw1/1t", Work::Increment(1), 1),
        by_key("kv/rmw1/2t", Work::Increment(1), 2),
        by_key("kv/rmw10/1t", Work::Increment(10), 1),
        by_key("kv/rmw10/2t", Work::Increment(10), 2),
        by_key("kv/read1-after-writes/1t", Work::Read(1), 1),
        by_key("kv/scan-after-writes", Work::Scan, 1),
        by_key("kv/scan-writer", Work::ScanBesideWriter, 1),
    ]
};

type Fill = fn(u64) -> Result<Box<dyn Engine>>;
type Entry = (&'static str, fn(&Workload) -> bool, Fill);

/// Who takes part, and in what. Peers have one way to their rows, by key, which stands
/// beside both of ours.
const CONTESTANTS: [Entry; 11] = {
    fn by_key(workload: &Workload) -> bool {
        !workload.by_id
    }
    fn by_id(workload: &Workload) -> bool {
        workload.by_id
    }
    fn all(_: &Workload) -> bool {
        true
    }
    fn reads(workload: &Workload) -> bool {
        matches!(workload.work, Work::Read(_)) && workload.threads == 1
    }
    fn reads_and_scan(workload: &Workload) -> bool {
        reads(workload) || workload.work == Work::Scan
    }
    fn increments(workload: &Workload) -> bool {
        matches!(workload.work, Work::Increment(_))
    }
    [
        ("selvedge", by_key, |keys| {
            Ok(Box::new(Selvedge::on_disk(keys, ::selvedge::SyncLevel::Off)?))
        }),
        ("selvedge", by_id, |keys| Ok(Box::new(ById::on_disk(keys)?))),
        ("selvedge-in-memory", by_key, |keys| Ok(Box::new(Selvedge::in_memory(keys)?))),
        ("surrealmx", all, |keys| Ok(Box::new(SurrealMx::filled(keys, Durability::Unsynced)?))),
        ("heed", all, |keys| Ok(Box::new(Lmdb::filled(keys, Durability::Unsynced)?))),
        ("redb", all, |keys| Ok(Box::new(Redb::filled(keys, Durability::Unsynced)?))),
        ("fjall", all, |keys| Ok(Box::new(Fjall::filled(keys, Durability::Unsynced)?))),
        ("rusqlite", all, |keys| Ok(Box::new(Sqlite::filled(keys, Durability::Unsynced)?))),
        ("limit-dense", reads_and_scan, |keys| Ok(Box::new(limits::Dense::filled(keys)))),
        ("limit-hash", reads, |keys| Ok(Box::new(limits::Hash::filled(keys)))),
        ("limit-commit", increments, |keys| Ok(Box::new(limits::Commit::filled(keys)))),
    ]
};

/// A database of that engine, as the workloads have it, for weighing.
pub fn filled(name: &str, keys: u64) -> Option<Result<Box<dyn Engine>>> {
    let found = CONTESTANTS.iter().find(|(known, ..)| *known == name);
    found.map(|(_, _, fill)| fill(keys))
}

/// Measures the engines, one after the other in each round.
pub fn measure(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    let workloads: Vec<_> = WORKLOADS.iter().filter(|row| only.workload(row.name)).collect();
    let mut contestants = Vec::new();
    for (name, does, fill) in CONTESTANTS {
        if only.engine(name) && workloads.iter().any(|workload| does(workload)) {
            contestants.push(Contestant { name, does, engine: fill(scale.keys)?, increments: 0 });
        }
    }
    for workload in workloads {
        eprintln!("{}", workload.name);
        let mut running: Vec<_> =
            contestants.iter_mut().filter(|contestant| (contestant.does)(workload)).collect();
        measure_one(workload, &mut running, scale, rounds, figures)?;
        for contestant in running {
            check_sum(workload, contestant, scale, figures)?;
        }
    }
    Ok(())
}

fn measure_one(
    workload: &Workload,
    contestants: &mut [&mut Contestant],
    scale: Scale,
    rounds: usize,
    figures: &mut Figures,
) -> Result<()> {
    let mut rates = vec![(Vec::new(), Vec::new()); contestants.len()];
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            // Who comes first changes, so that nobody always has the warmer machine.
            let at = (turn + round) % contestants.len();
            let contestant = &mut *contestants[at];
            let (done, each) = run(workload, contestant, round as u64, scale)?;
            rates[at].0.push(done.per_second(each));
            rates[at].1.push(done.per_cpu_second(each));
        }
    }
    for (contestant, (by_wall, by_cpu)) in contestants.iter().zip(rates) {
        figures.add(workload.name, contestant.name, PER_SECOND, by_wall);
        figures.add(workload.name, contestant.name, PER_CPU_SECOND, by_cpu);
    }
    Ok(())
}

/// One measurement, and how many units each of its operations counts.
fn run(
    workload: &Workload,
    contestant: &mut Contestant,
    round: u64,
    scale: Scale,
) -> Result<(Done, u64)> {
    if matches!(workload.work, Work::Scan | Work::ScanBesideWriter) {
        let beside = workload.work == Work::ScanBesideWriter;
        let (done, written) = scan(contestant, beside, round, scale)?;
        contestant.increments += written;
        return Ok((done, 1));
    }
    let (engine, untouched) = (&*contestant.engine, contestant.increments == 0);
    let done = threads::work(workload.threads, round, scale.time, |thread| {
        operations(engine, thread, workload.work, scale.keys, untouched)
    })?;
    Ok(match workload.work {
        Work::Read(count) | Work::ReadTogether(count) => (done, count as u64),
        Work::Increment(count) => {
            contestant.increments += count as u64 * done.operations;
            (done, 1)
        }
        Work::Scan | Work::ScanBesideWriter => unreachable!("see above"),
    })
}

/// Whether every increment is there. If not, that is a figure of its own for a peer, and
/// the end of the run for us.
fn check_sum(
    workload: &Workload,
    contestant: &mut Contestant,
    scale: Scale,
    figures: &mut Figures,
) -> Result<()> {
    if matches!(workload.work, Work::Read(_) | Work::ReadTogether(_)) {
        return Ok(());
    }
    let (rows, found) = contestant.engine.session(0)?.scan()?;
    let expected = first_sum(scale.keys) + contestant.increments;
    ensure!(rows == scale.keys, "{}: {rows} rows", contestant.name);
    tell_lost(workload.name, contestant.name, expected, found, figures)?;
    contestant.increments = found.saturating_sub(first_sum(scale.keys));
    Ok(())
}

/// Tells of a sum of numbers that is not what it should be.
pub fn tell_lost(
    workload: &str,
    engine: &str,
    expected: u64,
    found: u64,
    figures: &mut Figures,
) -> Result<()> {
    if found != expected {
        let lost = expected as f64 - found as f64;
        ensure!(!engine.starts_with("selvedge"), "{engine} lost {lost} increments in {workload}");
        eprintln!("{engine} lost {lost} increments in {workload}");
        figures.add(workload, engine, LOST, vec![lost]);
    }
    Ok(())
}
