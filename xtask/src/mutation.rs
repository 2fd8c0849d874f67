//! Mutation testing: faults planted one at a time by cargo-mutants, each of which
//! some test must notice.
//!
//! There are thousands of such faults and each costs a build, so a seeded sample
//! of them is judged ([`sample`]). Tests run in rounds ([`round`]), cheap and strong
//! ones first; only what one round misses goes into the next. The tests run in a
//! copy of the workspace, so that nothing that is edited meanwhile takes part.
//!
//! A fault is *caught* if a test fails, or does not end; it does not count if it
//! does not compile (*unviable*).

mod round;
mod sample;
mod tree_copy;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::groups::{GROUPS, Group};
use crate::tools::{self, CargoTool};
use round::{Outcome, ROUNDS, Round};
use sample::Mutant;

/// Of a hundred viable faults, this many must be caught.
const CAUGHT_PERCENT_MIN: usize = 85;

/// Tests that take so many times as long as without a fault, and a while, hang.
const TIMEOUT_FACTOR: u32 = 4;
const TIMEOUT_MIN: Duration = Duration::from_secs(60);

const CARGO_MUTANTS: CargoTool = CargoTool {
    package: "cargo-mutants",
    version_args: &["mutants", "--version"],
    version: "27.1.0",
};

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    /// How many faults to draw.
    #[arg(long, default_value_t = 200)]
    sample: usize,
    /// Which ones: the same seed draws the same faults from the same sources.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leaves out as many that would be drawn before: a sample in several runs.
    #[arg(long, default_value_t = 0)]
    skip: usize,
    /// Only tells which ones.
    #[arg(long)]
    list: bool,
    /// Only those that the run before this missed.
    #[arg(long)]
    missed: bool,
}

/// Runs the sample; true if enough was caught.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    run_in(root, &tools::target(root).join("mutation-testing"), options)
}

fn run_in(root: &Path, folder: &Path, options: &Options) -> Result<bool> {
    let missed = if options.missed { Some(missed_before(folder)?) } else { None };
    if missed.as_deref().is_some_and(str::is_empty) {
        println!("mutation: the run before this missed nothing, so there is nothing to run");
        return Ok(true);
    }
    CARGO_MUTANTS.require()?;
    let tree = folder.join("tree");
    std::fs::create_dir_all(&tree)?;
    let lock = File::create(folder.join("lock"))?;
    // Whoever refreshed the copy now would take a planted fault out of it.
    lock.try_lock().context("another run is at work on the copy of the workspace")?;
    tree_copy::refresh(root, &tree)?;
    let all = list(&tree)?;
    let drawn = match missed {
        Some(names) => named(&all, &names)?,
        None => sample::draw(&all, options.skip..options.skip + options.sample, options.seed),
    };
    println!("{} of {} mutants, seed {}", drawn.len(), all.len(), options.seed);
    if options.list {
        drawn.iter().for_each(|mutant| println!("{}", mutant.name));
        return Ok(true);
    }
    let outcomes = run_rounds(&tree, folder, &drawn)?;
    report(folder, &drawn, &outcomes)
}

/// What the run before this missed, one name a line.
fn missed_before(folder: &Path) -> Result<String> {
    let names = std::fs::read_to_string(folder.join("missed.txt"));
    let names = names.context("no run has left a list of what it missed")?;
    Ok(names.trim().to_owned())
}

/// Every fault that can be planted in the files of the groups.
fn list(tree: &Path) -> Result<Vec<Mutant>> {
    let mut command = Command::new("cargo");
    command.args(["mutants", "--list", "--json"]).current_dir(tree);
    for glob in Group::globs() {
        command.args(["--file", &glob]);
    }
    let output = command.output().context("cannot run cargo mutants")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    sample::parse(&String::from_utf8(output.stdout)?)
}

fn named(all: &[Mutant], names: &str) -> Result<Vec<Mutant>> {
    let find = |name: &str| {
        let found = all.iter().find(|mutant| mutant.name == name);
        found.cloned().with_context(|| format!("the sources have changed: there is no `{name}`"))
    };
    names.lines().map(find).collect()
}

/// What became of each, by its name.
fn run_rounds(tree: &Path, folder: &Path, drawn: &[Mutant]) -> Result<BTreeMap<String, Outcome>> {
    let mut outcomes = BTreeMap::new();
    for round in ROUNDS {
        let is_open = |mutant: &&Mutant| match outcomes.get(&mutant.name) {
            None => (round.concerns)(mutant),
            Some(outcome) => *outcome == Outcome::Missed,
        };
        let open: Vec<&Mutant> = drawn.iter().filter(is_open).collect();
        if open.is_empty() {
            continue;
        }
        println!("round {}: {} mutants", round.name, open.len());
        // Cargo-mutants takes left-out fields into every round, whatever was asked for.
        let mut of_round = run_round(round, tree, folder, &open)?;
        of_round.retain(|name, _| open.iter().any(|mutant| mutant.name == *name));
        outcomes.extend(of_round);
    }
    if let Some(left) = drawn.iter().find(|mutant| !outcomes.contains_key(&mutant.name)) {
        bail!("no round ran {}", left.name);
    }
    Ok(outcomes)
}

fn run_round(
    round: &Round,
    tree: &Path,
    folder: &Path,
    open: &[&Mutant],
) -> Result<BTreeMap<String, Outcome>> {
    let output = folder.join(round.name);
    // Cargo-mutants keeps what an earlier run left there, one run long.
    std::fs::create_dir_all(&output)?;
    // One target folder for all rounds: most of what is built stays the same.
    let target = folder.join("target");
    tools::run(round.baseline(tree, true).env("CARGO_TARGET_DIR", &target))?;
    let started = Instant::now();
    tools::run(round.baseline(tree, false).env("CARGO_TARGET_DIR", &target))
        .context("the tests fail without any fault")?;
    let timeout = TIMEOUT_MIN + started.elapsed() * TIMEOUT_FACTOR;
    let status = round
        .command(tree, &output, open, timeout)
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .context("cannot run cargo mutants")?;
    // 0: all caught; 2: some missed; 3: some ran into the time limit.
    ensure!(matches!(status.code(), Some(0 | 2 | 3)), "cargo mutants failed: {status}");
    let path = output.join("mutants.out/outcomes.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    round::outcomes(&text)
}

fn report(folder: &Path, drawn: &[Mutant], outcomes: &BTreeMap<String, Outcome>) -> Result<bool> {
    let of = |mutant: &Mutant| outcomes[&mutant.name];
    let mut enough = true;
    println!("\ngroup        caught  timeout  missed  unviable  caught of viable");
    for group in GROUPS.map(Some).into_iter().chain([None]) {
        let among: Vec<&Mutant> =
            drawn.iter().filter(|mutant| group.is_none_or(|group| mutant.group == group)).collect();
        let count = |outcome| among.iter().filter(|mutant| of(mutant) == outcome).count();
        let [caught, timeout, missed, unviable] =
            [Outcome::Caught, Outcome::Timeout, Outcome::Missed, Outcome::Unviable].map(count);
        let viable = (caught + timeout + missed).max(1);
        let percent = (caught + timeout) * 1000 / viable;
        println!(
            "{:<12} {caught:>6} {timeout:>8} {missed:>7} {unviable:>9} {:>15}.{} %",
            group.map_or("all", Group::name),
            percent / 10,
            percent % 10
        );
        if group.is_none() {
            enough = percent >= CAUGHT_PERCENT_MIN * 10;
        }
    }
    let missed = drawn.iter().filter(|mutant| of(mutant) == Outcome::Missed);
    let names: Vec<&str> = missed.map(|mutant| mutant.name.as_str()).collect();
    println!("\nmissed:");
    names.iter().for_each(|name| println!("  {name}"));
    std::fs::write(folder.join("missed.txt"), names.join("\n"))?;
    if !enough {
        println!("mutation: less than {CAUGHT_PERCENT_MIN} % were caught");
    }
    Ok(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that had missed nothing was run again, and failed: of nothing, 0 % were
    /// caught. Here are no sources, so whatever is run fails.
    #[test]
    fn where_nothing_was_missed_nothing_is_run() {
        let folder = std::env::temp_dir().join(format!("selvedge-missed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let options = Options { sample: 200, seed: 1, skip: 0, list: false, missed: true };
        let none = run_in(&folder.join("nowhere"), &folder, &options).unwrap_err();
        std::fs::write(folder.join("missed.txt"), "").unwrap();
        let empty = run_in(&folder.join("nowhere"), &folder, &options);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(none.to_string(), "no run has left a list of what it missed");
        assert!(empty.unwrap());
    }
}
