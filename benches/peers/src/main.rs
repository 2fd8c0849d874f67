//! selvedge beside other databases: the same data and the same operations, each through
//! its public interface as its documentation recommends, in one run.
//!
//! ```text
//! cargo xtask peers --json peers.json --plots docs/benchmarks
//! ```
//!
//! Every measurement is made `rounds` times, the engines one after the other in each
//! round, and told as the median with the least and the greatest: by the clock, and by the
//! CPU time of all threads, which other work on the machine disturbs less, but in
//! which waiting for a lock costs nothing. What an engine computes is checked against what it
//! should be.
//!
//! Reading order: [`figures`] and [`threads`] measure, [`kv`], [`index`], [`sync`], [`opening`],
//! [`graph`] and [`own`] are the workloads, [`aims`] and [`plots`] tell what came of them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

mod aims;
mod apart;
mod clock;
mod figures;
mod graph;
mod index;
mod kv;
mod only;
mod opening;
mod own;
mod plots;
mod random;
mod sync;
mod threads;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures selvedge beside other databases.
#[derive(Parser)]
struct Options {
    /// Times that everything is measured: 5, or 3 if it is to be quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Smaller data and shorter measurements: figures for the order of magnitude alone.
    #[arg(long)]
    quick: bool,
    /// Only workloads whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// Only engines whose names contain this, for a profiler.
    #[arg(long)]
    engine: Option<String>,
    /// Writes the figures to a file, too.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes the tables to a file, too.
    #[arg(long)]
    table: Option<PathBuf>,
    /// Draws them, into files in this folder.
    #[arg(long)]
    plots: Option<PathBuf>,
    /// Runs one measurement in this process, for the one that started it.
    #[arg(long, hide = true)]
    apart: Option<String>,
    #[arg(long, hide = true, default_value_t = 0)]
    size: u64,
    #[arg(long, hide = true, default_value_t = 0)]
    seconds: u64,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(what) = &options.apart {
        return apart::answer(what, options.size, options.seconds);
    }
    let mut figures = figures::Figures::default();
    let measured = measure(&options, &mut figures);
    // What was measured before something failed is told all the same.
    let told =
        format!("{}\n\n{}\n", figures.table(), aims::table(&figures, options.only.is_none()));
    print!("{told}");
    if let Some(path) = &options.table {
        std::fs::write(path, told)?;
    }
    if let Some(path) = &options.json {
        figures.write(path)?;
    }
    if let Some(dir) = &options.plots {
        plots::write(&figures, dir)?;
    }
    measured
}

fn measure(options: &Options, figures: &mut figures::Figures) -> Result<()> {
    let quick = options.quick;
    let rounds = options.rounds.unwrap_or(if quick { 3 } else { 5 }).max(1);
    let only = &only::Only { workload: options.only.clone(), engine: options.engine.clone() };
    let scale = if quick { kv::Scale::quick() } else { kv::Scale::full() };
    kv::measure(scale, rounds, only, figures)?;
    let scale = if quick { index::Scale::quick() } else { index::Scale::full() };
    index::measure(scale, rounds, only, figures)?;
    let scale = sync::Scale { time: Duration::from_millis(if quick { 300 } else { 1000 }) };
    sync::measure(scale, rounds, only, figures)?;
    let scale = if quick { opening::Scale::quick() } else { opening::Scale::full() };
    opening::measure(scale, rounds, only, figures)?;
    let scale = if quick { graph::Scale::quick() } else { graph::Scale::full() };
    graph::measure(scale, rounds, only, figures)?;
    let scale = if quick { own::Scale::quick() } else { own::Scale::full() };
    own::measure(scale, rounds, only, figures)
}
