//! Fuzzing: runs the targets in `fuzz/`, one after the other, by cargo-fuzz.
//!
//! cargo-fuzz wants flags that the compiler keeps for nightly builds; the variable
//! `RUSTC_BOOTSTRAP` has it take them all the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

/// What fuzzing does.
#[derive(Args)]
#[group(required = true, multiple = false, id = "action")]
pub(crate) struct Actions {
    /// Looks for inputs that a target fails on, so long for each target.
    #[arg(long)]
    seconds: Option<u64>,
    /// Runs the inputs of `fuzz/corpus` once.
    #[arg(long)]
    replay: bool,
    /// Makes `fuzz/corpus` anew: of the first inputs, of what is there, and of what runs
    /// have found, as much as covers something of its own.
    #[arg(long)]
    minimise: bool,
    /// Looks for planted faults with the inputs of `fuzz/corpus` and random changes of
    /// them: each must be found by its target, and nothing without one.
    #[arg(long)]
    mutants: bool,
}

/// How fuzzing is asked for.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    actions: Actions,
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
}

/// Names the fault that is planted.
const VARIABLE: &str = "SELVEDGE_MUTANT";
/// An input longer than this only takes time.
const INPUT_BYTES_MAX: usize = 4096;
/// An input that takes longer hangs.
const INPUT_SECONDS_MAX: usize = 20;
/// Memory of the whole process, and of one allocation, in MiB.
const MEMORY_MAX: usize = 2048;
const ALLOCATION_MAX: usize = 512;
/// Faults that are planted, and the target that finds each.
const FAULTS: &[(&str, &str)] = &[
    ("checkpoint_reading", "block-checksum-ignored"),
    ("checkpoint_reading", "checksum-ignored"),
    ("document_decoding", "document-order-unchecked"),
    ("kv_connect_requests", "check-ignored"),
    ("kv_connect_requests", "stamped-key-late"),
    ("log_recovery", "checksum-ignored"),
    ("ordered_keys", "key-zero-unescaped"),
    ("transactions", "validation-off"),
    ("transactions", "min-keeps-larger"),
    ("transactions", "stamped-key-late"),
    ("transactions", "prune-one-too-far"),
    ("transactions", "tombstone-ignored"),
];
/// Random changes of each input, where faults are planted.
const MUTATIONS: u32 = 40;
/// Of all committed inputs of one target; the short ones come first.
const CORPUS_BYTES_MAX: u64 = 200 << 10;

/// Does it; true if no target failed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    let targets: Vec<_> = match &arguments.target {
        Some(target) => vec![target.clone()],
        None => list(root)?,
    };
    let mut failed = Vec::new();
    for target in &targets {
        println!("---- {target}");
        let is_fine = match &arguments.actions {
            Actions { seconds: Some(seconds), .. } => search(root, target, *seconds)?,
            Actions { replay: true, .. } => replay(root, target)?,
            Actions { mutants: true, .. } => find_mutants(root, target)?,
            Actions { .. } => minimise(root, target)?,
        };
        if !is_fine {
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        println!("{} targets, no findings", targets.len());
    } else {
        println!("findings: {}; the inputs are in fuzz/artifacts", failed.join(", "));
    }
    Ok(failed.is_empty())
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    cargo
}

fn list(root: &Path) -> Result<Vec<String>> {
    let programs = root.join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for program in fs::read_dir(&programs).with_context(|| programs.display().to_string())? {
        let name = program?.file_name().into_string().ok();
        targets.extend(name.and_then(|name| name.strip_suffix(".rs").map(str::to_owned)));
    }
    targets.sort();
    ensure!(!targets.is_empty(), "there are no targets in {}", programs.display());
    Ok(targets)
}

/// Runs a target on these directories, the first of which gets what is new.
fn fuzz(root: &Path, target: &str, directories: &[PathBuf], options: &[String]) -> Result<bool> {
    let is_there = cargo(root).args(["fuzz", "--version"]).output().context("cannot run cargo")?;
    let install = "`cargo install cargo-fuzz --locked --version 0.12.0` installs it";
    ensure!(is_there.status.success(), "cargo-fuzz is missing: {install}");
    let mut command = cargo(root);
    command.args(["fuzz", "run", target]).args(directories).arg("--").args(options).args(limits());
    Ok(command.status().context("cannot run cargo")?.success())
}

fn limits() -> [String; 6] {
    [
        format!("-max_len={INPUT_BYTES_MAX}"),
        // Short inputs do little here: the long ones must not wait for their turn.
        "-len_control=0".to_owned(),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-rss_limit_mb={MEMORY_MAX}"),
        format!("-malloc_limit_mb={ALLOCATION_MAX}"),
        "-print_final_stats=1".to_owned(),
    ]
}

fn corpus(target: &str) -> PathBuf {
    Path::new("fuzz/corpus").join(target)
}

/// What runs have found; it is not committed.
fn grown(target: &str) -> PathBuf {
    Path::new("fuzz/grown").join(target)
}

fn search(root: &Path, target: &str, seconds: u64) -> Result<bool> {
    fs::create_dir_all(root.join(grown(target)))?;
    let directories = [grown(target), corpus(target)];
    fuzz(root, target, &directories, &[format!("-max_total_time={seconds}")])
}

/// Runs the same program as cargo-fuzz does, without its flags: it is built in seconds,
/// beside what tests have built, and one run of each input needs no guidance.
fn replay(root: &Path, target: &str) -> Result<bool> {
    let there = fs::read_dir(root.join(corpus(target))).context(target.to_owned())?.count();
    ensure!(there > 0, "{target} has no inputs to replay");
    println!("{there} inputs");
    let artifacts = root.join("fuzz/artifacts").join(target);
    fs::create_dir_all(&artifacts)?;
    let mut run = Command::new("cargo");
    run.current_dir(root).args(["run", "--quiet", "--manifest-path", "fuzz/Cargo.toml"]);
    run.arg("--target-dir").arg(target_dir(root)).args(["--bin", target, "--"]);
    run.arg(corpus(target)).arg("-runs=0").args(limits());
    run.arg(format!("-artifact_prefix={}/", artifacts.display()));
    Ok(run.status().context("cannot run cargo")?.success())
}

fn target_dir(root: &Path) -> PathBuf {
    root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Whether the faults of a target are found, each, and nothing else.
fn find_mutants(root: &Path, target: &str) -> Result<bool> {
    let dir = target_dir(root).join("fuzz-mutants");
    let mut is_well = true;
    let faults = FAULTS.iter().filter(|(by, _)| *by == target).map(|(_, fault)| Some(*fault));
    for fault in [None].into_iter().chain(faults) {
        let mut replay = Command::new("cargo");
        replay.current_dir(root).env_remove(VARIABLE);
        replay.env("RUSTFLAGS", "--cfg selvedge_mutants").arg("run").arg("--target-dir").arg(&dir);
        replay.args(["--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
        replay.args(["--example", "replay", "--", "fuzz/corpus", target]);
        replay.arg("--mutations").arg(MUTATIONS.to_string());
        replay.envs(fault.map(|fault| (VARIABLE, fault)));
        let output = replay.output().context("cannot run cargo")?;
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        // Not built, or not run, is not found.
        ensure!(!told.is_empty(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        let as_expected = output.status.success() == fault.is_none();
        is_well &= as_expected;
        let verdict = if as_expected { "ok" } else { "NOT AS EXPECTED" };
        let told: String = told.chars().take(100).collect();
        println!("{}: {verdict}; {told}", fault.unwrap_or("no fault"));
    }
    Ok(is_well)
}

fn minimise(root: &Path, target: &str) -> Result<bool> {
    let all = root.join(grown(target));
    let kept = root.join("fuzz/grown").join(format!("{target}.minimised"));
    let _ = fs::remove_dir_all(&kept);
    fs::create_dir_all(&kept)?;
    fs::create_dir_all(&all)?;
    let seeds = cargo(root)
        .args(["run", "--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        .args(["--example", "seeds", "--"])
        .arg(root.join("fuzz/grown"))
        .status()
        .context("cannot run cargo")?;
    ensure!(seeds.success(), "the first inputs cannot be made");
    let directories = [kept.clone(), all, corpus(target)];
    // By what code they reach, not by how often: that would keep thousands.
    let options = ["-set_cover_merge=1", "-use_counters=0"].map(str::to_owned);
    if !fuzz(root, target, &directories, &options)? {
        return Ok(false);
    }
    replace(&kept, &root.join(corpus(target)))?;
    fs::remove_dir_all(&kept)?;
    Ok(true)
}

/// Puts the files of one directory in place of those of the other, as far as there is
/// room, the short ones first.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        files.insert((entry.metadata()?.len(), entry.file_name()));
    }
    if files.is_empty() {
        bail!("nothing is left of the inputs: {}", from.display());
    }
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to)?;
    let (mut bytes, mut count) = (0, 0);
    for (len, name) in files {
        bytes += len;
        if bytes > CORPUS_BYTES_MAX {
            break;
        }
        // The whole name is that of something not committed.
        let short: String = name.to_string_lossy().chars().take(16).collect();
        fs::copy(from.join(&name), to.join(short))?;
        count += 1;
    }
    println!("{count} inputs in {}", to.display());
    Ok(())
}
