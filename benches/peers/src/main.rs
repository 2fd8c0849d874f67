//! selvedge beside other databases: the same data and the same operations, each through
//! its public interface as its documentation recommends, in one run.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --rounds 5 --json out.json
//! ```
//!
//! Every measurement is made `rounds` times, the engines one after the other in each
//! round, and told as the median with the least and the greatest: by the clock, and by the
//! CPU time of all threads together, which other work on the machine disturbs less, but in
//! which waiting for a lock costs nothing. What an engine computes is checked against what it
//! should be.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

mod clock;
mod figures;
mod graph;
mod kv;
mod only;
mod random;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures selvedge beside other databases.
#[derive(Parser)]
struct Options {
    /// Times that everything is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
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
    /// Loads a graph into an engine and prints the memory it takes: `engine:scale`.
    #[arg(long, hide = true)]
    weigh: Option<String>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(what) = &options.weigh {
        return graph::weigh(what);
    }
    let scale = if options.quick { kv::Scale::quick() } else { kv::Scale::full() };
    let mut figures = figures::Figures::default();
    let only = only::Only { workload: options.only, engine: options.engine };
    kv::measure(scale, options.rounds, &only, &mut figures)?;
    let scale = if options.quick { graph::Scale::quick() } else { graph::Scale::full() };
    graph::measure(scale, options.rounds, &only, &mut figures)?;
    println!("{}", figures.table());
    if let Some(path) = options.json {
        figures.write(&path)?;
    }
    Ok(())
}
