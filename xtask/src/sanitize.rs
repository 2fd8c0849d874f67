//! Sanitizers over the stress tests: threads that read, commit, compact and reclaim
//! while every access to memory is watched.
//!
//! A run begins with its control ([`control`]): a program of ten lines that is wrong
//! in the way the sanitizer is there to find, built and run the same way. One that
//! says nothing of it would say nothing of the engine either.
//!
//! The stable compiler has the sanitizers and hides them: `RUSTC_BOOTSTRAP`. The
//! standard library is not instrumented, and the thread sanitizer sees no fences:
//! `xtask/sanitizers` says what follows from that, line by line.

mod control;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::tools;

/// Named, so that build scripts and macros, which run at once, are left alone.
pub(super) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sanitizer {
    /// Freed and foreign memory.
    Address,
    /// Memory that nothing refers to at the end.
    Leak,
    /// Accesses that nothing orders.
    Thread,
    /// Freed, foreign and uninitialised memory, at a fiftieth of the speed.
    Valgrind,
}

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    sanitizer: Sanitizer,
    /// How long each stress test runs.
    #[arg(long)]
    seconds: Option<f64>,
    /// Only the tests of this package.
    #[arg(long)]
    package: Option<String>,
}

/// Tests with threads, by package, and the arguments of their programs.
const TESTS: &[(&str, &[&str], &[&str])] = &[
    ("selvedge", &["stress", "compaction", "retention"], &[]),
    ("selvedge", &["durability"], &["traps::", "checkpoints::", "poison::"]),
    ("selvedge-index", &["hash_stress", "keyed_stress", "ordered_stress"], &[]),
    ("selvedge-keyspace", &["keyspace"], &["threads::"]),
    ("selvedge-storage", &["log"], &["group_commit::"]),
];

/// Those of them that make progress at a fiftieth of the speed.
const SHORT_TESTS: &[(&str, &[&str], &[&str])] = &[
    ("selvedge", &["stress"], &[]),
    ("selvedge-index", &["hash_stress", "keyed_stress", "ordered_stress"], &[]),
    ("selvedge-keyspace", &["keyspace"], &["threads::"]),
];

/// Runs the control and then the tests; an error unless there is not one report.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let sanitizer = options.sanitizer;
    let programs = Programs::require()?;
    let folder = tools::target(root).join("sanitizers").join(sanitizer.name());
    std::fs::create_dir_all(&folder)?;
    let mut flags = sanitizer.flags(root, &folder)?;
    // What is freed goes to the allocator, where the sanitizer sees it go.
    flags.extend(["--cfg", "selvedge_unpooled"].map(String::from));
    control::run(sanitizer, &programs, &flags, root, &folder)?;
    let seconds = options.seconds.unwrap_or(sanitizer.seconds());
    let tests = if sanitizer == Sanitizer::Valgrind { SHORT_TESTS } else { TESTS };
    let wanted = |package: &str| options.package.as_deref().is_none_or(|only| only == package);
    ensure!(tests.iter().any(|(package, ..)| wanted(package)), "it runs no tests of that package");
    for (package, tests, filters) in tests.iter().filter(|(package, ..)| wanted(package)) {
        let mut command = Command::new("cargo");
        command.args(["test", "--release", "--target", TARGET, "--package", package]);
        command.args(tests.iter().flat_map(|test| ["--test", *test]));
        // One test after the other, since each has threads of its own; and the harness
        // shares no buffer with them.
        command.args(["--", "--test-threads=1", "--nocapture"]).args(*filters);
        command.env("CARGO_TARGET_DIR", &folder).current_dir(root);
        command.env("SELVEDGE_STRESS_SECONDS", seconds.to_string());
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags.join(" "));
        sanitizer.environment(&mut command, &programs, root);
        tools::run(&mut command).with_context(|| format!("{} over {package}", sanitizer.name()))?;
    }
    println!("sanitize {}: no report", sanitizer.name());
    Ok(true)
}

/// Programs that the sanitizers use.
struct Programs {
    /// Gives functions and lines their names; suppressions go by them.
    symbolizer: PathBuf,
}

impl Programs {
    fn require() -> Result<Self> {
        let major = tools::llvm_major()?;
        let path = format!("/usr/lib/llvm-{major}/bin/llvm-symbolizer");
        tools::require_debian(&path, &format!("llvm-{major}"))?;
        tools::require_debian("valgrind", "valgrind")?;
        Ok(Self { symbolizer: path.into() })
    }
}

impl Sanitizer {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Leak => "leak",
            Self::Thread => "thread",
            Self::Valgrind => "valgrind",
        }
    }

    /// How long a stress test runs unless it is told.
    fn seconds(self) -> f64 {
        if self == Self::Valgrind { 6.0 } else { 2.0 }
    }

    /// What the compiler is told.
    fn flags(self, root: &Path, folder: &Path) -> Result<Vec<String>> {
        let flags: &[&str] = match self {
            Self::Address => &["-Zsanitizer=address"],
            Self::Leak => &["-Zsanitizer=leak"],
            Self::Thread => &["-Zsanitizer=thread", "-Cunsafe-allow-abi-mismatch=sanitizer"],
            Self::Valgrind => &[],
        };
        let mut flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        if self == Self::Thread {
            let object = folder.join("acquire.o");
            let mut build = Command::new("rustc");
            build.args(["--edition", "2024", "-O", "--crate-type", "lib", "--emit", "obj", "-o"]);
            tools::run(build.arg(&object).arg(root.join("xtask/sanitizers/acquire.rs")))?;
            flags.push(format!("-Clink-arg={}", object.display()));
            flags.push("-Clink-arg=-Wl,--wrap=__tsan_atomic64_fetch_sub".to_owned());
        }
        Ok(flags)
    }

    /// What the programs are told.
    fn environment(self, command: &mut Command, programs: &Programs, root: &Path) {
        let symbolizer = format!("external_symbolizer_path={}", programs.symbolizer.display());
        let suppressions = root.join("xtask/sanitizers").join(format!("{}.txt", self.name()));
        let suppressions = format!("suppressions={}", suppressions.display());
        match self {
            Self::Address => {
                let options =
                    format!("{symbolizer}:detect_leaks=0:detect_stack_use_after_return=1");
                command.env("ASAN_OPTIONS", options)
            }
            Self::Leak => command.env("LSAN_OPTIONS", format!("{symbolizer}:{suppressions}")),
            // A history as long as it gets: a report needs both stacks.
            Self::Thread => {
                command.env("TSAN_OPTIONS", format!("{symbolizer}:{suppressions}:history_size=7"))
            }
            Self::Valgrind => {
                let runner = "valgrind --quiet --error-exitcode=99 --fair-sched=yes \
                              --leak-check=full --errors-for-leak-kinds=definite \
                              --show-leak-kinds=definite";
                command.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", runner)
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppression_files_argue_every_line() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sanitizers");
        for name in ["thread.txt", "leak.txt"] {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            let mut argued = false;
            for line in text.lines() {
                let is_comment = line.starts_with('#');
                assert!(is_comment || line.is_empty() || argued, "nothing argues for `{line}`");
                // A comment stands for the lines below it, up to the next empty one.
                argued = is_comment || (argued && !line.is_empty());
            }
        }
    }
}
