//! Runs the simulation of durability: `sim [--first S] [--seeds N] [--jobs J]
//! [--verbose] [--mutants]`.
//!
//! With `--mutants`, in a build that has planted faults (`--cfg selvedge_mutants`),
//! each of them must be found from nearly every block of seeds, and none where none
//! is planted.

use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use selvedge_testkit::simulation::{self, Counts, Failure, Outcome};

/// Faults that the storage and the indexes plant, which of the seeds of a block should find one.
const FAULTS: &[&str] = &[
    "fsync-left-out",
    "checksum-ignored",
    "cut-not-durable",
    "timestamps-reused",
    "block-checksum-ignored",
    "manifest-not-synced",
    "manifest-name-not-synced",
    "data-file-not-synced",
    "index-entry-kept",
];
/// The fault that is planted.
const VARIABLE: &str = "SELVEDGE_MUTANT";
/// Blocks of seeds from which each fault is looked for.
const BLOCKS: u64 = 10;
/// From so many of them it must be found.
const BLOCKS_FOUND_MIN: u64 = 9;
/// Seeds of a block.
const BLOCK_SEEDS: u64 = 1000;
/// Seeds of a block when nothing is planted: that the engine raises no alarm is shown
/// by runs without `--mutants`, here it is only that this build raises none.
const SOUND_BLOCK_SEEDS: u64 = 100;

#[derive(Debug)]
struct Arguments {
    first: u64,
    seeds: u64,
    jobs: u64,
    is_loud: bool,
    mutants: bool,
    /// Tells nothing but the seed that failed.
    is_quiet: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments {
        first: 1,
        seeds: 1000,
        jobs: 1,
        is_loud: false,
        mutants: false,
        is_quiet: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|word| word.parse().ok());
            number.ok_or_else(|| format!("{word} takes a number"))
        };
        match &*word {
            "--first" => parsed.first = number()?,
            "--seeds" => parsed.seeds = number()?,
            "--jobs" => parsed.jobs = number()?,
            "--verbose" => parsed.is_loud = true,
            "--mutants" => parsed.mutants = true,
            "--quiet" => parsed.is_quiet = true,
            other => return Err(format!("there is no argument {other:?}")),
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("{what}\nsim [--first S] [--seeds N] [--jobs J] [--verbose] [--mutants]");
            return ExitCode::from(2);
        }
    };
    if arguments.mutants {
        return find_mutants(arguments.jobs);
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if arguments.is_quiet {
                println!("{}: {}", failure.seed, failure.what.lines().next().unwrap_or_default());
            } else {
                println!("{failure}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What all stories came to.
#[derive(Default)]
struct Totals {
    digest: u64,
    steps: u64,
    counts: Vec<Counts>,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        // In whatever order they come.
        self.digest ^= outcome.digest;
        self.steps += outcome.steps;
        self.counts.push(outcome.counts);
    }

    fn tell(&self) -> String {
        let sum = |of: fn(&Counts) -> u64| self.counts.iter().map(of).sum::<u64>();
        format!(
            "{} steps, {} commits, {} conflicts, {} refused, {} outcomes unknown; \
             {} crashes, {} openings ({} failed before), {} reopenings, {} commits lost; \
             {} checkpoints, {} backups, {} lacks of space, {} flips ({} refused), {} indexings; digest {:016x}",
            self.steps,
            sum(|counts| counts.commits),
            sum(|counts| counts.conflicts),
            sum(|counts| counts.refused),
            sum(|counts| counts.unknown),
            sum(|counts| counts.crashes),
            sum(|counts| counts.openings),
            sum(|counts| counts.openings_failed),
            sum(|counts| counts.reopenings),
            sum(|counts| counts.commits_lost),
            sum(|counts| counts.checkpoints),
            sum(|counts| counts.backups),
            sum(|counts| counts.lacks_of_space),
            sum(|counts| counts.flips),
            sum(|counts| counts.flips_refused),
            sum(|counts| counts.indexings),
            self.digest,
        )
    }
}

/// Runs all seeds; gives the first failure that was met.
fn run(arguments: &Arguments) -> Result<(), Box<Failure>> {
    simulation::quiet_panics();
    let started = Instant::now();
    let (next, failed) = (AtomicU64::new(arguments.first), AtomicBool::new(false));
    let end = arguments.first.saturating_add(arguments.seeds);
    let (totals, failure) = (Mutex::new(Totals::default()), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || failed.load(Ordering::Relaxed) {
                        return;
                    }
                    match simulation::run(seed, arguments.is_loud) {
                        Ok(outcome) => totals.lock().expect("no panic").add(&outcome),
                        Err(found) => {
                            failed.store(true, Ordering::Relaxed);
                            failure.lock().expect("no panic").get_or_insert(found);
                        }
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().expect("no panic");
    if !arguments.is_quiet {
        let (done, seconds) = (totals.counts.len(), started.elapsed().as_secs_f64());
        println!("{}", totals.tell());
        println!("{done} seeds in {seconds:.1} s, {:.0} a second", done as f64 / seconds);
    }
    failure.into_inner().expect("no panic").map_or(Ok(()), Err)
}

/// Runs this binary with a fault; gives what it tells if it fails.
fn run_with(fault: Option<&str>, block: u64, jobs: u64) -> Result<Option<String>, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let first = (1 + block * BLOCK_SEEDS).to_string();
    let mut child = Command::new(this);
    let seeds = if fault.is_some() { BLOCK_SEEDS } else { SOUND_BLOCK_SEEDS };
    child.args(["--quiet", "--first", &first, "--seeds", &seeds.to_string()]);
    child.args(["--jobs", &jobs.to_string()]).env_remove(VARIABLE);
    child.envs(fault.map(|fault| (VARIABLE, fault)));
    let run = child.output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    Ok((!run.status.success()).then_some(told))
}

fn find_mutants(jobs: u64) -> ExitCode {
    if !cfg!(selvedge_mutants) {
        eprintln!("this build has no faults to plant: `cargo xtask sim --mutants` makes one");
        return ExitCode::from(2);
    }
    println!("{BLOCKS} blocks of {BLOCK_SEEDS} seeds each, without a fault of {SOUND_BLOCK_SEEDS}");
    let mut is_well = true;
    for fault in [None].into_iter().chain(FAULTS.iter().copied().map(Some)) {
        let started = Instant::now();
        let (mut found, mut example) = (0, String::new());
        for block in 0..BLOCKS {
            match run_with(fault, block, jobs) {
                Ok(Some(told)) => {
                    found += 1;
                    if example.is_empty() {
                        example = told.trim().to_owned();
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    eprintln!("cannot run itself: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        let as_expected = if fault.is_some() { found >= BLOCKS_FOUND_MIN } else { found == 0 };
        is_well &= as_expected;
        let verdict = if as_expected { "ok" } else { "NOT AS EXPECTED" };
        let seconds = started.elapsed().as_secs_f64();
        let fault = fault.unwrap_or("no fault");
        println!("{fault}: found from {found} of {BLOCKS}, {seconds:.0} s, {verdict}; {example}");
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
