//! The checks of this workspace, run as `cargo xtask ci | layers | tidy | deps`,
//! and the long ones outside of `ci`: `crash`, `history`, `sim` and `soak`
//! ([`program`]), [`fuzz`], [`coverage`], [`mutation`] and [`sanitize`]. What the last
//! three need they install ([`tools`]). [`peers`] measures the database beside others,
//! [`instructions`] counts what its hot paths take.
//!
//! Layout and layering hold only while something refuses to merge what breaks
//! them. Three checks do that, and `ci` runs them one after the other:
//! - [`layers`]: a crate depends on lower layers only, the servers and tools
//!   reach the engine through the public crate, and what a crate must not touch
//!   ([`absences`]) it does not touch;
//! - [`tidy`]: sizes ([`sizes`], with [`exceptions`] that may only shrink), the
//!   map in `docs/ARCHITECTURE.md` ([`map`]), links ([`links`]), unsafe code and
//!   unfinished work ([`markers`]), words and names ([`wording`]), planted faults
//!   ([`faults`]);
//! - [`deps`]: how many foreign crates the public crate brings along.
//!
//! Rules are functions from text to violations, so that each has a unit test
//! with an input that must fail. Of the quick ones only [`tree`], [`workspace`] and
//! [`deps`] touch the outside: git, cargo and the files.

mod absences;
mod ci;
mod coverage;
mod deps;
mod exceptions;
mod faults;
mod fuzz;
mod groups;
mod instructions;
mod layers;
mod links;
mod map;
mod markers;
mod mutation;
mod peers;
mod program;
mod report;
mod rust_file;
mod sanitize;
mod sizes;
mod tidy;
mod tools;
mod tree;
mod wording;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks of this workspace. Each prints what it looked at and every violation
/// with its place and cure, and fails if there is one.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Runs every check below and sums up.
    Ci,
    /// Which crate depends on which, and what crates must not touch.
    Layers,
    /// Sizes, names, words, links, the map, unsafe code, unfinished work.
    Tidy,
    /// How many foreign crates the public crate brings along.
    Deps,
    /// Which lines of mvcc, the commit path and recovery the tests run: at least 90 %
    /// of each. Not part of `ci`: it builds everything once more.
    Coverage(coverage::Options),
    /// Kills processes that commit, and cuts the power below them: `--kills N`,
    /// `--powercuts N`, see `--help`. Not part of `ci`: it takes root and time.
    #[command(disable_help_flag = true)]
    Crash {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Fuzzing: `--seconds S` for each target, `--replay`, `--minimise`,
    /// `--target T`. Not part of `ci`: it takes cargo-fuzz and time.
    Fuzz(fuzz::Arguments),
    /// Transactions of many threads, recorded and judged: `--seeds N`, `--txns N`,
    /// `--threads N`, `--mutants`. Not part of `ci`: it takes time.
    #[command(disable_help_flag = true)]
    History {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Instructions of the hot paths, by callgrind, compared with those in
    /// `benches/instructions.json`: `--update --reason WHY`. A step of `.ci/run`.
    Instructions(instructions::Options),
    /// Faults planted one at a time, each of which a test must notice: a seeded
    /// sample, reported, at least 85 % caught. Not part of `ci`: it takes an hour.
    Mutation(mutation::Options),
    /// selvedge beside other databases, in one run: tables, aims, `--json FILE`,
    /// `--plots DIR`, `--quick`, see `--help`. Not part of `ci`: it takes 25 minutes.
    #[command(disable_help_flag = true)]
    Peers {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// The stress tests under a sanitizer, after a control that it must report. Not
    /// part of `ci`: each takes a build of its own.
    Sanitize(sanitize::Options),
    /// Hours of mixed load on real files, in bounded memory: `--minutes N`, see
    /// `--help`. Not part of `ci`: it takes time.
    #[command(disable_help_flag = true)]
    Soak {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Lives of databases on a simulated disk that fails: `--seeds N`, `--first S`,
    /// `--verbose`, `--mutants`. Not part of `ci`: it takes time.
    #[command(disable_help_flag = true)]
    Sim {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let root = workspace::root()?;
    let clean = match Arguments::parse().check {
        Check::Ci => ci::run(&root)?,
        Check::Layers => layers::run(&root)?.print(),
        Check::Tidy => tidy::run(&root)?.print(),
        Check::Deps => deps::run(&root)?.print(),
        Check::Coverage(options) => coverage::run(&root, &options)?,
        Check::Crash { arguments } => match program::run(&root, "crash", &arguments)? {},
        Check::Fuzz(arguments) => fuzz::run(&root, &arguments)?,
        Check::History { arguments } => match program::run(&root, "history", &arguments)? {},
        Check::Instructions(options) => instructions::run(&root, &options)?,
        Check::Mutation(options) => mutation::run(&root, &options)?,
        Check::Peers { arguments } => match peers::run(&root, &arguments)? {},
        Check::Sanitize(options) => sanitize::run(&root, &options)?,
        Check::Soak { arguments } => match program::run(&root, "soak", &arguments)? {},
        Check::Sim { arguments } => match program::run(&root, "sim", &arguments)? {},
    };
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
