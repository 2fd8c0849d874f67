//! Keys and values: so many keys of 8 bytes, values of 100 bytes, of which the first 8 are
//! a number. Nothing is synced to a disk.

mod heed;
mod selvedge;
mod surrealmx;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::clock;
use crate::figures::{Figures, PER_CPU_SECOND, PER_SECOND};
use crate::only::Only;
use crate::random::Random;

/// Bytes of a value.
pub const VALUE_BYTES: usize = 100;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Scale {
    keys: u64,
    /// How long one measurement takes.
    time: Duration,
}

impl Scale {
    pub fn full() -> Self {
        Self { keys: 1_000_000, time: Duration::from_millis(1000) }
    }

    pub fn quick() -> Self {
        Self { keys: 100_000, time: Duration::from_millis(200) }
    }
}

/// A database with this workload in it.
pub trait Engine: Sync {
    /// Reads these keys from one snapshot; gives the sum of the numbers in their values.
    fn read(&self, keys: &[[u8; 8]]) -> Result<u64>;

    /// As [`read`](Self::read), by one call for all keys, where there is such a call.
    fn read_together(&self, keys: &[[u8; 8]]) -> Result<u64> {
        self.read(keys)
    }

    /// Adds one to the numbers of these keys in one transaction, and again until that
    /// succeeds.
    fn increment(&self, keys: &[[u8; 8]]) -> Result<()>;

    /// Reads all values from one snapshot: their number, and the sum of their numbers.
    fn scan(&self) -> Result<(u64, u64)>;
}

/// The value of a key in the beginning.
pub fn first_value() -> [u8; VALUE_BYTES] {
    with_number(&[7; VALUE_BYTES], 0)
}

/// The number in a value.
pub fn number_of(value: &[u8]) -> u64 {
    let first: [u8; 8] = value[..8].try_into().expect("values have 100 bytes");
    u64::from_be_bytes(first)
}

/// The value with another number.
pub fn with_number(value: &[u8], number: u64) -> [u8; VALUE_BYTES] {
    let mut changed: [u8; VALUE_BYTES] = value.try_into().expect("values have 100 bytes");
    changed[..8].copy_from_slice(&number.to_be_bytes());
    changed
}

/// The keys that a measurement works on.
fn drawn(random: &mut Random, keys: u64, count: usize) -> Vec<[u8; 8]> {
    (0..count).map(|_| random.below(keys).to_be_bytes()).collect()
}

/// What threads do until the time is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Read(usize),
    ReadTogether(usize),
    Increment(usize),
}

struct Measured {
    /// Operations, or keys of larger reads, for each second.
    by_wall: f64,
    /// And for each second of the CPU time of all threads together.
    by_cpu: f64,
    /// Increments of single keys.
    increments: u64,
}

fn run(
    engine: &dyn Engine,
    work: Work,
    threads: u64,
    round: u64,
    scale: Scale,
) -> Result<Measured> {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let (cpu, wall) = (clock::cpu(), Instant::now());
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (stop, done) = (&stop, &done);
                scope.spawn(move || -> Result<()> {
                    let mut random = Random::new(round * 1000 + thread + 1);
                    let mut mine = 0;
                    while !stop.load(Ordering::Relaxed) {
                        match work {
                            Work::Read(count) => {
                                engine.read(&drawn(&mut random, scale.keys, count))?;
                            }
                            Work::ReadTogether(count) => {
                                engine.read_together(&drawn(&mut random, scale.keys, count))?;
                            }
                            Work::Increment(count) => {
                                engine.increment(&drawn(&mut random, scale.keys, count))?;
                            }
                        }
                        mine += 1;
                    }
                    done.fetch_add(mine, Ordering::Relaxed);
                    Ok(())
                })
            })
            .collect();
        thread::sleep(scale.time);
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    let (done, cpu, wall) = (done.into_inner(), clock::cpu() - cpu, wall.elapsed());
    let (unit, increments) = match work {
        Work::Read(count) | Work::ReadTogether(count) => (count as u64, 0),
        Work::Increment(count) => (1, count as u64 * done),
    };
    let operations = (done * unit) as f64;
    let (by_wall, by_cpu) = (operations / wall.as_secs_f64(), operations / cpu.as_secs_f64());
    Ok(Measured { by_wall, by_cpu, increments })
}

/// Rows for each second, beside a writer at full speed; or alone, for each second of CPU
/// time.
fn scan(
    engine: &dyn Engine,
    beside: bool,
    round: u64,
    scale: Scale,
    expected: u64,
) -> Result<(f64, u64)> {
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let rate = thread::scope(|scope| -> Result<f64> {
        if beside {
            scope.spawn(|| {
                let mut random = Random::new(round + 99);
                while !stop.load(Ordering::Relaxed) {
                    engine.increment(&drawn(&mut random, scale.keys, 1)).expect("an increment");
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (started, cpu, mut rows) = (Instant::now(), clock::cpu(), 0);
        while started.elapsed() < scale.time {
            let before = written.load(Ordering::Relaxed);
            let (count, sum) = engine.scan()?;
            ensure!(count == scale.keys, "{count} rows instead of {}", scale.keys);
            let least = expected + before;
            ensure!(sum >= least && (beside || sum == least), "the sum is {sum}, not {least}");
            rows += count;
        }
        let seconds = if beside { started.elapsed() } else { clock::cpu() - cpu };
        let rate = rows as f64 / seconds.as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        Ok(rate)
    })?;
    Ok((rate, written.into_inner()))
}

fn engines(scale: Scale, only: &Only) -> Result<Vec<(&'static str, Box<dyn Engine>)>> {
    type Fill = fn(u64) -> Result<Box<dyn Engine>>;
    let all: [(&str, Fill); 3] = [
        ("selvedge", |keys| Ok(Box::new(selvedge::Selvedge::filled(keys)?))),
        ("surrealmx", |keys| Ok(Box::new(surrealmx::SurrealMx::filled(keys)?))),
        ("heed", |keys| Ok(Box::new(heed::Lmdb::filled(keys)?))),
    ];
    let asked = all.into_iter().filter(|(name, _)| only.engine(name));
    asked.map(|(name, fill)| Ok((name, fill(scale.keys)?))).collect()
}

/// Measures the engines.
pub fn measure(scale: Scale, rounds: usize, only: &Only, figures: &mut Figures) -> Result<()> {
    let engines = engines(scale, only)?;
    let workloads = [
        ("kv/read1/1t", Work::Read(1), 1),
        ("kv/read1/2t", Work::Read(1), 2),
        ("kv/read100/1t", Work::Read(100), 1),
        ("kv/getmany100/1t", Work::ReadTogether(100), 1),
        ("kv/rmw1/1t", Work::Increment(1), 1),
        ("kv/rmw1/2t", Work::Increment(1), 2),
        ("kv/rmw10/1t", Work::Increment(10), 1),
        ("kv/rmw10/2t", Work::Increment(10), 2),
    ];
    let mut sums = vec![0; engines.len()];
    for (name, work, threads) in workloads.into_iter().filter(|(name, ..)| only.workload(name)) {
        let mut rates = vec![(Vec::new(), Vec::new()); engines.len()];
        for round in 0..rounds as u64 {
            for (at, (_, database)) in engines.iter().enumerate() {
                let measured = run(&**database, work, threads, round, scale)?;
                rates[at].0.push(measured.by_wall);
                rates[at].1.push(measured.by_cpu);
                sums[at] += measured.increments;
            }
        }
        for ((engine, _), (by_wall, by_cpu)) in engines.iter().zip(rates) {
            figures.add(name, engine, PER_SECOND, by_wall);
            figures.add(name, engine, PER_CPU_SECOND, by_cpu);
        }
        // No increment was lost.
        for ((engine, database), sum) in engines.iter().zip(sums.iter().copied()) {
            let found = database.scan()?.1;
            ensure!(found == sum, "{engine}: the sum is {found} instead of {sum}");
        }
    }
    for (name, beside) in [("kv/scan", false), ("kv/scan-writer", true)] {
        if !only.workload(name) {
            continue;
        }
        let mut rates = vec![Vec::new(); engines.len()];
        for round in 0..rounds as u64 {
            for (at, (_, database)) in engines.iter().enumerate() {
                let (rate, written) = scan(&**database, beside, round, scale, sums[at])?;
                rates[at].push(rate);
                sums[at] += written;
            }
        }
        for ((engine, _), rates) in engines.iter().zip(rates) {
            let unit = if beside { PER_SECOND } else { PER_CPU_SECOND };
            figures.add(name, engine, unit, rates);
        }
    }
    Ok(())
}
