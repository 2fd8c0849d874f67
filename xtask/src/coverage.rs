//! Line coverage: which lines of the measured groups ([`crate::groups`]) the tests of the
//! workspace run.
//!
//! Lines of tests themselves do not count. The report of cargo-llvm-cov is made by
//! the tools of the LLVM that the compiler is built on: only they read its profiles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::groups::{GROUPS, Group};
use crate::rust_file;
use crate::tools::{self, CargoTool};
use crate::tree::Tree;

/// Of a hundred lines of each group, this many must be run.
const COVERED_PERCENT_MIN: f64 = 90.0;

const CARGO_LLVM_COV: CargoTool = CargoTool {
    package: "cargo-llvm-cov",
    version_args: &["llvm-cov", "--version"],
    version: "0.9.1",
};

/// What to do.
#[derive(Args)]
pub(crate) struct Options {
    /// Also tells which lines no test runs.
    #[arg(long)]
    uncovered: bool,
    /// Reads this report instead of running the tests.
    #[arg(long, value_name = "LCOV")]
    report: Option<PathBuf>,
}

/// Measures the workspace below `root`; true if enough is covered.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    let path = match &options.report {
        Some(path) => path.clone(),
        None => measure(root)?,
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let files = without_tests(&Tree::read(root)?, parse(&text, root)?)?;
    Ok(print(&files, options.uncovered))
}

/// The lines of each file, and whether a test runs them.
type Files = BTreeMap<String, BTreeMap<usize, bool>>;

/// Runs the tests and writes the report.
fn measure(root: &Path) -> Result<PathBuf> {
    CARGO_LLVM_COV.require()?;
    let major = tools::llvm_major()?;
    let (llvm_cov, profdata) = (format!("llvm-cov-{major}"), format!("llvm-profdata-{major}"));
    for program in [&llvm_cov, &profdata] {
        tools::require_debian(program, &format!("llvm-{major}"))?;
    }
    let path = |program| Path::new("/usr/bin").join(program);
    let folder = tools::target(root).join("coverage");
    std::fs::create_dir_all(&folder)?;
    let report = folder.join("lines.lcov");
    let mut tests = Command::new("cargo");
    tests.args(["llvm-cov", "--workspace", "--exclude", "xtask", "--exclude", "selvedge-benches"]);
    tests.args(["--lcov", "--output-path"]).arg(&report).current_dir(root);
    // Without this it would look for a component of rustup.
    tests.env("CARGO_LLVM_COV_SETUP", "no");
    tests.env("LLVM_COV", path(&llvm_cov)).env("LLVM_PROFDATA", path(&profdata));
    tests.env_remove("RUSTFLAGS").env("CARGO_TARGET_DIR", folder);
    tools::run(&mut tests)?;
    Ok(report)
}

/// Reads `SF:path`, `DA:line,count`; files outside the groups do not count.
fn parse(lcov: &str, root: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut current = None;
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let path = Path::new(path);
            let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
            current = Group::of(&path).map(|_| path);
        } else if let (Some(path), Some(data)) = (&current, line.strip_prefix("DA:")) {
            let (at, count) = data.split_once(',').context("a line without its count")?;
            let is_run = count.split(',').next().unwrap_or(count) != "0";
            let lines = files.entry(path.clone()).or_default();
            *lines.entry(at.parse()?).or_default() |= is_run;
        }
    }
    ensure!(!files.is_empty(), "the report tells nothing of the groups");
    Ok(files)
}

/// The files without the lines that only tests compile.
fn without_tests(tree: &Tree, mut files: Files) -> Result<Files> {
    let (sources, broken) = rust_file::parse_all(tree);
    ensure!(broken.is_empty(), "{}", broken[0]);
    let names: BTreeSet<&str> = sources.iter().map(|source| source.path).collect();
    if let Some(gone) = files.keys().find(|path| !names.contains(path.as_str())) {
        anyhow::bail!("the report tells of {gone}, which is not there");
    }
    for source in &sources {
        if let Some(lines) = files.get_mut(source.path) {
            lines.retain(|line, _| !source.is_test_line(*line));
        }
    }
    Ok(files)
}

fn print(files: &Files, uncovered: bool) -> bool {
    println!("{:>7}  {:>7}  {:>7}", "lines", "run", "percent");
    let mut enough = true;
    for group in GROUPS {
        let mut all = Count::default();
        let mut rows = Vec::new();
        for (path, lines) in files.iter().filter(|(path, _)| Group::of(path) == Some(group)) {
            let count = Count::of(lines);
            all.add(count);
            rows.push((path, count));
        }
        rows.iter().for_each(|(path, count)| println!("{count}  {path}"));
        println!("{all}  = {}\n", group.name());
        if all.percent() < COVERED_PERCENT_MIN {
            println!("coverage: {} is below {COVERED_PERCENT_MIN} %\n", group.name());
            enough = false;
        }
    }
    if uncovered {
        for (path, lines) in files {
            for (line, _) in lines.iter().filter(|(_, is_run)| !**is_run) {
                println!("{path}:{line}: no test runs it");
            }
        }
    }
    enough
}

#[derive(Clone, Copy, Default)]
struct Count {
    lines: usize,
    run: usize,
}

impl Count {
    fn of(lines: &BTreeMap<usize, bool>) -> Self {
        Self { lines: lines.len(), run: lines.values().filter(|is_run| **is_run).count() }
    }

    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.run += other.run;
    }

    fn percent(self) -> f64 {
        if self.lines == 0 { 100.0 } else { self.run as f64 * 100.0 / self.lines as f64 }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>7}  {:>7}  {:>6.1} ", self.lines, self.run, self.percent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LCOV: &str = "SF:/clone/crates/mvcc/src/a.rs\nDA:1,0\nDA:1,3\nDA:2,0\nDA:4,1\n\
                        end_of_record\nSF:/clone/crates/graph/src/path.rs\nDA:1,1\n";
    const SOURCE: &str = "fn a() {}\nfn b() {}\n#[cfg(test)]\nmod tests {}\n";

    #[test]
    fn lines_of_tests_and_of_other_files_do_not_count() {
        let files = parse(LCOV, Path::new("/clone")).unwrap();
        let tree = Tree::of(&[("crates/mvcc/src/a.rs", SOURCE)]);
        let files = without_tests(&tree, files).unwrap();
        assert_eq!(files.len(), 1);
        let lines = &files["crates/mvcc/src/a.rs"];
        assert_eq!(lines, &BTreeMap::from([(1, true), (2, false)]));
        assert!(!print(&files, true), "half is too little");
    }

    #[test]
    fn a_report_that_does_not_fit_the_sources_is_an_error() {
        assert!(parse("SF:/elsewhere/a.rs\nDA:1,1\n", Path::new("/clone")).is_err());
        assert!(parse("SF:/clone/crates/mvcc/src/a.rs\nDA:1\n", Path::new("/clone")).is_err());
        let files = parse(LCOV, Path::new("/clone")).unwrap();
        assert!(without_tests(&Tree::default(), files).is_err());
    }
}
