//! Work of some threads for some time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::clock;
use crate::random::Random;

/// What threads did together.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub operations: u64,
    pub wall: Duration,
    /// Of all threads of the process.
    pub cpu: Duration,
}

impl Done {
    /// Operations, each of so many, for each second by the clock.
    pub fn per_second(&self, each: u64) -> f64 {
        (self.operations * each) as f64 / self.wall.as_secs_f64()
    }

    /// And for each second of CPU time.
    pub fn per_cpu_second(&self, each: u64) -> f64 {
        (self.operations * each) as f64 / self.cpu.as_secs_f64()
    }
}

/// One operation, given random numbers of the thread's own.
pub type Operation<'a> = Box<dyn FnMut(&mut Random) -> Result<()> + 'a>;

/// Lets threads work until the time is over. Each makes what it works with by `begin`,
/// from its number, before the time begins.
pub fn work<'a>(
    threads: u64,
    seed: u64,
    time: Duration,
    begin: impl Fn(u64) -> Result<Operation<'a>> + Sync,
) -> Result<Done> {
    let (stop, operations) = (AtomicBool::new(false), AtomicU64::new(0));
    let (ready, go) = [(); 2].map(|()| Barrier::new(threads as usize + 1)).into();
    thread::scope(|scope| -> Result<Done> {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (stop, operations, begin) = (&stop, &operations, &begin);
                let (ready, go) = (&ready, &go);
                scope.spawn(move || -> Result<()> {
                    let mut random = Random::new(seed * 1000 + thread + 1);
                    let operation = begin(thread);
                    ready.wait();
                    go.wait();
                    let mut operation = operation?;
                    let mut mine = 0;
                    while !stop.load(Ordering::Relaxed) {
                        operation(&mut random)?;
                        mine += 1;
                    }
                    operations.fetch_add(mine, Ordering::Relaxed);
                    Ok(())
                })
            })
            .collect();
        // The clocks are read while everybody waits: nobody has begun before.
        ready.wait();
        let (cpu, wall) = (clock::cpu(), Instant::now());
        go.wait();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))?;
        let (cpu, wall) = (clock::cpu().saturating_sub(cpu), wall.elapsed());
        Ok(Done { operations: operations.load(Ordering::Relaxed), wall, cpu })
    })
}
