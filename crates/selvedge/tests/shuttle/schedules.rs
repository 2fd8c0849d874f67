//! Running a program under many schedules.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shuttle::scheduler::{
    PctScheduler, RandomScheduler, Scheduler, UncontrolledNondeterminismCheckScheduler,
};
use shuttle::{Config, FailurePersistence, Runner};

/// Programs that the schedules are divided among.
const PROGRAMS: usize = 12;
/// Schedules of one seed: some strategies learn from the first how long a program is.
const BATCH: usize = 25;
/// Schedules of all programs, unless somebody says otherwise.
const SCHEDULES: usize = 2400;
/// Schedules that are run twice, to see that they can be repeated.
const REPEATED: usize = 5;
/// What is not optimised needs more than a thread of the checker has by itself.
const STACK_BYTES: usize = 8 << 20;

fn number_of(variable: &str, default: usize) -> usize {
    let Ok(text) = std::env::var(variable) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{variable} is {text}, which is no number"))
}

/// Runs `program` under its share of schedules. Each run says which of a few outcomes it
/// had; all of `outcomes`, and no others, must be met, as far as there are enough
/// schedules.
pub(crate) fn explore(
    name: &str,
    outcomes: &[u64],
    program: impl Fn() -> u64 + Send + Sync + 'static,
) {
    let schedules = number_of("SELVEDGE_SHUTTLE_SCHEDULES", SCHEDULES);
    let first = number_of("SELVEDGE_SHUTTLE_SEED", 1);
    let batches = schedules.div_ceil(PROGRAMS * BATCH);
    assert!(batches > 0, "{name}: no schedule is asked for");
    let program = Arc::new(program);
    let met = Arc::new(AtomicU64::new(0));
    let run = {
        let met = Arc::clone(&met);
        move || {
            met.fetch_or(1 << program(), Ordering::Relaxed);
        }
    };
    for seed in first..first + batches {
        let run = run.clone();
        let batch = || {
            if seed == first {
                repeat(seed as u64, run.clone());
            }
            run_batch(seed as u64, run);
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(batch)) {
            // Assertions look at atomics, too: without them a seed means something else.
            let profile = if cfg!(debug_assertions) { "" } else { " --release" };
            eprintln!(
                "{name} fails with seed {seed}; again with:\n    SELVEDGE_SHUTTLE_SEED={seed} \
                 SELVEDGE_SHUTTLE_SCHEDULES=1 RUSTFLAGS=\"--cfg shuttle\" cargo test -p \
                 selvedge{profile} --test shuttle --target-dir target/shuttle {name}"
            );
            resume_unwind(panic);
        }
    }
    let met = met.load(Ordering::Relaxed);
    let expected = outcomes.iter().fold(0, |bits, outcome| bits | 1 << outcome);
    assert_eq!(met & !expected, 0, "{name}: the outcomes are {met:b}");
    if batches >= SCHEDULES / (PROGRAMS * BATCH) {
        assert_eq!(met, expected, "{name}: the outcomes are {met:b}");
    }
    println!("{name}: {} schedules, outcomes {met:b}", batches * BATCH);
}

/// Runs a few schedules twice: fails if the second run could not go as the first did,
/// and a seed would tell nothing.
fn repeat(seed: u64, run: impl Fn() + Send + Sync + 'static) {
    let drawn = RandomScheduler::new_from_seed(seed, REPEATED);
    run_under(UncontrolledNondeterminismCheckScheduler::new(drawn), run);
}

fn run_batch(seed: u64, run: impl Fn() + Send + Sync + 'static) {
    match seed % 3 {
        0 => run_under(PctScheduler::new_from_seed(seed, 2, BATCH), run),
        1 => run_under(RandomScheduler::new_from_seed(seed, BATCH), run),
        _ => run_under(PctScheduler::new_from_seed(seed, 5, BATCH), run),
    }
}

fn run_under(scheduler: impl Scheduler + 'static, run: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(run);
}
