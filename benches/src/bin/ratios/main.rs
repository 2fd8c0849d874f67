//! Selvedge against the limits of the machine, by turns: prints one table.
//!
//! ```text
//! cargo run --release -p selvedge-benches --bin ratios -- [--quick] [--only WORD]
//!     [--rounds N] [--keys N] [--scale N] [--times N] [--ours]
//! ```
//! `--ours` leaves the limits out, for a profiler.

mod graphs;
mod indexes;
mod key_values;
mod options;
mod weights;

use selvedge_benches::Outcome;
use selvedge_benches::compare::HEAD;

use crate::options::Options;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1);
    let options = match Options::parse(&mut words) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    };
    if let Some(what) = options.weigh {
        return weights::weigh(&options, what);
    }
    let mut lines = Vec::new();
    key_values::run(&options, &mut lines)?;
    graphs::run(&options, &mut lines)?;
    indexes::run(&options, &mut lines)?;
    println!("{HEAD}");
    lines.iter().for_each(|line| println!("{}", line.row()));
    weights::run(&options);
    Ok(())
}
