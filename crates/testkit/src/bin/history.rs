//! Runs histories and judges them: `history [--seeds N] [--first S] [--txns N]
//! [--threads N] [--workload NAME] [--medium memory|disk|failing] [--export DIR] [--mutants]
//! [--judge FILE]`.
//!
//! Each seed runs every workload, or those whose name begins with NAME, in memory and on
//! disk, `--txns` transactions each.
//! A history with an anomaly is kept and told of; `--judge` judges it, or one of
//! another origin, again. With `--mutants`, in a build that has planted faults
//! (`--cfg selvedge_mutants`), each of them must be found from nearly every seed, those
//! that are in the way of keyspaces also by the workloads of keyspaces alone, and none
//! where none is planted.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio, exit};
use std::time::{Duration, Instant};
use std::{fs, thread};

use selvedge_testkit::history::{
    History, Medium, Op, Outcome, Plan, Ran, Verdict, WORKLOADS, Workload, judge, list_append, run,
};

/// Faults that the engine plants, against isolation.
const FAULTS: &[&str] = &[
    "validation-off",
    "write-validation-off",
    "read-validation-off",
    "publish-before-install",
    "prune-one-too-far",
    "horizon-without-recheck",
    "tombstone-ignored",
    "endpoint-unchecked",
    "check-ignored",
];
/// Of these, those that do not concern keyspaces.
const FAULTS_OF_GRAPHS: &[&str] = &["endpoint-unchecked"];
/// Faults that one workload is there to find.
const FAULTS_OF_ONE: &[(&str, &str)] = &[
    ("rollback-to-ignored", "register"),
    ("loop-found-twice", "delete-and-link"),
    ("stamped-key-late", "kv-register"),
    ("min-keeps-larger", "kv-counter"),
];
/// Faults in the way of indexes, which their workload has to find.
const FAULTS_OF_INDEXES: &[&str] = &["index-entry-kept", "definition-unvalidated"];
/// Faults in what a disk that fails leaves behind, which workloads have to find that
/// are run on one.
const FAULTS_OF_DISKS: &[&str] = &["fsync-left-out", "acknowledged-before-sync"];
/// The workload over indexes.
const OF_INDEXES: &str = "index";
/// Times as many transactions as of other workloads, where a fault is planted.
const INDEXED_LONGER: usize = 4;
/// How the names of workloads over keyspaces begin.
const OF_KEYSPACES: &str = "kv-";
/// The fault that is planted.
const VARIABLE: &str = "SELVEDGE_MUTANT";
/// Seeds from which each fault is looked for.
const SEEDS: u64 = 10;
/// From so many of them it must be found.
const SEEDS_FOUND_MIN: u64 = 9;
/// What takes longer hangs.
const RUN_MAX: Duration = Duration::from_secs(300);
/// Anomalies that are told of one history.
const TOLD_MAX: usize = 5;
/// Operations that are told of one transaction.
const OPS_MAX: usize = 40;
/// The workloads that have to show what snapshot isolation permits.
const SKEWED: &[&str] = &["write-skew", "kv-skew"];

#[derive(Debug, Default)]
struct Arguments {
    first: u64,
    seeds: u64,
    txns: usize,
    threads: usize,
    /// What the names of workloads begin with.
    workload: String,
    /// Only there.
    medium: Option<Medium>,
    export: Option<PathBuf>,
    judge: Option<PathBuf>,
    mutants: bool,
    /// Tells nothing but the first anomaly.
    is_quiet: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed =
        Arguments { first: 1, seeds: 50, txns: 2000, threads: 8, ..Arguments::default() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut next = || words.next().ok_or_else(|| format!("{word} takes an argument"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text:?}: a number?"));
        match &*word {
            "--first" => parsed.first = number(next()?)?,
            "--seeds" => parsed.seeds = number(next()?)?,
            "--txns" => parsed.txns = number(next()?)? as usize,
            "--threads" => parsed.threads = number(next()?)?.max(1) as usize,
            "--export" => parsed.export = Some(next()?.into()),
            "--judge" => parsed.judge = Some(next()?.into()),
            "--mutants" => parsed.mutants = true,
            "--quiet" => parsed.is_quiet = true,
            "--medium" => {
                let name = next()?;
                let all = [Medium::Memory, Medium::Disk, Medium::Failing];
                let medium = all.into_iter().find(|medium| medium.to_string() == name);
                parsed.medium = Some(medium.ok_or_else(|| format!("there is no medium {name:?}"))?);
            }
            "--workload" => {
                let name = next()?;
                if workloads(&name).next().is_none() {
                    let names: Vec<_> = workloads("").map(|workload| workload.name).collect();
                    return Err(format!("there is no {name:?}, there are: {}", names.join(", ")));
                }
                parsed.workload = name;
            }
            other => return Err(format!("there is no argument {other:?}")),
        }
    }
    if parsed.seeds == 0 || parsed.txns == 0 {
        return Err("without a seed or a transaction nothing is judged".to_owned());
    }
    Ok(parsed)
}

/// The workloads whose names begin so.
fn workloads(name: &str) -> impl Iterator<Item = &'static Workload> {
    WORKLOADS.iter().filter(move |workload| workload.name.starts_with(name))
}

/// Where a workload is run.
fn media(arguments: &Arguments, workload: &Workload) -> impl Iterator<Item = Medium> {
    let asked = arguments.medium;
    let media = workload.media.iter().copied();
    media.filter(move |medium| asked.is_none_or(|asked| asked == *medium))
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!(
                "{what}\nhistory [--seeds N] [--first S] [--txns N] [--threads N] \
                 [--workload NAME] [--medium NAME] [--export DIR] [--mutants] [--judge FILE]"
            );
            return ExitCode::from(2);
        }
    };
    let is_well = if let Some(file) = &arguments.judge {
        judge_file(file)
    } else if arguments.mutants {
        find_mutants(&arguments)
    } else {
        run_all(&arguments)
    };
    match is_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
    }
}

fn judge_file(file: &Path) -> Result<bool, String> {
    let at = |what: String| format!("{}: {what}", file.display());
    let text = fs::read_to_string(file).map_err(|error| at(error.to_string()))?;
    let history: History = text.parse().map_err(at)?;
    if history.txns.is_empty() {
        return Err(at("there is no transaction to judge".to_owned()));
    }
    let verdict = judge(&history);
    // Whoever stops reading, `head` say, still has the answer in the status.
    let _ = writeln!(io::stdout(), "{}", describe(&history, &verdict));
    Ok(verdict.findings.is_empty())
}

/// Tells a line. Without anybody who reads on, this ends: what it would have found is
/// not known.
fn tell(line: &str) {
    if writeln!(io::stdout(), "{line}").is_err() {
        exit(1);
    }
}

/// What one workload came to.
#[derive(Default)]
struct Totals {
    histories: usize,
    /// On disks that fail.
    failing: usize,
    alarms: usize,
    txns: usize,
    commits: usize,
    conflicts: usize,
    checks_failed: usize,
    reads: usize,
    write_skews: usize,
    unknown: usize,
    happened: usize,
    run: Duration,
    judged: Duration,
}

impl Totals {
    fn add(&mut self, history: &History, verdict: &Verdict) {
        let count =
            |is: fn(&Outcome) -> bool| history.txns.iter().filter(|txn| is(&txn.outcome)).count();
        self.histories += 1;
        self.txns += history.txns.len();
        self.commits += count(|outcome| matches!(outcome, Outcome::Committed(_)));
        self.conflicts += count(|outcome| matches!(outcome, Outcome::Conflict(..)));
        self.checks_failed += count(|outcome| matches!(outcome, Outcome::ChecksFailed(_)));
        self.unknown += count(|outcome| *outcome == Outcome::Unknown);
        self.happened += verdict.happened;
        let ops = history.txns.iter().flat_map(|txn| &txn.ops);
        self.reads += ops.filter(|op: &&Op| !op.is_write()).count();
        self.write_skews += verdict.write_skews;
    }
}

/// Runs all seeds; whether there is no anomaly.
fn run_all(arguments: &Arguments) -> Result<bool, String> {
    let began = Instant::now();
    if let Some(folder) = &arguments.export {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let mut all: BTreeMap<&str, Totals> = BTreeMap::new();
    let mut alarms = 0;
    'seeds: for seed in arguments.first..arguments.first.saturating_add(arguments.seeds) {
        for workload in workloads(&arguments.workload) {
            for medium in media(arguments, workload) {
                let Arguments { txns, threads, .. } = *arguments;
                // Where the disk fails, rounds end early anyway.
                let txns = if medium == Medium::Failing { txns.div_ceil(2) } else { txns };
                let plan = Plan { seed, workload, medium, txns, threads };
                let totals = all.entry(workload.name).or_default();
                if let Some(alarm) = run_one(arguments, plan, totals)? {
                    tell(&alarm);
                    alarms += 1;
                    if arguments.is_quiet {
                        break 'seeds;
                    }
                }
            }
        }
    }
    if !arguments.is_quiet {
        print_totals(&all);
        tell(&format!("{alarms} alarms, {:.0} s", began.elapsed().as_secs_f64()));
    }
    let skewless = |name: &&&str| {
        all.get(**name).is_some_and(|skewed| skewed.alarms == 0 && skewed.write_skews == 0)
    };
    let blind = SKEWED.iter().find(skewless).filter(|_| !arguments.is_quiet);
    if let Some(name) = blind {
        tell(&format!("{name}: no write skew under snapshot isolation, which is too few"));
    }
    // Told of all failing disks together: a few transactions may well meet none.
    let [unknown, failing] = all.values().fold([0, 0], |[unknown, failing], totals| {
        [unknown + totals.unknown, failing + totals.failing]
    });
    let is_blind_to_disks = failing > 0 && unknown == 0 && !arguments.is_quiet;
    if is_blind_to_disks {
        tell("no outcome was unknown, which is too few");
    }
    Ok(alarms == 0 && blind.is_none() && !is_blind_to_disks)
}

/// Runs and judges one history; what is wrong with it, in words.
fn run_one(
    arguments: &Arguments,
    plan: Plan,
    totals: &mut Totals,
) -> Result<Option<String>, String> {
    let began = Instant::now();
    let Ran { history, complaints } = match run(plan) {
        Ok(ran) => ran,
        Err(what) => {
            totals.alarms += 1;
            return Ok(Some(format!("{plan}: {what}")));
        }
    };
    totals.run += began.elapsed();
    if let Some(folder) = &arguments.export {
        export(folder, plan, &history)?;
    }
    let began = Instant::now();
    let mut verdict = judge(&history);
    plan.workload.judge(&history, &mut verdict);
    totals.judged += began.elapsed();
    totals.add(&history, &verdict);
    totals.failing += usize::from(plan.medium == Medium::Failing);
    if verdict.findings.is_empty() && complaints.is_empty() {
        return Ok(None);
    }
    totals.alarms += 1;
    if arguments.is_quiet {
        let first = verdict.findings.first().map(ToString::to_string);
        let first = first.or_else(|| complaints.into_iter().next());
        return Ok(Some(format!("{plan}: {}", first.unwrap_or_default())));
    }
    let kept = std::env::temp_dir().join("selvedge-histories");
    fs::create_dir_all(&kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    export(&kept, plan, &history)?;
    let mut described = describe(&history, &verdict);
    for complaint in complaints {
        described += &format!("the database finds itself wrong: {complaint}\n");
    }
    Ok(Some(format!("{plan}: {described}kept: {}/{plan}.txt", kept.display())))
}

fn export(folder: &Path, plan: Plan, history: &History) -> Result<(), String> {
    let write = |ending: &str, text: String| {
        let path = folder.join(format!("{plan}.{ending}"));
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    if plan.workload.name == "list-append" {
        write("edn", list_append(history))?;
    }
    write("txt", history.to_string())
}

/// What is wrong, and the transactions that have to do with it.
fn describe(history: &History, verdict: &Verdict) -> String {
    let (total, skews) = (verdict.total, verdict.write_skews);
    let mut told = format!("{total} anomalies, {skews} write skews where they are permitted\n");
    for (index, finding) in verdict.findings.iter().enumerate() {
        told += &format!("{finding}\n");
        if index >= TOLD_MAX {
            continue;
        }
        for txn in &finding.txns {
            let Some(txn) = history.txns.get(*txn) else { continue };
            let text = txn.to_string();
            for line in text.lines().take(OPS_MAX) {
                told += &format!("    {line}\n");
            }
        }
    }
    told
}

fn print_totals(all: &BTreeMap<&str, Totals>) {
    tell(&format!(
        "{:16} {:>9} {:>9} {:>9} {:>9} {:>7} {:>10} {:>6} {:>7} {:>8} {:>6} {:>7} {:>6}",
        "workload",
        "histories",
        "txns",
        "commits",
        "conflicts",
        "checks",
        "reads",
        "skews",
        "unknown",
        "happened",
        "run s",
        "judge s",
        "alarms"
    ));
    for (name, totals) in all {
        let Totals {
            histories, alarms, txns, commits, conflicts, reads, unknown, happened, ..
        } = totals;
        let (run, judged) = (totals.run.as_secs_f64(), totals.judged.as_secs_f64());
        let (skews, checks) = (totals.write_skews, totals.checks_failed);
        tell(&format!(
            "{name:16} {histories:>9} {txns:>9} {commits:>9} {conflicts:>9} {checks:>7} {reads:>10} \
             {skews:>6} {unknown:>7} {happened:>8} {run:>6.1} {judged:>7.1} {alarms:>6}"
        ));
    }
}

/// Waits for a run of this binary; what it tells if it fails, or does not end.
fn outcome(mut child: Child) -> Result<Option<String>, String> {
    let began = Instant::now();
    let ended = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break Some(status),
            None if began.elapsed() > RUN_MAX => break None,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    if ended.is_none() {
        child.kill().map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(match ended {
        None => Some("hangs".to_owned()),
        Some(status) if status.success() => None,
        Some(status) if told.is_empty() => Some(status.to_string()),
        Some(_) => Some(told),
    })
}

/// Looks for a fault, or for none, from one seed.
fn run_with(
    arguments: &Arguments,
    (workload, medium): (&str, Option<Medium>),
    fault: Option<&str>,
    seed: u64,
) -> Result<Option<String>, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    // Few transactions meet a definition that changes.
    let longer = if workload == OF_INDEXES && fault.is_some() { INDEXED_LONGER } else { 1 };
    let (txns, threads) = ((arguments.txns * longer).to_string(), arguments.threads.to_string());
    let mut child = Command::new(this);
    child.args(["--quiet", "--seeds", "1", "--first", &seed.to_string()]);
    child.args(["--txns", &txns, "--threads", &threads]).env_remove(VARIABLE);
    child.args(["--workload", workload]);
    child.args(medium.iter().flat_map(|medium| ["--medium".to_owned(), medium.to_string()]));
    child.envs(fault.map(|fault| (VARIABLE, fault)));
    // Panics are told of as such; what they print would only be in the way.
    child.stdout(Stdio::piped()).stderr(Stdio::null());
    outcome(child.spawn().map_err(|error| error.to_string())?)
}

fn find_mutants(arguments: &Arguments) -> Result<bool, String> {
    if !cfg!(selvedge_mutants) {
        let how = "`cargo xtask history --mutants` makes one";
        return Err(format!("this build has no faults to plant: {how}"));
    }
    let Arguments { workload, medium, .. } = arguments;
    let none = [None].into_iter();
    let with_none = |faults: &'static [&str]| none.clone().chain(faults.iter().copied().map(Some));
    let mut is_well = true;
    if medium.is_none() && (workload.is_empty() || workload == OF_INDEXES) {
        for fault in with_none(FAULTS_OF_INDEXES) {
            is_well &= find_mutant(arguments, (OF_INDEXES, None), fault)?;
        }
    }
    if workload == OF_INDEXES {
        return Ok(is_well);
    }
    if workload.is_empty() && medium.is_none_or(|medium| medium == Medium::Failing) {
        for fault in FAULTS_OF_DISKS {
            is_well &= find_mutant(arguments, ("", Some(Medium::Failing)), Some(fault))?;
        }
    }
    if *medium == Some(Medium::Failing) {
        return Ok(is_well);
    }
    for fault in with_none(FAULTS) {
        is_well &= find_mutant(arguments, (workload, *medium), fault)?;
    }
    if workload.is_empty() && medium.is_none() {
        for fault in FAULTS.iter().filter(|fault| !FAULTS_OF_GRAPHS.contains(fault)) {
            is_well &= find_mutant(arguments, (OF_KEYSPACES, None), Some(fault))?;
        }
        for (fault, workload) in FAULTS_OF_ONE {
            is_well &= find_mutant(arguments, (workload, None), Some(fault))?;
        }
    }
    Ok(is_well)
}

/// Looks for one fault, or for none, from all seeds; whether it was found as often as it
/// should be.
fn find_mutant(
    arguments: &Arguments,
    (workload, medium): (&str, Option<Medium>),
    fault: Option<&str>,
) -> Result<bool, String> {
    let began = Instant::now();
    let (mut found, mut example) = (0, String::new());
    for seed in arguments.first..arguments.first + SEEDS {
        if let Some(told) = run_with(arguments, (workload, medium), fault, seed)? {
            found += 1;
            if example.is_empty() {
                example = told;
            }
        }
    }
    let as_expected = if fault.is_some() { found >= SEEDS_FOUND_MIN } else { found == 0 };
    let verdict = if as_expected { "ok" } else { "NOT AS EXPECTED" };
    let seconds = began.elapsed().as_secs_f64();
    let mut by = if workload.is_empty() { String::new() } else { format!(" by {workload}") };
    if let Some(medium) = medium {
        by += &format!(", {medium}");
    }
    let fault = fault.unwrap_or("no fault");
    tell(&format!(
        "{fault}{by}: found from {found} of {SEEDS}, {seconds:.0} s, {verdict}; {example}"
    ));
    Ok(as_expected)
}
