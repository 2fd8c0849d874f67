//! Documents that are larger than memory: loads them, reads and updates them at
//! random, closes and opens the database, and verifies them, in a process that may
//! use far less memory than they take.
//!
//! ```text
//! cargo run --release --example larger_than_memory -- [--mib 2048] [--limit-mib 512]
//! ```
//!
//! The limit is that of a control group (Linux, as root), which ends the process if
//! it is exceeded; pages of files count, and are given back. Where there are no
//! control groups, `--limit-mib 0` runs without one. Either way the memory that the
//! process has for itself is told at the end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use selvedge::SyncLevel;
use selvedge::prelude::*;

type Failure = Box<dyn std::error::Error>;

/// Bytes of text in a document.
const TEXT_BYTES: u64 = 4096;
/// Documents inserted in one transaction.
const BATCH: u64 = 256;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("larger_than_memory: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let (mut mib, mut limit) = (2048_u64, 512_u64);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?.parse()?;
        match word.as_str() {
            "--mib" => mib = value,
            "--limit-mib" => limit = value,
            _ => return Err(format!("there is no option {word}").into()),
        }
    }
    let _group = (limit > 0).then(|| ControlGroup::join(limit << 20)).transpose()?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("large.selvedge");
    let ids = load(&path, mib)?;
    let updates = change(&path, &ids)?;
    verify(&path, &ids, &updates)
}

/// The text of a document: nothing that compresses to a pattern, and known again
/// from its number and how often it was changed.
fn text(number: u64, changes: u64) -> String {
    let mut random = fastrand::Rng::with_seed(number << 20 | changes);
    (0..TEXT_BYTES / 8).map(|_| format!("{:08x}", random.u32(..))).collect()
}

fn open(path: &Path) -> Result<Db, Failure> {
    // Documents wait in memory for the next checkpoint: the smaller the log may
    // grow, the fewer there are.
    let every = std::time::Duration::from_millis(100);
    let builder = Db::builder().sync(SyncLevel::Normal { every }).checkpoint_bytes(16 << 20);
    Ok(builder.open(path)?)
}

fn load(path: &Path, mib: u64) -> Result<Vec<NodeId>, Failure> {
    let (db, began) = (open(path)?, Instant::now());
    let documents = (mib << 20) / TEXT_BYTES;
    let mut ids = Vec::new();
    for first in (0..documents).step_by(BATCH as usize) {
        ids.extend(db.transaction(|ctx| {
            let numbers = first..documents.min(first + BATCH);
            numbers
                .map(|n| ctx.insert_node("Page", None, doc! { "n": n, "text": text(n, 0) }))
                .collect::<Result<Vec<_>, Error>>()
        })?);
    }
    let rate = mib as f64 / began.elapsed().as_secs_f64();
    println!("loaded {documents} documents, {mib} MiB, at {rate:.0} MiB/s; {}", memory()?);
    db.close()?;
    Ok(ids)
}

/// Reads and updates documents at random; how often each was changed.
fn change(path: &Path, ids: &[NodeId]) -> Result<Vec<u8>, Failure> {
    let began = Instant::now();
    let db = open(path)?;
    println!("opened in {:.1?}; {}", began.elapsed(), memory()?);
    let mut changes = vec![0_u8; ids.len()];
    let mut random = fastrand::Rng::with_seed(1);
    let began = Instant::now();
    let times = ids.len() / 4;
    for turn in 0..times {
        let at = random.usize(..ids.len());
        expect(&db.snapshot()?, ids[at], at, changes[at])?;
        if turn % 2 == 0 {
            changes[at] = changes[at].saturating_add(1);
            db.set(ids[at], "text", text(at as u64, u64::from(changes[at])))?;
        }
    }
    let rate = times as f64 / began.elapsed().as_secs_f64();
    println!("read {times}, changed half of them, at {rate:.0}/s; {}", memory()?);
    let problems = db.check()?;
    db.close()?;
    if problems.is_empty() { Ok(changes) } else { Err(problems.join("\n").into()) }
}

fn verify(path: &Path, ids: &[NodeId], changes: &[u8]) -> Result<(), Failure> {
    let db = open(path)?;
    let (snapshot, began) = (db.snapshot()?, Instant::now());
    for (at, id) in ids.iter().enumerate() {
        expect(&snapshot, *id, at, changes[at])?;
    }
    println!("verified all in {:.1?}; {}", began.elapsed(), memory()?);
    Ok(())
}

fn expect(snapshot: &Snapshot<'_>, id: NodeId, at: usize, changes: u8) -> Result<(), Failure> {
    let node = snapshot.node(id)?.ok_or("a document is gone")?;
    if node.typed::<&str>("text")? != Some(&text(at as u64, u64::from(changes))) {
        return Err(format!("document {at} is not what was written").into());
    }
    Ok(())
}

/// What the process has for itself, at most so far and now.
fn memory() -> Result<String, Failure> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map_or("?".to_owned(), |kib| (kib >> 10).to_string())
    };
    Ok(format!(
        "memory of its own {} MiB, with pages of files {} MiB",
        field("RssAnon"),
        field("VmRSS")
    ))
}

/// A control group with a limit on memory that this process is in; removed when the
/// process has left it, at the end.
struct ControlGroup {
    group: PathBuf,
    before: PathBuf,
}

impl ControlGroup {
    /// Makes a group for this process, of either version of control groups.
    fn join(limit: u64) -> Result<Self, Failure> {
        let own = std::fs::read_to_string("/proc/self/cgroup")?;
        let of = |controller: &str| {
            own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let (controllers, path) = (parts.next()?, parts.next()?);
                controllers.split(',').any(|name| name == controller).then_some(path)
            })
        };
        let (before, file) = match of("memory") {
            Some(path) => (mounted("/sys/fs/cgroup/memory", path), "memory.limit_in_bytes"),
            None => (mounted("/sys/fs/cgroup", of("").unwrap_or("/")), "memory.max"),
        };
        // Beside its own group, not in it: the second version lets no group have both
        // processes and groups.
        let above =
            if before.join(file).exists() { before.parent().unwrap_or(&before) } else { &before };
        let group = above.join(format!("selvedge-{}", std::process::id()));
        std::fs::create_dir(&group)?;
        let made = Self { group, before: before.clone() };
        std::fs::write(made.group.join(file), limit.to_string())?;
        std::fs::write(made.group.join("cgroup.procs"), std::process::id().to_string())?;
        println!("limited to {} MiB by {}", limit >> 20, made.group.display());
        Ok(made)
    }
}

/// Where a group is mounted; its path may be one of another name space.
fn mounted(root: &str, path: &str) -> PathBuf {
    let inside = Path::new(root).join(path.trim_start_matches('/'));
    if inside.is_dir() { inside } else { PathBuf::from(root) }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // What is left behind is an empty group.
        let _ = std::fs::write(self.before.join("cgroup.procs"), std::process::id().to_string());
        let _ = std::fs::remove_dir(&self.group);
    }
}
