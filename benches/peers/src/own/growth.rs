//! What an operation costs with ten, a hundred, a thousand times as many nodes: beside a
//! slot array and a bare commit of the same size, which caches serve as badly.

use anyhow::Result;

use crate::figures::{Figures, READ_NANOS, RMW_NANOS};
use crate::kv::{self, ById, Engine, Work, limits};
use crate::only::Only;
use crate::own::Scale;
use crate::threads;

/// The fewest nodes: ten to this power.
const SMALLEST: u32 = 4;

pub(super) fn measure(
    scale: Scale,
    rounds: usize,
    only: &Only,
    figures: &mut Figures,
) -> Result<()> {
    for power in SMALLEST..=scale.growth {
        let name = format!("own/growth/10^{power}");
        if !only.workload(&name) {
            continue;
        }
        eprintln!("{name}");
        let nodes = 10_u64.pow(power);
        let reads: [(&str, Box<dyn Engine>); 2] = [
            ("selvedge", Box::new(ById::in_memory(nodes)?)),
            ("limit-dense", Box::new(limits::Dense::filled(nodes))),
        ];
        for (engine, nanos) in costs(&reads, Work::Read(1), nodes, scale, rounds)? {
            figures.add(&name, engine, READ_NANOS, nanos);
        }
        let [ours, dense] = reads;
        drop(dense);
        let commits = [ours, ("limit-commit", Box::new(limits::Commit::filled(nodes)) as _)];
        for (engine, nanos) in costs(&commits, Work::Increment(1), nodes, scale, rounds)? {
            figures.add(&name, engine, RMW_NANOS, nanos);
        }
    }
    Ok(())
}

/// Nanoseconds of CPU time for each operation, of the engines by turns.
fn costs<'a>(
    engines: &[(&'a str, Box<dyn Engine>)],
    work: Work,
    keys: u64,
    scale: Scale,
    rounds: usize,
) -> Result<Vec<(&'a str, Vec<f64>)>> {
    let mut costs: Vec<_> = engines.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for round in 0..rounds as u64 {
        for ((_, engine), (_, costs)) in engines.iter().zip(&mut costs) {
            let done = threads::work(1, round, scale.time, |thread| {
                kv::operations(&**engine, thread, work, keys, false)
            })?;
            costs.push(1e9 / done.per_cpu_second(1));
        }
    }
    Ok(costs)
}
