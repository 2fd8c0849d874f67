//! How many instructions the hot paths take, counted by callgrind and compared with the
//! counts in `benches/instructions.json`: times on shared machines say too little, while
//! these repeat. A path that takes 5 % more or less than it did is an error until the file
//! is updated, with the reason.
//!
//! Counts hold for one version of the compiler and much the same C library; the file names
//! the compiler.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::tools;

const FILE: &str = "benches/instructions.json";
/// Operations of each path that are counted.
const TIMES: u64 = 20_000;
/// The change that is not noticed.
const TOLERANCE: f64 = 0.05;

/// What to do with the counts.
#[derive(Args)]
pub(crate) struct Options {
    /// Writes them to the file, instead of comparing them with it.
    #[arg(long, requires = "reason")]
    update: bool,
    /// Why they changed: the file keeps it.
    #[arg(long)]
    reason: Option<String>,
}

/// Instructions of an operation, by the name of its path.
type Counts = BTreeMap<String, f64>;

/// Counts, and compares or updates; true if nothing changed by more than is allowed.
pub(crate) fn run(root: &Path, options: &Options) -> Result<bool> {
    tools::require_debian("valgrind", "valgrind")?;
    let program = build(root)?;
    let names = text(Command::new(&program))?;
    let mut counts = Counts::new();
    for name in names.lines() {
        counts.insert(name.to_owned(), count(&program, name)?);
    }
    let path = root.join(FILE);
    let known = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| FILE.to_owned())?,
        Err(_) => json!({}),
    };
    let before = counts_of(&known)?;
    for (name, count) in &counts {
        let change =
            before.get(name).map(|before| format!("{:+.1} %", (count / before - 1.0) * 100.0));
        println!("{count:>10.1}  {:>8}  {name}", change.unwrap_or_default());
    }
    if let (true, Some(reason)) = (options.update, &options.reason) {
        let updated = updated(known, &counts, reason, &compiler()?);
        std::fs::write(&path, serde_json::to_string_pretty(&updated)? + "\n")?;
        println!("instructions: {FILE} is updated");
        return Ok(true);
    }
    let changes = changes(&before, &counts);
    for change in &changes {
        println!("instructions: {change}");
    }
    if !changes.is_empty() {
        let theirs = known.get("compiler").and_then(Value::as_str).unwrap_or("no compiler");
        println!(
            "If that is meant: cargo xtask instructions --update --reason WHY. \
             ({FILE} is of {theirs}, this is {}.)",
            compiler()?
        );
    }
    Ok(changes.is_empty())
}

fn build(root: &Path) -> Result<std::path::PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--quiet", "--release", "-p", "selvedge-benches"]);
    // Flags from outside would count another build.
    tools::run(cargo.args(["--bin", "instructions"]).env_remove("RUSTFLAGS"))?;
    Ok(tools::target(root).join("release/instructions"))
}

/// Instructions of one operation of a path.
fn count(program: &Path, name: &str) -> Result<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.args(["--collect-atstart=no", "--toggle-collect=instructions::collected*"]);
    // Names and lengths of what is outside may not matter, but nothing has to be there.
    valgrind.arg(program).args([name, &TIMES.to_string()]).env_clear();
    let output = valgrind.output().context("cannot run valgrind")?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{name}: {}\n{told}", output.status);
    let operations: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    let collected = collected(&told).with_context(|| format!("callgrind told: {told}"))?;
    ensure!(collected > 0 && operations > 0.0, "{name}: nothing was counted");
    Ok(collected as f64 / operations)
}

/// The total in what callgrind tells at its end.
fn collected(told: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.split_once("Collected :"))?;
    line.1.trim().parse().ok()
}

/// Differences that are errors.
fn changes(before: &Counts, now: &Counts) -> Vec<String> {
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    let mut changes: Vec<_> =
        gone.map(|name| format!("`{name}` is not counted any more")).collect();
    for (name, now) in now {
        match before.get(name) {
            None => changes.push(format!("`{name}` has no count in {FILE}")),
            Some(before) if (now / before - 1.0).abs() > TOLERANCE => {
                changes.push(format!("`{name}` took {before:.1} and takes {now:.1}"));
            }
            Some(_) => {}
        }
    }
    changes
}

fn counts_of(known: &Value) -> Result<Counts> {
    let Some(counts) = known.get("instructions") else { return Ok(Counts::new()) };
    serde_json::from_value(counts.clone()).with_context(|| format!("instructions in {FILE}"))
}

/// The file with these counts, and one more reason.
fn updated(known: Value, counts: &Counts, reason: &str, compiler: &str) -> Value {
    let round = |count: &f64| json!((count * 100.0).round() / 100.0);
    let counts: Map<_, _> =
        counts.iter().map(|(name, count)| (name.clone(), round(count))).collect();
    let mut reasons = match known.get("reasons") {
        Some(Value::Array(reasons)) => reasons.clone(),
        _ => Vec::new(),
    };
    reasons.push(json!(reason));
    json!({ "compiler": compiler, "instructions": counts, "reasons": reasons })
}

fn compiler() -> Result<String> {
    let mut rustc = Command::new("rustc");
    rustc.arg("--version");
    let told = text(rustc)?;
    Ok(told.split(" (").next().unwrap_or_default().trim().to_owned())
}

fn text(mut command: Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, f64)]) -> Counts {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn small_changes_pass_and_large_ones_do_not() {
        let before = counts(&[("read", 100.0)]);
        for (now, errors) in [(100.0, 0), (104.9, 0), (95.1, 0), (105.1, 1), (94.9, 1)] {
            assert_eq!(changes(&before, &counts(&[("read", now)])).len(), errors, "{now}");
        }
    }

    #[test]
    fn paths_do_not_come_and_go_unnoticed() {
        let one = counts(&[("read", 100.0)]);
        assert_eq!(changes(&one, &Counts::new()).len(), 1);
        assert_eq!(changes(&Counts::new(), &one).len(), 1);
    }

    #[test]
    fn the_total_is_found_in_what_callgrind_tells() {
        let told = "==7== Events    : Ir\n==7== Collected : 123456\n==7==\n";
        assert_eq!(collected(told), Some(123_456));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }

    #[test]
    fn an_update_keeps_the_reasons_before() {
        let first = updated(json!({}), &counts(&[("read", 99.996)]), "first", "rustc 1");
        let second = updated(first, &counts(&[("read", 90.0)]), "shorter", "rustc 2");
        assert_eq!(second["reasons"], json!(["first", "shorter"]));
        assert_eq!(counts_of(&second).unwrap(), counts(&[("read", 90.0)]));
    }
}
