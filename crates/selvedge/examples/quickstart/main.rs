//! The quickstart: what this workspace is built from, as a graph, while several
//! threads change it.
//!
//! ```text
//! cargo run --release --example quickstart
//! ```
//!
//! 1. Loads what `cargo metadata` says into a database, in one transaction
//!    (`cargo_graph.rs`).
//! 2. Asks the graph some questions (`questions.rs`).
//! 3. Lets four threads change it at once, and collide (`review.rs`), while a
//!    reader keeps one snapshot and asks the same questions again and again.
//! 4. Checks that nothing was lost, that nothing dangles, that the reader was
//!    never disturbed, and that its versions are gone once it is (`checks.rs`).
//! 5. Closes the database, which is on disk, opens it again, and finds the same.
//!
//! The exit status is not 0 if anything of that does not hold.

mod cargo_graph;
mod checks;
mod questions;
mod review;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cargo_metadata::Metadata;
use selvedge::prelude::*;

use cargo_graph::DEPENDENCY_TYPES;
use checks::Checks;
use review::Tally;

/// Anything that goes wrong here; a database error turns into it by `?`.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The package that the questions start from.
const START: &str = "selvedge";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let metadata = cargo_graph::read_metadata()?;
    let path = metadata.target_directory.join("quickstart.selvedge");
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    let db = Db::open(&path)?;
    let began = Instant::now();
    cargo_graph::load(&db, &metadata)?;
    println!("Loaded in one transaction into {path}, in {:.1?}", began.elapsed());

    let mut checks = Checks::default();
    count(&db, &metadata, &mut checks)?;
    ask(&db)?;

    // The long reader, and what it sees: everything before the threads start.
    let snapshot = db.snapshot_labelled("the long reader")?;
    let start = questions::package(&snapshot, START)?;
    let digest = questions::digest(&snapshot, start)?;
    let (tally, readings) = review(&db, &snapshot, start, digest)?;
    report(&db, &tally, readings);

    println!("\nWhat must hold");
    let unchanged = questions::digest(&snapshot, start)? == digest;
    checks.holds("answers of the long reader unchanged", unchanged, &format!("{digest:016x}"));
    drop(snapshot);
    verify(&db, &metadata, &tally, &mut checks)?;
    reopen(db, path.as_std_path(), &mut checks)?;
    checks.finish()
}

/// Closes the database and opens it again.
fn reopen(db: Db, path: &Path, checks: &mut Checks) -> Result<(), Failure> {
    let before = checks::digest(&db.snapshot()?)?;
    let storage = db.statistics().storage.ok_or("the database is on disk")?;
    db.close()?;
    let began = Instant::now();
    let db = Db::open(path)?;
    let time = began.elapsed();
    checks.holds(
        "after reopening, everything as it was",
        checks::digest(&db.snapshot()?)? == before,
        "",
    );
    let problems = db.check()?;
    checks.holds("everything on disk fits together", problems.is_empty(), &problems.join("\n"));
    println!("\nOn disk");
    println!("  {:>5}  commits logged, {} bytes", storage.log.records, storage.log.bytes);
    println!(
        "  {:>5}  syncs, of up to {} commits each",
        storage.log.syncs, storage.log.group_records_max
    );
    println!("  {time:>5.1?}  to open it again");
    Ok(())
}

fn count(db: &Db, metadata: &Metadata, checks: &mut Checks) -> Result<(), Failure> {
    let (packages, dependencies) = cargo_graph::expected_counts(metadata)?;
    let snapshot = db.snapshot()?;
    checks.equal("packages, as cargo counts them", snapshot.count("Package")?, packages);
    for (edge_type, expected) in DEPENDENCY_TYPES.iter().zip(dependencies) {
        checks.equal(edge_type, snapshot.count_edges(edge_type)?, expected);
    }
    Ok(())
}

fn ask(db: &Db) -> Result<(), Failure> {
    let snapshot = db.snapshot()?;
    println!("\nNeeded by most packages");
    for (id, degree) in questions::most_needed(&snapshot, 5)? {
        let license = snapshot.node(id)?.and_then(|node| node.typed("license").ok()?);
        let key = questions::key(&snapshot, id)?;
        println!("  {degree:>4}  {key:<28} {}", license.unwrap_or("no license given"));
    }

    let start = questions::package(&snapshot, START)?;
    println!("\nWhat {START} pulls in, by distance");
    let ways: [(&str, &[&str]); 2] =
        [("to build", &questions::TO_BUILD), ("to develop", &DEPENDENCY_TYPES)];
    for (what, edge_types) in ways {
        let by_depth = questions::pulls_in(&snapshot, start, edge_types)?;
        let numbers: Vec<String> = by_depth.values().map(u64::to_string).collect();
        let sum: u64 = by_depth.values().sum();
        println!("  {sum:>4}  {what:<12} {}", numbers.join(" + "));
    }

    let way = questions::longest_way(&snapshot, start)?;
    let names: Result<Vec<String>, Failure> =
        way.iter().map(|id| questions::key(&snapshot, *id)).collect();
    println!("\nA shortest path to one of the deepest\n  {}", names?.join(" -> "));
    Ok(())
}

/// Runs the threads beside the long reader; gives what they did, and how often
/// the reader asked everything again.
fn review(
    db: &Db,
    snapshot: &Snapshot<'_>,
    start: NodeId,
    digest: u64,
) -> Result<(Tally, u64), Failure> {
    let packages: Vec<NodeId> =
        questions::most_needed(snapshot, 4)?.into_iter().map(|(id, _)| id).collect();
    let (barrier, done) = (Barrier::new(review::THREADS), AtomicBool::new(false));
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut readings = 0;
            loop {
                // Once more after the last commit.
                let last = done.load(Ordering::Acquire);
                if questions::digest(snapshot, start)? != digest {
                    return Err("the snapshot of the long reader changed under it".into());
                }
                readings += 1;
                if last {
                    break;
                }
            }
            Ok::<u64, Failure>(readings)
        });
        let auditors: Vec<_> = (0..review::THREADS)
            .map(|auditor| {
                let (packages, barrier) = (&packages, &barrier);
                scope.spawn(move || review::work(db, auditor, packages, barrier))
            })
            .collect();
        // The reader must end before an error leaves the scope.
        let tallies: Vec<_> = auditors.into_iter().map(|auditor| auditor.join()).collect();
        done.store(true, Ordering::Release);
        let readings = reader.join().map_err(|_| "the long reader panicked")??;
        let mut sum = Tally::default();
        for tally in tallies {
            sum.add(&tally.map_err(|_| "an auditor panicked")??);
        }
        Ok((sum, readings))
    })
}

fn report(db: &Db, tally: &Tally, readings: u64) {
    println!("\n{} threads audited packages at once", review::THREADS);
    println!("  {:>5}  audits acknowledged", tally.audits);
    println!("  {:>5}  reviews added", tally.reviews_added);
    println!("  {:>5}  reviews deleted", tally.reviews_deleted);
    println!("  {:>5}  conflicts in {} arranged duels", tally.conflicts_duel, review::DUELS);
    println!("  {:>5}  conflicts, run again by transaction_retry", tally.conflicts_retried);
    println!("  {:>5}  conflicts of plain transactions, given up", tally.conflicts_plain);
    println!("  {readings:>5}  times the long reader asked everything again");
    let statistics = db.statistics();
    let oldest = statistics.oldest_snapshot.and_then(|oldest| oldest.label);
    println!(
        "  {:>5}  old versions kept ({} bytes), for {:?}",
        statistics.versions_retained,
        statistics.bytes_retained,
        oldest.as_deref().unwrap_or("nobody")
    );
}

fn verify(db: &Db, metadata: &Metadata, tally: &Tally, checks: &mut Checks) -> Result<(), Failure> {
    let snapshot = db.snapshot()?;
    let audits = checks::sum_of_audits(&snapshot)?;
    checks.equal("sum of the counters == acknowledged audits", audits, tally.audits);
    let reviews = snapshot.count("Review")?;
    let left = tally.reviews_added - tally.reviews_deleted;
    checks.equal("count of reviews == added - deleted", reviews, left);
    checks.equal("every review has its edge", snapshot.count_edges("REVIEWS")?, reviews);
    for label in ["Package", "Review"] {
        let scanned = snapshot.scan(label)?.count() as u64;
        checks.equal(&format!("scan of {label} == count"), scanned, snapshot.count(label)?);
    }
    let edges = snapshot.edge_count()?;
    let [out, into] = checks::walk_edges(&snapshot)?;
    checks.equal("edges found from their sources == count, none dangles", out, edges);
    checks.equal("edges found from their targets == count, none dangles", into, edges);
    let (_, dependencies) = cargo_graph::expected_counts(metadata)?;
    checks.equal("dependencies untouched", edges - reviews, dependencies.iter().sum());

    let statistics = db.statistics();
    let refused =
        statistics.conflicts_write + statistics.conflicts_dangling + statistics.conflicts_read;
    checks.equal("conflicts met == conflicts of the statistics", tally.conflicts(), refused);
    let arranged = (review::DUELS * (review::THREADS - 1)) as u64;
    checks.equal("each duel had one winner", tally.conflicts_duel, arranged);
    drop(snapshot);
    let retained = retained_after(db, Duration::from_secs(10));
    checks.equal("old versions kept after the long reader", retained, 0);
    Ok(())
}

/// The versions retained once they are gone, or after `patience`: they go in the
/// background.
fn retained_after(db: &Db, patience: Duration) -> u64 {
    let began = Instant::now();
    loop {
        let retained = db.statistics().versions_retained;
        if retained == 0 || began.elapsed() > patience {
            return retained;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
