//! One measurement: how much work, in how much CPU and wall time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::random::Random;

/// What a workload did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// Operations, rows or edges.
    pub work: u64,
    /// A sum over what was read or written, by which two runs are compared.
    pub check: u64,
    /// The CPU time that counts, if it is not that of the whole process.
    pub cpu: Option<Duration>,
}

impl Done {
    /// So much work with this checksum, all of its CPU time counted.
    #[must_use]
    pub fn new(work: u64, check: u64) -> Self {
        Self { work, check, cpu: None }
    }
}

/// A measured run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What was done.
    pub done: Done,
    /// CPU time, over all threads.
    pub cpu: Duration,
    /// Wall time.
    pub wall: Duration,
}

impl Sample {
    /// Runs `run` and measures it.
    ///
    /// # Errors
    /// Those of `run`.
    pub fn of<E>(run: impl FnOnce() -> Result<Done, E>) -> Result<Self, E> {
        let (wall, cpu) = (Instant::now(), process_cpu());
        let done = std::hint::black_box(run()?);
        let (cpu, wall) = (process_cpu().saturating_sub(cpu), wall.elapsed());
        Ok(Self { done, cpu: done.cpu.unwrap_or(cpu), wall })
    }

    /// Work per second of CPU time.
    #[must_use]
    pub fn cpu_rate(&self) -> f64 {
        self.done.work as f64 / self.cpu.as_secs_f64().max(1e-9)
    }

    /// Work per second of wall time.
    #[must_use]
    pub fn wall_rate(&self) -> f64 {
        self.done.work as f64 / self.wall.as_secs_f64().max(1e-9)
    }
}

/// CPU time of this process, all threads together.
#[must_use]
pub fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// CPU time of this thread.
#[must_use]
pub fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Median, least and greatest.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these numbers; all zero if there is none.
    #[must_use]
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<_> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |at: usize| sorted.get(at).copied().unwrap_or(0.0);
        Self { median: at(sorted.len() / 2), min: at(0), max: at(sorted.len().saturating_sub(1)) }
    }
}

/// Runs `work` on two threads at once, each with its number and random numbers of
/// its own; adds up what they did.
///
/// # Errors
/// Those of `work`.
///
/// # Panics
/// If `work` does.
pub fn in_two_threads(
    seed: u64,
    work: impl Fn(usize, &mut Random) -> Outcome<Done> + Sync,
) -> Outcome<Done> {
    std::thread::scope(|scope| {
        let work = &work;
        let run = |thread| move || work(thread, &mut Random::new(seed * 2 + thread as u64));
        let other = scope.spawn(run(1));
        let mine = run(0)()?;
        let other = other.join().expect("a workload does not panic")?;
        Ok(Done::new(mine.work + other.work, mine.check.wrapping_add(other.check)))
    })
}
