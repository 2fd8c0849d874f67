//! Runs the soak: `soak [--minutes N] [--seed S] [--mutants]`.
//!
//! With `--mutants`, in a build that has planted faults (`--cfg selvedge_mutants`), each
//! of them must be found within a short run, and nothing where none is planted.

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use selvedge_testkit::soak::{Plan, run};

/// Faults that a short run finds: of the soak itself, and of the engine.
const FAULTS: &[&str] = &[
    "soak-snapshot-leaked",
    "prune-one-too-far",
    "validation-off",
    "publish-before-install",
    "tombstone-ignored",
    "endpoint-unchecked",
];
/// The fault that is planted.
const VARIABLE: &str = "SELVEDGE_MUTANT";
/// Of a run that looks for one.
const FAULT_MINUTES: &str = "0.4";

struct Arguments {
    minutes: f64,
    seed: u64,
    mutants: bool,
    is_quiet: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments { minutes: 1.0, seed: 1, mutants: false, is_quiet: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut next = || words.next().ok_or_else(|| format!("{word} takes a number"));
        match &*word {
            "--minutes" => {
                let minutes = next()?.parse().ok();
                let minutes = minutes.filter(|minutes| (0.05..=100_000.0).contains(minutes));
                parsed.minutes = minutes.ok_or("--minutes takes a number of at least 0.05")?;
            }
            "--seed" => parsed.seed = next()?.parse().map_err(|_| "--seed takes a number")?,
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
            eprintln!("{what}\nsoak [--minutes N] [--seed S] [--mutants]");
            return ExitCode::from(2);
        }
    };
    let Arguments { minutes, seed, mutants, is_quiet } = arguments;
    if mutants {
        return find_mutants();
    }
    let time = Duration::from_secs_f64(60.0 * minutes);
    match run(Plan { time, seed, is_loud: !is_quiet }) {
        Ok(report) => {
            report.0.iter().for_each(|line| println!("{line}"));
            println!("{minutes} minutes from seed {seed}: nothing wrong");
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("seed {seed}: {what}");
            ExitCode::FAILURE
        }
    }
}

/// Looks for a fault, or for none; what is told if something is found.
fn run_with(fault: Option<&str>) -> Result<Option<String>, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(this);
    child.args(["--quiet", "--minutes", FAULT_MINUTES]).env_remove(VARIABLE);
    child.envs(fault.map(|fault| (VARIABLE, fault))).stderr(Stdio::null());
    let output = child.output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((!output.status.success()).then_some(told))
}

fn find_mutants() -> ExitCode {
    if !cfg!(selvedge_mutants) {
        eprintln!("this build has no faults to plant: `cargo xtask soak --mutants` makes one");
        return ExitCode::from(2);
    }
    let mut is_well = true;
    for fault in [None].into_iter().chain(FAULTS.iter().copied().map(Some)) {
        let (as_expected, told) = match run_with(fault) {
            Ok(found) => (found.is_some() == fault.is_some(), found.unwrap_or_default()),
            Err(what) => (false, what),
        };
        is_well &= as_expected;
        let verdict = if as_expected { "ok" } else { "NOT AS EXPECTED" };
        let told: String = told.chars().take(200).collect();
        println!("{}: {verdict}; {told}", fault.unwrap_or("no fault"));
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
