//! Databases on disk, each beside what it is measured against, in one run.
//!
//! ```text
//! cargo run --release -p selvedge-benches --bin durability -- [--dir DIR] [--seconds S]
//!     [--rounds N] [--only WORD] [--scale N]
//! ```
//! Rows: `full` (commits that wait for the disk, beside a bare loop of write and
//! fdatasync), `levels` (`normal` beside `off`), `replay` (records a second),
//! `open` (a graph from a checkpoint), `checkpoint` (commits and reads while one is
//! written, beside when none is).

mod beside;
mod opening;
mod syncing;

use std::path::PathBuf;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The result of a measurement; it fails with the database, or with the system.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What to measure, and where.
struct Options {
    dir: PathBuf,
    each: Duration,
    rounds: usize,
    only: Option<String>,
    /// Nodes of the graph that is opened: 2 to this power; edges are 16 times as
    /// many.
    scale: u32,
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == row)
    }

    /// An empty directory for one measurement.
    fn place(&self, name: &str) -> Outcome<PathBuf> {
        let place = self.dir.join(format!("selvedge-bench-{}-{name}", std::process::id()));
        if place.exists() {
            std::fs::remove_dir_all(&place)?;
        }
        std::fs::create_dir_all(&place)?;
        Ok(place)
    }
}

fn parse() -> Result<Options, String> {
    let mut options = Options {
        dir: std::env::temp_dir(),
        each: Duration::from_secs(2),
        rounds: 3,
        only: None,
        scale: 20,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{word} {value}: {error}"));
        match word.as_str() {
            "--dir" => options.dir = value.into(),
            "--seconds" => options.each = Duration::from_secs(number()?),
            "--rounds" => options.rounds = number()? as usize,
            "--scale" => options.scale = number()? as u32,
            "--only" => options.only = Some(value),
            _ => return Err(format!("there is no option {word}")),
        }
    }
    Ok(options)
}

fn main() -> Outcome<()> {
    let options = match parse() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    };
    if options.wants("full") {
        syncing::full(&options)?;
    }
    if options.wants("levels") {
        syncing::levels(&options)?;
    }
    if options.wants("replay") {
        opening::replay(&options)?;
    }
    if options.wants("open") {
        opening::open(&options)?;
    }
    if options.wants("checkpoint") {
        beside::checkpoint(&options)?;
    }
    Ok(())
}

/// The middle one of some figures.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
